//! What is the case in an environment, of which a message speaks: the doctor's finding about the same
//! thing, or that nothing is wrong with it now.

use super::modules::{self, Distributions, Found};
use super::scanner::leaf;
use super::{Kind, Message};
use crate::bytes::{printable, shown};
use crate::diagnosis::diagnose::Diagnosis;
use crate::findings::finding::{Cause, Finding};
use crate::knowledge::tensorflow::is_for_gpu;
use crate::vfs::Vfs;
use crate::world::World;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What came of looking. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is still so, and this is why.
    Found,
    /// Nothing is known here that the words could be about.
    NothingFound,
    /// The paths in the message are not on this machine.
    NotHere,
    /// There is no environment to look at.
    NoEnvironment,
    /// It is not so any more.
    Resolves,
    /// The words say nothing that is wrong.
    Harmless,
}

/// What is the case.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What came of looking.
    pub outcome: Outcome,
    /// The cause here, or the likeliest by the words alone; `None` where nothing is wrong.
    pub cause: Option<Cause>,
    /// What is the case, a sentence or two; empty where nothing is known beside the words.
    pub sentence: String,
    /// What cures it.
    pub cure: String,
    /// Can `tfpatch fix` cure it?
    pub fixable: bool,
    /// The findings about it, the one that fits best at the front.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// What the words alone tell.
    #[must_use]
    pub fn by_words(message: &Message, outcome: Outcome) -> Self {
        let sentence = match outcome {
            Outcome::NotHere => {
                "The paths in the message are not on this machine: that is what its words alone say."
            }
            Outcome::NoEnvironment => {
                "There is no environment here to look at: that is what its words alone say."
            }
            _ => "",
        };
        Self {
            outcome,
            cause: message.cause(),
            sentence: sentence.to_owned(),
            cure: message.cure(),
            fixable: false,
            findings: Vec::new(),
        }
    }

    fn found(message: &Message, findings: Vec<Finding>) -> Option<Self> {
        let first = findings.first()?;
        let told = first.message.trim_end_matches('.');
        let mut sentence = format!("{told}.");
        let lacks = matches!(first.cause, Cause::VersionMismatch | Cause::MissingSymbol);
        if lacks && message.kind == Kind::LibraryNotFound {
            // What was not found is the smaller part of it.
            let (head, rest) = told.split_once(": ").unwrap_or((told, ""));
            sentence = format!("{head}. An rpath would find the file, and no symbols: {rest}.");
        }
        let others = findings.len() - 1;
        if others > 0 {
            let plural = if others == 1 { "finding" } else { "findings" };
            sentence += &format!(" {others} more {plural} of tfpatch doctor fit the words.");
        }
        Some(Self {
            outcome: Outcome::Found,
            cause: Some(first.cause),
            sentence,
            cure: match message.saying {
                // The row knows the words better than a finding that is near to them.
                Some(saying) if !first.fixable => saying.cure.to_owned(),
                _ => first.cure.clone(),
            },
            fixable: first.fixable,
            findings,
        })
    }

    /// Adds what cures it on another machine, where the message names no path that would tell whose it is.
    fn or_elsewhere(mut self, message: &Message) -> Self {
        if message.object.is_none() && message.near.is_none() {
            self.cure += &format!("; if another machine said it, {}", message.cure());
        }
        self
    }

    /// Says where another copy comes from, by which a program fails although the files fit.
    fn of_another_copy(self, message: &Message) -> Self {
        let cure = format!(
            "where a program still says so, it loads another copy: take what LD_LIBRARY_PATH and LD_PRELOAD name out of \
             its environment; else {}",
            message.cure()
        );
        Self { cure, ..self }
    }

    fn resolved(sentence: String) -> Self {
        Self {
            outcome: Outcome::Resolves,
            cause: None,
            sentence,
            cure: "nothing has to be done; where a program still says so, start it anew, and look at its own \
                   environment variables"
                .to_owned(),
            fixable: false,
            findings: Vec::new(),
        }
    }
}

