//! The events of a trace: requests, and their results.

use super::line::{self, Kind, Line};
use crate::loader::Rule;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufRead, Read as _};

/// A location that was searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The candidate path, as the loader constructed it.
    pub path: Vec<u8>,
    /// The rule, in the loader's words. A directory that is in several lists has the label of the list that
    /// was created first, whichever list is searched.
    pub rule: Option<Rule>,
}

/// A request of an object for a name that is not loaded yet. The loader does not report requests for names
/// that are already loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The kind of request.
    pub kind: Kind,
    /// The name, or the path where it has a slash.
    pub name: Vec<u8>,
    /// The requesting object: its path, or `argv[0]` of the program.
    pub asker: Vec<u8>,
    /// The namespace of the link map; 0 except for `dlmopen`.
    pub namespace: u64,
    /// The searched locations, in order. The loader skips directories that it knows to be missing.
    pub places: Vec<Place>,
    /// Was a file mapped for it? A file that is already loaded under another name is not mapped again.
    pub mapped: bool,
    /// The directories of `LD_LIBRARY_PATH`, if this search printed them.
    library_path: Option<Vec<u8>>,
    /// Did the search continue beyond `LD_LIBRARY_PATH`?
    went_past_library_path: bool,
}

/// Something that happened to the link map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A name was requested.
    Request(Request),
    /// An object was unloaded.
    Unmapped {
        /// Its path.
        path: Vec<u8>,
        /// The link map's namespace.
        namespace: u64,
    },
}

/// A program from its start to its end, or to the next `exec` of its process; or a fork of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// The process.
    pub pid: u32,
    /// If it is a fork: the image in the same file that it is a fork of, whose link map it inherits.
    pub forked_from: Option<usize>,
    /// `argv[0]` of the program. `None` if unknown.
    pub program: Option<Vec<u8>>,
    /// The events, in order.
    pub events: Vec<Event>,
}

/// What an image shows about its `LD_LIBRARY_PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryPath {
    /// These directories, without those that an earlier list contained.
    Directories(Vec<Vec<u8>>),
    /// It contains no directory that is not in another list.
    Nothing,
    /// No search got that far.
    Untold,
}

/// An error that the loader printed: a symbol or a version that was not found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoaderError {
    /// The object in which it occurred.
    pub object: Vec<u8>,
    /// The error, in glibc's words.
    pub message: Vec<u8>,
}

impl LoaderError {
    /// The object that was not loaded, if a library lacks a version that it needs.
    #[must_use]
    pub fn lacking_object(&self) -> Option<&[u8]> {
        let words = self.message.strip_suffix(FATAL)?;
        memchr::memmem::find(words, b"version lookup error")?;
        let (by, end) = (b"(required by ", b")");
        let at = memchr::memmem::rfind(words, by)? + by.len();
        words.get(at..)?.strip_suffix(end)
    }
}

/// A process whose last known output is an error of the loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The process.
    pub pid: u32,
    /// The error. The loader terminates the program, unless `dlopen` or `dlsym` was called.
    pub error: LoaderError,
    /// Did the program have control already? If not, nothing can have caught the error.
    pub has_begun: bool,
}

/// The trace in one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// The images: first those of the process that the file belongs to, in order, then those of its forks.
    pub images: Vec<Image>,
    /// The processes that printed something.
    pub processes: usize,
    /// The errors, each with its number of occurrences.
    pub errors: BTreeMap<LoaderError, usize>,
    /// The processes that an error may have terminated.
    pub broken: Vec<Broken>,
    /// The `glibc-hwcaps` subdirectories that the processor supports, the best first.
    pub hwcaps: Vec<String>,
    /// Was the trace truncated?
    pub is_cut: bool,
}

/// The maximum length of a line. An RPATH of 700 entries is printed with the subdirectories of each entry, in
/// one line of half a megabyte.
const MAX_LINE_BYTES: u64 = 4 << 20;

/// The maximum amount of names and paths that is kept of one file, in bytes. A file of 20 MB has about 10 MB
/// of them.
const MAX_BYTES: usize = 128 << 20;

/// The text that the loader prints after a fatal error (`_dl_signal_cexception` in glibc's elf/dl-catch.c).
const FATAL: &[u8] = b" (fatal)";

/// The maximum number of different errors that are kept of one file.
const MAX_ERRORS: usize = 1000;

