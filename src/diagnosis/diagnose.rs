//! Resolves the objects of the inventory as the loader would: what is not found, and why.

use super::absent::Absent;
use super::asking::{Asking, Before};
use super::bindings::Bindings;
use super::checks::installed::Installed;
use super::checks::variables::{self, Variables};
use super::checks::{
    by_code, by_name, cuda, dlopen, files, interpreters, macos, process_limits, program_loaders,
    refused, rpath_entries, sought, symbol_version, wheel,
};
use super::leave_replaced::leave_replaced;
use super::leave_shadowed::leave_shadowed;
use super::left_to_others::leave_to_others;
use super::load_report::{Clash, Missing, Seen};
use super::provider::{self, Choice, Provider, known_cause};
use super::unmet;
use crate::command_line::Naming;
use crate::findings::cure::{Cure, Install, Search, Tidying};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::need::{Guard, Need, Supply};
use crate::findings::finding::{Cause, Finding, Severity, sort, with_tool};
use crate::knowledge::tensorflow;
use crate::python::installs::Installs;
use crate::python::interpreter::Interpreter;
use crate::vfs::Vfs;
use crate::world::inventory::Role;
use crate::world::program::Program;
use crate::world::python_code::{Reaction, standard};
use crate::world::system_libraries::Libraries;
use crate::world::{Place, Question, World};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The result of a diagnosis.
#[derive(Debug, Default)]
pub struct Diagnosis {
    /// The findings: errors first, by cause and object.
    pub findings: Vec<Finding>,
    /// The file that each name resolved to, in the simulated environment and in an empty one if that differs.
    pub bindings: Vec<Bindings>,
    /// Dependencies for which the loader finds nothing, each object and name once.
    pub unresolved: usize,
    /// Those of them that only a plugin or a program needs: the object and the name.
    pub unasked: Vec<(PathBuf, Vec<u8>)>,
    /// What installers left behind; its findings are among the others.
    pub installed: Installed,
    /// Objects that a program opens or starts, and that lack nothing then.
    pub complete: HashSet<PathBuf>,
    /// Objects that do not load because a library that is loaded with them lacks a version.
    pub clashes: BTreeMap<PathBuf, Clash>,
    /// The tool that installs into the environment.
    pub installs: Installs,
    /// How commands name the target.
    pub naming: Naming,
}

impl Diagnosis {
    /// Adds findings that replace less specific ones about the same questions.
    pub fn supersede(&mut self, findings: Vec<Finding>) {
        let is_told =
            |finding: &Finding| findings.iter().any(|other| other.question() == finding.question());
        self.findings.retain(|finding| !is_told(finding));
        // Findings that a missing part of a distribution explains are not reported a second time.
        let new = findings.into_iter().filter(|finding| !self.installed.explains(finding));
        let new = new.map(|finding| Finding {
            installs: self.installs.clone(),
            naming: self.naming.clone(),
            ..finding
        });
        self.findings.extend(new);
        sort(&mut self.findings);
    }
}

/// Diagnoses a target: each object that a program would load is resolved as that program would do
/// it, under the simulated environment and without any variable, and the distributions are compared.
#[must_use]
pub fn diagnose(vfs: &dyn Vfs, world: &World) -> Diagnosis {
    diagnose_asked(vfs, world, &Question::default())
}

/// Diagnoses a target, with the additional checks that were requested.
#[must_use]
pub fn diagnose_asked(vfs: &dyn Vfs, world: &World, question: &Question) -> Diagnosis {
    let programs = Program::all(vfs, world, &world.settings);
    let seen = Seen::of(vfs, world, &programs);
    let installed = |seen: &Seen| {
        let mut installed = Installed::of(vfs, world, question, &programs, seen);
        installed.findings.extend(spoilt_for_python(vfs, world));
        installed
    };
    loads(vfs, world, question, &programs, seen, installed)
}

/// Diagnoses a target with search paths other than its own. What installers left behind is not
/// examined again.
#[must_use]
pub fn diagnose_edited(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    installed: Installed,
) -> Diagnosis {
    let programs = Program::all(vfs, world, &world.settings);
    let seen = Seen::of(vfs, world, &programs);
    loads(vfs, world, question, &programs, seen, |_| installed)
}

