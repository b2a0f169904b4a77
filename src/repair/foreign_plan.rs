//! A plan that was made elsewhere: does it fit this target, and would tfpatch itself have written
//! the same plan?
//!
//! No edit of a plan is written directly. Its edits show which search path an object is to get. The
//! edits for that are made again, with all postconditions, and have to be the same. So a manipulated
//! or damaged plan can at most request another search path, and that has to pass the proof of a fix.

use super::plan_builder;
use super::proof;
use super::rewrite::{self, Rewrite};
use crate::bytes::{Source, printable};
use crate::diagnosis::bindings::Moved;
use crate::diagnosis::diagnose::{Diagnosis, diagnose};
use crate::edit::EditSet;
use crate::findings::finding::{Finding, Severity};
use crate::object::{self, Failure, Format, Identity};
use crate::plan::{Kind, Lock, Method, Plan, RelativePath, Step};
use crate::python::record;
use crate::vfs::{Overlay, Vfs};
use crate::world::distro_packages::Packages;
use crate::world::rpath_entry::directory_of;
use crate::world::rpath_entry_macho;
use crate::world::unreadable::SystemError;
use crate::world::{Place, World};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of checking a plan in a target that it fits.
#[derive(Debug)]
pub struct Received {
    /// What remains to do here: the plan without the files that already have its result.
    pub plan: Plan,
    /// What remains afterwards.
    pub remaining: Vec<Finding>,
}

/// One way in which a plan does not fit.
#[derive(Debug, Clone)]
pub struct Misfit {
    /// The file, as it is shown.
    pub file: String,
    /// What differs.
    pub why: Mismatch,
}

/// The way in which a plan does not fit a file.
#[derive(Debug, Clone)]
pub enum Mismatch {
    /// Two steps edit it.
    EditedTwice,
    /// It is not there.
    Gone,
    /// It is not an object of the target.
    NoObject,
    /// It belongs to a package of the system's distribution, and was not named.
    OfPackage {
        /// The package.
        package: String,
    },
    /// It cannot be read, or not with the edits.
    Io(SystemError),
    /// It is malformed, or editing it would be a risk.
    Edit(Failure),
    /// No plan can be made here for what it requests.
    Unplanned(Arc<plan_builder::Error>),
    /// Its file has to be edited by another name.
    OtherName,
    /// It would get an entry for a directory outside the target.
    LeadsOut {
        /// The entry.
        entry: Vec<u8>,
    },
    /// It is another build.
    OtherBuild {
        /// What shows it.
        identity: Stamp,
        /// What it has, in hexadecimal digits.
        found: String,
        /// What the plan expects.
        expected: String,
    },
    /// It has another length, in bytes.
    OtherLength {
        /// The actual length.
        found: u64,
        /// What the plan expects.
        expected: u64,
    },
    /// It has other bytes where the plan relies on them.
    OtherBytes,
    /// It has other names in the target.
    OtherNames,
    /// Its step differs from the one that is made here for the same search path.
    OtherStep {
        /// The field of the step that differs.
        field: &'static str,
    },
    /// A `RECORD` has no row for the files that are edited.
    NoRow,
    /// A `RECORD` has another row than the plan expects.
    OtherRow {
        /// The row that is expected.
        row: String,
    },
    /// A `RECORD` has a row that is not in the plan.
    UnknownRow {
        /// The row.
        row: String,
    },
    /// It would get a library from another file.
    Moves {
        /// The library.
        library: Vec<u8>,
        /// The file that it would get; `None` if none.
        after: Option<Place>,
        /// The file that it gets now.
        before: Place,
    },
    /// It would have a fault that it does not have now.
    NewFault(Box<Finding>),
}

/// What a linker stamps into an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// The GNU build ID.
    BuildId,
    /// `LC_UUID`.
    Uuid,
}

