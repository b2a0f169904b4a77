//! The search order of glibc's ld.so (`_dl_map_object` in elf/dl-load.c).

use super::hwcaps::Hwcaps;
use crate::hashing::QuickMap;
use crate::loader::files::{Candidate, Fatal, Files, Probe, memoised};
use crate::loader::link_map::LinkMap;
use crate::loader::search_list::{SearchList, Surroundings};
use crate::loader::search_trace::{LegEnd, Trail, Whose};
use crate::loader::searches::Searches;
use crate::loader::tokens::{self, Tokens};
use crate::loader::{LoadedObject, Rule, SearchStep, Settings, StepOutcome, System};
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock, RwLock};

/// What `ld.so.cache` has for a name: the path, and what comes of trying it.
type Cached = Option<Arc<Tried>>;

/// An `$ORIGIN`, with searches in directories that depend on it.
type Originated = (Arc<Path>, Arc<Searches>);

/// A path that was tried.
struct Tried {
    name: Arc<[u8]>,
    step: Arc<SearchStep>,
    probe: Probe,
}

/// glibc's ld.so on one system and in one environment.
pub(in crate::loader) struct Glibc {
    pub(in crate::loader) system: System,
    pub(in crate::loader) settings: Settings,
    hwcaps: Hwcaps,
    /// Of tags and of the variable, by all that their directories depend on: objects that have the same tag
    /// and are in the same directory share the searches.
    lists: RwLock<QuickMap<Vec<u8>, Arc<Searches>>>,
    /// The same for the tags of objects, by the address of their `$ORIGIN`, which is held, so that no other one has it:
    /// each object is asked about for all that it and what it loaded need.
    of_objects: RwLock<QuickMap<(usize, Rule, bool), Originated>>,
    default_dirs: OnceLock<Searches>,
    cached: RwLock<QuickMap<Vec<u8>, Cached>>,
    /// `DT_SONAME` of the loader itself, which every name is compared with.
    own_name: OnceLock<Option<Vec<u8>>>,
}

/// What requests a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::loader) enum Wanted {
    /// A `DT_NEEDED`.
    Needed,
    /// `LD_PRELOAD` or `/etc/ld.so.preload`.
    Preloaded,
    /// A call of `dlopen`.
    Opened,
}

/// A library that a search found.
pub(in crate::loader) struct Hit {
    pub(in crate::loader) candidate: Arc<Candidate>,
    /// The path as the loader builds it: relative if an entry was.
    pub(in crate::loader) name: Arc<[u8]>,
    pub(in crate::loader) rule: Rule,
    pub(in crate::loader) via: Option<Arc<Path>>,
}

/// How a search ended.
#[derive(Default)]
pub(in crate::loader) struct Search {
    pub(in crate::loader) tried: Trail,
    pub(in crate::loader) hit: Option<Hit>,
    pub(in crate::loader) fatal: Option<Fatal>,
}

impl Search {
    fn is_over(&self) -> bool {
        self.hit.is_some() || self.fatal.is_some()
    }

    /// Searches one more list, which is only looked for if the search is not over; `set_user_id`: only for a file
    /// with that bit.
    fn look_into<S: Deref<Target = Searches>>(
        &mut self,
        files: &Files<'_>,
        list: impl FnOnce() -> Option<(S, Whose)>,
        name: &[u8],
        set_user_id: bool,
    ) {
        const S_ISUID: u32 = 0o4000;
        if self.is_over() {
            return;
        }
        let Some((searches, whose)) = list().filter(|(it, _)| !it.list.dirs.is_empty()) else {
            return;
        };
        let leg = if set_user_id {
            Arc::new(searches.walk(files, name, |candidate| candidate.mode & S_ISUID != 0))
        } else {
            searches.search(files, name)
        };
        match &leg.end {
            LegEnd::Exhausted => {}
            LegEnd::Fatal(fatal) => self.fatal = Some(fatal.clone()),
            LegEnd::Found(candidate, name) => {
                self.hit = Some(Hit {
                    candidate: Arc::clone(candidate),
                    name: Arc::clone(name),
                    rule: whose.rule,
                    via: whose.via.clone(),
                });
            }
        }
        self.tried.push_leg(leg, whose);
    }

    /// Adds one path that was tried.
    fn take(&mut self, tried: &Tried) {
        match &tried.probe {
            Probe::Found(candidate) => {
                let (candidate, name) = (Arc::clone(candidate), Arc::clone(&tried.name));
                self.hit = Some(Hit { candidate, name, rule: tried.step.rule, via: None });
            }
            Probe::Passed { .. } => {}
            Probe::Fatal(fatal) => self.fatal = Some(fatal.clone()),
        }
        self.tried.push_step(Arc::clone(&tried.step));
    }
}

