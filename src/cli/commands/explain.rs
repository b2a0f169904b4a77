//! `tfpatch explain`: what a loader's words mean, what is the case here, and what cures it.

use crate::app::Chosen;
use crate::app::Error;
use crate::app::view::View;
use crate::bytes::printable;
use crate::cli::args::{Explain, Format};
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::settings;
use crate::diagnosis::diagnose::{Diagnosis, diagnose};
use crate::findings::finding::{Cause, Finding, Severity};
use crate::loader;
use crate::messages::in_environment::{self, Outcome, Verdict};
use crate::messages::{self, Message, Weight};
use crate::python::discovery;
use crate::python::target::Target;
use crate::report::explain::{ExplainReport, Explained, PageReport, Place, write, write_markdown};
use crate::report::{inert, json};
use crate::vfs::Vfs as _;
use crate::world::World;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Messages of one text that are looked into.
const MOST_MESSAGES: usize = 40;

/// Environments that are diagnosed for one text.
const MOST_PLACES: usize = 4;

/// Explains a text, or prints the page of a cause.
///
/// # Errors
/// Where no message is in the text, it cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Explain) -> Result<u8, Error> {
    if let Some(cause) = page(&options.text) {
        return print_page(session, cause);
    }
    let log = read(&options.text)?;
    if log.messages.is_empty() {
        return Err(declined(log.lines, &options.text));
    }
    let settings = session.loader_settings(&options.simulation)?;
    let progress = Progress::new("reading objects");
    let mut places = Places { session, settings, seen: Vec::new(), from_here: None };
    let mut explained: Vec<Explained> = Vec::new();
    for message in log.messages.iter().take(MOST_MESSAGES) {
        let (place, verdict) = places.explain(message);
        explained.push(Explained { message: message.clone(), place, verdict });
    }
    drop(progress);
    // What is still wrong comes before what nothing is known of, and that before what is not wrong; the
    // order by the words decides between equals.
    explained.sort_by_key(|one| match one.verdict.outcome {
        Outcome::Found => 0,
        Outcome::NothingFound | Outcome::NotHere | Outcome::NoEnvironment => 1,
        Outcome::Resolves | Outcome::Harmless => 2,
    });
    let is_cut = log.is_cut || log.messages.len() > MOST_MESSAGES;
    match session.format {
        Format::Json => {
            json::write(&mut *session.out, &ExplainReport::of(&explained, log.lines, is_cut))?;
        }
        Format::Markdown => write_markdown(&mut *session.out, &explained, is_cut)?,
        Format::Human | Format::Dot => {
            write(&mut *session.out, &explained, is_cut, session.detail)?;
        }
    }
    Ok(0)
}

/// The cause that the text names, where it is nothing but its name.
fn page(text: &[OsString]) -> Option<Cause> {
    match text {
        [name] => Cause::named(name.to_str()?),
        _ => None,
    }
}

fn print_page(session: &mut Session, cause: Cause) -> Result<u8, Error> {
    match session.format {
        Format::Json => json::write(&mut *session.out, &PageReport::of(cause))?,
        Format::Human | Format::Markdown | Format::Dot => {
            session.out.write_all(cause.page().as_bytes())?;
        }
    }
    Ok(0)
}

/// Reads the text of the arguments, or of standard input where they are `-` or none.
fn read(text: &[OsString]) -> Result<messages::Log, Error> {
    match text {
        [] if io::stdin().is_terminal() => {
            let why =
                "explain needs a message: its text, - for standard input, or the name of a cause";
            Err(Error::new(why)
                .hint("python train.py 2>&1 | tfpatch explain -")
                .hint(format!("causes: {}", names())))
        }
        [] => Ok(messages::read(&mut BufReader::new(io::stdin().lock()))?),
        [dash] if dash == "-" => {
            if io::stdin().is_terminal() {
                // A note that cannot be written is no reason to stop.
                let _ = writeln!(
                    inert::stderr(),
                    "tfpatch: reading a message from the terminal; Ctrl-D ends it"
                );
            }
            Ok(messages::read(&mut BufReader::new(io::stdin().lock()))?)
        }
        words => {
            let text: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            Ok(messages::read(&mut text.join(&b' ').as_slice())?)
        }
    }
}

fn names() -> String {
    Cause::ALL.iter().map(|cause| cause.name()).collect::<Vec<_>>().join(", ")
}

fn declined(lines: usize, text: &[OsString]) -> Error {
    let word = match text {
        [word] if !word.is_empty() && word.to_str().is_some_and(is_like_a_cause) => Some(word),
        _ => None,
    };
    if let Some(word) = word {
        let why = format!(
            "{}: neither a message of a loader nor the name of a cause",
            printable(word.as_bytes())
        );
        return Error::new(why).hint(format!("causes: {}", names()));
    }
    let of = "of a dynamic loader, of Python or of TensorFlow that is known here";
    let why = match lines {
        0 => "there is no text to explain".to_owned(),
        1 => format!("the text is no message {of}"),
        lines => format!("none of {lines} lines is a message {of}"),
    };
    Error::new(why)
        .hint("pass the lines with the error itself, such as: ImportError: libx.so.1: cannot open shared object file")
        .hint("tfpatch doctor looks for whatever would not load, without a message")
}

