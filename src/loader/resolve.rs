//! The walk from a program or an opened object to everything that is loaded with it.

use super::files::{Candidate, Fatal, Files, Limit, Probe, directory_of};
use super::link_map::LinkMap;
use super::musl::Musl;
use super::search_trace::Trail;
use super::tokens;
use super::{
    Dependency, Libc, LoadedObject, Resolution, Rule, STATIC_TLS_ROUNDING, SearchStep, Settings,
    StepOutcome, System,
};
use crate::loader::glibc::search::{Glibc, Wanted};
use crate::loader::glibc::versions;
use crate::vfs::Vfs;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

/// The loader of one system in one environment.
///
/// What it has read is shared among all questions, so one `Loader` should be used for a whole tree,
/// from any number of threads. It sees files as they were when it first read them.
pub struct Loader<'a> {
    files: Files<'a>,
    order: Order,
}

/// What ld.so says when it refuses an executable stack.
const EXECUTABLE_STACK: &str = "cannot enable executable stack as shared object requires";

/// The loader whose rules apply.
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

    /// The names that are preloaded.
    fn preload(&self) -> Vec<&[u8]> {
        match self {
            Self::Glibc(glibc) => glibc.preload().collect(),
            Self::Musl(musl) => musl.preload().collect(),
        }
    }
}

impl<'a> Loader<'a> {
    /// The loader of `system`, run with `settings`.
    #[must_use]
    pub fn new(vfs: &'a dyn Vfs, mut system: System, settings: Settings) -> Self {
        system.version = settings.glibc.or(system.version);
        let files = Files::new(vfs, system.target, system.version);
        let order = match system.libc {
            Libc::Glibc => Order::Glibc(Glibc::new(system, settings)),
            Libc::Musl => Order::Musl(Musl::new(system, settings)),
        };
        Self { files, order }
    }

    /// What is known about the system.
    #[must_use]
    pub fn system(&self) -> &System {
        self.order.system()
    }

    /// Starts the program at `path`: an executable as the kernel does, which gives the loader its
    /// real path for `$ORIGIN`; or a shared object in its place, as `ld.so FILE` does, for which it
    /// is the unchanged path.
    #[must_use]
    pub fn program(&self, path: &Path) -> Resolution {
        let mut map = LinkMap::new(&[]);
        let name = path.as_os_str().as_bytes();
        let path = self.order.settings().working_directory.join(OsStr::from_bytes(name));
        let mut root = Dependency::unresolved(&name.into());
        let outcome = match self.files.program(&path) {
            Probe::Found(candidate) => {
                root.found = Some(path.as_path().into());
                root.rule = Rule::Direct;
                let mut object = LoadedObject::new(&candidate, None);
                let names = match &self.order {
                    Order::Glibc(_) => {
                        if object.summary.interpreter.is_some() {
                            object.origin = directory_of(&candidate.real).into();
                        }
                        // Its name is empty, even if ld.so was started with its path.
                        vec![Arc::default()]
                    }
                    Order::Musl(_) => {
                        object.origin = directory_of(&candidate.real).into();
                        Vec::new()
                    }
                };
                map.push(object, names, false);
                StepOutcome::Found
            }
            Probe::Passed { outcome, .. } => outcome,
            Probe::Fatal(fatal) => {
                root.fatal = Some(fatal.into());
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
                preload.push(self.request(&mut map, asker, &name.into(), Wanted::Preloaded));
            }
            self.load_needed(&mut map);
            match &self.order {
                Order::Glibc(glibc) => self.interpreter(glibc, &mut map),
                Order::Musl(musl) => musl.interpreter(&self.files, &mut map),
            }
        }
        self.finish(map, root, preload)
    }

    /// Opens an object by its path in a process where `loaded` is loaded already, the program first
    /// and then what was opened, in order: as Python imports an extension module.
    #[must_use]
    pub fn dlopen(&self, loaded: &[&Resolution], path: &Path) -> Resolution {
        self.dlmopen(loaded, &|_| true, path)
    }

    /// The same in a namespace of the process: `is_in` says of which of `loaded`, by its index, it consists.
    #[must_use]
    pub fn dlmopen(
        &self,
        loaded: &[&Resolution],
        is_in: &dyn Fn(usize) -> bool,
        path: &Path,
    ) -> Resolution {
        let mut map = LinkMap::of_namespace(loaded, is_in);
        let root =
            self.request(&mut map, None, &path.as_os_str().as_bytes().into(), Wanted::Opened);
        self.load_needed(&mut map);
        self.finish(map, root, Vec::new())
    }