impl Tried {
    /// Tries one path.
    fn new(glibc: &Glibc, files: &Files<'_>, name: &[u8], rule: Rule) -> Self {
        let path = glibc.surroundings(files).absolute(name);
        let probe = files.probe(&path);
        let outcome = match &probe {
            Probe::Found(_) => StepOutcome::Found,
            Probe::Passed { outcome, .. } => *outcome,
            Probe::Fatal(_) => StepOutcome::NotALibrary,
        };
        let step = Arc::new(SearchStep { path, rule, via: None, outcome });
        Self { name: name.into(), step, probe }
    }
}

impl Glibc {
    pub(in crate::loader) fn new(system: System, mut settings: Settings) -> Self {
        if settings.secure {
            settings.library_path = None;
        }
        let hwcaps = Hwcaps::new(
            system.target,
            system.version,
            &settings.hwcaps,
            settings.platform.as_deref(),
        );
        Self {
            system,
            settings,
            hwcaps,
            lists: RwLock::default(),
            of_objects: RwLock::default(),
            default_dirs: OnceLock::new(),
            cached: RwLock::default(),
            own_name: OnceLock::new(),
        }
    }

    /// The names in `LD_PRELOAD`, which are separated by blanks or colons, and those in
    /// `/etc/ld.so.preload`. In a secure process paths and long names of the former are ignored.
    pub(in crate::loader) fn preload(&self) -> impl Iterator<Item = &[u8]> {
        // SECURE_NAME_LIMIT and SECURE_PATH_LIMIT.
        const NAME_MAX: usize = 255;
        const PATH_MAX: usize = 4096;
        let secure = self.settings.secure;
        let names = self.settings.preload.as_deref().unwrap_or_default();
        names
            .split(|byte| b" :".contains(byte))
            .filter(|name| !name.is_empty() && name.len() < PATH_MAX)
            .filter(move |name| !secure || (!name.contains(&b'/') && name.len() < NAME_MAX))
            .chain(self.system.preload.iter().map(Vec::as_slice))
    }

    /// Does the process run with more rights than its caller?
    pub(in crate::loader) fn is_secure(&self) -> bool {
        self.settings.secure
    }

    /// Can the processor run an object?
    pub(in crate::loader) fn can_run(&self, object: &LoadedObject) -> bool {
        !self.system.is_at_least((2, 33)) || self.hwcaps.can_run(object.summary.x86_isa_needed)
    }

    /// A name with the tokens of the requester expanded; `None` if it has no value.
    pub(in crate::loader) fn expand(
        &self,
        asker: &LoadedObject,
        main: bool,
        name: &[u8],
    ) -> Option<Vec<u8>> {
        tokens::expand(name, &self.tokens(asker, main)).filter(|name| !name.is_empty())
    }

    /// Searches for what is not loaded yet. There is no requester if a path is opened.
    pub(in crate::loader) fn search(
        &self,
        files: &Files<'_>,
        map: &LinkMap<'_>,
        asker: Option<usize>,
        name: &[u8],
        wanted: Wanted,
    ) -> Search {
        let mut search = Search::default();
        if name.contains(&b'/') {
            let object = asker.and_then(|asker| map.get(asker));
            let path = object.map(|object| self.expand(object, asker == Some(LinkMap::MAIN), name));
            // A path without a value for its tokens is empty, and is not found.
            if let Some(path) = path.unwrap_or_else(|| Some(name.to_vec())) {
                search.take(&Tried::new(self, files, &path, Rule::Direct));
            }
            return search;
        }
        // In a secure process only files with the set-user-ID bit are preloaded, and never by the
        // cache.
        let trusted = wanted == Wanted::Preloaded && self.settings.secure;
        let object = asker.and_then(|asker| map.get(asker));
        let nodeflib = object.is_some_and(|object| object.summary.has_nodeflib());

        if object.is_none_or(|object| object.summary.runpath.is_none()) {
            for index in map.rpath_chain(asker) {
                let list = || self.list_of(files, map, index, Rule::Rpath);
                search.look_into(files, list, name, trusted);
            }
        }
        let of = |rule| Whose { rule, via: None };
        let library_path = || Some((self.library_path(files, map)?, of(Rule::LdLibraryPath)));
        search.look_into(files, library_path, name, trusted);
        let runpath = || self.list_of(files, map, asker?, Rule::Runpath);
        search.look_into(files, runpath, name, trusted);
        if !search.is_over()
            && !trusted
            && let Some(cached) = self.cached(files, name)
            && !(nodeflib
                && self.system.default_dirs.iter().any(|dir| cached.name.starts_with(dir)))
        {
            search.take(&cached);
        }
        if !nodeflib {
            let default_dirs = || Some((self.default_dirs(files), of(Rule::DefaultDirs)));
            search.look_into(files, default_dirs, name, trusted);
        }
        search
    }

