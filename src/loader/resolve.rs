//! The walk: from a program or an opened object to everything that is loaded with it.

use super::files::{Candidate, Fatal, Files, Probe};
use super::glibc::Glibc;
use super::musl::Musl;
use super::trail::Trail;
use super::{
    Dependency, FileId, Libc, LoadedObject, Resolution, Rule, SearchStep, Settings, StepOutcome,
    System, VersionProblem,
};
use crate::vfs::Vfs;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The loader of one system in one environment.
///
/// What it has read is shared among all questions, so one `Loader` is to serve a whole tree, from
/// as many threads as one likes. It sees files as they were when it first looked at them.
pub struct Loader<'a> {
    files: Files<'a>,
    order: Order,
}

/// Whose rules hold.
enum Order {
    Glibc(Glibc),
    Musl(Musl),
}

impl Order {
    fn system(&self) -> &System {
        match self {
            Self::Glibc(glibc) => &glibc.system,
            Self::Musl(musl) => &musl.system,
        }
    }

    fn settings(&self) -> &Settings {
        match self {
            Self::Glibc(glibc) => &glibc.settings,
            Self::Musl(musl) => &musl.settings,
        }
    }

    /// A path from the working directory.
    fn absolute(&self, path: &[u8]) -> PathBuf {
        self.settings().working_directory.join(std::ffi::OsStr::from_bytes(path))
    }

    /// The names in `LD_PRELOAD`, which white space separates as well as colons; of it, glibc takes
    /// the blank alone.
    fn preload(&self) -> impl Iterator<Item = &[u8]> {
        let separators: &[u8] = match self {
            Self::Glibc(_) => b" :",
            Self::Musl(_) => b" :\t\n\x0b\x0c\r",
        };
        let names = self.settings().preload.as_deref().unwrap_or_default();
        names.split(|byte| separators.contains(byte)).filter(|name| !name.is_empty())
    }
}

/// What is loaded: what was there before, and what comes anew.
pub(super) struct LinkMap<'m> {
    base: &'m [&'m Resolution],
    own: Vec<LoadedObject>,
    /// Indices over base and own together.
    pub(super) names: HashMap<Vec<u8>, usize>,
    pub(super) ids: HashMap<FileId, usize>,
}

impl<'m> LinkMap<'m> {
    /// The index of the main program.
    pub(super) const MAIN: usize = 0;