/// The plan as it is carried out in `world`. With `allow_absolute` new entries may name directories
/// outside the target. Reads only.
///
/// # Errors
/// Everything in which the plan does not fit, file by file.
pub fn receive(
    vfs: &dyn Vfs,
    world: &World,
    plan: &Plan,
    allow_absolute: bool,
) -> Result<Received, Vec<Misfit>> {
    let mut receiver =
        Receiver { vfs, world, allow_absolute, packages: OnceCell::new(), misfits: Vec::new() };
    let (records, objects): (Vec<&Step>, Vec<&Step>) =
        plan.steps.iter().partition(|step| step.kind == Kind::Record);
    receiver.require_each_once(plan);
    let mut here = Vec::new();
    let mut already = Vec::new();
    for step in objects {
        match receiver.object(step) {
            Ok(Some(step)) => here.push(step),
            Ok(None) => already.push(step),
            Err(why) => receiver.refuse(&step.path, why),
        }
    }
    if receiver.misfits.is_empty() {
        let rows = receiver.records(&records, &here, &already);
        here.extend(rows);
    }
    let before =
        if receiver.misfits.is_empty() { diagnose(vfs, world) } else { Diagnosis::default() };
    let remaining = match here.iter().any(|step| step.kind != Kind::Record) {
        true if receiver.misfits.is_empty() => receiver.prove(&before, &here),
        _ => before.findings,
    };
    if receiver.misfits.is_empty() {
        Ok(Received { plan: Plan::new(here), remaining })
    } else {
        Err(receiver.misfits)
    }
}

struct Receiver<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    allow_absolute: bool,
    /// Read when the first object is examined.
    packages: OnceCell<Packages>,
    misfits: Vec<Misfit>,
}

