//! Modules with several names, of which an import uses one: the loader searches from the name by which a file is
//! opened, and does not resolve it.

use super::World;
use super::inventory::{Object, Role};
use crate::python::environment::Environment;
use crate::python::modules::is_regular_package;
use crate::vfs::Vfs;
use std::path::Path;

impl World {
    /// The name by which a module is imported, if it is not its own, which is in no package.
    #[must_use]
    pub fn imported_as(&self, vfs: &dyn Vfs, module: &Object) -> Option<&Object> {
        let names = || self.inventory.of_file(module.id);
        // Most files have one name.
        if module.role != Role::ExtensionModule || names().nth(1).is_none() {
            return None;
        }
        let is_module = |it: &&Object| it.role == Role::ExtensionModule && it.path != module.path;
        let mut others = names().filter(is_module);
        let other = others.find(|other| self.is_in_a_package(vfs, &other.path))?;
        (!self.is_in_a_package(vfs, &module.path)).then_some(other)
    }

    /// Is a module directly in a directory of the search path, or in packages with code below it?
    fn is_in_a_package(&self, vfs: &dyn Vfs, module: &Path) -> bool {
        let imported = self.environment.iter().flat_map(Environment::import_path);
        let mut all = imported.chain(self.inventory.sites.iter().map(|site| site.as_path()));
        all.any(|directory| {
            let Ok(inside) = module.strip_prefix(directory) else { return false };
            let packages = inside.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty());
            packages.map(|package| directory.join(package)).all(|it| is_regular_package(vfs, &it))
        })
    }
}
