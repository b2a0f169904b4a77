//! Imports by an environment's own interpreter: each package in a process of its own, several at once.

use super::child::Manner;
use super::error::Error;
use super::session::Session;
use super::traced::{Ran, Tracer, open_trace};
use super::words_of_run::Listener;
use crate::app;
use crate::app::imports::{Import, Importer, Imports, Outcome};
use crate::app::trace::Heard;
use crate::bytes::shown;
use crate::operation::other_owner;
use crate::report::inert;
use crate::report::style::counted;
use crate::world::native_modules::NativePackage;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What the interpreter is given to run.
const DRIVER: &str = include_str!("probe.py");

/// The file in which it says what came of each module.
const OUTCOMES: &str = "outcomes";

/// Only this much of it is read, because a module can write there too.
const MAX_OUTCOMES_BYTES: u64 = 16 << 20;

/// How often one package is begun again after a module that ended the process.
const MAX_BEGINNINGS: usize = 8;

/// Who imports.
pub struct Probe<'a> {
    /// Who traces it.
    pub tracer: Tracer<'a>,
    limit: Duration,
}

impl<'a> Probe<'a> {
    /// Prepares the imports; `seconds` is how long a package may take.
    ///
    /// # Errors
    /// As for [`Tracer::new`].
    pub fn new(session: &'a Session, seconds: u64) -> Result<Self, Error> {
        Ok(Self { tracer: Tracer::new(session)?, limit: Duration::from_secs(seconds) })
    }

    /// Imports the modules of one package.
    fn package(
        &self,
        interpreter: &Path,
        owned: &Path,
        package: &NativePackage,
    ) -> Result<Imports, app::Error> {
        let (mut answers, mut heard, mut words) = (Vec::new(), Heard::default(), Vec::new());
        let mut known: BTreeMap<String, Outcome> = BTreeMap::new();
        let names = names(package);
        for _ in 0..MAX_BEGINNINGS {
            let rest: Vec<&String> =
                names.iter().filter(|name| !known.contains_key(*name)).collect();
            if rest.is_empty() || self.is_told_to_end() {
                break;
            }
            let file = self.tracer.make_directory(Some(owned))?.join(OUTCOMES);
            let (listener, ears) = Listener::silent()?;
            let manner = Manner { own_session: true, limit: Some(self.limit) };
            let prepare = |command: &mut Command| {
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(ears);
                Ok(())
            };
            let command = command(interpreter, &file, &rest);
            let Ran { requests, child, timed_out } =
                self.tracer.run(&command, manner, Some(owned), prepare)?;
            let (new, also) = requests.into_answers();
            answers.extend(new);
            heard.add(also);
            words = listener.last_lines();
            let Told { outcomes, begun } = read(&file)?;
            let before = known.len();
            known.extend(outcomes);
            match begun.or_else(|| rest.first().map(|name| (*name).clone())) {
                Some(name) if timed_out => {
                    known.insert(name, Outcome::TimedOut);
                    break;
                }
                Some(name) if known.len() == before || !known.contains_key(&name) => {
                    known.insert(name, Outcome::Ended(child));
                }
                _ => {}
            }
        }
        let import = |module: String| {
            let outcome = known.get(&module).cloned().unwrap_or(Outcome::NotReached);
            Import { module, outcome }
        };
        let modules = names.into_iter().map(import).collect();
        Ok(Imports { package: package.clone(), modules, answers, heard, words })
    }
}

impl Importer for Probe<'_> {
    fn import(
        &self,
        interpreter: &Path,
        owned: &Path,
        packages: &[NativePackage],
    ) -> Result<Vec<Imports>, app::Error> {
        let modules: usize = packages.iter().map(|package| package.modules.len()).sum();
        let user = other_owner(owned).map(|(uid, _)| format!(", as user {uid}"));
        // A note that cannot be written is not a reason not to do it.
        let _ = writeln!(
            inert::stderr(),
            "tfpatch: importing {} of {} with {}{}",
            counted(modules, "module"),
            counted(packages.len(), "package"),
            shown(interpreter),
            user.unwrap_or_default()
        );
        packages.par_iter().map(|package| self.package(interpreter, owned, package)).collect()
    }

    fn is_told_to_end(&self) -> bool {
        self.tracer.forwarder.status().is_some()
    }
}

/// The names in the order in which they are imported: the packages around a module before it, as any import of
/// it begins with them.
fn names(package: &NativePackage) -> Vec<String> {
    let modules = package.modules.keys();
    let around = modules.clone().flat_map(|module| {
        module.match_indices('.').filter_map(|(dot, _)| module.get(..dot)).map(str::to_owned)
    });
    let own: BTreeSet<String> = around.chain(modules.cloned()).collect();
    package.first.iter().cloned().chain(own).collect()
}

/// The interpreter with what it is to run. It writes no compiled files: who looks changes nothing.
fn command(interpreter: &Path, file: &Path, names: &[&String]) -> Vec<OsString> {
    let mut command: Vec<OsString> = vec![interpreter.into()];
    command.extend(["-B", "-c", DRIVER].map(OsString::from));
    command.push(file.into());
    command.extend(names.iter().map(OsString::from));
    command
}

/// What an interpreter said of its imports.
#[derive(Debug, Default)]
struct Told {
    outcomes: BTreeMap<String, Outcome>,
    /// The module that was begun, and did not come to an end.
    begun: Option<String>,
}

/// Reads that. It knows the file, and so do the modules: what makes no sense is passed over.
fn read(path: &Path) -> io::Result<Told> {
    let mut told = Told::default();
    let Some(file) = open_trace(path)? else { return Ok(told) };
    let mut text = Vec::new();
    file.take(MAX_OUTCOMES_BYTES).read_to_end(&mut text)?;
    for line in String::from_utf8_lossy(&text).lines() {
        let fields: Vec<String> = line.split('\t').map(unescaped).collect();
        match fields.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["begin", name] => told.begun = Some((*name).to_owned()),
            ["imported", name] => {
                told.outcomes.insert((*name).to_owned(), Outcome::Imported);
                told.begun = None;
            }
            ["failed", name, class, words, object] => {
                let object = Some(PathBuf::from(object)).filter(|path| path.is_absolute());
                let (class, words) = ((*class).to_owned(), (*words).to_owned());
                told.outcomes.insert((*name).to_owned(), Outcome::Raised { class, words, object });
                told.begun = None;
            }
            _ => {}
        }
    }
    Ok(told)
}

/// Undoes Python's `unicode_escape`.
fn unescaped(field: &str) -> String {
    let mut text = String::new();
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let digits = match after.chars().next() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => 0,
        };
        let number = after.get(1..=digits).filter(|_| digits > 0);
        let character = match (number, after.chars().next()) {
            (Some(number), _) => u32::from_str_radix(number, 16).ok().and_then(char::from_u32),
            // It is truncated.
            (None, Some('x' | 'u' | 'U')) => None,
            (None, Some('n')) => Some('\n'),
            (None, Some('t')) => Some('\t'),
            (None, Some('r')) => Some('\r'),
            (None, other) => other,
        };
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = after.get(1 + digits..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_escapes_is_read() {
        assert_eq!(unescaped(r"a\tb\nc\\d\xe9\u20ac\U0001f600'"), "a\tb\nc\\dé€😀'");
        assert_eq!(unescaped(r"cut\u20"), "cut\u{fffd}");
        assert_eq!(unescaped("end\\"), "end\u{fffd}");
    }
}