/// Reads the trace of the process `pid`.
///
/// # Errors
/// The errors of the source. Lines without information are skipped.
pub fn read(pid: u32, source: &mut impl BufRead) -> io::Result<Trace> {
    let mut reader = Reader::new(pid);
    let mut line = Vec::new();
    let mut pending: Option<(u32, Vec<u8>)> = None;
    loop {
        line.clear();
        let length = source.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            source.skip_until(b'\n')?;
        }
        match (line::tagged(&line), &mut pending) {
            (Some((pid, text)), _) => {
                if let Some((pid, text)) = pending.replace((pid, text.to_vec())) {
                    reader.line(pid, &text);
                }
            }
            // A name with a line feed, or the end of a line that another process interrupted.
            (None, Some((_, text))) if text.len() + line.len() < MAX_BYTES => {
                text.push(b'\n');
                text.extend_from_slice(&line);
            }
            (None, _) => {}
        }
    }
    if let Some((pid, text)) = pending {
        reader.line(pid, &text);
    }
    Ok(reader.finish())
}

impl Image {
    /// What the image shows about its `LD_LIBRARY_PATH`.
    #[must_use]
    pub fn library_path(&self) -> LibraryPath {
        let requests = || self.requests();
        let printed = requests().find_map(|request| request.library_path.as_deref());
        match printed {
            Some(list) => LibraryPath::Directories(line::without_hwcaps(list)),
            None if requests().any(|request| request.went_past_library_path) => {
                LibraryPath::Nothing
            }
            None => LibraryPath::Untold,
        }
    }

    /// The requests, in order.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.events.iter().filter_map(|event| match event {
            Event::Request(request) => Some(request),
            Event::Unmapped { .. } => None,
        })
    }
}

impl Request {
    /// The path that was opened last: that of the library, if one was found.
    #[must_use]
    pub fn last_path(&self) -> Option<&[u8]> {
        if self.name.contains(&b'/') {
            return Some(&self.name);
        }
        self.places.last().map(|place| place.path.as_slice())
    }
}

/// Combines the lines of one file.
struct Reader {
    /// The process that the file belongs to is the first.
    processes: Vec<Process>,
    trace: Trace,
    kept: usize,
}

/// One process, as far as it has been read.
#[derive(Default)]
struct Process {
    finished: Vec<Image>,
    current: Image,
    /// The number of events before the program got control.
    started_at: Option<usize>,
    /// The request in progress, as an index into the events.
    open: Option<usize>,
    rule: Option<Rule>,
    spoke: bool,
    /// The last error that was printed.
    error: Option<LoaderError>,
}

impl Reader {
    fn new(pid: u32) -> Self {
        let processes = vec![Process::new(pid, None)];
        Self { processes, trace: Trace::default(), kept: 0 }
    }

    fn line(&mut self, pid: u32, text: &[u8]) {
        let line = Line::of(text);
        let current = self.processes.first().map(|process| process.finished.len());
        let index = self.processes.iter().position(|process| process.current.pid == pid);
        let index = index.unwrap_or_else(|| {
            self.processes.push(Process::new(pid, current));
            self.processes.len() - 1
        });
        let Some(process) = self.processes.get_mut(index) else { return };
        process.spoke = true;
        if let Line::Error { object, message } = line {
            let error = LoaderError { object: object.to_vec(), message: message.to_vec() };
            process.error = Some(error.clone()).filter(|error| error.message.ends_with(FATAL));
            let room = self.trace.errors.len() < MAX_ERRORS;
            match self.trace.errors.get_mut(&error) {
                Some(times) => *times += 1,
                None if room => _ = self.trace.errors.insert(error, 1),
                None => self.trace.is_cut = true,
            }
            return;
        }
        if !text.trim_ascii().is_empty() {
            process.error = None;
        }
        if let Line::SearchPath { directories, .. } = line
            && self.trace.hwcaps.is_empty()
        {
            self.trace.hwcaps = line::hwcaps(directories);
        }
        self.kept += line.weight();
        if self.kept > MAX_BYTES {
            self.trace.is_cut = true;
            process.open = None;
            return;
        }
        process.line(line);
    }

    fn finish(mut self) -> Trace {
        let mut known: HashSet<Vec<u8>> = HashSet::new();
        for process in &self.processes {
            let images = process.finished.iter().chain(std::iter::once(&process.current));
            let requests = images.flat_map(Image::requests).filter(|request| request.mapped);
            known.extend(requests.filter_map(Request::last_path).map(<[u8]>::to_vec));
        }
        self.trace.processes = self.processes.iter().filter(|process| process.spoke).count();
        for process in self.processes {
            let (pid, has_begun) = (process.current.pid, process.started_at.is_some());
            let error = process.error.clone();
            self.trace.broken.extend(error.map(|error| Broken { pid, error, has_begun }));
            self.trace.images.extend(process.finish(&known));
        }
        self.trace
    }
}

