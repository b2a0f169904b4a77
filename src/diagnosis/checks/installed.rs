//! What installers left behind: distributions that do not fit one another or this interpreter,
//! duplicates, and partial installations. Edits of search paths change none of it.

mod absent;
mod data;
mod deep;
mod duplicates;
mod numpy_abi;
mod partial;
mod platform;
mod plugins;
mod requirements;
mod runtimes;
mod symbols;
mod undefined;

use crate::diagnosis::load_report::Seen;
use crate::findings::cure::Cure;
use crate::findings::evidence::Release;
use crate::findings::finding::{Cause, Finding};
use crate::vfs::Vfs;
use crate::world::inventory::Object;
use crate::world::program::Program;
use crate::world::python_code::{PythonCode, Reaction};
use crate::world::system_libraries::Libraries;
use crate::world::{Question, World};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

/// The findings about distributions, and the directories whose objects they explain.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Objects that are for another platform. Everything else that is wrong with them follows from
    /// that.
    pub foreign: Vec<PathBuf>,
    /// The names of missing files that may be names of libraries.
    pub gone: BTreeSet<Vec<u8>>,
    /// The same of distributions whose modules no import reaches.
    pub gone_unused: BTreeSet<Vec<u8>>,
    /// Objects, each with a library that it needs, that its own distribution installed and that is missing. A
    /// library of that name elsewhere is a different one.
    pub bereft: BTreeSet<(PathBuf, Vec<u8>)>,
    /// Libraries of distributions of which a part is missing. That part may be what loads them.
    pub deserted: BTreeSet<PathBuf>,
    /// Objects of another size than the RECORD of their distribution says, each with its distribution.
    pub replaced: BTreeMap<PathBuf, Release>,
    /// Objects, each with a library of the target that does not define the symbols that it needs. An entry
    /// that leads to this library does not help.
    pub unbound: BTreeSet<(PathBuf, Vec<u8>)>,
}

impl Installed {
    /// Looks at every distribution of a target.
    #[must_use]
    pub fn of(
        vfs: &dyn Vfs,
        world: &World,
        question: &Question,
        programs: &[Program<'_>],
        seen: &Seen,
    ) -> Self {
        // A wheel is not installed yet. It is judged by its own metadata.
        if world.wheel.is_some() {
            return Self::default();
        }
        let (mut findings, foreign) = platform::findings(vfs, world, programs, seen);
        let needed = world.inventory.needed();
        let damages = partial::damages(vfs, world, question, seen, &needed);
        let code = PythonCode::new(vfs, world);
        let libraries = &Libraries::new(vfs, world, question, programs);
        let plugins =
            plugins::Plugins { vfs, world, seen, code: &code, libraries, needed: &needed };
        findings.extend(damages.iter().filter_map(|damage| damage.finding(&plugins)));
        findings.extend(duplicates::findings(vfs, world));
        let unmet = requirements::findings(world);
        // What cures TensorFlow's requirement of NumPy cures the others.
        if !unmet.iter().any(requirements::is_about_numpy) {
            findings.extend(numpy_abi::finding(vfs, world, &code));
        }
        findings.extend(unmet);
        findings.extend(absent::findings(vfs, world, &code));
        findings.extend(runtimes::findings(vfs, world, seen));
        let resized = damages.iter().flat_map(|damage| &damage.of_another_size);
        let resized = resized.map(PathBuf::as_path).collect();
        let (unfit, unbound) = symbols::findings(vfs, world, question, programs, seen, &resized);
        findings.extend(unfit);
        let is_told = |object: &Object| unbound.iter().any(|(path, _)| *path == object.path);
        let changed = damages.iter().flat_map(|damage| &damage.changed).map(PathBuf::as_path);
        let changed = changed.chain(resized.iter().copied()).collect();
        let suspects = undefined::Suspects { changed, is_any: question.symbols };
        let undefined = undefined::findings(vfs, world, programs, seen, &code, &suspects, is_told);
        findings.extend(undefined.into_iter().map(|found| with_guard(world, &code, found)));
        findings.extend(data::findings(vfs, world));
        if question.deep {
            findings.extend(deep::findings(vfs, world));
        }
        // What is not imported explains nothing of what is.
        let (unused, damages): (Vec<_>, Vec<_>) =
            damages.into_iter().partition(|it| it.is_shadowed(world));
        let gone_unused = unused.iter().flat_map(partial::Damage::names_gone).collect();
        let gone = damages.iter().flat_map(partial::Damage::names_gone).collect();
        let bereft = damages.iter().flat_map(|damage| damage.bereft(world)).collect();
        let deserted = damages.iter().flat_map(|damage| damage.libraries(world, seen)).collect();
        let replaced = damages.iter().flat_map(|damage| damage.replaced(world)).collect();
        Self { findings, foreign, gone, gone_unused, bereft, deserted, replaced, unbound }
    }

    /// Does a finding follow from an object for another platform, from missing files, or from a different
    /// library of the same name?
    #[must_use]
    pub fn explains(&self, finding: &Finding) -> bool {
        let is_gone = || finding.library.as_ref().is_some_and(|name| self.gone.contains(name));
        self.foreign.binary_search(&finding.object).is_ok()
            || match finding.cause {
                Cause::NotInstalled | Cause::SonameMismatch => {
                    is_gone() || self.deserted.contains(&finding.object)
                }
                Cause::PathMissing => {
                    self.deserted.contains(&finding.object)
                        || is_among(&self.bereft, finding)
                        || is_among(&self.unbound, finding)
                }
                _ => false,
            }
    }

    /// Does a finding about a module that no import reaches follow from missing files of its distribution?
    #[must_use]
    pub fn explains_unused(&self, finding: &Finding) -> bool {
        let is_gone = || finding.library.as_ref().is_some_and(|it| self.gone_unused.contains(it));
        matches!(finding.cure, Cure::Shadowed(_)) && is_gone()
    }

    /// Leaves out symbols that an object does not find because a variable leads to another copy of the library.
    pub fn leave_to_variables(&mut self, findings: &[Finding]) {
        let lacking = findings.iter().filter(|finding| finding.gets_a_lacking_copy());
        let blamed: HashSet<_> = lacking.clone().map(Finding::question).collect();
        let libraries: HashSet<_> = lacking.map(|finding| &finding.library).collect();
        self.findings.retain(|finding| {
            let Finding { cause, library, .. } = finding;
            // Any of these libraries may define what no library has.
            let is_of_any = library.is_none() && !libraries.is_empty();
            *cause != Cause::MissingSymbol || !is_of_any && !libraries.contains(library)
        });
        self.unbound.retain(|(object, library)| {
            !blamed.contains(&(object.as_path(), Some(library.as_slice()), None))
        });
    }
}

/// Marks a finding about a module as only worth knowing if Python code continues without the module.
pub(crate) fn with_guard(world: &World, code: &PythonCode<'_>, found: Finding) -> Finding {
    let object = world.inventory.at(&found.object).filter(|_| !world.is_named(&found.object));
    let reaction = object.and_then(|object| code.reaction(object));
    let is_optional = found.is_optional || matches!(reaction, Some(Reaction::GoesOn(_)));
    Finding { is_optional, ..found }
}

/// Is a finding about one of these objects and the library that is noted with it?
fn is_among(known: &BTreeSet<(PathBuf, Vec<u8>)>, finding: &Finding) -> bool {
    let library = finding.library.clone().unwrap_or_default();
    known.contains(&(finding.object.clone(), library))
}
