//! Libraries of the system that distributions without native code look for with `ctypes.util.find_library`.
//!
//! Such a distribution is useless without its library, and the import usually fails. Code that looks for a library
//! computes its name and what it does without it, so that this is only a warning, and only where the code is executed
//! on every import, can raise an error for it, and no name that it tries leads to a library.

use crate::findings::cure::{Cure, Install};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::opening::Opening;
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::packages;
use crate::loader::Libc;
use crate::python::distribution::Distribution;
use crate::python::record;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::makers::Maker;
use crate::world::program::Program;
use crate::world::python_code::PythonCode;
use crate::world::python_code::mentions::Demand;
use crate::world::system_libraries::Libraries;
use memchr::memmem::Finder;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use std::collections::BTreeSet;

/// The most source files of a distribution that is read, and their bytes. Those that wrap one library are small.
const MAX_FILES: usize = 32;
const MAX_BYTES: u64 = 1 << 18;
/// The longest RECORD of such a distribution.
const MAX_RECORD_BYTES: u64 = 16 << 10;

/// The findings about the distributions that imports reach.
#[must_use]
pub fn findings(
    vfs: &dyn Vfs,
    world: &World,
    programs: &[Program<'_>],
    libraries: &Libraries<'_>,
    code: &PythonCode<'_>,
) -> Vec<Finding> {
    let Some(program) = programs.iter().find(|it| it.main.is_some()) else { return Vec::new() };
    if world.wheel.is_some() || program.loader.system().libc == Libc::Musl {
        return Vec::new();
    }
    let native: BTreeSet<usize> =
        world.inventory.objects.iter().filter_map(|object| object.distribution).collect();
    let machine = program.machine();
    let is_there = |name: &String| {
        let start = file_of(name);
        let mut own = world.inventory.objects.iter();
        own.any(|object| object.name().starts_with(start.as_bytes()))
            || libraries.versioned(start.as_bytes(), machine).is_some()
    };
    let pure = world.reached_distributions().filter(|(index, _)| !native.contains(index));
    let pure: Vec<(usize, &Distribution)> = pure.collect();
    let seeking: Vec<_> = pure.into_par_iter().filter(|(_, own)| seeks(vfs, own)).collect();
    let mut found = Vec::new();
    for (index, own) in seeking {
        for Demand { names, line } in code.demanded(&Maker::Distribution(index), &own.normalized) {
            let Some(first) = names.first().filter(|_| !names.iter().any(is_there)) else {
                continue;
            };
            let file = world.place(&line.file);
            let sought = Opening::SoughtByCode { file, line: line.line, name: first.clone() };
            let plain = file_of(first).into_bytes();
            let library =
                packages::versioned(&plain).map_or(plain, |name| name.as_bytes().to_vec());
            let cure = Cure::Install(Install::WhatShips(library.clone()));
            found.push(Finding {
                library: Some(library),
                is_doubtful: true,
                ..fault(Cause::NotInstalled, &line.file, Evidence::Opening(sought), cure)
            });
        }
    }
    found
}

/// The beginning of the file names of a library that code looks for.
fn file_of(name: &str) -> String {
    if name.contains(".so") { name.to_owned() } else { format!("lib{name}.so") }
}

/// Does a distribution consist of little Python code, by its RECORD, that contains the word?
fn seeks(vfs: &dyn Vfs, distribution: &Distribution) -> bool {
    // The RECORD of so few files is short, and most others are not read for this.
    let is_short = |len: u64| len <= MAX_RECORD_BYTES;
    if !vfs.metadata(&distribution.record()).is_ok_and(|found| is_short(found.len)) {
        return false;
    }
    let Some(record) = distribution.read_record(vfs) else { return false };
    let rows = record::rows(&record).map_while(Result::ok).filter(record::Row::is_code);
    let files: Vec<_> = rows.map(|row| (row.size.unwrap_or(MAX_BYTES), row)).collect();
    let is_small = files.len() <= MAX_FILES
        && files.iter().map(|(size, _)| size).fold(0, |all: u64, &size| all.saturating_add(size))
            <= MAX_BYTES;
    let finder = Finder::new("find_library");
    is_small
        && files.iter().any(|(_, row)| {
            let source = vfs.open(&distribution.path_of(row)).ok();
            let text = source.as_ref().and_then(|it| it.get(0..it.len().min(MAX_BYTES)));
            text.is_some_and(|text| finder.find(&text).is_some())
        })
}