    fn new(base: &'m [&'m Resolution]) -> Self {
        let mut map = Self { base, own: Vec::new(), names: HashMap::new(), ids: HashMap::new() };
        let mut offset = 0;
        for resolution in base {
            for (name, index) in &resolution.names {
                map.names.entry(name.clone()).or_insert(offset + index);
            }
            for (index, object) in resolution.objects.iter().enumerate() {
                // The loader does not know the main program's inode.
                if offset + index != Self::MAIN {
                    map.ids.entry(object.id).or_insert(offset + index);
                }
            }
            offset += resolution.objects.len();
        }
        map
    }

    /// The resolution that an index belongs to, and where that one begins.
    fn part(&self, index: usize) -> (usize, &[LoadedObject]) {
        let mut offset = 0;
        for resolution in self.base {
            if index < offset + resolution.objects.len() {
                return (offset, &resolution.objects);
            }
            offset += resolution.objects.len();
        }
        (offset, &self.own)
    }

    pub(super) fn get(&self, index: usize) -> Option<&LoadedObject> {
        let (offset, objects) = self.part(index);
        objects.get(index - offset)
    }

    pub(super) fn base_len(&self) -> usize {
        self.base.iter().map(|resolution| resolution.objects.len()).sum()
    }

    /// The objects whose `DT_RPATH` serves what `asker` needs: itself, those that loaded it up to
    /// one that was opened, and last the main program.
    pub(super) fn rpath_chain(&self, asker: Option<usize>) -> Vec<usize> {
        let mut chain = self.loaders(asker);
        if !chain.contains(&Self::MAIN) {
            chain.push(Self::MAIN);
        }
        chain
    }

    /// An object, the one that loaded it, and so on up to one that nobody asked for: the main
    /// program, or what was preloaded or opened.
    pub(super) fn loaders(&self, asker: Option<usize>) -> Vec<usize> {
        std::iter::successors(asker, |&index| {
            let (offset, objects) = self.part(index);
            Some(offset + objects.get(index - offset)?.requested_by?)
        })
        .collect()
    }

    /// Was an object loaded when the program started?
    pub(super) fn is_of_start(&self, index: usize) -> bool {
        self.part(index).0 == 0
    }

    /// The object that was loaded by `path`.
    pub(super) fn at(&self, path: &Path) -> Option<&LoadedObject> {
        let base = self.base.iter().flat_map(|resolution| &resolution.objects);
        base.chain(&self.own).find(|object| object.path == path)
    }

    /// Adds an object that is known by `names`, and returns its index.
    pub(super) fn push(
        &mut self,
        object: LoadedObject,
        names: impl IntoIterator<Item = Vec<u8>>,
        match_id: bool,
    ) -> usize {
        let index = self.base_len() + self.own.len();
        for name in names {
            self.names.entry(name).or_insert(index);
        }
        if match_id {
            self.ids.entry(object.id).or_insert(index);
        }
        self.own.push(object);
        index
    }

    fn into_resolution(self, root: Dependency, preload: Vec<Dependency>) -> Resolution {
        let base_len = self.base_len();
        let own = |index: usize| index.checked_sub(base_len);
        Resolution {
            root,
            preload,
            names: self.names.into_iter().filter_map(|(name, at)| Some((name, own(at)?))).collect(),
            objects: self.own,
        }
    }
}

impl<'a> Loader<'a> {
    /// The loader of `system`, run with `settings`.
    #[must_use]
    pub fn new(vfs: &'a dyn Vfs, system: System, settings: Settings) -> Self {
        let files = Files::new(vfs, system.target);
        let order = match system.libc {
            Libc::Glibc => Order::Glibc(Glibc::new(system, settings)),
            Libc::Musl => Order::Musl(Musl::new(system, settings)),
        };
        Self { files, order }
    }

    /// What is known of the system.
    #[must_use]
    pub fn system(&self) -> &System {
        self.order.system()
    }

    /// Starts the program at `path`: an executable, or a shared object in its place, as `ld.so FILE`
    /// does. Its `$ORIGIN` is that of its real path, as the kernel gives it.
    #[must_use]
    pub fn program(&self, path: &Path) -> Resolution {
        let mut map = LinkMap::new(&[]);
        let name = path.as_os_str().as_bytes();
        let path = self.order.absolute(name);
        let mut root = Dependency::unresolved(name);
        let outcome = match self.files.program(&path) {
            Probe::Found(candidate) => {
                root.found = Some(path.clone());
                root.rule = Rule::Direct;
                let mut object = LoadedObject::new(&candidate, None);
                object.origin = directory_of(&candidate.real);
                let names = match &self.order {
                    // It is called by the empty name; by its path if ld.so was told it.
                    Order::Glibc(_) => known_by([b"", name], &object),
                    Order::Musl(_) => Vec::new(),
                };
                map.push(object, names, false);
                StepOutcome::Found
            }
            Probe::Passed { outcome, .. } => outcome,
            Probe::Fatal(fatal) => {
                root.fatal = Some(fatal);
                StepOutcome::NotALibrary
            }
        };
        root.tried.push_step(SearchStep { path, rule: Rule::Direct, via: None, outcome });
        let mut preload = Vec::new();
        if root.found.is_some() {
            let asker = match &self.order {
                Order::Glibc(_) => Some(LinkMap::MAIN),
                Order::Musl(_) => None,
            };
            for name in self.order.preload() {
                preload.push(self.request(&mut map, asker, name));
            }
            self.load_needed(&mut map);
            match &self.order {
                Order::Glibc(glibc) => self.interpreter(glibc, &mut map),
                Order::Musl(musl) => musl.interpreter(&self.files, &mut map),
            }
            self.check_versions(&mut map);
        }
        map.into_resolution(root, preload)
    }

