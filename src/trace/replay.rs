//! Compares every request of a trace with the emulated loader, with the same objects loaded as in the traced
//! program at that moment.

use super::{Event, Image, Kind, LibraryPath, Request, Trace};
use crate::loader::{
    Dependency, LoadedObject, Loader, Resolution, Rule, SearchStep, Settings, StepOutcome, System,
    Target,
};
use crate::vfs::{FileKind, Vfs};
use crate::world::inventory;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Does the emulation predict the result?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both found the same file, or nothing.
    Agrees,
    /// They found different files, or only one found a file.
    Differs,
    /// The emulation lacks information.
    Unknown,
}

/// A request, with its result and the prediction.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The kind of request.
    pub kind: Kind,
    /// The requested name.
    pub name: Vec<u8>,
    /// The requesting object: an absolute path, or the program as it was called if nothing else is known.
    pub asker: PathBuf,
    /// The file that was found; absolute.
    pub found: Option<PathBuf>,
    /// The searched locations.
    pub tried: Vec<SearchStep>,
    /// The file that the emulation finds.
    pub predicted: Option<PathBuf>,
    /// Do both agree?
    pub verdict: Verdict,
    /// The reason if they do not, or if that is unknown.
    pub why: Option<Why>,
    /// If it was not found: an object of the same process that requested it later, and the file that it got.
    pub found_later: Option<(PathBuf, PathBuf)>,
    /// The number of equal requests with the same result, in all processes.
    pub times: usize,
}

/// The reason why the emulation does not predict the result, or why that is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The program is not known under the name that it was called by.
    UnknownProgram,
    /// The requesting object is not among those that the emulation loads.
    UnknownAsker,
    /// The file that was found no longer exists.
    Gone,
    /// The emulation finds nothing.
    FindsNothing,
    /// Only the emulation finds it.
    FindsAlone,
    /// The emulation finds another file.
    FindsOther,
}

/// The emulation, and its results so far.
pub struct Replay<'a> {
    vfs: &'a dyn Vfs,
    settings: Settings,
    /// The directories of `PATH`, for programs that were called by name.
    path: &'a [PathBuf],
    loaders: Vec<(Key, Loader<'a>)>,
    answers: Vec<Answer>,
    known: HashMap<Question, usize>,
}

/// Everything that distinguishes loaders.
#[derive(PartialEq, Eq)]
struct Key {
    interpreter: Option<Vec<u8>>,
    target: Target,
    library_path: Option<Vec<u8>>,
    hwcaps: Vec<String>,
}

/// Everything that distinguishes requests.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    kind: Kind,
    name: Vec<u8>,
    asker: PathBuf,
    found: Option<PathBuf>,
    predicted: Option<PathBuf>,
    verdict: Verdict,
}

/// A process, as far as it has been replayed.
#[derive(Clone)]
struct Process {
    loader: usize,
    /// The program as it was called.
    called: Vec<u8>,
    /// The program and what was opened since, in order, each with its namespace.
    loaded: Vec<(u64, Resolution)>,
}

impl<'a> Replay<'a> {
    /// An emulation with the environment of the traced command.
    #[must_use]
    pub fn new(vfs: &'a dyn Vfs, settings: Settings, path: &'a [PathBuf]) -> Self {
        let (loaders, answers, known) = (Vec::new(), Vec::new(), HashMap::new());
        Self { vfs, settings, path, loaders, answers, known }
    }

    /// The requests without repetitions, in the order of their first occurrence.
    #[must_use]
    pub fn into_answers(self) -> Vec<Answer> {
        self.answers
    }

    /// Replays the trace in one file.
    pub fn add(&mut self, trace: &Trace) {
        if self.settings.hwcaps.is_empty() {
            self.settings.hwcaps.clone_from(&trace.hwcaps);
        }
        let mut processes: Vec<Option<Process>> = Vec::new();
        for image in &trace.images {
            let mut process = match image.forked_from {
                // Its link map is the one at the end of the image, which may contain a little more than it
                // had.
                Some(from) => processes.get(from).cloned().flatten(),
                None => self.start(image),
            };
            let answers = self.replay(image, process.as_mut());
            for answer in answers {
                self.note(answer);
            }
            processes.push(process);
        }
    }

