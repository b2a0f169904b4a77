//! Explains loader errors: what they mean, what is found in the environment, and how to fix them.

use super::doctor::{Diagnosed, Doctor};
use super::targets::Reason;
use super::targets::facts;
use super::view::View;
use super::{App, Chosen, Error, Work};
use crate::command_line::CommandLine;
use crate::diagnosis::diagnose::Diagnosis;
use crate::findings::evidence::Release;
use crate::findings::finding::Severity;
use crate::loader::Settings;
use crate::messages::in_environment;
use crate::messages::verdict::{Outcome, Remedy, Verdict};
use crate::messages::{Log, Message, Weight, shadow};
use crate::python::discovery::{self, Ambient};
use crate::python::target::Target;
use crate::vfs::Vfs as _;
use crate::world::{Question, World};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The maximum number of messages of one text that are examined.
const MAX_MESSAGES: usize = 40;

/// The maximum number of environments that are diagnosed for one text.
const MAX_PLACES: usize = 4;

/// An explained text.
#[derive(Debug)]
pub struct Explanation {
    /// Its messages. Those about unsolved problems come first.
    pub messages: Vec<Explained>,
    /// Does it contain more messages than were examined?
    pub is_cut: bool,
}

/// An explained message.
#[derive(Debug)]
pub struct Explained {
    /// What was said.
    pub message: Message,
    /// The environment in which it was checked; `None` if only the message was used.
    pub place: Option<LookedInto>,
    /// The result.
    pub verdict: Verdict,
}

/// The environment in which a message was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedInto {
    /// Its root.
    pub root: PathBuf,
    /// The reason why it was chosen.
    pub reason: Reason,
    /// Its versions of Python and TensorFlow.
    pub facts: Vec<String>,
}

impl App {
    /// Explains the messages of a text.
    /// With a `target`, all messages are checked against that, whatever they name.
    ///
    /// # Errors
    /// If the target does not exist or cannot be read.
    pub fn explain(
        &self,
        log: &Log,
        settings: &Settings,
        target: Option<&Path>,
    ) -> Result<Explanation, Error> {
        let work = self.begin(Work::Reading);
        let mut places = Places {
            app: self,
            settings: settings.clone(),
            seen: Vec::new(),
            from_here: None,
            named: None,
            symbols: log.messages.iter().any(|message| message.symbol.is_some()),
        };
        if let Some(target) = target {
            let chosen = self.targets(&[target.to_owned()])?.pop();
            places.named = chosen.and_then(|chosen| places.add(chosen));
        }
        let explained = log.messages.iter().take(MAX_MESSAGES).filter_map(|message| {
            let (place, verdict, installed) = places.explain(message);
            let is_known = !message.is_about_own_code() || verdict.outcome == Outcome::Found;
            let message = Message { installed, ..message.clone() };
            is_known.then_some(Explained { message, place, verdict })
        });
        let mut messages: Vec<Explained> = explained.collect();
        drop(work);
        // Unsolved problems come first, then messages that match nothing, then solved ones. Among equals, the
        // order of severity decides.
        messages.sort_by_key(|one| match one.verdict.outcome {
            Outcome::Found => 0,
            Outcome::NothingFound | Outcome::NotHere | Outcome::NoEnvironment => 1,
            Outcome::Resolves | Outcome::Harmless => 2,
        });
        let is_cut = log.is_cut || log.messages.len() > MAX_MESSAGES;
        Ok(Explanation { messages, is_cut })
    }
}

/// An environment that was examined.
struct Read {
    chosen: Chosen,
    world: World,
    diagnosis: Diagnosis,
}

/// The environments for messages, each of which is read once.
struct Places<'a> {
    app: &'a App,
    settings: Settings,
    seen: Vec<Read>,
    /// The detected environment: its index in `seen`, or that there is none.
    from_here: Option<Option<usize>>,
    /// The target that the user named: its index in `seen`.
    named: Option<usize>,
    /// Is a message about a symbol?
    symbols: bool,
}