    /// Opens an object by its path in a process where `loaded` is loaded already, the program first
    /// and then what was opened, in order: as Python imports an extension module.
    #[must_use]
    pub fn dlopen(&self, loaded: &[&Resolution], path: &Path) -> Resolution {
        let mut map = LinkMap::new(loaded);
        let root = self.request(&mut map, None, path.as_os_str().as_bytes());
        self.load_needed(&mut map);
        self.check_versions(&mut map);
        map.into_resolution(root, Vec::new())
    }

    /// Opens a name as the object at `asker` would by calling `dlopen`: by the search paths of that
    /// object, but with a chain of its own for what comes with it. With musl by those of the main
    /// program, whoever calls. `None` where no object of that path is among `loaded`.
    #[must_use]
    pub fn find(&self, loaded: &[&Resolution], asker: &Path, name: &[u8]) -> Option<Resolution> {
        let objects = loaded.iter().flat_map(|resolution| &resolution.objects);
        let asker = objects.into_iter().position(|object| object.path == asker)?;
        let asker = match &self.order {
            Order::Glibc(_) => asker,
            Order::Musl(_) => LinkMap::MAIN,
        };
        let mut map = LinkMap::new(loaded);
        let root = self.request(&mut map, Some(asker), name);
        // The object that calls dlopen lends its search paths and is no link of the chain.
        if let Some(object) = map.own.first_mut() {
            object.requested_by = None;
        }
        self.load_needed(&mut map);
        self.check_versions(&mut map);
        Some(map.into_resolution(root, Vec::new()))
    }

    /// Breadth first over `DT_NEEDED` (`_dl_map_object_deps`), going on after what is missing.
    fn load_needed(&self, map: &mut LinkMap<'_>) {
        let base_len = map.base_len();
        let mut next = 0;
        while let Some(object) = map.own.get(next) {
            let summary = Arc::clone(&object.summary);
            let needed = summary.needed.iter();
            let needed =
                needed.map(|name| self.request(map, Some(base_len + next), name)).collect();
            if let Some(object) = map.own.get_mut(next) {
                object.needed = needed;
            }
            next += 1;
        }
    }

    /// What the loader makes of a name, and what it loads for it.
    fn request(&self, map: &mut LinkMap<'_>, asker: Option<usize>, name: &[u8]) -> Dependency {
        match &self.order {
            Order::Glibc(glibc) => self.request_of_glibc(glibc, map, asker, name),
            Order::Musl(musl) => musl.request(&self.files, map, asker, name),
        }
    }

    fn request_of_glibc(
        &self,
        glibc: &Glibc,
        map: &mut LinkMap<'_>,
        asker: Option<usize>,
        name: &[u8],
    ) -> Dependency {
        let mut dependency = Dependency::unresolved(name);
        let object = asker.and_then(|asker| map.get(asker));
        let expanded = match object {
            Some(object) => glibc.expand(object, asker == Some(LinkMap::MAIN), name),
            None => Some(name.to_vec()),
        };
        let Some(name) = expanded else {
            let message = "empty dynamic string token substitution".into();
            let path = object.map(|object| object.path.clone()).unwrap_or_default();
            dependency.fatal = Some(Fatal { path, message });
            return dependency;
        };
        if !map.names.contains_key(&name) && self.is_interpreter(glibc, &name) {
            self.interpreter(glibc, map);
        }
        if let Some(object) = map.names.get(&name).and_then(|&index| map.get(index)) {
            dependency.found = Some(object.path.clone());
            dependency.rule = Rule::Loaded;
            return dependency;
        }
        let search = glibc.search(&self.files, map, asker, &name);
        dependency.tried = search.tried;
        dependency.fatal = search.fatal;
        let Some(hit) = search.hit else { return dependency };
        dependency.rule = hit.rule;
        dependency.via = hit.via;
        let index = match map.ids.get(&hit.candidate.id) {
            Some(&index) => {
                map.names.insert(name, index);
                index
            }
            None => {
                let loader = asker.and_then(|asker| asker.checked_sub(map.base_len()));
                let object = LoadedObject::new(&hit.candidate, loader);
                let names = known_by([&hit.name, &name], &object);
                map.push(object, names, true)
            }
        };
        dependency.found = map.get(index).map(|object| object.path.clone());
        dependency
    }