    /// The path of the program of an image; `None` if it is not found by its name, or needs other libraries
    /// than those that were requested.
    #[must_use]
    pub fn program(&self, image: &Image) -> Option<PathBuf> {
        let name = image.program.as_deref()?;
        let path = if name.contains(&b'/') {
            self.settings.working_directory.join(OsStr::from_bytes(name))
        } else {
            let mut candidates = self.path.iter().map(|directory| {
                self.settings.working_directory.join(directory).join(OsStr::from_bytes(name))
            });
            candidates.find(|path| {
                self.vfs.metadata(path).is_ok_and(|metadata| {
                    metadata.kind == FileKind::File && metadata.mode & 0o111 != 0
                })
            })?
        };
        let needed = &inventory::summary_of(self.vfs, &path)?.needed;
        // The names in LD_PRELOAD are requested first, on behalf of the program.
        let mut asked = image
            .requests()
            .filter(|request| request.kind == Kind::Needed && request.asker == name)
            .peekable();
        let fits = asked.peek().is_none() || asked.any(|request| needed.contains(&request.name));
        fits.then_some(path)
    }

    fn start(&mut self, image: &Image) -> Option<Process> {
        let path = self.program(image)?;
        let summary = inventory::summary_of(self.vfs, &path)?;
        let target = Target::of(&summary);
        let mut system = None;
        let mut read = || System::read(self.vfs, &summary);
        let library_path = match image.library_path() {
            LibraryPath::Untold => self.settings.library_path.clone(),
            told => {
                let known = self.loaders.iter().find(|(key, _)| {
                    key.interpreter == summary.interpreter && key.target == target
                });
                let default_dirs = match known {
                    Some((_, loader)) => loader.system().default_dirs.clone(),
                    None => system.insert(read()).default_dirs.clone(),
                };
                library_path(&told, self.settings.library_path.as_deref(), &default_dirs)
            }
        };
        let hwcaps = self.settings.hwcaps.clone();
        let interpreter = summary.interpreter.clone();
        let key = Key { interpreter, target, library_path, hwcaps };
        let known = self.loaders.iter().position(|(known, _)| *known == key);
        let index = known.unwrap_or_else(|| {
            let system = system.take().unwrap_or_else(&mut read);
            let mut settings = self.settings.clone();
            settings.library_path.clone_from(&key.library_path);
            self.loaders.push((key, Loader::new(self.vfs, system, settings)));
            self.loaders.len() - 1
        });
        let (_, loader) = self.loaders.get(index)?;
        let loaded = vec![(0, loader.program(&path))];
        Some(Process { loader: index, called: image.program.clone()?, loaded })
    }

    /// The results of the requests of an image, in order.
    fn replay(&self, image: &Image, mut process: Option<&mut Process>) -> Vec<Answer> {
        let mut answers: Vec<Answer> = Vec::new();
        let mut events = image.events.iter().peekable();
        while let Some(event) = events.next() {
            let request = match (event, process.as_deref_mut()) {
                (Event::Request(request), _) => request,
                (Event::Unmapped { path, namespace }, Some(process)) => {
                    self.unload(process, path, *namespace);
                    continue;
                }
                (Event::Unmapped { .. }, None) => continue,
            };
            let view = process.as_deref();
            if request.kind == Kind::Needed {
                let dependency = view.and_then(|process| self.need(process, None, request));
                answers.push(self.answer(request, view, None, dependency.as_ref()));
                continue;
            }
            let mut opened = view.and_then(|process| self.open(process, request));
            let root = opened.as_ref().map(|opened| &opened.root);
            let answer = self.answer(request, view, opened.as_ref(), root);
            let mut loads = answer.found.is_some();
            // If another file was opened than predicted, continue with the real one.
            if let (Verdict::Differs, Some(found), Some(process)) =
                (answer.verdict, &answer.found, view)
                && let Some((_, loader)) = self.loaders.get(process.loader)
            {
                let is_in = |index| is_in(process, request.namespace, index);
                opened = Some(loader.dlmopen(&references(process, None), &is_in, found));
            }
            answers.push(answer);
            while let Some(Event::Request(request)) =
                events.next_if(|event| matches!(event, Event::Request(r) if r.kind == Kind::Needed))
            {
                let dependency =
                    view.and_then(|process| self.need(process, opened.as_ref(), request));
                let answer = self.answer(request, view, opened.as_ref(), dependency.as_ref());
                loads &= answer.found.is_some();
                answers.push(answer);
            }
            // A failed dlopen leaves nothing loaded.
            if let (true, Some(opened), Some(process)) = (loads, opened, process.as_deref_mut()) {
                process.loaded.push((request.namespace, opened));
            }
        }
        find_later(&mut answers);
        answers
    }