/// Finds out what is the case.
#[must_use]
pub fn look(vfs: &dyn Vfs, world: &World, diagnosis: &Diagnosis, message: &Message) -> Verdict {
    if message.is_about_a_team() || message.kind == Kind::RpathIgnored {
        // That depends on the program, not on the files.
        return Verdict::by_words(message, Outcome::NothingFound);
    }
    let about = Distributions::of(vfs, world, message);
    let mut matching: Vec<(u32, &Finding)> = diagnosis
        .findings
        .iter()
        .filter_map(|finding| {
            Some((fit(vfs, world, diagnosis, message, &about, finding)?, finding))
        })
        .collect();
    matching.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
    let findings = matching.into_iter().map(|(_, finding)| finding.clone()).collect();
    Verdict::found(message, findings)
        .or_else(|| module(vfs, world, message))
        .or_else(|| resolves(vfs, world, diagnosis, message))
        .unwrap_or_else(|| nothing(message))
}

fn nothing(message: &Message) -> Verdict {
    let sentence = "tfpatch doctor finds nothing here that these words could be about.";
    let words = Verdict::by_words(message, Outcome::NothingFound);
    Verdict { sentence: sentence.to_owned(), ..words }
}

/// How well a finding fits a message; `None` where it is about something else.
fn fit(
    vfs: &dyn Vfs,
    world: &World,
    diagnosis: &Diagnosis,
    message: &Message,
    about: &Distributions,
    finding: &Finding,
) -> Option<u32> {
    let by_library = match (&message.library, &finding.library) {
        (Some(one), Some(other)) => leaf(one) == leaf(other),
        _ => false,
    };
    let object = object_fit(vfs, message, &finding.object);
    let by_symbol = message.symbol.as_ref().is_some_and(|symbol| finding.symbols.contains(symbol));
    let is_meant = message.causes().contains(&finding.cause);
    let is_about = match message.kind {
        Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded => {
            by_library || tells_that_it_is_gone(diagnosis, message, finding)
        }
        Kind::GpuLibrariesNotLoaded => {
            finding.cause == Cause::DlopenPathMissing
                || is_meant && finding.library.as_deref().is_some_and(is_for_gpu)
        }
        Kind::DriverNotFound => finding.cause == Cause::DriverMissing,
        Kind::DataNotFound => finding.cause == Cause::DataMissing,
        Kind::TensorRtNotFound | Kind::Harmless | Kind::RpathIgnored => false,
        Kind::VersionNotFound => {
            finding.cause == Cause::SymbolVersion && (by_library || object > 0)
        }
        Kind::SymbolNotFound => {
            by_symbol
                || object > 0
                    && (is_meant || finding.cause == Cause::SymbolVersion)
                    && finding.symbols.is_empty()
        }
        Kind::ModuleNotFound => {
            // An interpreter passes over modules of other platforms as if they were not there.
            let is_foreign = matches!(finding.cause, Cause::WrongPlatform | Cause::WrongArch);
            (is_meant || is_foreign) && about.are_named_by(finding)
                || finding.cause == Cause::WrongInterpreter
        }
        Kind::NameNotFound | Kind::DistributionsDoNotFit => is_meant && about.are_named_by(finding),
        Kind::InterpreterNotFound => finding.cause == Cause::WrongInterpreter,
        Kind::ObjectNotFound
        | Kind::ObjectUnreadable
        | Kind::WrongArchitecture
        | Kind::StaticTls
        | Kind::ExecStack
        | Kind::BadSignature
        | Kind::DuplicateRpath => {
            is_about_a_file(finding.cause) && (object > 0 || tells_of_object(message, finding))
                || is_meant && message.object.is_none()
        }
    };
    // Of several findings about one library, an error of the object that is named comes first.
    let weight = u32::from(world.is_meant(&finding.object)) + u32::from(is_meant);
    is_about.then(|| object + 4 * u32::from(by_symbol) + 2 * u32::from(by_library) + weight)
}

/// A distribution of which a part is gone explains whatever else its libraries lack.
fn tells_that_it_is_gone(diagnosis: &Diagnosis, message: &Message, finding: &Finding) -> bool {
    let is_gone = |name: &Vec<u8>| diagnosis.installed.gone.contains(leaf(name));
    finding.cause == Cause::PartialInstall && message.library.as_ref().is_some_and(is_gone)
}

/// Does a finding name the object of a message in its words?
fn tells_of_object(message: &Message, finding: &Finding) -> bool {
    let named = message.object.as_deref().map(leaf).map(printable).unwrap_or_default();
    !named.is_empty() && finding.message.contains(&named)
}

