//! The rules of musl's ld.so (`load_library` and what it calls in ldso/dynlink.c).

mod opened;
mod rpath;
pub(super) mod system;

use self::opened::Opened;
use super::files::{Candidate, Fatal, Files, memoised};
use super::link_map::LinkMap;
use super::search_list::SearchList;
use super::search_trace::{Leg, LegEnd, Trail, Whose};
use super::searches::Searches;
use super::{Dependency, LoadedObject, Rule, SearchStep, Settings, StepOutcome, System, Target};
use crate::elf::Summary;
use crate::hashing::QuickMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// A name that begins with one of these is musl itself (`reserved` in `load_library`).
const ITSELF: [&[u8]; 7] =
    [b"libc.", b"libpthread.", b"librt.", b"libm.", b"libdl.", b"libutil.", b"libxnet."];

/// Longer names are not searched for.
const NAME_MAX: usize = 255;

/// The size of the buffer in which directory and name are joined, including the NUL. Longer paths
/// are silently skipped.
const BUFFER: usize = 2 * NAME_MAX + 2;

/// What identifies a list: the object's path, what `$ORIGIN` is, and which list of it. Those of the
/// variable and of the system have the rule alone.
type ListKey = (PathBuf, PathBuf, Rule);

/// musl's ld.so on one system and in one environment.
pub(super) struct Musl {
    pub(super) system: System,
    pub(super) settings: Settings,
    /// `None` if a path is disabled.
    lists: RwLock<QuickMap<ListKey, Option<Arc<Searches>>>>,
    opened: opened::Memo,
}

/// The result of a search.
#[derive(Default)]
struct Search {
    tried: Trail,
    hit: Option<(Arc<Candidate>, Rule, Option<Arc<Path>>)>,
    fatal: Option<Fatal>,
}

impl Search {
    /// Searches one more list, if there is one and the search is not over.
    fn look_into(
        &mut self,
        musl: &Musl,
        files: &Files<'_>,
        list: Option<(Arc<Searches>, Whose)>,
        name: &[u8],
    ) {
        let Some((searches, whose)) = list.filter(|(list, _)| !list.list.dirs.is_empty()) else {
            return;
        };
        if self.hit.is_some() || self.fatal.is_some() {
            return;
        }
        let leg = searches.remembered(name, || musl.walk(files, &searches.list, name));
        match &leg.end {
            LegEnd::Exhausted => {}
            LegEnd::Fatal(fatal) => self.fatal = Some(fatal.clone()),
            LegEnd::Found(candidate, _) => {
                self.hit = Some((Arc::clone(candidate), whose.rule, whose.via.clone()));
            }
        }
        self.tried.push_leg(leg, whose);
    }
}

impl Musl {
    pub(super) fn new(system: System, mut settings: Settings) -> Self {
        if settings.secure {
            settings.library_path = None;
            settings.preload = None;
        }
        Self { system, settings, lists: RwLock::default(), opened: opened::Memo::default() }
    }

    /// The names in `LD_PRELOAD`, which are separated by white space or colons.
    pub(super) fn preload(&self) -> impl Iterator<Item = &[u8]> {
        let names = self.settings.preload.as_deref().unwrap_or_default();
        names.split(|byte| b" :\t\n\x0b\x0c\r".contains(byte)).filter(|name| !name.is_empty())
    }