    /// The prediction for a need of an object.
    fn need(
        &self,
        process: &Process,
        opened: Option<&Resolution>,
        request: &Request,
    ) -> Option<Dependency> {
        let asker = self.object(process, opened, &request.asker)?;
        let preload = process.loaded.first().into_iter().flat_map(|(_, main)| &main.preload);
        let known = asker.needed.iter().chain(preload).find(|need| *need.name == *request.name);
        if let Some(known) = known {
            return Some(known.clone());
        }
        let (_, loader) = self.loaders.get(process.loader)?;
        let is_in = |index| is_in(process, request.namespace, index);
        let loaded = references(process, opened);
        let found = loader.find_in(&loaded, &is_in, &asker.path, &request.name)?;
        Some(found.root)
    }

    /// The prediction for a call of `dlopen`.
    fn open(&self, process: &Process, request: &Request) -> Option<Resolution> {
        let (_, loader) = self.loaders.get(process.loader)?;
        let loaded = references(process, None);
        let is_in = |index| is_in(process, request.namespace, index);
        match self.object(process, None, &request.asker) {
            Some(asker) => loader.find_in(&loaded, &is_in, &asker.path, &request.name),
            // An absolute path does not depend on the requesting object.
            None if request.name.starts_with(b"/") => {
                let path = Path::new(OsStr::from_bytes(&request.name));
                Some(loader.dlmopen(&loaded, &is_in, path))
            }
            None => None,
        }
    }

