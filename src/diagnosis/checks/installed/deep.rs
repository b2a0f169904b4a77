//! `--deep`: what is only found by reading whole files. It takes as long as reading everything.

use super::plugins::is_object;
use crate::bytes::Error;
use crate::findings::cure::{Cure, Reinstall};
use crate::findings::evidence::file::File;
use crate::findings::evidence::installed::Installed;
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::macho::codesign::Signature;
use crate::macho::{Container, Image, Slice};
use crate::python::distribution::Distribution;
use crate::python::record;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::Object;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Files whose content does not match RECORD, and signatures with pages that do not match.
pub(super) fn findings(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let distributions = world.inventory.distributions.par_iter();
    let mut findings: Vec<Finding> =
        distributions.filter_map(|distribution| changed(vfs, world, distribution)).collect();
    let objects = world.inventory.objects.par_iter().filter(|object| !object.slices().is_empty());
    findings.par_extend(objects.filter_map(|object| bad_pages(vfs, world, object)));
    findings
}

/// Files of a distribution whose content is not the installed one.
fn changed(vfs: &dyn Vfs, world: &World, distribution: &Distribution) -> Option<Finding> {
    if !distribution.keeps_record(vfs) {
        return None;
    }
    let record = distribution.read_record(vfs)?;
    let rows: Vec<record::Row<'_>> = record::rows(&record).map_while(Result::ok).collect();
    // Each file is read once, however many rows it has.
    let mut known = HashSet::new();
    let rows: Vec<&record::Row<'_>> = rows.iter().filter(|row| known.insert(&row.path)).collect();
    let changed: Vec<PathBuf> = rows
        .par_iter()
        .filter_map(|row| {
            let path = distribution.path_of(row);
            // An object of another size has a finding of its own: many are stripped or given search paths after
            // their RECORD was written.
            let has_size = |size| vfs.metadata(&path).is_ok_and(|found| found.len == size);
            if is_object(&path) && !row.size.is_none_or(has_size) {
                return None;
            }
            is_changed(vfs, &path, row).unwrap_or(false).then_some(path)
        })
        .collect();
    let first = changed.first()?;
    let evidence = Evidence::Installed(Installed::Changed {
        release: Release::of(distribution),
        changed: changed.len(),
        listed: rows.len(),
        first: world.place(first),
    });
    Some(fault(Cause::PartialInstall, first, evidence, Cure::reinstall(distribution)))
}

/// Does a file's content differ from its row? `None` if this is not known: the file is missing, or
/// the row has no hash or one of another algorithm.
fn is_changed(vfs: &dyn Vfs, path: &Path, row: &record::Row<'_>) -> Option<bool> {
    let hash = row.hash.as_ref().filter(|hash| hash.algorithm.as_ref() == b"sha256")?;
    let source = vfs.open(path).ok()?;
    let digest = URL_SAFE_NO_PAD.encode(record::sha256(source.as_ref()).ok()?);
    Some(digest.as_bytes() != hash.value.as_ref())
}

/// A Mach-O file with a page that does not match its hash. The kernel ends a process that touches it.
fn bad_pages(vfs: &dyn Vfs, world: &World, object: &Object) -> Option<Finding> {
    let source = vfs.open(&object.path).ok()?;
    let container = Container::parse(source.as_ref()).ok()?;
    let bad = container.slices.into_iter().find_map(|slice| {
        let arch = slice.arch();
        let page = first_bad_page(slice).ok().flatten()?;
        Some((arch, page))
    });
    let (arch, offset) = bad?;
    let page = File::BadPage { object: world.place(&object.path), arch: arch.name(), offset };
    Some(fault(
        Cause::BadSignature,
        &object.path,
        Evidence::File(page),
        Cure::Reinstall(Reinstall::OrSign),
    ))
}

/// The offset of the first such page in a slice.
fn first_bad_page(slice: Slice<'_>) -> Result<Option<u64>, Error> {
    let image = Image::parse(slice)?;
    let Some(signature) = Signature::read(&image)? else { return Ok(None) };
    Ok(signature.first_bad_page(image.slice(), u64::MAX)?.map(|bad| bad.offset))
}
