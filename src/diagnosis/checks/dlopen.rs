//! Libraries that no `DT_NEEDED` names, because a program opens them at run time with `dlopen`.
//!
//! glibc looks for such a library in the search path of the object that contains the call, and of no
//! other (`_dl_map_object` in `elf/dl-load.c`); musl in that of the main program, so with musl an
//! entry in the calling object does not help. No header shows which object calls, and what it opens.
//! What headers show is this: a distribution's objects name directories of the distributions that it
//! requires, and a linker or a build system has written the same directories into several of them.
//! The object that opens libraries for the others imports `dlopen` and is needed by them. If it lacks
//! a directory that another of them names for no dependency of its own, that directory was meant for
//! it. Directories that are named by extension modules which cannot open anything themselves do not
//! count. The search path of a library is written for the objects that are linked with it; that of a
//! module only for its own code, and such a directory in it is a leftover of the link.

use crate::diagnosis::asking::Asking;
use crate::findings::cure::{Cure, Install, Search};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::opening::{Opening as Seen, OutOfReach, Unfound};
use crate::findings::finding::{Cause, Finding, fault};
use crate::hashing::{QuickMap, QuickSet};
use crate::knowledge::tensorflow::{self, DRIVER};
use crate::loader::{Libc, Resolution, SearchStep};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Inventory, Object, Role};
use crate::world::program::Program;
use crate::world::rpath_entry::directory_of;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// The findings about libraries that are only `dlopen`ed.
#[must_use]
pub(in crate::diagnosis) fn findings(
    vfs: &dyn Vfs,
    world: &World,
    programs: &[Program<'_>],
    asking: &Asking<'_>,
) -> Vec<Finding> {
    let inventory = &world.inventory;
    let files = Files {
        vfs,
        entries: RefCell::default(),
        imports: RefCell::default(),
        real: RefCell::default(),
    };
    let mut found = Vec::new();
    for index in 0..inventory.distributions.len() {
        let providers = provider_directories(inventory, index);
        if providers.is_empty() {
            continue;
        }
        found.extend(out_of_all_reach(&files, world, programs, asking, index, &providers));
        let Some(opener) = Opener::of(&files, inventory, index, &providers) else { continue };
        let process = Process::of(programs, opener.object);
        let mut lacks = opener.lacks(&files, inventory, index, &providers);
        // If only the profiling library is missing, the accelerator is found, and a program notices
        // nothing. `tfpatch trace` reports it to users who record a profile.
        if lacks.iter().all(|(_, library)| tensorflow::is_for_profiling(library.name())) {
            lacks.clear();
        }
        for (directory, library) in lacks {
            // It may still be found by a variable or by the system's cache.
            let tried = match process.as_ref().and_then(|process| process.open(name_of(library))) {
                Some(answer) if answer.root.found.is_some() => continue,
                Some(answer) => answer.root.tried.steps().collect(),
                None => Vec::new(),
            };
            let libc = process.as_ref().map(Process::libc);
            let finding = path_missing(world, &opener, &directory, library, tried);
            found.push(match libc {
                Some(Libc::Musl) => beyond_search_paths(world, &directory, finding),
                _ => finding,
            });
        }
        if opener.is_for_cuda(inventory) {
            found.extend(process.and_then(|process| driver_missing(world, &process)));
        }
    }
    found
}

/// Directories of required distributions that an object names for another layout, that do not exist, and that no
/// object of its distribution finds: for example a plugin in `lib64` whose libraries are in `lib`. One unused
/// entry proves nothing, since builds leave many. It is proved if no entry finds the requirement, and no code
/// opens its library first.
fn out_of_all_reach(
    files: &Files<'_>,
    world: &World,
    programs: &[Program<'_>],
    asking: &Asking<'_>,
    distribution: usize,
    providers: &BTreeSet<PathBuf>,
) -> Vec<Finding> {
    let inventory = &world.inventory;
    let own: Vec<&Object> = objects(inventory, distribution).collect();
    let reached: BTreeSet<PathBuf> =
        own.iter().flat_map(|object| files.named(object, providers)).collect();
    let mut found = Vec::new();
    for directory in providers.difference(&reached) {
        let naming = own.iter().filter(|object| {
            files.entries(object).iter().any(|entry| would_lead(entry, directory))
                && files.imports_dlopen(object)
        });
        let libraries: Vec<&Object> = inventory.in_directory(directory).collect();
        let needed = |library: &&Object| {
            own.iter().any(|object| object.needed().iter().any(|name| name == name_of(library)))
        };
        // A library that is needed by name has a finding of its own.
        if libraries.iter().any(needed) {
            continue;
        }
        let shortest = libraries.into_iter().min_by_key(|library| library.name().len());
        let Some(library) = shortest else { continue };
        if tensorflow::is_for_profiling(library.name()) {
            continue;
        }
        for object in naming {
            let Some(process) = Process::of(programs, object) else { continue };
            let Some(answer) = process.open(name_of(library)) else { continue };
            let is_musl = process.libc() == Libc::Musl;
            if answer.root.found.is_some() || asking.may_be_opened_before(object, name_of(library))
            {
                continue;
            }
            let entries = files.entries(object).len();
            let opener = Opener { object, names: BTreeSet::new(), entries };
            let tried = answer.root.tried.steps().collect();
            let finding = path_missing(world, &opener, directory, library, tried);
            found.push(match is_musl {
                true => beyond_search_paths(world, directory, finding),
                false => finding,
            });
        }
    }
    found
}

/// Does an entry, after all its steps upwards, name the end of a directory's path, and more of it than
/// the last part, which many directories share?
fn would_lead(entry: &[u8], directory: &Path) -> bool {
    if !entry.starts_with(b"$ORIGIN/") {
        return false;
    }
    let path = Path::new(OsStr::from_bytes(entry));
    let parts = path.components().skip(1);
    let tail: PathBuf = parts.skip_while(|part| *part == Component::ParentDir).collect();
    tail.components().count() > 1 && directory.ends_with(&tail)
}

/// A process in which an object is loaded that opens others.
pub(crate) struct Process<'a> {
    program: &'a Program<'a>,
    opener: &'a Object,
    opened: Resolution,
}

impl<'a> Process<'a> {
    /// The first program that would load the opener, after it has done so.
    pub(crate) fn of(programs: &'a [Program<'a>], opener: &'a Object) -> Option<Self> {
        let program = programs.iter().find(|program| program.runs(opener))?;
        Some(Self { program, opener, opened: program.load(opener) })
    }

    /// Whose loader it has.
    pub(crate) fn libc(&self) -> Libc {
        self.program.loader.system().libc
    }

    /// The result of calling `dlopen` with a name in the opener.
    pub(crate) fn open(&self, name: &[u8]) -> Option<Resolution> {
        // A program runs in a process of its own.
        let main = self.program.main.iter().filter(|_| self.opener.role != Role::Executable);
        let loaded: Vec<&Resolution> = main.chain(std::iter::once(&self.opened)).collect();
        self.program.loader.find(&loaded, &self.opener.path, name)
    }
}