/// What each of these objects would lack in a new process that opens only this object, apart from the
/// graphics driver. A module that loads a library for it today may be absent tomorrow. Only objects that
/// may be edited are reported. What nothing needs and nothing repairs is only worth knowing, opened alone or
/// not: `known` are the findings about the target.
#[must_use]
pub fn lacked_alone(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    objects: &[PathBuf],
    known: &[Finding],
) -> Vec<Finding> {
    let objects = objects.iter().filter_map(|path| world.inventory.at(path));
    let as_imported = |object| world.imported_as(vfs, object).unwrap_or(object);
    let objects: Vec<_> = objects.map(as_imported).collect();
    if objects.is_empty() {
        return Vec::new();
    }
    let programs = Program::all(vfs, world, &world.settings.without_variables());
    let seen = Seen::alone(vfs, world, &programs, &objects);
    let libraries = Libraries::new(vfs, world, question, &programs);
    let asking = Asking::new(vfs, world);
    let judge = Judge {
        vfs,
        world,
        question,
        libraries: &libraries,
        seen: &seen,
        asking: &asking,
        is_alone: true,
    };
    let refused = seen.refused.iter().filter_map(|(root, fatal)| {
        let root = world.inventory.at(root)?;
        let is_opened = refused::is_opened(world, asking.code(), root, fatal);
        is_opened.then(|| refused::of(world, root, fatal))
    });
    let lacked = seen.missing.values().filter(|missing| world.may_edit(&missing.asking.path));
    let left = known.iter().filter(|known| known.is_optional && !known.fixable);
    let left: HashSet<_> = left.map(Finding::question).collect();
    let found = lacked.flat_map(|missing| judge.missing(missing));
    let found = found.filter(|found| found.fixable || !left.contains(&found.question()));
    found.filter(|finding| finding.cause != Cause::DriverMissing).chain(refused).collect()
}

/// What objects that are loaded lack.
struct Lacking {
    findings: Vec<Finding>,
    unasked: Vec<(PathBuf, Vec<u8>)>,
    unresolved: usize,
    /// The answers of dyld, and those of the loaders in an empty environment if they differ.
    of_macos: Bindings,
    bare: Option<Bindings>,
}

