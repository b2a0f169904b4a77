//! Objects that are sound to read, and that the loader refuses all the same: programs, objects of another system or for
//! `DT_NEEDED` alone, those for newer processors, and those that need versions of a library and not the library
//! (`open_verify`, `_dl_map_object_from_fd` and `_dl_check_map_versions` in glibc's elf directory).

use super::installed::with_guard;
use crate::diagnosis::load_report::Seen;
use crate::findings::cure::{Cure, Reinstall};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::file::File;
use crate::findings::finding::{Cause, Finding, fault};
use crate::loader::{Fatal, NO_DYNAMIC_SECTION};
use crate::world::World;
use crate::world::inventory::{Object, Role};
use crate::world::python_code::{PythonCode, Reaction};
use crate::world::unreadable::Why;
use std::collections::BTreeMap;
use std::path::Path;

/// The findings about what is refused when a module is imported or a program is started, when Python code opens a
/// library without a guard, or when an object is opened that was named. `is_started` tells of the path of a program
/// whether users start it.
#[must_use]
pub fn findings(
    world: &World,
    code: &PythonCode<'_>,
    seen: &Seen,
    is_started: impl Fn(&Path) -> bool,
) -> Vec<Finding> {
    // Many modules load the same library.
    let mut found = BTreeMap::new();
    for (root, fatal) in &seen.refused {
        let Some(root) = world.inventory.at(root) else { continue };
        if !is_opened(world, code, root, fatal)
            || root.role == Role::Executable && !is_started(&root.path)
        {
            continue;
        }
        // What is outside the target is reported with what loads it.
        let object = world.inventory.at(&fatal.path).unwrap_or(root);
        found
            .entry(&object.path)
            .or_insert_with(|| with_guard(world, code, of(world, object, fatal)));
    }
    found.into_values().collect()
}

/// Is an object opened that the loader refuses? Nothing is known to open a library that nobody names.
#[must_use]
pub fn is_opened(world: &World, code: &PythonCode<'_>, object: &Object, fatal: &Fatal) -> bool {
    // A file of debug information has the name of its module, and nothing opens it.
    if fatal.message == NO_DYNAMIC_SECTION {
        return false;
    }
    match object.role {
        Role::ExtensionModule | Role::Executable => true,
        Role::Library => {
            world.is_named(&object.path)
                || matches!(code.reaction(object), Some(Reaction::Fails(_)))
        }
    }
}

/// The finding about one object, which is refused itself or loads what is.
#[must_use]
pub fn of(world: &World, object: &Object, fatal: &Fatal) -> Finding {
    let file = world.place(&fatal.path);
    let evidence = File::Unreadable { file, why: Why::Refused(fatal.message.clone()) };
    let cure = Cure::reinstall_owner(world, &fatal.path, Reinstall::Distribution);
    fault(Cause::Unreadable, &object.path, Evidence::File(evidence), cure)
}