    /// Is a name that of the loader itself, which is in every process?
    fn is_interpreter(&self, glibc: &Glibc, name: &[u8]) -> bool {
        let Some(path) = &glibc.system.interpreter else { return false };
        path.as_os_str().as_bytes() == name
            || matches!(self.files.probe(path), Probe::Found(candidate)
                if candidate.summary.soname.as_deref() == Some(name))
    }

    /// The loader itself as an object, where it is not among the loaded ones yet.
    fn interpreter(&self, glibc: &Glibc, map: &mut LinkMap<'_>) {
        let Some(path) = &glibc.system.interpreter else { return };
        let Probe::Found(candidate) = self.files.probe(path) else { return };
        if !map.ids.contains_key(&candidate.id) {
            let object = LoadedObject::new(&candidate, None);
            let names = known_by([path.as_os_str().as_bytes()], &object);
            map.push(object, names, true);
        }
    }

    /// Compares the versions that the new objects need with those that their libraries define
    /// (`_dl_check_map_versions`). A library that defines none serves every need; musl looks at
    /// symbols alone.
    fn check_versions(&self, map: &mut LinkMap<'_>) {
        if matches!(self.order, Order::Musl(_)) {
            return;
        }
        let problems: Vec<Vec<VersionProblem>> =
            map.own.iter().map(|object| version_problems(map, object)).collect();
        for (object, problems) in map.own.iter_mut().zip(problems) {
            object.version_problems = problems;
        }
    }
}

/// The names by which glibc knows an object: those given and its soname.
fn known_by<const N: usize>(names: [&[u8]; N], object: &LoadedObject) -> Vec<Vec<u8>> {
    names.into_iter().chain(object.summary.soname.as_deref()).map(<[u8]>::to_vec).collect()
}

impl Dependency {
    pub(super) fn unresolved(name: &[u8]) -> Self {
        Self {
            name: name.to_vec(),
            found: None,
            rule: Rule::NotFound,
            via: None,
            tried: Trail::default(),
            fatal: None,
        }
    }
}

impl LoadedObject {
    pub(super) fn new(candidate: &Candidate, requested_by: Option<usize>) -> Self {
        Self {
            path: candidate.path.clone(),
            real: candidate.real.clone(),
            id: candidate.id,
            summary: Arc::clone(&candidate.summary),
            requested_by,
            needed: Vec::new(),
            version_problems: Vec::new(),
            origin: directory_of(&candidate.path),
        }
    }
}

/// The directory of a path, by its last slash alone (`_dl_new_object`).
fn directory_of(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    let end = bytes.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    let directory = bytes.get(..end.max(1)).unwrap_or_default();
    PathBuf::from(std::ffi::OsStr::from_bytes(directory))
}

fn version_problems(map: &LinkMap<'_>, object: &LoadedObject) -> Vec<VersionProblem> {
    let mut problems = Vec::new();
    for need in &object.summary.version_needs {
        // A library that is missing is reported as such.
        let provider = map.names.get(&need.file).and_then(|&index| map.get(index));
        let Some(provider) = provider else { continue };
        let Some(defined) = &provider.summary.version_definitions else { continue };
        let lacking = need
            .versions
            .iter()
            .filter(|version| !version.weak && !defined.contains(&version.name));
        problems.extend(lacking.map(|version| VersionProblem {
            library: need.file.clone(),
            provider: provider.path.clone(),
            version: version.name.clone(),
        }));
    }
    problems
}