impl Receiver<'_> {
    fn refuse(&mut self, path: &RelativePath, why: Mismatch) {
        self.misfits.push(Misfit { file: path.to_string(), why });
    }

    /// No file may be edited twice.
    fn require_each_once(&mut self, plan: &Plan) {
        let mut seen = HashSet::new();
        let names = plan.steps.iter().flat_map(|step| step.aliases.iter().chain([&step.path]));
        for name in names.filter(|name| !seen.insert(*name)) {
            self.refuse(name, Mismatch::EditedTwice);
        }
    }

    /// The step as it is carried out here; none if the object already has its result.
    fn object(&self, step: &Step) -> Result<Option<Step>, Mismatch> {
        let path = self.world.root.join(&step.path);
        if self.vfs.symlink_metadata(&path).is_err() {
            return Err(Mismatch::Gone);
        }
        if !self.world.may_edit(&path) {
            return Err(Mismatch::NoObject);
        }
        let packages = self.packages.get_or_init(|| Packages::read(self.vfs));
        if let Some(package) = packages.owner(self.vfs, &path)
            && !self.world.is_named(&path)
        {
            return Err(Mismatch::OfPackage { package: package.to_owned() });
        }
        let source = self.vfs.open(&path).map_err(|error| Mismatch::Io(error.into()))?;
        let source = source.as_ref();
        if !step.lock.matches(source) {
            return if is_as_left(step, source) { Ok(None) } else { Err(difference(step, source)) };
        }
        let names = self.world.names_of(&path);
        let may_drop_signer = step.method == Method::SignerDropped;
        let rewrite = rewrite::towards(self.vfs, &path, &names, &step.edits, may_drop_signer)
            .map_err(|error| match error {
                rewrite::Error::Io { source, .. } => Mismatch::Io(source.into()),
                rewrite::Error::Failed { source, .. } => Mismatch::Edit(source),
            })?;
        self.require_inside(&rewrite, &names)?;
        let own = plan_builder::object_steps(self.vfs, self.world, &rewrite, &step.reason);
        let own = own.map_err(|error| Mismatch::Unplanned(Arc::new(error)))?;
        let own = own.into_iter().find(|own| own.path == step.path);
        let own = own.ok_or(Mismatch::OtherName)?;
        match disagreement(step, &own) {
            Some(why) => Err(why),
            None => Ok(Some(own)),
        }
    }

    /// New entries name directories of the target.
    fn require_inside(&self, rewrite: &Rewrite, names: &[PathBuf]) -> Result<(), Mismatch> {
        let directories: Vec<&Path> = names.iter().filter_map(|name| name.parent()).collect();
        let is_inside = |directory: &Path| self.world.contains(self.vfs, directory);
        let stays = |entry: &[u8]| match rewrite.format {
            Format::Macho => rpath_entry_macho::stays(entry, &directories, is_inside),
            Format::Elf => directories
                .iter()
                .all(|origin| directory_of(entry, origin).is_some_and(|found| is_inside(&found))),
        };
        let new = rewrite.after.iter().filter(|entry| !rewrite.before.contains(entry));
        match new.into_iter().find(|entry| !self.allow_absolute && !stays(entry)) {
            None => Ok(()),
            Some(entry) => Err(Mismatch::LeadsOut { entry: entry.clone() }),
        }
    }

    /// The steps that bring the RECORDs of the plan up to date. Of a RECORD the plan relied on the
    /// rows that change: the others differ from place to place with the paths in console scripts.
    fn records(&mut self, wanted: &[&Step], here: &[Step], already: &[&Step]) -> Vec<Step> {
        if here.is_empty() && wanted.iter().all(|step| self.has_rows_after(step)) {
            return Vec::new();
        }
        let unchanged = already
            .iter()
            .map(|step| Step { edits: EditSet::none(step.left.size), ..Step::clone(step) });
        let objects: Vec<Step> = here.iter().cloned().chain(unchanged).collect();
        let own = match plan_builder::record_steps(self.vfs, self.world, &objects) {
            Ok(own) => own,
            Err(error) => {
                let why = Mismatch::Unplanned(Arc::new(error));
                self.misfits.push(Misfit { file: "RECORD".to_owned(), why });
                return Vec::new();
            }
        };
        for step in wanted {
            let found = own.iter().find(|own| own.path == step.path);
            if let Some(why) = rows_disagree(step, found) {
                self.refuse(&step.path, why);
            }
        }
        // A plan that was made without updates of RECORDs has no step for them.
        let is_wanted = |own: &Step| wanted.iter().any(|step| step.path == own.path);
        own.into_iter().filter(|own| is_wanted(own) && !own.edits.is_empty()).collect()
    }

    /// Are all rows of a step on a RECORD already present?
    fn has_rows_after(&self, step: &Step) -> bool {
        let path = self.world.root.join(&step.path);
        let mut known = self.world.inventory.distributions.iter();
        if !known.any(|distribution| distribution.record() == path) {
            return false;
        }
        let Ok(source) = self.vfs.open(&path) else { return false };
        let Ok(text) = source.read(0, source.len(), "RECORD") else { return false };
        let rows = record::rows(&text).map_while(Result::ok);
        let rows: HashSet<String> =
            rows.map(|row| String::from_utf8_lossy(row.raw).into_owned()).collect();
        step.after.iter().all(|row| rows.contains(row))
    }

    /// What remains with the steps, which must move nothing and break nothing.
    fn prove(&mut self, before: &Diagnosis, here: &[Step]) -> Vec<Finding> {
        let mut overlay = Overlay::new(self.vfs);
        for step in here {
            if let Err(error) = overlay.patch(&self.world.root.join(&step.path), step.edits.clone())
            {
                self.refuse(&step.path, Mismatch::Io(error.into()));
            }
        }
        let after = diagnose(&overlay, self.world);
        let world = self.world;
        let objections = proof::object(&[], before, &after);
        // In the order of the report, each once: programs and variables may give the same result.
        let mut moved = BTreeMap::new();
        for Moved { question, before, after } in objections.moved {
            let (after, before) = (after.map(|now| world.place(&now)), world.place(&before));
            let file = world.shown(&question.asking);
            let shown = (
                file,
                printable(&question.library),
                after.as_ref().map(Place::to_string),
                before.to_string(),
            );
            moved.entry(shown).or_insert((question.library, after, before));
        }
        self.misfits.extend(moved.into_iter().map(|((file, ..), (library, after, before))| {
            Misfit { file, why: Mismatch::Moves { library, after, before } }
        }));
        let known: HashSet<_> = before.findings.iter().map(Finding::question).collect();
        let new = after.findings.iter().filter(|found| {
            found.severity() != Severity::Info && !known.contains(&found.question())
        });
        self.misfits.extend(new.map(|found| Misfit {
            file: world.shown(&found.object),
            why: Mismatch::NewFault(Box::new(found.clone())),
        }));
        after.findings
    }
}

