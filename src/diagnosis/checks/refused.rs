//! Objects that are sound to read, and that the loader refuses all the same: programs, objects of another system or for
//! `DT_NEEDED` alone, those for newer processors, and those that need versions of a library and not the library
//! (`open_verify`, `_dl_map_object_from_fd` and `_dl_check_map_versions` in glibc's elf directory).

use crate::diagnosis::load_report::Seen;
use crate::findings::cure::{Cure, Reinstall};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::file::File;
use crate::findings::finding::{Cause, Finding, fault};
use crate::loader::{Fatal, NO_DYNAMIC_SECTION};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use crate::world::python_code::{PythonCode, Reaction};
use crate::world::unreadable::Why;
use std::collections::BTreeMap;

/// The findings about what is refused when a module is imported or a program is started, when Python code opens a
/// library without a guard, or when an object is opened that was named. Nothing is known to open another library.
#[must_use]
pub fn findings(vfs: &dyn Vfs, world: &World, seen: &Seen) -> Vec<Finding> {
    let code = PythonCode::new(vfs, world);
    let is_opened = |object: &Object| match object.role {
        Role::ExtensionModule | Role::Executable => true,
        Role::Library => {
            world.is_named(&object.path)
                || matches!(code.reaction(object), Some(Reaction::Fails(_)))
        }
    };
    // Many modules load the same library.
    let mut found = BTreeMap::new();
    for (root, fatal) in &seen.refused {
        // A file of debug information has the name of its module, and nothing opens it.
        let is_debug = fatal.message == NO_DYNAMIC_SECTION;
        let Some(root) = world.inventory.at(root).filter(|root| !is_debug && is_opened(root))
        else {
            continue;
        };
        // What is outside the target is reported with what loads it.
        let object = world.inventory.at(&fatal.path).unwrap_or(root);
        found.entry(&object.path).or_insert_with(|| of(world, object, fatal));
    }
    found.into_values().collect()
}

/// The finding about one object, which is refused itself or loads what is.
#[must_use]
pub fn of(world: &World, object: &Object, fatal: &Fatal) -> Finding {
    let file = world.place(&fatal.path);
    let evidence = File::Unreadable { file, why: Why::Refused(fatal.message.clone()) };
    let cure = Cure::reinstall_owner(world, &fatal.path, Reinstall::Distribution);
    fault(Cause::Unreadable, &object.path, Evidence::File(evidence), cure)
}
