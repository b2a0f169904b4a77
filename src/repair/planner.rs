//! From findings to rewritten search paths that are proved to cure them.
//!
//! A library that is now found may itself lack one, so planning continues until a diagnosis of the
//! target with the plan applied finds nothing more to do. An objection removes a rewrite from the
//! plan: a refusal with a reason is better than a risk.

use super::proof;
use super::proposal::Proposal;
use super::rewrite::{Change, Error, Rewrite, Wish, rewrite};
use super::trace_scope::Scope;
use crate::diagnosis::checks::installed::Installed;
use crate::diagnosis::diagnose::{Diagnosis, diagnose_edited, lacked_alone};
use crate::elf::search_path::RpathKind;
use crate::findings::finding::{Cause, Finding, Severity};
use crate::findings::refusal::{LeavesRoot, Protected, Refusal};
use crate::object::Format;
use crate::vfs::{Overlay, Vfs};
use crate::world::distro_packages::Packages;
use crate::world::rpath_entry::{absolute_entry, relative_entry};
use crate::world::{Question, World};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The most rounds: libraries need libraries, but a longer chain is a bug in the planner.
const MAX_ROUNDS: usize = 16;

/// What a repair may do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What was asked about the target. With `--tidy`, what is only worth knowing is repaired too, and
    /// unused and duplicate entries are dropped.
    pub question: Question,
    /// Entries with absolute paths may be written.
    pub allow_absolute: bool,
    /// The tag to use; `None` keeps the one that is there.
    pub kind: Option<RpathKind>,
    /// Is every executable stack to be removed, whatever its object needs?
    pub gives_up_stacks: bool,
    /// What is to be repaired; `None` for everything that a diagnosis finds.
    pub scope: Option<Scope>,
    /// Files that may not be edited.
    pub protected: BTreeMap<PathBuf, Protected>,
}

/// Plans the repair of what `diagnosis` found.
#[must_use]
pub fn propose(vfs: &dyn Vfs, world: &World, diagnosis: &Diagnosis, options: &Options) -> Proposal {
    let mut planner = Planner {
        vfs,
        world,
        options,
        kinds: HashMap::new(),
        refused: HashMap::new(),
        cured: Vec::new(),
        cured_by_object: HashMap::new(),
        rewrites: BTreeMap::new(),
        packages: OnceCell::new(),
        installed: &diagnosis.installed,
    };
    let mut now = planner.extend(&diagnosis.findings).then(|| planner.foresee());
    let mut rounds = 0;
    while let Some(after) = &now {
        let objections = proof::object(&planner.cured, diagnosis, after);
        let objections = objections.but_for_copies(vfs, world);
        // A moved library is an objection to a rewrite; a finding that only remains may need
        // another rewrite.
        if objections.moved.is_empty() && planner.extend(&after.findings) {
            now = Some(planner.foresee());
        } else if objections.is_empty() {
            break;
        } else if planner.rewrites.is_empty() {
            // Nothing is left to withdraw: the library was moved by another program, or by a
            // temporary failure of the disk, and the objection would never go away.
            planner.cured.clear();
            planner.index_cured();
            break;
        } else {
            planner.withdraw(&objections, rounds > MAX_ROUNDS);
            now = Some(planner.foresee());
        }
        rounds += 1;
    }
    let last = now.as_ref().unwrap_or(diagnosis);
    let refused = std::mem::take(&mut planner.refused);
    let remaining = last.findings.iter().cloned().map(|mut finding| {
        if let Some(reason) = refused.get(&file_of(world, &finding.object)) {
            finding.refuse(reason);
        }
        finding
    });
    Proposal { remaining: remaining.collect(), cured: planner.cured, rewrites: planner.rewrites }
}

struct Planner<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    options: &'a Options,
    /// The tag to use for objects for which the usual one did not pass the proof.
    kinds: HashMap<PathBuf, RpathKind>,
    /// Objects that are skipped, and why.
    refused: HashMap<PathBuf, Refusal>,
    cured: Vec<Finding>,
    /// The places of these findings in the list, by their objects.
    cured_by_object: HashMap<PathBuf, Vec<usize>>,
    rewrites: BTreeMap<PathBuf, Rewrite>,
    /// Read when the first object is to be edited.
    packages: OnceCell<Packages>,
    /// What no edit changes.
    installed: &'a Installed,
}