    /// How the loader interprets a name, and what it loads for it. There is no requester for what is
    /// preloaded, or for a path that is opened.
    pub(super) fn request(
        &self,
        files: &Files<'_>,
        map: &mut LinkMap<'_>,
        asker: Option<usize>,
        name: &Arc<[u8]>,
    ) -> Dependency {
        let mut dependency = Dependency::unresolved(name);
        if name.is_empty() {
            let path = asker.and_then(|asker| map.get(asker)).map(|object| object.path.clone());
            let message = "Invalid argument";
            let path = path.as_deref().unwrap_or(Path::new(""));
            dependency.fatal = Some(Fatal::new(path, message).into());
            return dependency;
        }
        if self.is_itself(name) {
            return self.itself(files, map, dependency);
        }
        let is_path = name.contains(&b'/');
        if !is_path && let Some(object) = map.names.get(name).and_then(|&index| map.get(index)) {
            dependency.rule = Rule::Loaded;
            return self.served_by(object, dependency);
        }
        let search =
            if is_path { self.open(files, name) } else { self.search(files, map, asker, name) };
        dependency.tried = search.tried;
        dependency.fatal = search.fatal.map(Box::new);
        let Some((candidate, rule, via)) = search.hit else { return dependency };
        let known = map.ids.get(&candidate.id).copied();
        if known.is_none() && self.opened.is_libc(files, &candidate) {
            return self.itself(files, map, dependency);
        }
        dependency.rule = rule;
        dependency.via = via;
        let index = match known {
            Some(index) => {
                // An object that was loaded by a path gets a name when a search finds it: that of
                // its file, whatever was searched for.
                let is_named = map.names.values().any(|&named| named == index);
                let path = map.get(index).map(|object| object.path.as_os_str().as_bytes());
                let own = path.and_then(|path| path.rsplit(|&byte| byte == b'/').next());
                if !is_path
                    && !is_named
                    && let Some(own) = own.map(Into::into)
                {
                    map.names.entry(own).or_insert(index);
                }
                index
            }
            None => {
                let loader = asker.and_then(|asker| asker.checked_sub(map.base_len()));
                let object = LoadedObject::new(&candidate, loader);
                map.push(object, (!is_path).then(|| Arc::clone(name)), true)
            }
        };
        match map.get(index) {
            Some(object) => self.served_by(object, dependency),
            None => dependency,
        }
    }

    /// A name that leads to an object. One for another machine is added to the loaded ones, and
    /// then nothing works.
    fn served_by(&self, object: &LoadedObject, dependency: Dependency) -> Dependency {
        let path = object.path.clone();
        if self.is_foreign(&object.summary) {
            let message = "unsupported relocation type";
            let fatal = Some(Fatal::new(&path, message).into());
            return Dependency { rule: Rule::NotFound, via: None, fatal, ..dependency };
        }
        Dependency { found: Some(path), ..dependency }
    }

    fn is_foreign(&self, summary: &Summary) -> bool {
        Target::of(summary) != self.system.target
    }

    fn outcome(&self, candidate: &Candidate) -> StepOutcome {
        if self.is_foreign(&candidate.summary) {
            StepOutcome::WrongMachine
        } else {
            StepOutcome::Found
        }
    }

    /// The loader itself as an object, if it is not among the loaded ones yet.
    pub(super) fn interpreter(&self, files: &Files<'_>, map: &mut LinkMap<'_>) {
        let Some(path) = &self.system.interpreter else { return };
        if map.at(path).is_none()
            && let Opened::Taken(candidate) = self.look_at(files, path)
        {
            map.push(LoadedObject::new(&candidate, None), None, false);
        }
    }

    fn is_itself(&self, name: &[u8]) -> bool {
        let interpreter = self.system.interpreter.as_deref();
        ITSELF.iter().any(|reserved| name.starts_with(reserved))
            || interpreter.is_some_and(|path| path.as_os_str().as_bytes() == name)
    }

    /// musl itself for a name: it is in every process, even if its file cannot be read.
    fn itself(
        &self,
        files: &Files<'_>,
        map: &mut LinkMap<'_>,
        dependency: Dependency,
    ) -> Dependency {
        self.interpreter(files, map);
        let found = self.system.interpreter.as_deref().map(Into::into);
        Dependency { found, rule: Rule::LibcItself, fatal: None, ..dependency }
    }

    /// Opens a name with a slash in it, from the working directory.
    fn open(&self, files: &Files<'_>, name: &[u8]) -> Search {
        let mut search = Search::default();
        let path = self.settings.working_directory.join(OsStr::from_bytes(name));
        let (rule, via) = (Rule::Direct, None);
        let outcome = match self.look_at(files, &path) {
            Opened::Taken(candidate) => {
                let outcome = self.outcome(&candidate);
                search.hit = Some((candidate, rule, None));
                outcome
            }
            Opened::Passed(outcome) => outcome,
            Opened::Fatal(outcome, fatal) => {
                search.fatal = Some(fatal);
                outcome
            }
        };
        search.tried.push_step(SearchStep { path, rule, via, outcome });
        search
    }