fn is_like_a_cause(word: &str) -> bool {
    !word.contains(char::is_whitespace) && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// An environment that was looked at.
struct Seen {
    chosen: Chosen,
    world: World,
    diagnosis: Diagnosis,
}

/// The environments that messages speak of, each read once.
struct Places<'a> {
    session: &'a Session,
    settings: loader::Settings,
    seen: Vec<Seen>,
    /// The environment that is found from here: its place in `seen`, or that there is none.
    from_here: Option<Option<usize>>,
}

impl Places<'_> {
    fn explain(&mut self, message: &Message) -> (Option<Place>, Verdict) {
        if message.weight() == Weight::Harmless {
            return (None, Verdict::by_words(message, Outcome::Harmless));
        }
        let index = match self.of(message) {
            Ok(index) => index,
            Err(outcome) => return (None, Verdict::by_words(message, outcome)),
        };
        let Some(Seen { chosen, world, diagnosis }) = index.and_then(|index| self.seen.get(index))
        else {
            return (None, Verdict::by_words(message, Outcome::NoEnvironment));
        };
        let mut verdict = in_environment::look(&self.session.app.vfs, world, diagnosis, message);
        if verdict.fixable {
            // What is only worth knowing is repaired where that is asked for.
            let is_info = |finding: &Finding| finding.severity() == Severity::Info;
            let is_tidying = verdict.findings.first().is_some_and(is_info);
            verdict.cure = chosen.command(if is_tidying { "fix --tidy" } else { "fix" });
        }
        (Some(Place::of(world, &chosen.reason)), verdict)
    }

    /// The environment that a message is about.
    fn of(&mut self, message: &Message) -> Result<Option<usize>, Outcome> {
        let home = self.session.app.ambient().ok().and_then(|ambient| ambient.home.clone());
        let path = |path: &Option<Vec<u8>>| absolute(path.as_deref()?, home.as_deref());
        let (object, near) = (path(&message.object), path(&message.near));
        let named: Vec<PathBuf> = object.iter().cloned().chain(near).collect();
        for path in &named {
            let Some(there) = self.nearest(path) else { continue };
            // The standard library belongs to every environment that is made of it.
            if Some(path) != object.as_ref() && !is_packaged(path) {
                continue;
            }
            if let Some(found) = self.session.app.environment_around(&there) {
                let prefix = found.prefix.clone();
                let target = Target::Environment(found);
                let chosen = Chosen::found(target, "named in the message".to_owned());
                return Ok(self.add(Chosen { named: Some(prefix), ..chosen }));
            }
            if self.session.app.vfs.metadata(path).is_ok() && Some(path) == object.as_ref() {
                let chosen = self
                    .session
                    .app
                    .targets(std::slice::from_ref(path))
                    .ok()
                    .and_then(|mut found| found.pop());
                if let Some(chosen) = chosen {
                    let reason = "named in the message".to_owned();
                    return Ok(self.add(Chosen { reason, ..chosen }));
                }
            }
        }
        let is_elsewhere = |path: &PathBuf| self.nearest(path).is_none();
        if !named.is_empty() && named.iter().all(is_elsewhere) {
            return Err(Outcome::NotHere);
        }
        Ok(self.without_a_name())
    }

    /// The path itself where it is there, else the directory of packages that it would lie in.
    fn nearest(&self, path: &Path) -> Option<PathBuf> {
        let is_there = |path: &Path| self.session.app.vfs.symlink_metadata(path).is_ok();
        if is_there(path) {
            return Some(path.to_owned());
        }
        let mut above = path.ancestors().skip(1);
        let site = above.find(|above| is_site(above))?;
        is_there(site).then(|| site.join("x"))
    }

    /// The environment for a message that names none: the one that is found from here.
    fn without_a_name(&mut self) -> Option<usize> {
        if let Some(known) = self.from_here {
            return known;
        }
        let found = match self.session.app.vfs.root() {
            Some(_) => None,
            None => settings::ambient()
                .ok()
                .and_then(|ambient| discovery::discover(&self.session.app.vfs, &ambient).ok()),
        };
        let index = found.and_then(|found| {
            self.add(Chosen::found(Target::Environment(found.environment), found.reason))
        });
        self.from_here = Some(index);
        index
    }

    fn add(&mut self, chosen: Chosen) -> Option<usize> {
        let known = self.seen.iter().position(|seen| seen.chosen.path() == chosen.path());
        if known.is_some() || self.seen.len() >= MOST_PLACES {
            return known;
        }
        let world = self.session.app.world(
            &View::Files(&self.session.app.vfs),
            &chosen,
            self.settings.clone(),
        );
        let diagnosis = diagnose(&self.session.app.vfs, &world);
        self.seen.push(Seen { chosen, world, diagnosis });
        Some(self.seen.len() - 1)
    }
}

/// Is it a directory into which packages are installed, by its name?
fn is_site(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "site-packages" || name == "dist-packages")
}

fn is_packaged(path: &Path) -> bool {
    path.ancestors().any(is_site)
}

/// A path of a message, where it is absolute or begins with the home directory.
fn absolute(path: &[u8], home: Option<&Path>) -> Option<PathBuf> {
    match path.strip_prefix(b"~/") {
        Some(below) => Some(home?.join(OsStr::from_bytes(below))),
        None => path.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(path))),
    }
}
