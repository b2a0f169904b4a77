//! Which extension modules Python has imported when it comes to another one of the same distribution.

use super::{File, Package, PythonCode};
use crate::python::sources::{Import, When};
use crate::world::inventory::{Object, Role};
use std::collections::HashMap;
use std::rc::Rc;

/// When modules are imported along with a package, as numbers that grow.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By module: when it is first imported, and when it is first imported whatever happens.
    modules: HashMap<String, (usize, Option<usize>)>,
    now: usize,
}

impl Order {
    fn add(&mut self, module: String, is_sure: bool) {
        self.now += 1;
        let times = self.modules.entry(module).or_insert((self.now, None));
        if is_sure && times.1.is_none() {
            times.1 = Some(self.now);
        }
    }

    /// Is one module always imported before another, which may be imported only later, by a function?
    fn has_before(&self, one: &str, other: &str) -> bool {
        let sure = self.modules.get(one).and_then(|(_, sure)| *sure);
        let first = self.modules.get(other).map(|(first, _)| *first);
        sure.is_some_and(|sure| first.is_none_or(|first| sure < first))
    }
}

impl<'a> PythonCode<'a> {
    /// The extension modules of a module's own distribution that the packages around it import before it,
    /// whatever happens. Code that cannot be read shows no order.
    #[must_use]
    pub fn modules_before(&self, module: &Object) -> Vec<&'a Object> {
        let maker = self.world.maker(module);
        let name = self.module_name(module);
        let (Some(maker), Some(name)) = (maker, name) else { return Vec::new() };
        let Some((around, _)) = name.rsplit_once('.') else { return Vec::new() };
        let Some(package) = self.package(&maker) else { return Vec::new() };
        let known = self.orders.borrow().get(around).cloned();
        let order = known.unwrap_or_else(|| {
            let order = Rc::new(self.order(&package, around).unwrap_or_default());
            self.orders.borrow_mut().insert(around.to_owned(), Rc::clone(&order));
            order
        });
        let objects = self.world.inventory.objects.iter();
        let own = objects.filter(|other| {
            other.role == Role::ExtensionModule && self.world.maker(other).as_ref() == Some(&maker)
        });
        own.filter(|other| self.module_name(other).is_some_and(|it| order.has_before(&it, &name)))
            .collect()
    }

    /// In which order Python executes the imports of a package and of those around it; `None` if this is not
    /// known.
    fn order(&self, package: &Package, around: &str) -> Option<Order> {
        let mut order = Order::default();
        // The last is taken first.
        let mut next: Vec<(String, bool)> = names_of(around).map(|name| (name, true)).collect();
        next.reverse();
        // By file: was it followed as one that is always imported?
        let mut seen: HashMap<&str, bool> = HashMap::new();
        while let Some((name, is_sure)) = next.pop() {
            let Some(file) = package.module(&name) else {
                order.add(name, is_sure);
                continue;
            };
            let was_sure = seen.insert(&file.module, is_sure);
            if let Some(was_sure) = was_sure.filter(|was_sure| *was_sure || !is_sure) {
                seen.insert(&file.module, was_sure);
                continue;
            }
            self.parse(&[file]);
            let mut behind = imported(file, is_sure)?;
            behind.reverse();
            next.append(&mut behind);
        }
        Some(order)
    }
}

/// What a file imports when it is executed, in that order, each with whether it always does; `None` if it was
/// not parsed.
fn imported(file: &File, is_sure: bool) -> Option<Vec<(String, bool)>> {
    let end = file.rerouted();
    let mut imports: Vec<&Import> = file.source()?.imports.iter().collect();
    imports.retain(|it| {
        let is_reached = matches!(it.standing.when, When::Always | When::Conditionally);
        is_reached && !it.is_start && it.standing.reached < end
    });
    imports.sort_by_key(|import| import.standing.reached);
    let names = imports.into_iter().flat_map(|import| {
        let is_sure = is_sure && import.standing.is_sure() && !import.standing.may_be_caught;
        let base = file.base(import).unwrap_or_default();
        let below: Vec<String> = import.names.iter().map(|name| format!("{base}.{name}")).collect();
        let all: Vec<String> = names_of(&base).chain(below).collect();
        all.into_iter().map(move |name| (name, is_sure))
    });
    Some(names.collect())
}

/// A module and the packages that it is in, from the outermost, in which order Python imports them.
fn names_of(module: &str) -> impl Iterator<Item = String> + '_ {
    let ends = module.match_indices('.').map(|(end, _)| end).chain([module.len()]);
    ends.filter_map(|end| module.get(..end)).filter(|name| !name.is_empty()).map(str::to_owned)
}