/// The object of a distribution that opens libraries of other distributions for it.
struct Opener<'a> {
    object: &'a Object,
    /// The directories of providers that its search path names.
    names: BTreeSet<PathBuf>,
    /// How many different entries its search path has.
    entries: usize,
}

impl<'a> Opener<'a> {
    /// The opener of a distribution: among its objects that import `dlopen`, are needed by others of
    /// it, and name a provider's directory, the one that all others depend on.
    fn of(
        files: &Files<'_>,
        inventory: &'a Inventory,
        distribution: usize,
        providers: &BTreeSet<PathBuf>,
    ) -> Option<Self> {
        let needed: HashSet<&[u8]> = objects(inventory, distribution)
            .flat_map(|object| object.needed().iter().map(Vec::as_slice))
            .collect();
        let candidates: Vec<Self> = objects(inventory, distribution)
            .filter(|object| needed.contains(name_of(object)))
            .map(|object| Self {
                object,
                names: files.named(object, providers),
                entries: files.entries(object).len(),
            })
            .filter(|candidate| !candidate.names.is_empty())
            .filter(|candidate| files.imports_dlopen(candidate.object))
            .collect();
        let mut deepest = candidates.into_iter();
        let mut opener = deepest.next()?;
        let own: QuickMap<&[u8], &Object> =
            objects(inventory, distribution).map(|object| (name_of(object), object)).collect();
        let mut below = closure(&own, opener.object);
        for other in deepest {
            if below.contains(name_of(other.object)) {
                opener = other;
                below = closure(&own, opener.object);
            } else if !closure(&own, other.object).contains(name_of(opener.object)) {
                // Two that do not depend on each other: nothing shows which of them opens what.
                return None;
            }
        }
        Some(opener)
    }