/// Is a finding of that cause about a file itself, and not about what it asks for?
fn is_about_a_file(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Unreadable
            | Cause::DroppedLink
            | Cause::PartialInstall
            | Cause::WrongArch
            | Cause::WrongPlatform
            | Cause::StaticTls
            | Cause::ExecStack
            | Cause::BadSignature
            | Cause::DuplicateRpath
    )
}

/// 3 where a message names the very file, 1 where it names one of the same name, else 0.
fn object_fit(vfs: &dyn Vfs, message: &Message, object: &Path) -> u32 {
    let Some(named) = message.object.as_deref() else { return 0 };
    let path = Path::new(OsStr::from_bytes(named));
    let real = |path: &Path| vfs.canonicalize(path).ok();
    if path == object
        || path.is_absolute() && real(path).is_some_and(|named| Some(named) == real(object))
    {
        return 3;
    }
    let name = object.file_name().map(OsStr::as_bytes).unwrap_or_default();
    u32::from(!name.is_empty() && leaf(named) == name)
}

/// What became of a module that was not found.
fn module(vfs: &dyn Vfs, world: &World, message: &Message) -> Option<Verdict> {
    let named = message.module.as_deref().filter(|_| message.kind == Kind::ModuleNotFound)?;
    let environment = world.environment.as_ref()?;
    let name = printable(named);
    let words = Verdict::by_words(message, Outcome::Found);
    let again = "install the distribution again: pip install --force-reinstall --no-deps NAME";
    Some(match modules::find(vfs, environment, named) {
        Found::Importable(path) => Verdict::resolved(format!(
            "{name} is in this environment, at {}. Another interpreter ran, one that does not import from here.",
            shown(&path)
        )),
        Found::ForAnother(path) => Verdict {
            cause: Some(Cause::WrongPlatform),
            sentence: format!(
                "{} is for another Python or another system, and the interpreter of this environment passes over it.",
                shown(&path)
            ),
            cure: again.to_owned(),
            ..words
        },
        Found::PackageOnly(path) => Verdict {
            cause: Some(Cause::PartialInstall),
            sentence: format!("{} is there, and {name} is not in it.", shown(&path)),
            cure: again.to_owned(),
            ..words
        },
        Found::Absent => Verdict {
            cause: Some(Cause::NotInstalled),
            sentence: format!("Nothing in this environment provides {name}."),
            ..words
        },
    })
}

/// Says that what a message misses is found now.
fn resolves(
    vfs: &dyn Vfs,
    world: &World,
    diagnosis: &Diagnosis,
    message: &Message,
) -> Option<Verdict> {
    match message.kind {
        Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded => {
            let library = message.library.as_deref()?;
            let name = printable(leaf(library));
            let answers = diagnosis.bindings.first()?.of_library(leaf(library));
            if let Some(Some(path)) = answers.last().filter(|_| !answers.contains(&None)) {
                let path = world.shown(path);
                let verdict = Verdict::resolved(format!("{name} is found here now: {path}."));
                return Some(verdict.or_elsewhere(message));
            }
            if message.kind == Kind::GpuLibraryNotLoaded {
                let object = world.inventory.named(leaf(library)).next()?;
                let path = world.shown(&object.path);
                let verdict = Verdict::resolved(format!(
                    "{name} lies here, at {path}, and tfpatch doctor finds nothing that keeps it from being opened."
                ));
                return Some(verdict.or_elsewhere(message));
            }
            None
        }
        Kind::TensorRtNotFound
        | Kind::Harmless
        | Kind::DriverNotFound
        | Kind::GpuLibrariesNotLoaded
        | Kind::ModuleNotFound => None,
        _ => {
            let named = message.object.as_deref()?;
            let path = Path::new(OsStr::from_bytes(named));
            // A path from the root names one file, and what has the same name elsewhere is another.
            let object = match path.is_absolute() {
                true => world.object_at(vfs, path)?,
                false => {
                    world.inventory.objects.iter().find(|object| object.path.ends_with(path))?
                }
            };
            let verdict = Verdict::resolved(format!(
                "{} is here, and tfpatch doctor finds nothing wrong with it.",
                world.shown(&object.path)
            ));
            Some(match message.kind {
                Kind::SymbolNotFound | Kind::VersionNotFound => verdict.of_another_copy(message),
                _ => verdict,
            })
        }
    }
}