    /// The loaded object with this name in the trace.
    fn object<'p>(
        &self,
        process: &'p Process,
        opened: Option<&'p Resolution>,
        name: &[u8],
    ) -> Option<&'p LoadedObject> {
        if name == process.called {
            return process.loaded.first()?.1.objects.first();
        }
        let path = self.absolute(name);
        let mut objects = opened
            .into_iter()
            .chain(process.loaded.iter().rev().map(|(_, resolution)| resolution))
            .flat_map(|resolution| &resolution.objects);
        if let Some(object) = objects.clone().find(|object| *object.path == *path) {
            return Some(object);
        }
        let id = self.vfs.metadata(&path).ok()?.id;
        objects.find(|object| object.id == id)
    }

    fn unload(&self, process: &mut Process, path: &[u8], namespace: u64) {
        let path = self.absolute(path);
        let is_root = |(of, resolution): &(u64, Resolution)| {
            *of == namespace && resolution.objects.first().is_some_and(|root| *root.path == *path)
        };
        if let Some(at) = process.loaded.iter().skip(1).position(is_root) {
            process.loaded.remove(at + 1);
        }
    }

    fn answer(
        &self,
        request: &Request,
        process: Option<&Process>,
        opened: Option<&Resolution>,
        dependency: Option<&Dependency>,
    ) -> Answer {
        let predicted = dependency.and_then(|dependency| dependency.found.as_deref());
        let predicted = predicted.map(Path::to_owned);
        let last = request.last_path().map(|path| self.absolute(path));
        let is_loaded = |path: &Path| {
            self.vfs.metadata(path).is_ok_and(|metadata| {
                process.is_some_and(|process| {
                    let own = process.loaded.iter().filter(|(of, _)| *of == request.namespace);
                    let mut loaded = own.map(|(_, resolution)| resolution).chain(opened);
                    loaded.any(|found| found.objects.iter().any(|object| object.id == metadata.id))
                })
            })
        };
        let found = if request.mapped && request.name.contains(&b'$') {
            // The trace contains the name before its tokens were expanded.
            predicted.clone().or(last)
        } else {
            // A file that is already loaded under another name is found without being mapped.
            last.filter(|last| {
                request.mapped
                    || is_loaded(last)
                    || predicted.as_deref().is_some_and(|predicted| self.is_same(last, predicted))
            })
        };
        let (verdict, why) = if process.is_none() {
            (Verdict::Unknown, Some(Why::UnknownProgram))
        } else if dependency.is_none() {
            (Verdict::Unknown, Some(Why::UnknownAsker))
        } else {
            self.compare(found.as_deref(), predicted.as_deref())
        };
        let object = process.and_then(|process| self.object(process, opened, &request.asker));
        let kind = match object {
            Some(object)
                if request.kind == Kind::Needed
                    && process.is_some_and(|process| process.called == request.asker)
                    && !object.needed.iter().any(|need| *need.name == *request.name) =>
            {
                Kind::Preload
            }
            _ => request.kind,
        };
        let asker = object.map_or_else(
            || PathBuf::from(OsStr::from_bytes(&request.asker)),
            |object| object.path.to_path_buf(),
        );
        let tried = self.tried(request, found.is_some(), dependency);
        let name = request.name.clone();
        let (found_later, times) = (None, 1);
        Answer { kind, name, asker, found, tried, predicted, verdict, why, found_later, times }
    }

    /// Does the emulation predict the result, and if not, why?
    fn compare(&self, found: Option<&Path>, predicted: Option<&Path>) -> (Verdict, Option<Why>) {
        let differs = |why| (Verdict::Differs, Some(why));
        match (found, predicted) {
            (None, None) => (Verdict::Agrees, None),
            (Some(found), Some(predicted)) if self.is_same(found, predicted) => {
                (Verdict::Agrees, None)
            }
            (Some(found), _) if self.vfs.metadata(found).is_err() => {
                (Verdict::Unknown, Some(Why::Gone))
            }
            (Some(_), None) => differs(Why::FindsNothing),
            (None, Some(_)) => differs(Why::FindsAlone),
            (Some(_), Some(_)) => differs(Why::FindsOther),
        }
    }

    /// The searched locations of a request with their results. The trace only shows the last one; the others
    /// come from the emulation.
    fn tried(
        &self,
        request: &Request,
        is_found: bool,
        dependency: Option<&Dependency>,
    ) -> Vec<SearchStep> {
        let emulated: HashMap<PathBuf, SearchStep> = dependency
            .into_iter()
            .flat_map(|dependency| dependency.tried.steps())
            .map(|step| (step.path.clone(), step))
            .collect();
        let mut places: Vec<(PathBuf, Rule)> = request
            .places
            .iter()
            .map(|place| (self.absolute(&place.path), place.rule.unwrap_or(Rule::DefaultDirs)))
            .collect();
        if request.name.contains(&b'/') {
            places.push((self.absolute(&request.name), Rule::Direct));
        }
        let count = places.len();
        let step = |(index, (path, rule)): (usize, (PathBuf, Rule))| {
            let known = emulated.get(&path);
            let outcome = if is_found && index + 1 == count {
                StepOutcome::Found
            } else if let Some(step) = known.filter(|step| step.outcome != StepOutcome::Found) {
                step.outcome
            } else if self.vfs.metadata(&path).is_ok() {
                StepOutcome::NotALibrary
            } else {
                StepOutcome::Absent
            };
            let rule = known.map_or(rule, |step| step.rule);
            SearchStep { path, rule, via: known.and_then(|step| step.via.clone()), outcome }
        };
        places.into_iter().enumerate().map(step).collect()
    }

    /// Records a result, or counts another occurrence.
    fn note(&mut self, answer: Answer) {
        let question = Question {
            kind: answer.kind,
            name: answer.name.clone(),
            asker: answer.asker.clone(),
            found: answer.found.clone(),
            predicted: answer.predicted.clone(),
            verdict: answer.verdict,
        };
        if let Some(known) =
            self.known.get(&question).and_then(|&index| self.answers.get_mut(index))
        {
            known.times += 1;
            // A name that no object of one process found later remains missing.
            known.found_later = known.found_later.take().and(answer.found_later);
            return;
        }
        self.known.insert(question, self.answers.len());
        self.answers.push(answer);
    }

    fn absolute(&self, path: &[u8]) -> PathBuf {
        self.settings.working_directory.join(OsStr::from_bytes(path))
    }

    fn is_same(&self, one: &Path, other: &Path) -> bool {
        one == other
            || match (self.vfs.metadata(one), self.vfs.metadata(other)) {
                (Ok(one), Ok(other)) => one.id == other.id,
                _ => false,
            }
    }
}