/// Does the file have the result of the step: by its digest, and by the search path that is shown?
fn is_as_left(step: &Step, source: &dyn Source) -> bool {
    step.left.matches(source)
        && object::search_paths(source).is_ok_and(|paths| {
            let all: Vec<String> = paths.iter().flat_map(|path| text(&path.entries)).collect();
            // Slices are usually the same, and then one list describes all of them.
            let first = paths.first().map(|path| text(&path.entries)).unwrap_or_default();
            step.after == all || step.after == first
        })
}

fn text(entries: &[Vec<u8>]) -> Vec<String> {
    entries.iter().map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
}

/// How a file differs from the one that the plan was made for.
fn difference(step: &Step, source: &dyn Source) -> Mismatch {
    let here = Identity::of(source);
    let Lock { size, build_id, uuid, .. } = &step.lock;
    let stamps =
        [(Stamp::BuildId, build_id, here.build_id), (Stamp::Uuid, uuid, here.uuid)].into_iter();
    let mut other = stamps.filter_map(|(identity, expected, found)| match (expected, found) {
        (Some(expected), Some(found)) if *expected != found => {
            Some(Mismatch::OtherBuild { identity, found, expected: expected.clone() })
        }
        _ => None,
    });
    other.next().unwrap_or_else(|| match source.len() {
        found if found != *size => Mismatch::OtherLength { found, expected: *size },
        _ => Mismatch::OtherBytes,
    })
}

/// How a step of the plan differs from the one that is made here for the same search path.
fn disagreement(step: &Step, own: &Step) -> Option<Mismatch> {
    let names = |step: &Step| -> BTreeSet<RelativePath> {
        step.aliases.iter().chain([&step.path]).cloned().collect()
    };
    if names(step) != names(own) {
        return Some(Mismatch::OtherNames);
    }
    let differs = [
        ("kind", step.kind == own.kind),
        ("before", step.before == own.before),
        ("after", step.after == own.after),
        ("fields", step.fields == own.fields),
        ("edits", step.edits == own.edits),
        ("method", step.method == own.method),
        ("lock", step.lock == own.lock),
        ("left", step.left == own.left),
    ];
    let (field, _) = differs.into_iter().find(|(_, is_same)| !is_same)?;
    Some(Mismatch::OtherStep { field })
}

/// How the rows that a plan expects differ from those that are here.
fn rows_disagree(step: &Step, own: Option<&Step>) -> Option<Mismatch> {
    let Some(own) = own else { return Some(Mismatch::NoRow) };
    let rows = |step: &Step| -> Vec<(String, String)> {
        step.before.iter().cloned().zip(step.after.iter().cloned()).collect()
    };
    let (wanted, own) = (rows(step), rows(own));
    let is_met = |row: &&(String, String)| {
        own.iter().any(|own| own.1 == row.1 && (own.0 == row.0 || own.0 == row.1))
    };
    if let Some((before, _)) = wanted.iter().find(|row| !is_met(row)) {
        return Some(Mismatch::OtherRow { row: before.clone() });
    }
    let extra = own.iter().find(|own| !wanted.iter().any(|row| row.1 == own.1));
    extra.map(|(before, _)| Mismatch::UnknownRow { row: before.clone() })
}
