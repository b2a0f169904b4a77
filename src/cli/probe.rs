//! Imports modules with the interpreter of an environment: each package in its own process, several at once.

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
use std::time::{Duration, Instant};

/// The script for the interpreter.
const DRIVER: &str = include_str!("probe.py");

/// The file in which it reports the result of each module.
const OUTCOMES: &str = "outcomes";

/// The maximum that is read of this file, because a module can write to it too.
const MAX_OUTCOMES_BYTES: u64 = 16 << 20;

/// The maximum number of processes for one package, which share its time limit: one more is started if a module
/// terminated the process.
const MAX_BEGINNINGS: usize = 64;

/// Imports modules.
pub struct Probe<'a> {
    /// Traces the loader.
    pub tracer: Tracer<'a>,
    limit: Duration,
}

impl<'a> Probe<'a> {
    /// Prepares the imports; `seconds` is the time limit of each package.
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
        let start = Instant::now();
        for _ in 0..MAX_BEGINNINGS {
            let rest: Vec<&String> =
                names.iter().filter(|name| !known.contains_key(*name)).collect();
            let is_over = start.elapsed() >= self.limit;
            if rest.is_empty() || is_over || self.is_told_to_end() {
                break;
            }
            let file = self.tracer.make_directory(Some(owned))?.join(OUTCOMES);
            let (listener, ears) = Listener::silent()?;
            let limit = Some(self.limit.saturating_sub(start.elapsed()));
            let manner = Manner { own_session: true, limit };
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
                    known.insert(name, Outcome::ended(child, &words));
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
        let modules: usize = packages.iter().map(|package| names(package).len()).sum();
        let user = other_owner(owned).map(|(uid, _)| format!(", as user {uid}"));
        // A note that cannot be written is not an error.
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

/// The names in the order of imports: parent packages before their modules, as in any import.
fn names(package: &NativePackage) -> Vec<String> {
    let modules = package.modules.keys();
    let around = modules.clone().flat_map(|module| {
        module.match_indices('.').filter_map(|(dot, _)| module.get(..dot)).map(str::to_owned)
    });
    let own: BTreeSet<String> = around.chain(modules.cloned()).collect();
    package.first.iter().cloned().chain(own).collect()
}

/// The command for the interpreter. It writes no compiled files, so that the environment is unchanged.
fn command(interpreter: &Path, file: &Path, names: &[&String]) -> Vec<OsString> {
    let mut command: Vec<OsString> = vec![interpreter.into()];
    command.extend(["-B", "-c", DRIVER].map(OsString::from));
    command.push(file.into());
    command.extend(names.iter().map(OsString::from));
    command
}

/// The report of an interpreter.
#[derive(Debug, Default)]
struct Told {
    outcomes: BTreeMap<String, Outcome>,
    /// The module whose import began and did not end.
    begun: Option<String>,
}

/// Parses the report. Modules can write to the file, so invalid lines are skipped.
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

/// Reverses Python's `unicode_escape`.
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