    /// Opens a name as the object at `asker` would by calling `dlopen`: by the search paths of that
    /// object, but with a chain of its own for what is loaded with it. musl always uses those of
    /// the main program. `None` if no object of that path is among `loaded`.
    #[must_use]
    pub fn find(&self, loaded: &[&Resolution], asker: &Path, name: &[u8]) -> Option<Resolution> {
        self.find_in(loaded, &|_| true, asker, name)
    }

    /// The same in a namespace of the process, as `dlmopen` does it: `is_in` says of which of `loaded`, by
    /// its index, it consists. Objects of other namespaces may ask.
    #[must_use]
    pub fn find_in(
        &self,
        loaded: &[&Resolution],
        is_in: &dyn Fn(usize) -> bool,
        asker: &Path,
        name: &[u8],
    ) -> Option<Resolution> {
        let objects = loaded.iter().flat_map(|resolution| &resolution.objects);
        let asker = objects.into_iter().position(|object| *object.path == *asker)?;
        let asker = match &self.order {
            Order::Glibc(_) => asker,
            Order::Musl(_) => LinkMap::MAIN,
        };
        let mut map = LinkMap::of_namespace(loaded, is_in);
        let root = self.request(&mut map, Some(asker), &name.into(), Wanted::Opened);
        // The object that calls dlopen provides its search paths and is not part of the chain.
        if let Some(object) = map.own.first_mut() {
            object.requested_by = None;
        }
        self.load_needed(&mut map);
        Some(self.finish(map, root, Vec::new()))
    }

    /// What the loader checks when everything is found.
    fn finish(
        &self,
        mut map: LinkMap<'_>,
        root: Dependency,
        preload: Vec<Dependency>,
    ) -> Resolution {
        // musl looks at symbols alone.
        let Order::Glibc(glibc) = &self.order else {
            return map.into_resolution(root, preload, Vec::new());
        };
        let mut refused = versions::check(&mut map, &glibc.system);
        let weak = map.own.iter().filter(|object| !glibc.can_run(object));
        let too_low = "CPU ISA level is lower than required";
        refused.extend(weak.map(|object| Fatal::new(&object.path, too_low)));
        refused.extend(static_tls(glibc, &map));
        map.into_resolution(root, preload, refused)
    }

    /// Breadth first over `DT_NEEDED` (`_dl_map_object_deps`), continuing after what is missing.
    fn load_needed(&self, map: &mut LinkMap<'_>) {
        let base_len = map.base_len();
        let mut next = 0;
        while let Some(object) = map.own.get(next) {
            let names = Arc::clone(&object.names);
            let needed = names.needed.iter();
            let needed =
                needed.map(|name| self.request(map, Some(base_len + next), name, Wanted::Needed));
            let needed = needed.collect();
            if let Some(object) = map.own.get_mut(next) {
                object.needed = needed;
            }
            next += 1;
        }
    }

    /// How the loader interprets a name, and what it loads for it.
    fn request(
        &self,
        map: &mut LinkMap<'_>,
        asker: Option<usize>,
        name: &Arc<[u8]>,
        wanted: Wanted,
    ) -> Dependency {
        match &self.order {
            Order::Glibc(glibc) => self.request_of_glibc(glibc, map, asker, name, wanted),
            Order::Musl(musl) => musl.request(&self.files, map, asker, name),
        }
    }

    fn request_of_glibc(
        &self,
        glibc: &Glibc,
        map: &mut LinkMap<'_>,
        asker: Option<usize>,
        name: &Arc<[u8]>,
        wanted: Wanted,
    ) -> Dependency {
        let mut dependency = Dependency::unresolved(name);
        let expanded = match expanded(glibc, map, asker, name, wanted) {
            Ok(expanded) => expanded,
            Err(Refused::Token(fatal)) => {
                dependency.fatal = Some(fatal.into());
                return dependency;
            }
            Err(Refused::Nothing) => {
                dependency.rule = Rule::WeakAbsent;
                return dependency;
            }
        };
        let name = expanded.as_ref().unwrap_or(name);
        let mut serving = map.serving(name);
        if serving.is_none() && glibc.is_own_name(&self.files, name) {
            self.interpreter(glibc, map);
            serving = map.serving(name);
        }
        if let Some(object) = serving.and_then(|index| map.get(index)) {
            dependency.found = Some(object.path.clone());
            dependency.rule = Rule::Loaded;
            return dependency;
        }
        let search = glibc.search(&self.files, map, asker, name, wanted);
        dependency.tried = search.tried;
        dependency.fatal = search.fatal.map(Box::new);
        let Some(hit) = search.hit else { return dependency };
        dependency.rule = hit.rule;
        dependency.via = hit.via;
        let index = match map.ids.get(&hit.candidate.id) {
            Some(&index) => {
                map.names.insert(Arc::clone(name), index);
                index
            }
            None => {
                let loader = asker.and_then(|asker| asker.checked_sub(map.base_len()));
                let object = LoadedObject::new(&hit.candidate, loader);
                if let Some(fatal) = forbids(glibc, map, &object) {
                    dependency.rule = Rule::NotFound;
                    dependency.fatal = Some(fatal.into());
                    return dependency;
                }
                map.push(object, [hit.name, Arc::clone(name)], true)
            }
        };
        dependency.found = map.get(index).map(|object| object.path.clone());
        dependency
    }