impl Places<'_> {
    fn explain(&mut self, message: &Message) -> (Option<LookedInto>, Verdict, Option<Release>) {
        if message.weight() == Weight::Harmless {
            return (None, Verdict::by_words(message, Outcome::Harmless), None);
        }
        let index = match self.of(message) {
            Ok(index) => index,
            Err(outcome) => return (None, Verdict::by_words(message, outcome), None),
        };
        let Some(Read { chosen, world, diagnosis }) = index.and_then(|index| self.seen.get(index))
        else {
            return (None, Verdict::by_words(message, Outcome::NoEnvironment), None);
        };
        let mut verdict = in_environment::look(&self.app.vfs, world, diagnosis, message);
        let near = message.near.as_deref().map(|near| Path::new(OsStr::from_bytes(near)));
        let ambient = self.app.ambient.as_ref().ok();
        let here = ambient.map(|ambient| ambient.working_directory.as_path());
        let started: Vec<&Path> = near.and_then(Path::parent).into_iter().chain(here).collect();
        if let Some(shadow) = shadow::in_directories(&self.app.vfs, message, &verdict, &started) {
            verdict = shadow;
        }
        if verdict.fixable {
            // Findings of severity `info` are repaired only on request.
            let first = verdict.findings.first();
            let is_tidying = first.is_some_and(|found| found.severity() == Severity::Info);
            let lies_in = first.and_then(|found| found.lies_in.first());
            let leads_out = lies_in.is_some_and(|it| !world.contains(&self.app.vfs, it));
            let mut fix = CommandLine::new(["fix"]);
            if is_tidying {
                fix = fix.argument("--tidy");
            }
            if leads_out {
                fix = fix.argument("--allow-absolute");
            }
            verdict.remedy = Remedy::Command(chosen.command(fix));
        }
        let (root, reason) = (world.root.clone(), chosen.reason.clone());
        let installed = in_environment::installed(&self.app.vfs, world, message);
        (Some(LookedInto { root, reason, facts: facts(world).collect() }), verdict, installed)
    }

    /// The environment that a message is about.
    fn of(&mut self, message: &Message) -> Result<Option<usize>, Outcome> {
        if self.named.is_some() {
            return Ok(self.named);
        }
        let home = self.app.ambient().ok().and_then(|ambient| ambient.home.clone());
        let path = |path: &Option<Vec<u8>>| absolute(path.as_deref()?, home.as_deref());
        let (object, near) = (path(&message.object), path(&message.near));
        let named: Vec<PathBuf> = object.iter().cloned().chain(near).collect();
        for path in &named {
            let Some(there) = self.nearest(path) else { continue };
            // The standard library belongs to every environment that is based on it.
            if Some(path) != object.as_ref() && !is_packaged(path) {
                continue;
            }
            if let Some(found) = self.app.environment_around(&there) {
                let prefix = found.prefix.clone();
                let target = Target::Environment(found);
                let chosen = Chosen::found(target, Reason::InMessage);
                return Ok(self.add(Chosen { named: Some(prefix), ..chosen }));
            }
            if self.app.vfs.metadata(path).is_ok() && Some(path) == object.as_ref() {
                let chosen = self
                    .app
                    .targets(std::slice::from_ref(path))
                    .ok()
                    .and_then(|mut found| found.pop());
                if let Some(chosen) = chosen {
                    let reason = Reason::InMessage;
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

    /// The path itself if it exists, or else the directory of packages that would contain it.
    fn nearest(&self, path: &Path) -> Option<PathBuf> {
        let is_there = |path: &Path| self.app.vfs.symlink_metadata(path).is_ok();
        if is_there(path) {
            return Some(path.to_owned());
        }
        let mut above = path.ancestors().skip(1);
        let site = above.find(|above| is_site(above))?;
        is_there(site).then(|| site.join("x"))
    }

    /// The environment for a message that names none: the detected one.
    fn without_a_name(&mut self) -> Option<usize> {
        if let Some(known) = self.from_here {
            return known;
        }
        // The detected environment is in this system.
        let ambient = self.app.ambient.as_ref().ok().filter(|_| !self.app.is_elsewhere());
        let found = ambient.and_then(|ambient| discovery::discover(&self.app.vfs, ambient).ok());
        let index = found.and_then(|found| {
            let reason = Reason::Found(found.reason);
            self.add(Chosen::found(Target::Environment(found.environment), reason))
        });
        self.from_here = Some(index);
        index
    }

    fn add(&mut self, chosen: Chosen) -> Option<usize> {
        let known = self.seen.iter().position(|seen| seen.chosen.path() == chosen.path());
        if known.is_some() || self.seen.len() >= MAX_PLACES {
            return known;
        }
        let world = self.app.world(&View::Files(&self.app.vfs), &chosen, self.settings.clone());
        // `PYTHONHOME` of this shell may be that of the program. It is not that of another system.
        let ambient = self.app.ambient.as_ref().ok().filter(|_| !self.app.is_elsewhere());
        let python_home = ambient.and_then(|ambient| ambient.python_home.clone());
        let surroundings = Ambient { python_home, ..Ambient::default() };
        let question = Question { surroundings, symbols: self.symbols, ..Question::default() };
        let mut diagnosed = Diagnosed::of(&self.app.vfs, world, &question);
        let how = Doctor { settings: self.settings.clone(), question };
        // Without the plan, a repair may be suggested that would be refused.
        let _ = self.app.promise(&chosen, &how, false, &mut diagnosed);
        let Diagnosed { world, diagnosis, .. } = diagnosed;
        self.seen.push(Read { chosen, world, diagnosis });
        Some(self.seen.len() - 1)
    }
}

/// Is this the name of a directory into which packages are installed?
fn is_site(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "site-packages" || name == "dist-packages")
}

fn is_packaged(path: &Path) -> bool {
    path.ancestors().any(is_site)
}

/// The path in a message, if it is absolute or begins with the home directory.
fn absolute(path: &[u8], home: Option<&Path>) -> Option<PathBuf> {
    match path.strip_prefix(b"~/") {
        Some(below) => Some(home?.join(OsStr::from_bytes(below))),
        None => path.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(path))),
    }
}