    fn search(
        &self,
        files: &Files<'_>,
        map: &LinkMap<'_>,
        asker: Option<usize>,
        name: &[u8],
    ) -> Search {
        let mut search = Search::default();
        if name.len() > NAME_MAX {
            return search;
        }
        if let Some(path) = self.settings.library_path.as_deref() {
            let list = self.list_of_rule(Rule::LdLibraryPath, || path.to_vec());
            search.look_into(self, files, list, name);
        }
        let mut chain = map.loaders(asker);
        // The main program is the loader of what is opened, but not of what is preloaded.
        let opened = chain.last().is_some_and(|&last| !map.is_of_start(last));
        if opened {
            chain.push(LinkMap::MAIN);
        }
        for index in chain {
            let list = map.get(index).and_then(|object| self.list_of(object, index));
            search.look_into(self, files, list, name);
        }
        let rule = match &self.system.path_file {
            Some(_) => Rule::MuslPath,
            None => Rule::DefaultDirs,
        };
        let list = self.list_of_rule(rule, || self.system.default_dirs.join(&b':'));
        search.look_into(self, files, list, name);
        search
    }

    /// The directories of the variable, or of the system.
    fn list_of_rule(
        &self,
        rule: Rule,
        path: impl FnOnce() -> Vec<u8>,
    ) -> Option<(Arc<Searches>, Whose)> {
        let list = self.list(&(PathBuf::new(), PathBuf::new(), rule), || Some(path()))?;
        Some((list, Whose { rule, via: None }))
    }

    /// The directories of an object's tag: of `DT_RUNPATH`, even of an empty one, else `DT_RPATH`.
    fn list_of(&self, object: &LoadedObject, index: usize) -> Option<(Arc<Searches>, Whose)> {
        let summary = &object.summary;
        let (path, rule) = match (&summary.runpath, &summary.rpath) {
            (Some(runpath), _) => (runpath, Rule::Runpath),
            (None, Some(rpath)) => (rpath, Rule::Rpath),
            (None, None) => return None,
        };
        let key = (object.path.to_path_buf(), object.origin.to_path_buf(), rule);
        let list = self.list(&key, || {
            // The path of a set-user-ID program is chosen by its caller.
            let trusted = !(self.settings.secure && index == LinkMap::MAIN);
            let origin = trusted.then(|| object.origin.as_os_str().as_bytes());
            rpath::expand(path, origin)
        })?;
        Some((list, Whose { rule, via: Some(Arc::clone(&object.path)) }))
    }

    /// The directories of a path, between colons and newlines; empty entries do not count.
    fn list(&self, key: &ListKey, path: impl FnOnce() -> Option<Vec<u8>>) -> Option<Arc<Searches>> {
        memoised(&self.lists, key, |_| {
            let path = path()?;
            let entries = path.split(|byte| b":\n".contains(byte));
            let entries = entries.filter(|entry| !entry.is_empty());
            let here = &self.settings.working_directory;
            let list = SearchList::of_entries(entries, here);
            Some(Arc::new(Searches::new(list)))
        })
    }

    /// Looks for a name without a slash in a list of directories (`path_open`).
    fn walk(&self, files: &Files<'_>, list: &Arc<SearchList>, name: &[u8]) -> Leg {
        let mut notable = Vec::new();
        let mut tried = 0;
        let mut end = LegEnd::Exhausted;
        for (index, dir) in list.dirs.iter().enumerate() {
            tried = index + 1;
            if !files.may_hold(Path::new(OsStr::from_bytes(&dir.absolute)), name) {
                continue;
            }
            if dir.given.len() + name.len() >= BUFFER {
                notable.push((index, StepOutcome::Unreadable));
                continue;
            }
            let path = [dir.absolute.as_slice(), name].concat();
            match self.look_at(files, Path::new(OsStr::from_bytes(&path))) {
                Opened::Taken(candidate) => {
                    notable.push((index, self.outcome(&candidate)));
                    end = LegEnd::Found(candidate, [dir.given.as_slice(), name].concat().into());
                    break;
                }
                Opened::Passed(StepOutcome::Absent) => {}
                Opened::Passed(outcome) => notable.push((index, outcome)),
                Opened::Fatal(outcome, fatal) => {
                    notable.push((index, outcome));
                    end = LegEnd::Fatal(fatal);
                    break;
                }
            }
        }
        Leg { list: Arc::clone(list), name: name.to_vec(), tried, notable, end }
    }

    fn look_at(&self, files: &Files<'_>, path: &Path) -> Opened {
        self.opened.look_at(files, self.system.target, path)
    }
}