    /// The loader itself as an object, if it is not among the loaded ones yet.
    fn interpreter(&self, glibc: &Glibc, map: &mut LinkMap<'_>) {
        let Some(path) = &glibc.system.interpreter else { return };
        let Probe::Found(candidate) = self.files.probe(path) else { return };
        if map.at(path).is_none() {
            let name = path.as_os_str().as_bytes();
            // The loader does not know its own inode.
            map.push(LoadedObject::new(&candidate, None), [name.into()], false);
        }
    }
}

impl Dependency {
    pub(super) fn unresolved(name: &Arc<[u8]>) -> Self {
        Self {
            name: Arc::clone(name),
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
            path: Arc::clone(&candidate.path),
            real: Arc::clone(&candidate.real),
            id: candidate.id,
            summary: Arc::clone(&candidate.summary),
            names: Arc::clone(&candidate.names),
            requested_by,
            needed: Vec::new(),
            version_problems: Vec::new(),
            origin: Arc::clone(&candidate.directory),
        }
    }
}

/// Why a name is not searched for.
enum Refused {
    /// A program with more rights than its user expands no token.
    Token(Fatal),
    /// One of its tokens has no value.
    Nothing,
}

/// The name that the loader compares and searches for, if it is another one. In a `DT_NEEDED` the tokens are
/// expanded before; other names keep theirs.
fn expanded(
    glibc: &Glibc,
    map: &LinkMap<'_>,
    asker: Option<usize>,
    name: &[u8],
    wanted: Wanted,
) -> Result<Option<Arc<[u8]>>, Refused> {
    let has_token = wanted == Wanted::Needed && tokens::has_token(name);
    let asking = asker.and_then(|asker| map.get(asker)).filter(|_| has_token);
    let Some(object) = asking else { return Ok(None) };
    if glibc.is_secure() {
        let message = "DST not allowed in SUID/SGID programs";
        return Err(Refused::Token(Fatal::new(&object.path, message)));
    }
    let is_main = asker == Some(LinkMap::MAIN);
    glibc.expand(object, is_main, name).map(|it| Some(it.into())).ok_or(Refused::Nothing)
}

/// Why an object cannot be loaded into a running process.
fn forbids(glibc: &Glibc, map: &LinkMap<'_>, object: &LoadedObject) -> Option<Fatal> {
    const DF_1_NOOPEN: u64 = 0x40;
    if !map.is_running() {
        return None;
    }
    if object.summary.flags_1 & DF_1_NOOPEN != 0 {
        return Some(Fatal::new(&object.path, "shared object cannot be dlopen()ed"));
    }
    // An object that is loaded at the start makes the stack executable; one that is opened later
    // does not.
    let mut started = map.base.first().into_iter().flat_map(|program| &program.objects);
    let system = &glibc.system;
    let interpreter = system.interpreter.as_deref();
    let tunable = glibc.settings.tunable("glibc.rtld.execstack");
    let needs_stack = system.grants_executable_stack(tunable) == Some(false)
        && object.summary.wants_executable_stack()
        && !started
            .any(|one| Some(&*one.path) != interpreter && one.summary.wants_executable_stack());
    let limit = Some(Limit::ExecutableStack);
    needs_stack.then(|| Fatal { limit, ..Fatal::new(&object.path, EXECUTABLE_STACK) })
}

/// Is there no room for the thread-local storage that opened objects need at a fixed place?
fn static_tls(glibc: &Glibc, map: &LinkMap<'_>) -> Option<Fatal> {
    if !map.is_running() {
        return None;
    }
    let needed = |object: &LoadedObject| object.summary.static_tls.unwrap_or(0);
    let opened = map.base.iter().skip(1).flat_map(|resolution| &resolution.objects);
    let optional = glibc.settings.tunable("glibc.rtld.optional_static_tls");
    let surplus = glibc.system.static_tls_surplus(optional)?;
    let mut left = surplus.saturating_add(STATIC_TLS_ROUNDING - 1);
    for object in opened {
        left = left.saturating_sub(needed(object));
    }
    let object = map.own.iter().find(|object| {
        let fits = needed(object) <= left;
        left = left.saturating_sub(needed(object));
        !fits
    })?;
    let message = "cannot allocate memory in static TLS block";
    Some(Fatal { limit: Some(Limit::StaticTls), ..Fatal::new(&object.path, message) })
}