impl Process {
    fn new(pid: u32, forked_from: Option<usize>) -> Self {
        let current = Image { pid, forked_from, ..Image::default() };
        // A fork has control from its first line.
        Self { started_at: forked_from.map(|_| 0), current, ..Self::default() }
    }

    fn line(&mut self, line: Line<'_>) {
        match line {
            Line::Asked { kind, name, asker, namespace } => {
                self.ask(Request {
                    kind,
                    name: name.to_vec(),
                    asker: asker.to_vec(),
                    namespace,
                    places: Vec::new(),
                    mapped: false,
                    library_path: None,
                    went_past_library_path: false,
                });
            }
            Line::SearchPath { directories, rule } => self.search(directories, rule),
            Line::SearchCache => {
                self.rule = Some(Rule::LdSoCache);
                if let Some(request) = self.request() {
                    request.went_past_library_path = true;
                }
            }
            Line::Trying(path) => {
                let rule = self.rule;
                if let Some(request) = self.request() {
                    request.places.push(Place { path: path.to_vec(), rule });
                }
            }
            Line::Mapped(name) => {
                if let Some(request) = self.request()
                    && request.name == name
                {
                    request.mapped = true;
                }
                self.open = None;
            }
            Line::Unmapped { path, namespace } => {
                self.open = None;
                self.current.events.push(Event::Unmapped { path: path.to_vec(), namespace });
            }
            Line::Initialize(program) => self.initialize(program),
            Line::Control => {
                self.open = None;
                self.started_at = Some(self.current.events.len());
            }
            Line::Error { .. } | Line::Other => {}
        }
    }

    /// A request begins: the following lines belong to it, up to the next event.
    fn ask(&mut self, request: Request) {
        self.open = Some(self.current.events.len());
        self.rule = None;
        self.current.events.push(Event::Request(request));
    }

    /// A list of directories is searched.
    fn search(&mut self, directories: &[u8], rule: Option<Rule>) {
        self.rule = rule;
        let Some(request) = self.request() else { return };
        match rule {
            Some(Rule::LdLibraryPath) if request.library_path.is_none() => {
                request.library_path = Some(directories.to_vec());
            }
            Some(Rule::Runpath | Rule::DefaultDirs) => request.went_past_library_path = true,
            _ => {}
        }
    }

    /// A program is about to get control; a different one than before, if one had control already.
    fn initialize(&mut self, program: &[u8]) {
        self.open = None;
        if let Some(started_at) = self.started_at {
            let own = |request: &Request| request.asker == program;
            let at = self.first_needed(started_at, own);
            self.begin_image(at.unwrap_or(self.current.events.len()));
        }
        self.current.program = Some(program.to_vec());
    }

    fn request(&mut self) -> Option<&mut Request> {
        match self.current.events.get_mut(self.open?)? {
            Event::Request(request) => Some(request),
            Event::Unmapped { .. } => None,
        }
    }

    /// The first request from `start` on that satisfies `condition`.
    fn first_needed(&self, start: usize, condition: impl Fn(&Request) -> bool) -> Option<usize> {
        let mut events = self.current.events.iter().enumerate().skip(start);
        events.find_map(|(index, event)| match event {
            Event::Request(request) if request.kind == Kind::Needed && condition(request) => {
                Some(index)
            }
            _ => None,
        })
    }

    /// The events from `at` on belong to another program.
    fn begin_image(&mut self, at: usize) {
        let events = self.current.events.split_off(at);
        let next = Image { pid: self.current.pid, events, ..Image::default() };
        self.finished.push(std::mem::replace(&mut self.current, next));
        self.started_at = None;
    }

    /// `known` are the paths of all libraries that were mapped.
    fn finish(mut self, known: &HashSet<Vec<u8>>) -> Vec<Image> {
        // A program that could not be started never prints its name. It appears as a requester that is not a
        // library, or that is the same program again.
        if let Some(started_at) = self.started_at {
            let program = self.current.program.clone();
            let at = self.first_needed(started_at, |request| {
                Some(&request.asker) == program.as_ref() || !known.contains(&request.asker)
            });
            if let Some(at) = at {
                self.begin_image(at);
            }
        }
        if self.current.program.is_none() && self.current.forked_from.is_none() {
            let asker = self.current.requests().next().map(|request| request.asker.clone());
            self.current.program = asker;
        }
        self.finished.push(self.current);
        self.finished
    }
}