    /// Does it open the CUDA runtime? Then it opens the driver too.
    fn is_for_cuda(&self, inventory: &Inventory) -> bool {
        let mut libraries =
            inventory.objects.iter().filter(|object| tensorflow::is_cuda_runtime(object.name()));
        libraries.any(|library| self.names.contains(library.directory()))
    }

    /// The directories of providers that other objects of the distribution name although they need
    /// nothing from there, and that this one does not name; with a library of each.
    fn lacks(
        &self,
        files: &Files<'_>,
        inventory: &'a Inventory,
        distribution: usize,
        providers: &BTreeSet<PathBuf>,
    ) -> Vec<(PathBuf, &'a Object)> {
        let mut others: BTreeSet<PathBuf> = BTreeSet::new();
        let mut needed: HashSet<&[u8]> = HashSet::new();
        for object in objects(inventory, distribution) {
            let named = files.named(object, providers);
            if !named.is_subset(&others)
                && (object.role == Role::Library || files.imports_dlopen(object))
            {
                others.extend(named);
            }
            needed.extend(object.needed().iter().map(Vec::as_slice));
        }
        others
            .difference(&self.names)
            .filter_map(|directory| {
                let libraries: Vec<&Object> = inventory.in_directory(directory).collect();
                let explained = libraries.iter().any(|library| needed.contains(name_of(library)));
                // The library with the shortest name represents the directory: variants have longer
                // names.
                let library = libraries.into_iter().min_by_key(|library| library.name().len())?;
                (!explained).then(|| (directory.clone(), library))
            })
            .collect()
    }
}

fn path_missing(
    world: &World,
    opener: &Opener<'_>,
    directory: &Path,
    library: &Object,
    tried: Vec<SearchStep>,
) -> Finding {
    let evidence = Evidence::Opening(Seen::OutOfReach(
        OutOfReach {
            opener: world.place(&opener.object.path),
            library: library.name().to_vec(),
            directory: world.place(directory),
        },
        Unfound::NoneLeads { entries: opener.entries },
    ));
    Finding {
        library: Some(library.name().to_vec()),
        fixable: true,
        lies_in: vec![directory.to_owned()],
        tried,
        ..fault(Cause::DlopenPathMissing, &opener.object.path, evidence, Cure::fix())
    }
}

/// The same with musl as the loader, which always searches on behalf of the main program, whichever
/// object calls `dlopen`.
fn beyond_search_paths(world: &World, directory: &Path, finding: Finding) -> Finding {
    let evidence = Evidence::Opening(Seen::OutOfReach(
        OutOfReach {
            opener: world.place(&finding.object),
            library: finding.library.clone().unwrap_or_default(),
            directory: world.place(directory),
        },
        Unfound::MainProgramOnly,
    ));
    let cure = Cure::Search(Search::LibraryPath(directory.to_owned()));
    Finding { fixable: false, evidence, cure, ..finding }
}

/// The driver's library, if the loader does not find it on behalf of the opener. That is normal in
/// an image that is being built, and on a machine without a GPU.
pub(crate) fn driver_missing(world: &World, process: &Process<'_>) -> Option<Finding> {
    let opener = process.opener;
    let answer = process.open(DRIVER.as_bytes())?;
    answer.root.found.is_none().then(|| {
        let library = DRIVER.as_bytes().to_vec();
        let no_driver =
            Seen::NoDriver { opener: world.place(&opener.path), library: library.clone() };
        let evidence = Evidence::Opening(no_driver);
        let cure = Cure::Install(Install::Driver { is_nvidias: true });
        Finding {
            library: Some(library),
            tried: answer.root.tried.steps().collect(),
            ..fault(Cause::DriverMissing, &opener.path, evidence, cure)
        }
    })
}