fn references<'p>(process: &'p Process, opened: Option<&'p Resolution>) -> Vec<&'p Resolution> {
    process.loaded.iter().map(|(_, resolution)| resolution).chain(opened).collect()
}

/// Is this the index of the resolution in a namespace? What follows the known ones is being opened there.
fn is_in(process: &Process, namespace: u64, index: usize) -> bool {
    process.loaded.get(index).is_none_or(|(of, _)| *of == namespace)
}

/// Records, for names that were not found, which object found them later.
fn find_later(answers: &mut [Answer]) {
    let mut later: HashMap<Vec<u8>, (PathBuf, PathBuf)> = HashMap::new();
    for answer in answers.iter_mut().rev() {
        let name = answer.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        match &answer.found {
            Some(found) => {
                let found = (answer.asker.clone(), found.clone());
                later.insert(name.to_vec(), found);
            }
            None => answer.found_later = later.get(name).cloned(),
        }
    }
}

/// `LD_LIBRARY_PATH` of an image: that of the command, unless the trace shows another one. The trace omits
/// directories that are also in an earlier list, such as those of the system.
fn library_path(
    told: &LibraryPath,
    ambient: Option<&[u8]>,
    default_dirs: &[Vec<u8>],
) -> Option<Vec<u8>> {
    let is_default = |directory: &[u8]| {
        default_dirs.iter().any(|default| default.strip_suffix(b"/") == Some(directory))
    };
    let given: Vec<&[u8]> = ambient
        .filter(|path| !path.is_empty())
        .into_iter()
        .flat_map(|path| path.split(|byte| b":;".contains(byte)))
        .map(without_slashes)
        .collect();
    let told: &[Vec<u8>] = match told {
        LibraryPath::Untold => return ambient.map(<[u8]>::to_vec),
        LibraryPath::Nothing => &[],
        LibraryPath::Directories(told) => told,
    };
    let mut rest = told.iter().peekable();
    let unseen = given
        .iter()
        .filter(|directory| rest.next_if(|told| told.as_slice() == **directory).is_none());
    let explained = unseen.filter(|directory| !is_default(directory)).count() == 0;
    if explained && rest.peek().is_none() {
        return ambient.map(<[u8]>::to_vec);
    }
    (!told.is_empty()).then(|| told.join(&b':'))
}

/// A directory as the loader prints it.
fn without_slashes(directory: &[u8]) -> &[u8] {
    match directory.iter().rposition(|&byte| byte != b'/') {
        Some(last) => directory.get(..=last).unwrap_or(directory),
        None if directory.is_empty() => b".",
        None => directory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(told: &[&str]) -> LibraryPath {
        LibraryPath::Directories(told.iter().map(|told| told.as_bytes().to_vec()).collect())
    }

    #[test]
    fn the_commands_library_path_holds_unless_the_trace_shows_another() {
        let system = [b"/lib/".to_vec()];
        let path = |told: &LibraryPath, ambient: Option<&str>| {
            library_path(told, ambient.map(str::as_bytes), &system)
                .map(|path| String::from_utf8(path).unwrap())
        };
        let ours = Some("/a/:/lib:/b");
        assert_eq!(path(&directories(&["/a", "/b"]), ours).as_deref(), ours);
        assert_eq!(path(&LibraryPath::Untold, ours).as_deref(), ours);
        assert_eq!(path(&LibraryPath::Nothing, ours), None);
        assert_eq!(path(&LibraryPath::Nothing, Some("/lib")).as_deref(), Some("/lib"));
        assert_eq!(path(&directories(&["/a"]), ours).as_deref(), Some("/a"));
        assert_eq!(path(&directories(&["/c"]), None).as_deref(), Some("/c"));
    }
}
