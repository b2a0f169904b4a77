//! Which directory the modules of an editable installation are imported from, where setuptools wrote a finder
//! for it: `__editable___NAME_finder.py` has them in a dictionary of constants
//! ([setuptools, `command/editable_wheel.py`](https://setuptools.pypa.io/en/latest/userguide/development_mode.html)).

use super::{nesting, on_parser_thread};
use ruff_python_ast::{Expr, Stmt};
use std::path::PathBuf;

/// The name that the dictionary has.
const NAME: &str = "MAPPING";

/// The modules that a finder knows, by their whole names, and where each is. A file that holds no such
/// dictionary names none.
#[must_use]
pub fn mapped(text: &[u8]) -> Vec<(String, PathBuf)> {
    if memchr::memmem::find(text, NAME.as_bytes()).is_none() {
        return Vec::new();
    }
    let Some(text) = super::text::decoded(text).filter(|text| nesting::is_bounded(text)) else {
        return Vec::new();
    };
    let parsed = || {
        let module = ruff_python_parser::parse_module(&text).ok()?;
        module.suite().iter().find_map(dictionary)
    };
    on_parser_thread(parsed).flatten().unwrap_or_default()
}

/// The pairs of constants in the dictionary, if that statement gives it its value.
fn dictionary(statement: &Stmt) -> Option<Vec<(String, PathBuf)>> {
    let (target, value) = match statement {
        Stmt::Assign(assign) => (assign.targets.first()?, &*assign.value),
        Stmt::AnnAssign(assign) => (&*assign.target, assign.value.as_deref()?),
        _ => return None,
    };
    let (Expr::Name(target), Expr::Dict(dictionary)) = (target, value) else { return None };
    if target.id != NAME {
        return None;
    }
    let pairs =
        dictionary.items.iter().filter_map(|item| match (item.key.as_ref()?, &item.value) {
            (Expr::StringLiteral(module), Expr::StringLiteral(path)) => {
                Some((module.value.to_str().to_owned(), PathBuf::from(path.value.to_str())))
            }
            _ => None,
        });
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::mapped;
    use std::path::PathBuf;

    #[test]
    fn the_finder_of_an_editable_installation_names_its_directories() {
        let finder = "from __future__ import annotations\n\
                      MAPPING: dict[str, str] = {'a': '/src/a', 'b.c': '/src/b/c', name: '/x', **more}\n";
        let named = |name: &str, path: &str| (name.to_owned(), PathBuf::from(path));
        assert_eq!(mapped(finder.as_bytes()), [named("a", "/src/a"), named("b.c", "/src/b/c")]);
        let deep = format!("MAPPING = {}1{}", "(".repeat(20_000), ")".repeat(20_000));
        for text in ["MAPPING = other", "MAPPING", "def MAPPING(: {'a': '/b'}", &deep] {
            assert_eq!(mapped(text.as_bytes()), [], "{}", &text[..text.len().min(40)]);
        }
    }
}