    /// The path that `ld.so.cache` has for a name, which is requested again for every object.
    fn cached(&self, files: &Files<'_>, name: &[u8]) -> Cached {
        memoised(&self.cached, name, |name| {
            let path = self.system.cache.lookup(name, &self.hwcaps)?;
            Some(Arc::new(Tried::new(self, files, path, Rule::LdSoCache)))
        })
    }

    /// Is a name that of the loader itself, which is in every process?
    pub(in crate::loader) fn is_own_name(&self, files: &Files<'_>, name: &[u8]) -> bool {
        let Some(path) = &self.system.interpreter else { return false };
        let own_name = self.own_name.get_or_init(|| match files.probe(path) {
            Probe::Found(candidate) => candidate.summary.soname.clone(),
            _ => None,
        });
        path.as_os_str().as_bytes() == name || own_name.as_deref() == Some(name)
    }

    fn surroundings<'a>(&'a self, files: &'a Files<'a>) -> Surroundings<'a> {
        Surroundings {
            files,
            working_directory: &self.settings.working_directory,
            subdirectories: &self.hwcaps.subdirectories,
        }
    }

    fn tokens<'a>(&'a self, object: &'a LoadedObject, main: bool) -> Tokens<'a> {
        Tokens {
            origin: Some(object.origin.as_os_str().as_bytes()),
            lib: Some(&self.system.lib),
            platform: self.hwcaps.platform.as_deref().map(str::as_bytes),
            secure: self.settings.secure,
            trusted: (self.settings.secure && main).then_some(&self.system.default_dirs),
        }
    }

    /// The directories of `DT_RPATH` or `DT_RUNPATH` of an object.
    fn list_of(
        &self,
        files: &Files<'_>,
        map: &LinkMap<'_>,
        index: usize,
        rule: Rule,
    ) -> Option<(Arc<Searches>, Whose)> {
        let object = map.get(index)?;
        let summary = &object.summary;
        let path = match rule {
            Rule::Runpath => summary.runpath.as_deref(),
            // A DT_RUNPATH disables the DT_RPATH beside it, even if it is empty.
            _ => summary.rpath.as_deref().filter(|_| summary.runpath.is_none()),
        };
        let path = path.filter(|path| !path.is_empty())?;
        let is_main = index == LinkMap::MAIN;
        let key = (Arc::as_ptr(&object.origin).addr(), rule, is_main);
        let (_, list) = memoised(&self.of_objects, &key, |_| {
            let list = self.list(files, object, is_main, path, b":");
            (Arc::clone(&object.origin), list)
        });
        Some((list, Whose { rule, via: Some(Arc::clone(&object.path)) }))
    }

    fn library_path(&self, files: &Files<'_>, map: &LinkMap<'_>) -> Option<Arc<Searches>> {
        let path = self.settings.library_path.as_deref().filter(|path| !path.is_empty())?;
        let main = map.get(LinkMap::MAIN)?;
        Some(self.list(files, main, true, path, b":;"))
    }

    fn default_dirs(&self, files: &Files<'_>) -> &Searches {
        self.default_dirs.get_or_init(|| {
            let dirs = self.system.default_dirs.iter().cloned();
            Searches::new(SearchList::new(dirs, &self.surroundings(files)))
        })
    }

    /// The directories of a path in the tag of an object, or in the variable for it, between `separators`.
    fn list(
        &self,
        files: &Files<'_>,
        object: &LoadedObject,
        is_main: bool,
        path: &[u8],
        separators: &[u8],
    ) -> Arc<Searches> {
        let origin = object.origin.as_os_str().as_bytes();
        // Neither contains a NUL. Only in the main program a token may be trusted.
        let key = [origin, &[0, u8::from(is_main && self.settings.secure)], separators, &[0], path]
            .concat();
        memoised(&self.lists, key.as_slice(), |_| {
            let tokens = self.tokens(object, is_main);
            let list = SearchList::of_path(path, separators, &tokens, &self.surroundings(files));
            Arc::new(Searches::new(list))
        })
    }
}