/// The directories that hold libraries of distributions that one requires, extras included.
fn provider_directories(inventory: &Inventory, distribution: usize) -> BTreeSet<PathBuf> {
    let Some(own) = inventory.distributions.get(distribution) else { return BTreeSet::new() };
    inventory
        .objects
        .iter()
        .filter(|object| object.role == Role::Library)
        .filter(|object| {
            inventory.distribution_of(object).is_some_and(|other| World::requires(own, other))
        })
        .map(|object| object.directory().to_owned())
        .collect()
}

fn objects(inventory: &Inventory, distribution: usize) -> impl Iterator<Item = &Object> {
    inventory.objects.iter().filter(move |object| object.distribution == Some(distribution))
}

/// The name by which others need an object.
fn name_of(object: &Object) -> &[u8] {
    object.soname()
}

/// What the [`Vfs`] has, which may be an overlay with other search paths than the inventory saw:
/// each file and each directory is examined once.
struct Files<'a> {
    vfs: &'a dyn Vfs,
    /// The different entries of search paths.
    entries: RefCell<HashMap<PathBuf, Rc<Entries>>>,
    imports: RefCell<HashMap<PathBuf, bool>>,
    /// Directories with every link resolved; `None` if there is none.
    real: RefCell<QuickMap<OsString, Option<PathBuf>>>,
}

/// The different entries of a search path.
type Entries = BTreeSet<Vec<u8>>;

impl Files<'_> {
    /// The entries of an object's search path; none where it cannot be read.
    fn entries(&self, object: &Object) -> Rc<Entries> {
        if let Some(known) = self.entries.borrow().get(&object.path) {
            return Rc::clone(known);
        }
        let headers = self.vfs.headers(&object.path, object.id, None);
        let summary = headers.as_ref().ok().and_then(|it| Some(&it.object().ok()?.summary));
        let entries = summary.map(|summary| {
            let path = summary.runpath.as_ref().or(summary.rpath.as_ref());
            let path = path.map_or(b"".as_slice(), Vec::as_slice);
            path.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect()
        });
        let entries: Rc<Entries> = Rc::new(entries.unwrap_or_default());
        self.entries.borrow_mut().insert(object.path.clone(), Rc::clone(&entries));
        entries
    }

    /// May an object open others? This is only asked of a few objects, because it reads all undefined
    /// symbols of the object.
    fn imports_dlopen(&self, object: &Object) -> bool {
        if let Some(known) = self.imports.borrow().get(&object.path) {
            return *known;
        }
        let imports = self.reads_dlopen(object).unwrap_or(false);
        self.imports.borrow_mut().insert(object.path.clone(), imports);
        imports
    }

    fn reads_dlopen(&self, object: &Object) -> Option<bool> {
        let headers = self.vfs.headers(&object.path, object.id, None).ok()?;
        if let Some(known) = headers.is_known_to_open() {
            return Some(known);
        }
        let source = self.vfs.open(&object.path).ok()?;
        Some(headers.imports_dlopen(&headers.image(source.as_ref()).ok()?))
    }

    /// Those of `directories` that an object's search path names.
    fn named(&self, object: &Object, directories: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut known: QuickMap<OsString, &PathBuf> = QuickMap::default();
        for directory in directories {
            for name in std::iter::once(directory.clone()).chain(self.real(directory)) {
                known.entry(name.into_os_string()).or_insert(directory);
            }
        }
        let entries = self.entries(object);
        entries
            .iter()
            .filter_map(|entry| directory_of(entry, object.directory()))
            .filter_map(|directory| known.get(self.real(&directory)?.as_os_str()).copied().cloned())
            .collect()
    }

    fn real(&self, directory: &Path) -> Option<PathBuf> {
        if let Some(known) = self.real.borrow().get(directory.as_os_str()) {
            return known.clone();
        }
        let real = self.vfs.canonicalize(directory).ok();
        self.real.borrow_mut().insert(directory.into(), real.clone());
        real
    }
}

/// The names that an object depends on by `DT_NEEDED`, inside its distribution, which has these objects.
fn closure<'a>(own: &QuickMap<&[u8], &'a Object>, object: &'a Object) -> QuickSet<&'a [u8]> {
    let mut reached = QuickSet::default();
    let mut next = vec![object];
    while let Some(object) = next.pop() {
        for name in object.needed() {
            if reached.insert(name.as_slice()) {
                next.extend(own.get(name.as_slice()));
            }
        }
    }
    reached
}