impl Planner<'_> {
    /// Adds findings that are not planned for yet to the plan; `false` if there are none.
    fn extend(&mut self, findings: &[Finding]) -> bool {
        let known: HashSet<_> = self.cured.iter().map(Finding::question).collect();
        let new: Vec<Finding> = findings
            .iter()
            .filter(|finding| self.is_wanted(finding))
            .filter(|finding| !known.contains(&finding.question()))
            .cloned()
            .collect();
        if new.is_empty() {
            return false;
        }
        drop(known);
        let touched: BTreeSet<PathBuf> =
            new.iter().map(|finding| self.file_of(&finding.object)).collect();
        self.cured.extend(new);
        self.index_cured();
        for object in touched {
            self.plan(&object);
        }
        true
    }

    fn is_wanted(&self, finding: &Finding) -> bool {
        // Unused entries do no harm, and may name a directory on another machine.
        let is_left_alone = finding.cause == Cause::DeadRpath && !self.options.question.tidy;
        let is_given_up = finding.cause == Cause::ExecStack && self.options.gives_up_stacks;
        (finding.fixable || is_given_up)
            && !is_left_alone
            && !self.refused.contains_key(&self.file_of(&finding.object))
            && (finding.severity() != Severity::Info
                || self.options.question.tidy
                || self.world.is_named(&finding.object))
    }

    fn file_of(&self, object: &Path) -> PathBuf {
        file_of(self.world, object)
    }

    /// Plans the rewrite of one file for everything that is to be repaired there, whatever its
    /// names.
    fn plan(&mut self, object: &Path) {
        match self.rewrite(object) {
            Ok(rewrite) => {
                self.rewrites.insert(object.to_owned(), rewrite);
            }
            Err(reason) => self.refuse(object, reason),
        }
    }

    fn rewrite(&self, object: &Path) -> Result<Rewrite, Refusal> {
        if !self.world.may_edit(object) {
            return Err(Refusal::OutsideTarget);
        }
        if let Some(protected) = self.options.protected.get(object) {
            return Err(Refusal::Protected(protected.clone()));
        }
        let packages = self.packages.get_or_init(|| Packages::read(self.vfs));
        if let Some(package) = packages.owner(self.vfs, object)
            && !self.world.is_named(object)
        {
            return Err(Refusal::OfPackage { package: package.to_owned() });
        }
        if let Some(link) = self.world.leaving_name(self.vfs, object) {
            return Err(Refusal::LeavesRoot(LeavesRoot { link }));
        }
        let names = self.world.names_of(object);
        let cured = self.cured_in(&names);
        let cures = |cause| cured.iter().any(|found| found.cause == cause);
        let mut entries = Vec::new();
        for finding in &cured {
            let Some(directory) = finding.lies_in.first() else { continue };
            let entry = self.entry(&finding.object, directory)?;
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        let change = if self.options.question.tidy {
            Change::Tidy(entries)
        } else if cures(Cause::DuplicateRpath) {
            Change::Dedupe(entries)
        } else {
            Change::Fit(entries)
        };
        let kind = self.kinds.get(object).copied().or(self.options.kind);
        let repairs_signature = cures(Cause::BadSignature);
        // What an entry of a wheel names may be part of other distributions.
        let keeps_dead = self.world.wheel.is_some();
        let clears_stack = cures(Cause::ExecStack);
        let wish = Wish { kind, repairs_signature, clears_stack, keeps_dead, ..Wish::new(&change) };
        rewrite(self.vfs, object, &names, wish).map_err(|error| match error {
            Error::Io { source, .. } => Refusal::Io(source.into()),
            Error::Failed { source, .. } => Refusal::Edit(source),
        })
    }

    /// The findings that are to be repaired in a file with those names, in order.
    fn cured_in(&self, names: &[PathBuf]) -> Vec<&Finding> {
        let mut places: Vec<usize> = names
            .iter()
            .filter_map(|name| self.cured_by_object.get(name))
            .flatten()
            .copied()
            .collect();
        places.sort_unstable();
        places.into_iter().filter_map(|at| self.cured.get(at)).collect()
    }

    /// Notes which findings are in which object, after the list has changed.
    fn index_cured(&mut self) {
        self.cured_by_object.clear();
        for (at, finding) in self.cured.iter().enumerate() {
            self.cured_by_object.entry(finding.object.clone()).or_default().push(at);
        }
    }

    /// The entry for a directory in an object.
    fn entry(&self, object: &Path, directory: &Path) -> Result<Vec<u8>, Refusal> {
        let is_macho =
            self.world.inventory.at(object).is_some_and(|object| !object.slices().is_empty());
        let format = if is_macho { Format::Macho } else { Format::Elf };
        let unspellable = || Refusal::Unspellable { directory: directory.to_owned() };
        if self.world.contains(self.vfs, directory) {
            return relative_entry(self.vfs, format, object, directory).ok_or_else(unspellable);
        }
        if !self.options.allow_absolute {
            return Err(Refusal::NeedsAbsolute { directory: directory.to_owned() });
        }
        absolute_entry(format, directory).ok_or_else(unspellable)
    }

    /// The target with the plan applied.
    fn foresee(&self) -> Diagnosis {
        let overlay = self.overlay();
        let mut after =
            diagnose_edited(&overlay, self.world, &self.options.question, self.installed.clone());
        if let Some(scope) = &self.options.scope {
            scope.narrow(&overlay, self.world, &mut after);
        }
        // An edited object has to load alone: if only half of its libraries are found, this may
        // disable what its package does if none is found.
        // What the diagnosis has opened and found complete lacks nothing, unless that is due to variables.
        let is_bare = self.world.settings == self.world.settings.without_variables();
        let may_lack = |object: &&PathBuf| !is_bare || !after.complete.contains(*object);
        let edited: Vec<PathBuf> = self.rewrites.keys().filter(may_lack).cloned().collect();
        let question = &self.options.question;
        let lacked = lacked_alone(&overlay, self.world, question, &edited, &after.findings);
        after.supersede(lacked);
        after
    }

    fn overlay(&self) -> Overlay<'_> {
        let mut overlay = Overlay::new(self.vfs);
        for rewrite in self.rewrites.values() {
            // A file that has just changed shows no edit, and may not need one any more.
            if overlay.patch(&rewrite.object, rewrite.patch.edits.clone()).is_err() {
                overlay.doubt(&rewrite.object);
            }
        }
        self.refused.keys().for_each(|file| overlay.doubt(file));
        overlay
    }

    /// Removes rewrites from the plan that did not pass the proof. An object without a tag gets a
    /// second chance with `DT_RPATH`: a `DT_RUNPATH` disables the RPATH that it inherited. At the
    /// `last` chance all are removed.
    fn withdraw(&mut self, objections: &proof::Objections, last: bool) {
        let mut files: BTreeSet<PathBuf> =
            objections.objects().iter().map(|object| self.file_of(object)).collect();
        files.retain(|file| self.rewrites.contains_key(file));
        if files.is_empty() || last {
            // The moved object is not itself edited: it inherits from an edited object, or the
            // library is loaded by one. It is not known by which, so all are removed.
            files = self.rewrites.keys().cloned().collect();
        }
        for file in files {
            let had_tag = self.rewrites.get(&file).is_some_and(|rewrite| rewrite.had_path);
            let is_first = self.options.kind.is_none() && !self.kinds.contains_key(&file);
            if !had_tag && is_first && !last {
                self.kinds.insert(file.clone(), RpathKind::Rpath);
                self.plan(&file);
            } else {
                self.refuse(&file, reason(self.world, &file, objections));
            }
        }
    }

    fn refuse(&mut self, file: &Path, reason: Refusal) {
        let names = self.world.names_of(file);
        self.rewrites.remove(file);
        self.cured.retain(|finding| !names.contains(&finding.object));
        self.index_cured();
        self.refused.insert(file.to_owned(), reason);
    }
}

/// The name that represents all names of one file, which are edited together.
fn file_of(world: &World, object: &Path) -> PathBuf {
    world.names_of(object).into_iter().next().unwrap_or_else(|| object.to_owned())
}

/// Why an object is skipped after all.
fn reason(world: &World, object: &Path, objections: &proof::Objections) -> Refusal {
    if let Some((_, clash)) = objections.clashes.iter().find(|(cured, _)| cured.object == object) {
        return Refusal::Clashes {
            object: world.place(&clash.object),
            version: clash.version.clone(),
            provider: world.place(&clash.provider),
        };
    }
    let moved = objections.moved.iter().find(|moved| moved.question.asking == object);
    match moved.or(objections.moved.first()) {
        Some(moved) => Refusal::Moves {
            library: moved.question.library.clone(),
            after: moved.after.clone(),
            before: moved.before.clone(),
        },
        None => Refusal::NotCured,
    }
}
