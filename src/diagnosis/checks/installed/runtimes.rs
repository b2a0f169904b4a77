//! Runtimes of which a process can have only one, and gets two: OpenMP and BLAS.
//!
//! Wheels contain private copies of both. Most do no harm: GNU's OpenMP runtimes are independent of
//! one another, and the BLAS of numpy's and scipy's wheels have symbols with names of their own.
//! Only the harmful ones are reported.

use crate::diagnosis::bindings::Found;
use crate::diagnosis::load_report::Seen;
use crate::elf::{Image, hash};
use crate::findings::cure::{Cure, Install};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::installed::{Installed, Twice};
use crate::findings::finding::{Cause, Finding, fault};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What LLVM's and Intel's OpenMP runtimes export and GNU's does not (LLVM's
/// `openmp/runtime/src/kmp.h`). One that finds another one of them in its process ends it
/// (`__kmp_register_library_startup`, message `DuplicateLibrary`).
const KMP: &[u8] = b"__kmpc_fork_call";

/// A function of every BLAS with Fortran's interface (netlib's `dgemm.f`), where no prefix or suffix
/// sets it apart.
const BLAS: &[u8] = b"dgemm_";

/// How files of BLAS libraries are called. `libblas.so.3` is not one of them: distributions of Linux
/// link it to the BLAS that is chosen for the system.
const BLAS_LIBRARIES: &[&str] = &["openblas", "mkl", "blis", "atlas"];

pub(super) fn findings(vfs: &dyn Vfs, world: &World, seen: &Seen) -> Vec<Finding> {
    openmp(vfs, world, seen).into_iter().chain(blas(vfs, world, seen)).collect()
}

/// Two runtimes of LLVM's family among all that the interpreter may import.
fn openmp(vfs: &dyn Vfs, world: &World, seen: &Seen) -> Option<Finding> {
    // By soname, which tells the loader whether a library is already loaded: the file, and an
    // object that loads it.
    let mut runtimes: BTreeMap<Vec<u8>, (&Path, &Path)> = BTreeMap::new();
    for Found { root, library, file, .. } in seen.bindings.found(|it| contains(name(it), b"omp")) {
        let is_started = world.inventory.at(root).is_some_and(|it| it.role == Role::Executable);
        if !is_started {
            runtimes.entry(library.to_vec()).or_insert((file, root));
        }
    }
    runtimes.retain(|_, (file, _)| exports(vfs, file, KMP));
    // One file may be needed by several names.
    let mut files: Vec<(&Path, &Path)> = runtimes.into_values().collect();
    files.sort_unstable();
    files.dedup_by_key(|(file, _)| *file);
    let [(first, by_first), (second, by_second), ..] = files.as_slice() else { return None };
    let evidence = twice(Twice::TwoOpenMp {
        first: (world.place(first), world.place(by_first)),
        second: (world.place(second), world.place(by_second)),
    });
    let library = Some(name(second).to_vec());
    let is_optional =
        are_shipped_together(world, [first, second, by_first, by_second].map(|it| *it));
    Some(Finding {
        library,
        is_optional,
        ..fault(Cause::DuplicateInstall, by_second, evidence, Cure::Install(Install::OneOpenMp))
    })
}

/// Objects that load two BLAS libraries with symbols of the same names: one receives the calls that
/// are meant for the other.
fn blas(vfs: &dyn Vfs, world: &World, seen: &Seen) -> Vec<Finding> {
    let mut by_root: BTreeMap<&Path, BTreeMap<&str, &Path>> = BTreeMap::new();
    for Found { root, file, .. } in seen.bindings.found(|file| family(file).is_some()) {
        if let Some(family) = family(file) {
            by_root.entry(root).or_default().entry(family).or_insert(file);
        }
    }
    by_root.retain(|_, libraries| {
        // Most objects have one at most, and no symbol is looked up for them.
        if libraries.len() > 1 {
            libraries.retain(|_, file| exports(vfs, file, BLAS));
        }
        libraries.len() > 1
    });
    // One finding for each pair of libraries, whatever loads them.
    let mut pairs: BTreeMap<(&Path, &Path), Vec<&Path>> = BTreeMap::new();
    for (root, libraries) in by_root {
        let mut files = libraries.into_values();
        if let (Some(first), Some(second)) = (files.next(), files.next()) {
            pairs.entry((first, second)).or_default().push(root);
        }
    }
    let findings = pairs.into_iter().filter_map(|((first, second), roots)| {
        let root = roots.first()?;
        let evidence = twice(Twice::TwoBlas {
            object: world.place(root),
            first: world.place(first),
            second: world.place(second),
            others: roots.len() - 1,
        });
        let library = Some(name(second).to_vec());
        let is_optional = are_shipped_together(world, [first, second, root]);
        Some(Finding {
            library,
            is_optional,
            ..fault(Cause::DuplicateInstall, root, evidence, Cure::Install(Install::OneBlas))
        })
    });
    findings.collect()
}

/// Did one distribution install all of these? Then its publisher has imported them together.
fn are_shipped_together<'p>(world: &World, files: impl IntoIterator<Item = &'p Path>) -> bool {
    let owners = files.into_iter().map(|file| world.inventory.at(file)?.distribution);
    let owners: BTreeSet<Option<usize>> = owners.collect();
    owners.len() == 1 && !owners.contains(&None)
}

/// Whose BLAS a file is, by its name.
fn family(file: &Path) -> Option<&'static str> {
    let name = name(file);
    BLAS_LIBRARIES.iter().copied().find(|family| contains(name, family.as_bytes()))
}

fn name(file: &Path) -> &[u8] {
    file.file_name().map_or(b"", OsStr::as_bytes)
}

fn contains(name: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(name, part).is_some()
}

/// Does a library export a symbol? One that cannot be read is a finding of its own.
fn exports(vfs: &dyn Vfs, file: &Path, symbol: &[u8]) -> bool {
    let Ok(source) = vfs.open(file) else { return false };
    Image::parse(source.as_ref()).and_then(|image| hash::exports(&image, symbol)).unwrap_or(false)
}

fn twice(what: Twice) -> Evidence {
    Evidence::Installed(Installed::Twice(what))
}
