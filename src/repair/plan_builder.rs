//! From rewritten search paths to a plan: the files that are written, with all their names, and the
//! RECORD rows to update.

use super::proposal::Proposal;
use super::rewrite::Rewrite;
use crate::bytes::{self, Source as _, printable};
use crate::edit::{EditSet, Patched};
use crate::elf;
use crate::findings::finding::Cause;
use crate::findings::refusal::LeavesRoot;
use crate::macho;
use crate::object::{self, Format};
use crate::plan::{Kind, Lock, Method, NotRelative, Plan, RelativePath, Seen, Step};
use crate::python::owners::Owner;
use crate::python::record::{self, Change, MAX_ROWS, Rewritten};
use crate::vfs::{FileKind, Metadata, Vfs};
use crate::world::World;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Why a proposal does not become a plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file has become shorter.
    #[error("{}: {source}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Where.
        source: bytes::Error,
    },
    /// A file is outside the root.
    #[error(transparent)]
    Outside(#[from] NotRelative),
    /// A link leaves the target in the root of another system.
    #[error(transparent)]
    LeavesRoot(#[from] LeavesRoot),
    /// A RECORD cannot be brought up to date.
    #[error("{}: {source}; --record keep leaves it unchanged", path.display())]
    Record {
        /// The RECORD.
        path: PathBuf,
        /// Why not.
        source: record::Error,
    },
}

/// The plan that carries a proposal out. With `update_records` the hashes and sizes in RECORD are
/// updated. This is the only time that tfpatch reads edited files completely.
///
/// # Errors
/// If a file cannot be read, or is outside the root.
pub fn plan(
    vfs: &dyn Vfs,
    world: &World,
    proposal: &Proposal,
    update_records: bool,
) -> Result<Plan, Error> {
    let mut steps = Vec::new();
    for rewrite in proposal.rewrites.values() {
        if !rewrite.patch.method.is_unchanged() {
            let reason = reason(world, proposal, rewrite);
            steps.extend(object_steps(vfs, world, rewrite, &reason)?);
        }
    }
    if update_records {
        let records = record_steps(vfs, world, &steps)?;
        steps.extend(records);
    }
    Ok(Plan::new(steps))
}

/// The steps that edit one object: one for the file inside the target with all its names, and one
/// for each link that leaves the target, which becomes a copy of its own.
pub(super) fn object_steps(
    vfs: &dyn Vfs,
    world: &World,
    rewrite: &Rewrite,
    reason: &str,
) -> Result<Vec<Step>, Error> {
    if let Some(link) = world.leaving_name(vfs, &rewrite.object) {
        return Err(LeavesRoot { link }.into());
    }
    let mut inside: BTreeSet<PathBuf> = BTreeSet::new();
    let mut leaving: BTreeSet<PathBuf> = BTreeSet::new();
    for name in world.names_of(&rewrite.object) {
        let entry = vfs.symlink_metadata(&name).map_err(|source| io_error(&name, source))?;
        if entry.kind != FileKind::Symlink {
            inside.insert(name);
        } else if !world.contains(vfs, &name) {
            leaving.insert(world.leaving_link(vfs, &name));
        } else if let Ok(real) = vfs.canonicalize(&name) {
            inside.insert(world.below_root(vfs, &real));
        }
    }
    let seen = seen(vfs, &rewrite.object);
    let source = vfs.open(&rewrite.object).map_err(|source| io_error(&rewrite.object, source))?;
    let (mut lock, mut left) =
        Lock::of_step(source.as_ref(), &rewrite.patch.edits, &rewrite.patch.relies_on)
            .map_err(|source| Error::Changed { path: rewrite.object.clone(), source })?;
    for lock in [&mut lock, &mut left] {
        lock.build_id.clone_from(&rewrite.identity.build_id);
        lock.uuid.clone_from(&rewrite.identity.uuid);
    }
    let relative = |path: &PathBuf| world.relative(path);
    let step = |path: RelativePath, aliases: Vec<RelativePath>| Step {
        path,
        aliases,
        kind: match rewrite.format {
            Format::Elf => Kind::Elf,
            Format::Macho => Kind::Macho,
        },
        before: text(&rewrite.before),
        after: text(&rewrite.after),
        fields: rewrite.fields.clone(),
        method: method(rewrite.patch.method),
        reason: reason.to_owned(),
        edits: rewrite.patch.edits.clone(),
        lock: lock.clone(),
        left: left.clone(),
        replace: !rewrite.patch.in_place && !rewrite.patch.in_place_unopened,
        unopened: !rewrite.patch.in_place,
        seen: seen.clone(),
    };
    let mut steps = Vec::new();
    let mut names = inside.iter().map(relative);
    if let Some(first) = names.next() {
        steps.push(step(first?, names.collect::<Result<_, _>>()?));
    }
    for name in &leaving {
        steps.push(step(relative(name)?, Vec::new()));
    }
    Ok(steps)
}

/// The file that `path` leads to.
fn seen(vfs: &dyn Vfs, path: &Path) -> Option<Seen> {
    let Metadata { id, len, modified, .. } = vfs.metadata(path).ok()?;
    let is_link = vfs.symlink_metadata(path).ok()?.kind == FileKind::Symlink;
    let directory = path.parent().filter(|_| !is_link);
    let directory = directory.and_then(|directory| vfs.canonicalize(directory).ok());
    Some(Seen { id, len, modified, directory })
}

/// The steps that bring RECORD files up to date with the steps on objects.
pub(super) fn record_steps(
    vfs: &dyn Vfs,
    world: &World,
    steps: &[Step],
) -> Result<Vec<Step>, Error> {
    // Files outside the target are not written, and need no hash.
    let left = distributions_outside(vfs, world, steps);
    let is_written = |owner: &&Owner| owner.hashed && !left.contains(&owner.distribution);
    let mut files: Vec<(PathBuf, &[Owner], &Step)> = Vec::new();
    for step in steps {
        for name in std::iter::once(&step.path).chain(&step.aliases) {
            let path = world.root.join(name);
            let owners = world.owners.of(&path);
            let mut hashed = owners.iter().filter(|owner| owner.hashed);
            let rows = hashed.clone().count();
            let first =
                hashed.next().and_then(|it| world.inventory.distributions.get(it.distribution));
            if let Some(first) = first.filter(|_| rows > MAX_ROWS) {
                let source = record::Error::Repeated { path: world.shown(&path), rows };
                return Err(Error::Record { path: first.record(), source });
            }
            if owners.iter().any(|owner| is_written(&owner)) {
                files.push((path, owners, step));
            }
        }
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    // Each file is read once, however many rows it has.
    let hashed: Vec<(&[Owner], [u8; 32], u64)> = files
        .into_par_iter()
        .map(|(path, owners, step)| {
            let (sha256, size) = hash_of(vfs, &path, &step.edits)?;
            Ok((owners, sha256, size))
        })
        .collect::<Result<_, Error>>()?;
    let mut by_distribution: BTreeMap<usize, Vec<Change>> = BTreeMap::new();
    for (owners, sha256, size) in hashed {
        for owner in owners.iter().filter(is_written) {
            let change = Change { row: owner.row, sha256, size };
            by_distribution.entry(owner.distribution).or_default().push(change);
        }
    }
    let records = by_distribution.into_iter().filter_map(|(index, changes)| {
        Some((world.inventory.distributions.get(index)?.record(), changes))
    });
    records.map(|(path, changes)| record_step(vfs, &world.root, &path, &changes)).collect()
}

/// The RECORDs that list files of a plan with a hash and are outside the target, where nothing is written:
/// for example if the directory of packages is a link.
#[must_use]
pub fn records_outside(vfs: &dyn Vfs, world: &World, plan: &Plan) -> BTreeSet<PathBuf> {
    let outside = distributions_outside(vfs, world, &plan.steps).into_iter();
    let found = outside.filter_map(|index| world.inventory.distributions.get(index));
    found.map(|distribution| distribution.record()).collect()
}

/// The distributions whose RECORDs these are.
fn distributions_outside(vfs: &dyn Vfs, world: &World, steps: &[Step]) -> BTreeSet<usize> {
    let names = steps.iter().flat_map(|step| std::iter::once(&step.path).chain(&step.aliases));
    let owners = names.flat_map(|name| world.owners.of(&world.root.join(name)));
    let listing = owners.filter(|owner| owner.hashed).map(|owner| owner.distribution);
    let mut listing: BTreeSet<usize> = listing.collect();
    listing.retain(|&index| {
        let distribution = world.inventory.distributions.get(index);
        distribution.is_some_and(|it| !world.contains(vfs, &it.record()))
    });
    listing
}

/// The SHA-256 digest and the length of a file as it would be with `edits`.
fn hash_of(vfs: &dyn Vfs, path: &Path, edits: &EditSet) -> Result<([u8; 32], u64), Error> {
    let source = vfs.open(path).map_err(|source| io_error(path, source))?;
    let patched = Patched::new(source.as_ref(), edits);
    let sha256 = record::sha256(&patched);
    let sha256 = sha256.map_err(|source| Error::Changed { path: path.to_owned(), source })?;
    Ok((sha256, patched.len()))
}

/// The step that changes rows of the RECORD at `path`, below `root`.
fn record_step(vfs: &dyn Vfs, root: &Path, path: &Path, changes: &[Change]) -> Result<Step, Error> {
    let unfit = |error: record::Error| Error::Record { path: path.to_owned(), source: error };
    let changed = |source| Error::Changed { path: path.to_owned(), source };
    let seen = seen(vfs, path);
    let source = vfs.open(path).map_err(|source| io_error(path, source))?;
    let old = source.read(0, source.len(), "RECORD").map_err(changed)?;
    let Rewritten { edits, before, after } = record::rewrite(&old, changes).map_err(unfit)?;
    let whole = 0..source.len();
    let relies_on = std::slice::from_ref(&whole);
    let (lock, left) = Lock::of_step(source.as_ref(), &edits, relies_on).map_err(changed)?;
    Ok(Step {
        path: RelativePath::new(path.strip_prefix(root).unwrap_or(path))?,
        aliases: Vec::new(),
        kind: Kind::Record,
        before,
        after,
        fields: Vec::new(),
        method: Method::Rows,
        reason: "hashes and sizes of the edited files".to_owned(),
        edits,
        lock,
        left,
        replace: true,
        unopened: false,
        seen,
    })
}

fn reason(world: &World, proposal: &Proposal, rewrite: &Rewrite) -> String {
    let names = world.names_of(&rewrite.object);
    let mut reasons: Vec<String> = Vec::new();
    for finding in proposal.cured.iter().filter(|finding| names.contains(&finding.object)) {
        let library = finding.library.as_deref().map(printable);
        let directory = finding.lies_in.first().map(|path| world.shown(path));
        if let (Some(library), Some(directory)) = (library, directory) {
            reasons.push(format!("{library} is in {directory}"));
        }
        if finding.cause == Cause::ExecStack {
            reasons.push("the loader refuses an object with an executable stack".to_owned());
        }
    }
    reasons.join("; ")
}

fn text(entries: &[Vec<u8>]) -> Vec<String> {
    entries.iter().map(|entry| lossy(entry)).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}

/// How space was found in an object, as a plan has it.
fn method(how: object::Method) -> Method {
    use elf::edit::Method as Elf;
    use macho::edit::Method as Macho;
    match how {
        object::Method::Elf(Elf::Unchanged) | object::Method::Macho(Macho::Unchanged) => {
            Method::Unchanged
        }
        object::Method::Elf(Elf::Slot) => Method::Slot,
        object::Method::Elf(Elf::Repoint) => Method::Repoint,
        object::Method::Elf(Elf::ExtendTail) => Method::ExtendTail,
        object::Method::Elf(Elf::NewSegment) => Method::NewSegment,
        object::Method::Elf(Elf::NewSegmentWithHeaders) => Method::NewSegmentWithHeaders,
        object::Method::Elf(Elf::Remove) => Method::Remove,
        object::Method::Elf(Elf::Fields) => Method::Fields,
        object::Method::Macho(Macho::LoadCommands) => Method::LoadCommands,
        object::Method::Macho(Macho::SignedAdHoc) => Method::SignedAdHoc,
        object::Method::Macho(Macho::SignerDropped) => Method::SignerDropped,
    }
}
