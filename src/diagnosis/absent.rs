//! Where a library is that the target has under no name that is asked for: without its link, in the
//! system where nobody looks, in another version, or nowhere.
//!
//! A library is known by its `DT_SONAME`, its class and its machine; the name of its file is what a link
//! or a copy made of that.

use super::checks::variables;
use super::load_report::Missing;
use super::provider;
use crate::bytes::{printable, shell_word, shown};
use crate::findings::finding::{Cause, Finding};
use crate::knowledge::packages;
use crate::loader::Target;
use crate::vfs::Vfs;
use crate::world::inventory::Object;
use crate::world::system_libraries::Libraries;
use crate::world::unreadable::flattened_link;
use crate::world::{Question, World};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A library of which the target has no copy under the name that is asked for.
pub(super) struct Absent<'a> {
    pub(super) vfs: &'a dyn Vfs,
    pub(super) world: &'a World,
    pub(super) question: &'a Question,
    pub(super) libraries: &'a Libraries<'a>,
    pub(super) missing: &'a Missing,
}

impl Absent<'_> {
    /// Where it is, in the order of what is the likeliest to be meant.
    pub(super) fn finding(&self, object: &str, library: &str) -> Finding {
        let needs = format!("{object} needs {library}");
        self.refused(&needs)
            .or_else(|| self.without_link(&needs))
            .or_else(|| self.outside(&needs))
            .or_else(|| self.without_version(&needs))
            .unwrap_or_else(|| self.in_another_version(&needs))
    }

    fn name(&self) -> &[u8] {
        &self.missing.dependency.name
    }

    /// A file of the name is there, and the loader ends its search at it.
    fn refused(&self, needs: &str) -> Option<Finding> {
        let fatal = self.missing.dependency.fatal.as_ref()?;
        let path = self.world.shown(&fatal.path);
        if let Some(named) = flattened_link(self.vfs, &fatal.path) {
            let message = format!(
                "{needs}; {path} was a link to {}, and is now a text with that name",
                shown(&named)
            );
            let cure = format!("ln -sf {} {}", word(&named), word(&fatal.path));
            return Some(self.missing.finding(Cause::DroppedLink, message, &cure));
        }
        let message = format!("{needs}; the loader gives up at {path}: {}", fatal.message);
        let cure = "install the distribution that the file belongs to again";
        Some(self.missing.finding(Cause::Unreadable, message, cure))
    }

    /// A library of the target with that soname, whose file has another name: the link is gone that had
    /// this one.
    fn without_link(&self, needs: &str) -> Option<Finding> {
        let is_it = |object: &&Object| {
            object.elf().and_then(|elf| elf.soname.as_deref()) == Some(self.name())
        };
        let found = self.of_this_machine().find(is_it)?;
        let message = format!(
            "{needs}; {} is that library, and the link of that name is gone",
            self.world.shown(&found.path)
        );
        Some(self.to_be_linked(&found.path, message))
    }

    /// The finding about a link that is to be made beside a file.
    fn to_be_linked(&self, file: &Path, message: String) -> Finding {
        let directory = file.parent().unwrap_or(file);
        let link = directory.join(OsStr::from_bytes(self.name()));
        let named = Path::new(file.file_name().unwrap_or_default());
        let mut cure = format!("ln -s {} {}", word(named), word(&link));
        let real = self.vfs.canonicalize(directory).ok();
        let is_searched = self.missing.dependency.tried.steps().any(|step| {
            step.path.parent().and_then(|tried| self.vfs.canonicalize(tried).ok()) == real
        });
        if !is_searched {
            cure += " && tfpatch fix";
        }
        let found = self.missing.finding(Cause::DroppedLink, message, &cure);
        Finding { lies_in: vec![directory.to_owned()], ..found }
    }

    /// A library of the system: in a directory of ldconfig, whose cache does not have it, or where no
    /// loader looks by itself.
    fn outside(&self, needs: &str) -> Option<Finding> {
        let machine = self.machine()?;
        let copy = self.libraries.copies(self.name(), machine).into_iter().next();
        let file = copy.clone().or_else(|| self.libraries.by_soname(self.name(), machine))?;
        let directory = file.parent().unwrap_or(&file).to_owned();
        if self.libraries.are_ldconfigs(&directory) {
            let message = format!(
                "{needs}; {} is there, and ld.so.cache is older and does not have it",
                shown(&file)
            );
            let found = self.missing.finding(Cause::StaleCache, message, "ldconfig, as root");
            return Some(Finding { lies_in: vec![directory], ..found });
        }
        if copy.is_none() {
            let message = format!(
                "{needs}; {} is that library, and the link of that name is gone",
                shown(&file)
            );
            return Some(self.to_be_linked(&file, message));
        }
        let message =
            format!("{needs}; it lies in {}, and no search path leads there", shown(&directory));
        let cure = "tfpatch fix --allow-absolute";
        let found = self.missing.finding(Cause::PathMissing, message, cure);
        Some(Finding { fixable: true, lies_in: vec![directory], ..found })
    }

    /// What is asked for has no version in its name, and what is there has one: the name without is one
    /// that only packages for developers bring.
    fn without_version(&self, needs: &str) -> Option<Finding> {
        let stem = self.name().strip_suffix(b".so").map(|_| [self.name(), b"."].concat())?;
        let own = self.of_this_machine().find(|object| object.name().starts_with(&stem));
        let file = own.map(|object| object.path.clone());
        let file = file.or_else(|| self.libraries.versioned(&stem, self.machine()?))?;
        let message = format!(
            "{needs}, a name without a version; {} has one, and nothing links the one to the other",
            self.world.shown(&file)
        );
        Some(self.to_be_linked(&file, message))
    }

    fn in_another_version(&self, needs: &str) -> Finding {
        let (name, asking) = (self.name(), &self.missing.asking);
        let hint = variables::names_of_nothing(self.vfs, self.world, self.question, name);
        let other = provider::other_version(&self.world.inventory, asking, name);
        let (whose, other) = match other {
            Some(other) => ("environment", Some(other.path.clone())),
            None => {
                let machine = self.machine();
                ("system", machine.and_then(|it| self.libraries.other_version(name, it)))
            }
        };
        let cure = packages::cure(name);
        let parts = other.as_deref().and_then(|other| Some((other.file_name()?, other.parent()?)));
        let Some((there, directory)) = parts else {
            let message = format!("{needs}, which is nowhere{hint}");
            return self.missing.finding(Cause::NotInstalled, message, &cure);
        };
        let message = format!(
            "{needs}; the {whose} has {} in {}{hint}",
            printable(there.as_bytes()),
            self.world.shown(directory)
        );
        let found = self.missing.finding(Cause::SonameMismatch, message, &cure);
        Finding { lies_in: vec![directory.to_owned()], ..found }
    }

    fn machine(&self) -> Option<Target> {
        self.missing.asking.elf().map(Target::of)
    }

    /// The objects of the target that a process with the one that asks could load.
    fn of_this_machine(&self) -> impl Iterator<Item = &Object> {
        let machine = self.machine();
        let objects = self.world.inventory.objects.iter();
        objects.filter(move |object| object.elf().map(Target::of) == machine)
    }
}

/// A path as a word of a command.
fn word(path: &Path) -> String {
    shell_word(path.as_os_str().as_bytes())
}