/// `installed` is what installers left behind.
fn loads(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    programs: &[Program<'_>],
    seen: Seen,
    installed: impl FnOnce(&Seen) -> Installed + Send,
) -> Diagnosis {
    // Neither depends on what the other finds.
    let loaded = || lacking(vfs, world, question, programs, &seen);
    let (mut installed, lacking) = rayon::join(|| installed(&seen), loaded);
    let Lacking { mut findings, unasked, unresolved, of_macos, bare } = lacking;
    installed.leave_to_variables(&findings);
    findings.retain(|finding| !installed.explains(finding));
    findings.extend(installed.findings.iter().cloned());
    findings.retain(|finding| {
        world.is_meant(&finding.object)
            || keeps_from_starting(world, &seen.started, finding)
            || keeps_from_loading(world, &seen.missing, finding)
    });
    for finding in &mut findings {
        leave_to_others(vfs, world, finding);
        leave_shadowed(world, &seen, finding);
        leave_replaced(&installed.replaced, finding);
    }
    findings.retain(|finding| !installed.explains_unused(finding));
    let installs = world.installs(vfs);
    with_tool(|object| world.installs_at(vfs, object), &world.naming, &mut findings);
    sort(&mut findings);
    let (complete, clashes, mut both) = (seen.complete, seen.clashes, seen.bindings);
    both.extend(&of_macos);
    let bindings = std::iter::once(both).chain(bare).collect();
    let naming = world.naming.clone();
    Diagnosis {
        findings,
        bindings,
        unresolved,
        unasked,
        installed,
        complete,
        clashes,
        installs,
        naming,
    }
}

fn lacking(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    programs: &[Program<'_>],
    seen: &Seen,
) -> Lacking {
    let libraries = Libraries::new(vfs, world, question, programs);
    let asking = Asking::new(vfs, world);
    let judge = Judge {
        vfs,
        world,
        question,
        libraries: &libraries,
        seen,
        asking: &asking,
        is_alone: false,
    };
    let (mut findings, unasked) = judge.all();
    let without_loader =
        program_loaders::findings(vfs, world, programs, |it| asking.is_started(it));
    // Nothing is loaded for a program that the kernel does not start.
    findings.retain(|found| !without_loader.iter().any(|other| other.object == found.object));
    findings.extend(without_loader);
    let empty = world.settings.without_variables();
    let variables = Variables::new(vfs, world);
    let bare =
        (empty != world.settings).then(|| Seen::of(vfs, world, &Program::all(vfs, world, &empty)));
    findings.extend(judge.checked(programs, &variables, bare.as_ref()));
    let macos = macos::diagnose(vfs, world, &world.settings);
    let known: HashSet<_> = macos.findings.iter().map(question_of).collect();
    let meant = seen.missing.keys().chain(&macos.unresolved);
    let unresolved = meant.filter(|(object, _)| world.is_meant(object)).count();
    let bare = bare.map(|bare| {
        findings.extend(judge.owed_to_variables(&bare, &variables));
        judge.shadowed_by_variables(&bare, &variables, &mut findings);
        let bare_macos = macos::diagnose(vfs, world, &empty);
        let of_libraries = bare_macos.findings.into_iter().filter(|found| found.library.is_some());
        let owed = of_libraries.filter(|found| !known.contains(&question_of(found)));
        findings.extend(owed.map(|found| judge.owed_on_macos(found, &variables)));
        let mut both = bare.bindings;
        both.extend(&bare_macos.bindings);
        both
    });
    findings.extend(macos.findings);
    Lacking { findings, unasked, unresolved, of_macos: macos.bindings, bare }
}

/// What variables break for the modules of Python itself, which every package imports, if these are outside the
/// target, in the installation of a virtual environment. No edit changes that. Python works without some of them.
fn spoilt_for_python(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let has_variables = world.settings != world.settings.without_variables();
    let is_whole = world.named.is_empty() && world.part.is_none();
    let environment = world.environment.as_ref().filter(|_| has_variables && is_whole);
    let Some(environment) = environment else { return Vec::new() };
    let libraries = environment.interpreters.iter().filter_map(Interpreter::standard_library);
    let modules = libraries.map(|library| library.join("lib-dynload"));
    let is_walked = |path: &PathBuf| world.inventory.roots.iter().any(|it| path.starts_with(it));
    let outside: BTreeSet<PathBuf> = modules.filter(|path| !is_walked(path)).collect();
    let mut found = Vec::new();
    for directory in outside.into_iter().filter(|path| vfs.metadata(path).is_ok()) {
        let environment = Some(environment.clone());
        let modules = World::of_directory(vfs, &directory, environment, world.settings.clone());
        let modules = World { root: world.root.clone(), ..modules };
        let all = diagnose(vfs, &modules).findings.into_iter();
        let spoilt = all.filter(|it| it.severity() == Severity::Error && it.blames_variables());
        found.extend(spoilt.map(|spoilt| {
            let name = spoilt.object.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let module = name.split('.').next().unwrap_or_default();
            let is_optional = directory
                .parent()
                .is_some_and(|library| standard::goes_on_without(vfs, library, module));
            Finding { is_optional, ..spoilt }
        }));
    }
    found
}

/// An object that nothing needs, and that lacks a library which is not repaired, does not load after a
/// repair of another library either. What could be repaired of it is only worth knowing.
fn leave_useless(findings: &mut [Finding]) {
    let is_left = |found: &&Finding| !found.fixable || found.cause == Cause::PathMissing;
    let for_good = findings.iter().filter(|found| found.is_optional).filter(is_left);
    let useless: HashSet<PathBuf> = for_good.map(|found| found.object.clone()).collect();
    for found in findings.iter_mut().filter(|found| useless.contains(&found.object)) {
        found.is_optional |= found.cause == Cause::PathMissing || found.is_about_own_version();
        if found.cause == Cause::PathMissing {
            found.cure = Cure::Nothing;
        }
    }
}

/// Does a finding explain why no interpreter of the target starts? It counts for any part of an
/// environment that was named, but not for single files, which other programs may load.
fn keeps_from_starting(world: &World, started: &HashSet<PathBuf>, finding: &Finding) -> bool {
    world.named.is_empty()
        && finding.severity() == Severity::Error
        && (started.contains(&finding.object) || interpreters::is_one(world, &finding.object))
}

/// Does a selected object fail to load because an object that it needs lacks something?
fn keeps_from_loading(
    world: &World,
    missing: &BTreeMap<(PathBuf, Vec<u8>), Missing>,
    finding: &Finding,
) -> bool {
    let library = finding.library.as_ref().filter(|_| finding.severity() == Severity::Error);
    let question = library.map(|library| (finding.object.clone(), library.clone()));
    question.and_then(|it| missing.get(&it)).is_some_and(|missing| {
        missing.is_named || missing.roots.iter().any(|root| world.is_meant(root))
    })
}

/// Explains what the loader does not find.
pub(super) struct Judge<'a> {
    pub(super) vfs: &'a dyn Vfs,
    pub(super) world: &'a World,
    pub(super) question: &'a Question,
    pub(super) libraries: &'a Libraries<'a>,
    pub(super) seen: &'a Seen,
    pub(super) asking: &'a Asking<'a>,
    /// Is each object opened alone, so that nothing is loaded before it?
    pub(super) is_alone: bool,
}

impl Judge<'_> {
    /// What is missing, and which of it nothing needs: the object and the name.
    fn all(&self) -> (Vec<Finding>, Vec<(PathBuf, Vec<u8>)>) {
        let (mut findings, mut parts) = (Vec::new(), Vec::new());
        for (question, missing) in &self.seen.missing {
            let start = findings.len();
            findings.extend(self.found(missing));
            parts.push((question, start..findings.len()));
        }
        leave_useless(&mut findings);
        let is_unasked = |found: &Finding| {
            found.is_optional && !matches!(found.cause, Cause::PathMissing | Cause::LoadOrder)
        };
        parts.retain(|(question, part)| {
            let found = findings.get(part.clone()).unwrap_or_default();
            found.iter().all(is_unasked) && self.world.is_meant(&question.0)
        });
        let unasked = parts.into_iter().map(|(question, _)| question.clone()).collect();
        (findings, unasked)
    }

    /// The findings of the checks. `bare` is the result without any variables, if it differs.
    fn checked(
        &self,
        programs: &[Program<'_>],
        variables: &Variables<'_>,
        bare: Option<&Seen>,
    ) -> Vec<Finding> {
        let Self { vfs, world, question, libraries, seen, .. } = *self;
        let versions = symbol_version::Judge { vfs, world, programs, libraries, variables, bare };
        let mut findings = versions.findings(seen);
        let opened = dlopen::findings(vfs, world, programs, self.asking);
        let of_cuda = cuda::findings(vfs, world, question, programs, libraries, &opened);
        let opened = [opened, of_cuda].concat();
        findings.extend(by_name::findings(
            vfs,
            world,
            question,
            programs,
            seen,
            self.asking,
            &opened,
        ));
        findings.extend(opened);
        findings.extend(by_code::findings(vfs, world, programs, seen));
        findings.extend(sought::findings(vfs, world, programs, libraries, self.asking.code()));
        findings.extend(variables::findings(vfs, world, question, programs));
        findings.extend(process_limits::findings(vfs, world, programs, seen));
        findings.extend(files::unreadable(vfs, world, programs));
        let is_started = |program: &Path| self.asking.is_started(program);
        findings.extend(refused::findings(world, self.asking.code(), seen, is_started));
        findings.extend(rpath_entries::findings(vfs, world, question));
        findings.extend(files::wrong_arch(vfs, world, programs));
        findings.extend(interpreters::findings(vfs, world, question, &seen.started));
        findings.extend(wheel::findings(world));
        findings
    }

    /// Why a library is missing, and what that means; nothing if no object needs it.
    fn found(&self, missing: &Missing) -> Vec<Finding> {
        let found = self.missing(missing).into_iter();
        let Some(interpreter) = &missing.interpreter else {
            return found.map(|found| self.with_program(missing, found)).collect();
        };
        let python = self.world.place(interpreter);
        let starting = found.map(|found| Finding {
            evidence: keeping_from_starting(found.evidence, &python),
            // An interpreter outside the target may lack what an edit in the target cannot give it.
            fixable: found.fixable && self.world.may_edit(&found.object),
            cure: match found.cause {
                Cause::NotInstalled => Cure::OrPythonAgain(Box::new(found.cure)),
                _ => found.cure,
            },
            ..found
        });
        starting.collect()
    }

    /// Names the program that does not start, if only programs load the object: no import fails then.
    fn with_program(&self, missing: &Missing, found: Finding) -> Finding {
        match &missing.program {
            Some(program)
                if missing.root_role == Role::Executable
                    && !found.is_optional
                    && *program != missing.asking.path =>
            {
                let program = self.world.place(program);
                Finding { evidence: keeping_from_starting(found.evidence, &program), ..found }
            }
            _ => found,
        }
    }

    /// Why a library is missing; nothing if no object needs it.
    pub(super) fn missing(&self, missing: &Missing) -> Vec<Finding> {
        let (asking, name) = (&missing.asking, &missing.dependency.name);
        // It was found and refused for its stack: the library has a finding of its own.
        if missing.dependency.fatal.as_ref().is_some_and(|it| it.limit.is_some()) {
            return Vec::new();
        }
        if self.world.wheel.is_some() && wheel::comes_with_the_system(name) {
            return Vec::new();
        }
        // The loader ends its search at a file that is not a library, wherever another copy is.
        if missing.dependency.fatal.is_some() && self.before(missing) != Some(Before::Required) {
            return vec![self.lacking(missing)];
        }
        match provider::choose(self.vfs, self.world, &self.question.search, asking, name) {
            Choice::One(provider) => vec![self.out_of_reach(missing, &provider)],
            Choice::Several(_) if self.before(missing).is_some() => {
                vec![self.loaded_before(missing)]
            }
            Choice::Several(providers) => {
                let copies = providers.len();
                let lies_in: Vec<PathBuf> =
                    providers.iter().map(|provider| provider.directory().to_owned()).collect();
                let unreached = Supply::SeveralOutOfReach { copies };
                let twins = Supply::Ambiguous { copies };
                [(Cause::PathMissing, unreached), (Cause::DuplicateInstall, twins)]
                    .map(|(cause, supply)| Finding {
                        lies_in: lies_in.clone(),
                        ..self.need(missing, cause, supply, Cure::Search(Search::NameDirectory))
                    })
                    .into()
            }
            Choice::None => self.absent(missing).into_iter().collect(),
        }
    }

    /// What it means that only one library of the tree fits, in a directory that is not searched.
    fn out_of_reach(&self, missing: &Missing, provider: &Provider) -> Finding {
        let directory = provider.directory().to_owned();
        let unreached = |is_required| {
            let directory = self.world.place(&directory);
            Supply::OutOfReach { directory, is_required }
        };
        let later = |is_proved| {
            let supply = Supply::LoadedBefore { is_proved };
            let nothing = Cure::NothingOr(Tidying::Entries);
            self.need(missing, Cause::LoadOrder, supply, nothing)
        };
        let before = self.before(missing);
        let is_optional =
            || !self.is_alone && self.asking.is_optional(self.seen, missing, &provider.path);
        let wanted = || unmet::instead_of(self.world, missing, &provider.path);
        if let Some(wanted) = before.is_none().then(wanted).flatten() {
            let cure = Cure::Install(Install::Wanted(wanted));
            let found = self.need(missing, Cause::PathMissing, unreached(false), cure);
            return Finding { lies_in: vec![directory], ..found };
        }
        let found = match before {
            Some(Before::Required) => later(true),
            Some(Before::Only) => later(false),
            None if is_optional() => {
                let nothing = Cure::NothingOr(Tidying::Entries);
                let found = self.need(missing, Cause::PathMissing, unreached(false), nothing);
                Finding { is_optional: true, ..found }
            }
            None => self.unreached(missing, provider, unreached(true)),
        };
        Finding { fixable: true, lies_in: vec![directory], ..found }
    }

    /// A library in a directory that is not searched. It is only worth knowing if the code that needs it
    /// continues without it, unless it then uses no GPU.
    fn unreached(&self, missing: &Missing, provider: &Provider, supply: Supply) -> Finding {
        let fix = match self.world.contains(self.vfs, provider.directory()) {
            true => Cure::fix(),
            false => Cure::fix_with_absolute(),
        };
        let found = self.need(missing, Cause::PathMissing, supply, fix);
        let is_for_gpu = tensorflow::is_for_gpu(&missing.dependency.name);
        let asked = (!self.is_alone && !is_for_gpu).then_some(missing);
        let reaction = asked.and_then(|it| self.asking.reaction_to(it, &provider.path));
        self.with_reaction(found, reaction.as_ref())
    }

    /// What Python code continues without is only worth knowing, and so is what it needs later.
    fn with_reaction(&self, found: Finding, reaction: Option<&Reaction>) -> Finding {
        let (line, is_called) = match reaction {
            Some(Reaction::GoesOn(line)) => (line, false),
            Some(Reaction::Later(line)) => (line, true),
            Some(Reaction::Fails(_)) | None => return found,
        };
        let guard = Guard { file: self.world.place(&line.file), line: line.line, is_called };
        let evidence = match found.evidence {
            Evidence::Need(need) => Evidence::Need(Need { guard: Some(guard), ..need }),
            other => other,
        };
        Finding { is_optional: true, evidence, ..found }
    }

    /// A finding about what an object needs.
    fn need(&self, missing: &Missing, cause: Cause, supply: Supply, cure: Cure) -> Finding {
        missing.finding(self.world, cause, supply, cure)
    }

    /// A library that is loaded before, and that no entry could find.
    fn loaded_before(&self, missing: &Missing) -> Finding {
        let supply = Supply::LoadedBefore { is_proved: true };
        self.need(missing, Cause::LoadOrder, supply, Cure::Nothing)
    }

    /// How it is known that a library is loaded before. If each object is opened alone, nothing is.
    fn before(&self, missing: &Missing) -> Option<Before> {
        let asked = (!self.is_alone).then_some(missing)?;
        self.asking.is_loaded_before(self.seen, asked)
    }

    /// Why a library is missing of which the tree has no copy that fits.
    fn absent(&self, missing: &Missing) -> Option<Finding> {
        // What a wheel does not contain comes with the distributions that it is installed beside.
        if self.world.wheel.is_some() {
            return None;
        }
        let name = &missing.dependency.name;
        if let Some(cause) = known_cause(name) {
            let cure = Cure::Install(Install::Driver { is_nvidias: false });
            return Some(self.need(missing, cause, Supply::OfTheDriver, cure));
        }
        if self.before(missing).is_some() {
            return Some(self.loaded_before(missing));
        }
        Some(self.lacking(missing))
    }

    /// What exists instead of a library that no search path can find.
    fn lacking(&self, missing: &Missing) -> Finding {
        let Self { vfs, world, question, libraries, .. } = *self;
        let found = Absent { vfs, world, question, libraries, missing }.finding();
        let is_lost = || found.is_about_own_version() && self.asking.loses_the_gpu(missing);
        if !self.asking.is_judged(missing) && !is_lost() {
            return Finding { is_optional: true, ..found };
        }
        let asked = (!self.is_alone).then_some(missing);
        let reaction = asked.and_then(|it| self.asking.reaction(it));
        self.with_reaction(found, reaction.as_ref())
    }
}

/// What is seen of a need, and that a program cannot start for it.
fn keeping_from_starting(evidence: Evidence, program: &Place) -> Evidence {
    match evidence {
        Evidence::Need(need) => Evidence::Need(Need { program: Some(program.clone()), ..need }),
        other => other,
    }
}

/// Which object needs what.
pub(super) fn question_of(finding: &Finding) -> (PathBuf, Option<Vec<u8>>) {
    (finding.object.clone(), finding.library.clone())
}
