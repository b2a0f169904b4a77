//! Modules that were compiled with NumPy 1 beside NumPy 2.
//!
//! `import_array` of NumPy's C interface compares the major version of its headers with that of the installed
//! NumPy when the module is imported (`_import_array` in NumPy's `__multiarray_api.h`), and raises an
//! `ImportError`. Since NumPy 2 the headers ask for `numpy._core` first, so the constants of a module show with
//! which it was compiled. Modules that were compiled with NumPy 2 load with both.

use super::requirements::{installed, newer_numpy};
use crate::findings::finding::Finding;
use crate::knowledge::tensorflow;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::constants::Constants;
use crate::world::inventory::{Object, Role};
use crate::world::python_code::{PythonCode, Reaction};
use std::collections::BTreeMap;

/// The name that the headers of NumPy 1 import, and that which those of NumPy 2 import before.
const OF_NUMPY_1: &[u8] = b"numpy.core._multiarray_umath";
const OF_NUMPY_2: &[u8] = b"numpy._core._multiarray_umath";
/// A part of what `import_array` says where the versions differ.
const REFUSAL: &[u8] = b"module compiled against ABI version";

/// The most modules of a distribution that are searched, and the most bytes of one, and of all together.
const MAX_MODULES: usize = 16;
const MAX_BYTES: u64 = 1 << 19;
const MAX_BYTES_OF_ALL: u64 = 32 << 20;

/// The finding about the distributions that require NumPy and have such a module, if there are any.
pub(super) fn finding(vfs: &dyn Vfs, world: &World, code: &PythonCode<'_>) -> Option<Finding> {
    let inventory = &world.inventory;
    let is_two = |version: &str| tensorflow::release(version).is_some_and(|(major, _)| major >= 2);
    let mut numpys = inventory.distributions.iter().filter(|it| it.normalized == "numpy");
    if !numpys.any(|numpy| is_two(&numpy.version)) {
        return None;
    }
    let mut modules: BTreeMap<usize, Vec<&Object>> = BTreeMap::new();
    let modules_of_all = inventory.objects.iter();
    let reached = modules_of_all
        .filter(|it| it.role == Role::ExtensionModule && world.shadowed_by(&it.path).is_none());
    for object in reached {
        let Some(index) = object.distribution else { continue };
        let modules = modules.entry(index).or_default();
        if modules.len() < MAX_MODULES {
            modules.push(object);
        }
    }
    let constants = Constants::new(vfs, MAX_BYTES, MAX_BYTES_OF_ALL);
    let found = modules.into_iter().filter_map(|(index, modules)| {
        let own = inventory.distributions.get(index)?;
        let requires = own.requires.iter().any(|needed| needed.name == "numpy");
        let there = installed(world, own, "numpy").filter(|there| is_two(&there.version))?;
        // Those of TensorFlow are known by its release.
        if !requires || tensorflow::is_tensorflow(&own.normalized) {
            return None;
        }
        let module = modules.into_iter().find_map(|it| Some((it, is_for_1(&constants, it)?)));
        let (module, _) = module.filter(|(_, is_for_1)| *is_for_1)?;
        let reaction = code.reaction(module);
        let goes_on = matches!(reaction, Some(Reaction::GoesOn(_) | Reaction::Later(_)));
        (!goes_on).then_some((module, own, there))
    });
    let found: Vec<_> = found.collect();
    let (module, own, there) = found.first()?;
    Some(newer_numpy(&module.path, own, there, found.len() - 1))
}

/// Was a module that uses NumPy compiled with NumPy 1? `None` if it does not show that it uses NumPy.
fn is_for_1(constants: &Constants<'_>, module: &Object) -> Option<bool> {
    let names = constants.held(module, &[REFUSAL, OF_NUMPY_1, OF_NUMPY_2])?;
    let is_for_1 = names.contains(&1) && !names.contains(&2);
    names.contains(&0).then_some(is_for_1)
}
