//! What the Python code of a distribution shows about its shared objects: whether it works without a
//! module, what it imports before one, and which libraries it opens.
//!
//! Code is read only of distributions whose objects lack something, and of these only the files that
//! contain the name in question.

mod execution;
pub mod mentions;
mod openers;
mod order;
pub mod standard;

use self::execution::Order;
use super::World;
use super::inventory::{Object, Role};
use super::makers::Maker;
use crate::python::sources::{self, Import, Source, Standing, When};
use crate::vfs::{FileKind, Vfs};
use memchr::memmem;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// The most code that is searched, in bytes: eight times that of NumPy.
const MAX_BYTES: u64 = 64 << 20;

/// The most code that is parsed in a run, in bytes; it takes half a second.
const MAX_PARSED_BYTES: u64 = 8 << 20;

/// The most files of a package that no RECORD lists.
const MAX_FILES: usize = 20_000;

/// How many steps the modules that import a module are followed.
const MAX_STEPS: usize = 8;

/// A line of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
}

/// What code does where an object fails to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// It fails as well, whenever it is imported.
    Fails(SourceLine),
    /// It continues without the object: everything that loads it is in a `try`. The first such
    /// place.
    GoesOn(SourceLine),
    /// It loads the object only when a function is called. The first such place.
    Later(SourceLine),
}

/// The code of a target, read when it is needed.
pub struct PythonCode<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    packages: RefCell<HashMap<Maker, Rc<Package>>>,
    /// The owners of the modules in the packages at the top level.
    makers: OnceCell<HashMap<OsString, BTreeSet<Maker>>>,
    /// The distributions by their names at the top level.
    called: OnceCell<HashMap<String, usize>>,
    /// In which order packages import modules, by their names.
    orders: RefCell<HashMap<String, Rc<Order>>>,
    /// Whether distributions pass the names of libraries to functions, and call a function.
    handed: RefCell<HashMap<(Maker, String), bool>>,
    /// How many bytes may still be read, and parsed.
    unread: Cell<u64>,
    unparsed: Cell<u64>,
}

/// The code of a distribution.
struct Package {
    files: Vec<File>,
    /// The places of the files by the modules that they are.
    by_module: HashMap<String, usize>,
    /// Is there code that was not read because it is too long?
    is_partly_unread: bool,
}

struct File {
    path: PathBuf,
    /// The module that it is, with dots.
    module: String,
    /// Is it the `__init__.py` of a package?
    is_package: bool,
    bytes: Vec<u8>,
    /// Its content; `None` if it was not parsed.
    source: OnceCell<Option<Source>>,
    /// May it open a library, according to its words?
    may_open: OnceCell<bool>,
}

/// The question.
#[derive(Clone, Copy)]
enum Error {
    /// An import fails.
    Import,
    /// A call fails that opens a library.
    Open,
}

impl Error {
    fn is_caught(self, standing: Standing) -> bool {
        match self {
            Self::Import => standing.catches_import_error,
            Self::Open => standing.catches_os_error,
        }
    }
}

/// What is known so far about the code that imports a module.
#[derive(Default)]
struct Leading {
    guard: Option<SourceLine>,
    call: Option<SourceLine>,
    force: Option<SourceLine>,
    /// Does anything import it at all?
    is_led_to: bool,
    /// Is there a file that contains the name and could not be read?
    is_partly_unread: bool,
}

impl Leading {
    /// What follows for an import of the package.
    fn reaction(self, package: &Package) -> Option<Reaction> {
        if self.is_partly_unread || package.is_partly_unread {
            return None;
        }
        let force = self.force.map(Reaction::Fails);
        let call = self.call.map(Reaction::Later);
        force.or(call).or(self.guard.map(Reaction::GoesOn))
    }
}

impl<'a> PythonCode<'a> {
    /// The code of a target; nothing is read yet.
    #[must_use]
    pub fn new(vfs: &'a dyn Vfs, world: &'a World) -> Self {
        Self {
            vfs,
            world,
            packages: RefCell::default(),
            makers: OnceCell::new(),
            called: OnceCell::new(),
            orders: RefCell::default(),
            handed: RefCell::default(),
            unread: Cell::new(MAX_BYTES),
            unparsed: Cell::new(MAX_PARSED_BYTES),
        }
    }

    /// What the code of an object's own distribution does if the object fails to load; `None` if it
    /// does not show that.
    #[must_use]
    pub fn reaction(&self, object: &Object) -> Option<Reaction> {
        let package = self.package(&self.world.maker(object)?)?;
        let leading = match object.role {
            Role::ExtensionModule => self.importing(&package, &self.module_name(object)?)?,
            Role::Library => self.opening(&package, object)?,
            Role::Executable => return None,
        };
        leading.reaction(&package)
    }

    /// The same for a module of a distribution that is not installed.
    #[must_use]
    pub fn reaction_without(&self, distribution: usize, file: &Path) -> Option<Reaction> {
        let site = &self.world.inventory.distributions.get(distribution)?.site;
        let package = self.package(&Maker::Distribution(distribution))?;
        self.importing(&package, &module_of(site, file)?)?.reaction(&package)
    }

    /// What imports a module; `None` if this is not known.
    fn importing(&self, package: &Package, module: &str) -> Option<Leading> {
        let leading = self.leading_to(package, module, Error::Import);
        // A module for others to import fails when they import it.
        let is_told = leading.guard.is_some() || leading.force.is_some();
        (is_told || !is_public(module)).then_some(leading)
    }

    /// Does a distribution have no Python code, so that its modules are imported by the code of
    /// others?
    #[must_use]
    pub fn is_without_sources(&self, maker: &Maker) -> bool {
        self.package(maker).is_some_and(|it| it.files.is_empty() && !it.is_partly_unread)
    }

    /// Does a package at the top level contain modules of a distribution?
    #[must_use]
    pub fn is_of(&self, package: &str, maker: &Maker) -> bool {
        let makers = self.makers.get_or_init(|| self.makers_of_packages());
        makers.get(OsStr::new(package)).is_some_and(|makers| makers.contains(maker))
    }

    fn makers_of_packages(&self) -> HashMap<OsString, BTreeSet<Maker>> {
        let mut found: HashMap<OsString, BTreeSet<Maker>> = HashMap::new();
        let objects = self.world.inventory.objects.iter();
        for module in objects.filter(|object| object.role == Role::ExtensionModule) {
            let below = self.site_of(module).and_then(|site| module.path.strip_prefix(site).ok());
            let package = below.and_then(|below| below.iter().next());
            if let Some((package, maker)) = package.zip(self.world.maker(module)) {
                found.entry(package.to_owned()).or_default().insert(maker);
            }
        }
        found
    }

    /// What opens a library by a path or a name that constants show.
    fn opening(&self, package: &Package, library: &Object) -> Option<Leading> {
        let name = str::from_utf8(library.name()).ok()?;
        let stem = name.split('.').next().filter(|stem| !stem.is_empty())?;
        let mut leading = Leading::default();
        for file in self.holding(package, stem) {
            leading.is_partly_unread |= file.source().is_none();
            let openings = file.source().into_iter().flat_map(|source| &source.openings);
            for opening in openings.filter(|it| it.what.file_name() == Some(name)) {
                match opening.standing {
                    Standing { when: When::Never, .. } => {}
                    standing if Error::Open.is_caught(standing) => {
                        leading.guard.get_or_insert(file.at(standing));
                    }
                    // It is not known what calls a function, and when a condition holds.
                    standing if standing.when != When::Always => return None,
                    standing => {
                        let above = self.leading_to(package, &file.module, Error::Open);
                        let is_guarded = above.force.is_none() && above.guard.is_some();
                        match above.guard.filter(|_| is_guarded) {
                            Some(guard) => _ = leading.guard.get_or_insert(guard),
                            None => _ = leading.force.get_or_insert(file.at(standing)),
                        }
                    }
                }
            }
        }
        Some(leading)
    }

    fn leading_to(&self, package: &Package, module: &str, error: Error) -> Leading {
        let mut seen = HashSet::from([module.to_owned()]);
        self.leading(package, module, error, &mut seen, MAX_STEPS)
    }

    /// What imports a module, and what imports these modules if no error is caught: a module that
    /// users may import loads it in any case.
    fn leading(
        &self,
        package: &Package,
        module: &str,
        error: Error,
        seen: &mut HashSet<String>,
        steps: usize,
    ) -> Leading {
        let mut leading = Leading::default();
        // A number at its end may be added by a program.
        let word = module.rsplit('.').next().unwrap_or(module);
        let word = word.trim_end_matches(|digit: char| digit.is_ascii_digit());
        for file in self.holding(package, word) {
            leading.is_partly_unread |= file.source().is_none();
            let imports = file.source().into_iter().flat_map(|source| &source.imports);
            for import in imports.filter(|import| file.imports(import, module)) {
                let standing = import.standing;
                if standing.when == When::Never || file.module == module {
                    continue;
                }
                leading.is_led_to = true;
                if error.is_caught(standing) {
                    leading.guard.get_or_insert(file.at(standing));
                    continue;
                }
                if let Some(line) = self.set_otherwise(package, file, import, module) {
                    leading.guard.get_or_insert(line);
                    continue;
                }
                if standing.when == When::Called {
                    leading.call.get_or_insert(file.at(standing));
                    continue;
                }
                let Some(steps) = steps.checked_sub(1).filter(|_| file.module.contains('.')) else {
                    leading.force = Some(file.at(standing));
                    return leading;
                };
                if !seen.insert(file.module.clone()) {
                    continue;
                }
                let above = self.leading(package, &file.module, error, seen, steps);
                // A module that nothing imports is meant to be imported by others.
                leading.is_partly_unread |= above.is_partly_unread;
                let is_only_called = above.guard.is_none() && above.call.is_some();
                let is_only_called = is_only_called && is_public(&file.module);
                if above.force.is_some() || !above.is_led_to || is_only_called {
                    leading.force = Some(file.at(standing));
                    return leading;
                }
                leading.guard = leading.guard.or(above.guard);
                leading.call = leading.call.or(above.call);
            }
        }
        leading
    }

    /// The line by which the package that a name is taken from has the module, or a replacement of that name: it
    /// catches what the import of the module raises, so that the name always exists.
    fn set_otherwise(
        &self,
        package: &Package,
        file: &File,
        import: &Import,
        module: &str,
    ) -> Option<SourceLine> {
        let (from, name) = module.rsplit_once('.')?;
        let is_name = file.base(import).as_deref() == Some(from)
            && import.names.iter().any(|taken| taken == name);
        let init = package.files.iter().find(|it| it.module == from && is_name)?;
        self.parse(&[init]);
        let guarded = init.source()?.imports.iter().find(|it| {
            let is_bound = it.names.iter().any(|taken| taken == name);
            it.standing.catches_import_error && is_bound && init.imports(it, module)
        })?;
        Some(init.at(guarded.standing))
    }

    /// The files of a package that contain a word, parsed; tests are left out.
    fn holding<'p>(&self, package: &'p Package, word: &str) -> Vec<&'p File> {
        let finder = memmem::Finder::new(word);
        let files = package.files.iter();
        let files: Vec<&File> = files.filter(|file| finder.find(&file.bytes).is_some()).collect();
        self.parse(&files);
        files
    }

    fn parse(&self, files: &[&File]) {
        let is_new = |file: &&&File| file.source.get().is_none();
        let mut new: Vec<&File> = files.iter().filter(is_new).copied().collect();
        new.retain(|file| {
            let left = self.unparsed.get().checked_sub(file.bytes.len() as u64);
            left.map(|left| self.unparsed.set(left)).is_some()
        });
        let texts: Vec<&[u8]> = new.iter().map(|file| file.bytes.as_slice()).collect();
        if texts.is_empty() {
            return;
        }
        for (file, source) in new.iter().zip(sources::read(&texts)) {
            // It is empty, or it would not be new.
            let _ = file.source.set(source.ok());
        }
    }

    fn package(&self, maker: &Maker) -> Option<Rc<Package>> {
        if let Some(known) = self.packages.borrow().get(maker) {
            return Some(Rc::clone(known));
        }
        let package = Rc::new(self.read(maker)?);
        self.packages.borrow_mut().insert(maker.clone(), Rc::clone(&package));
        Some(package)
    }

    fn read(&self, maker: &Maker) -> Option<Package> {
        let Maker::Distribution(index) = maker else {
            let mut objects = self.world.inventory.objects.iter();
            let own = objects.find(|it| self.world.maker(it).as_ref() == Some(maker))?;
            let site = self.site_of(own)?;
            let first = own.path.strip_prefix(site).ok()?.components().next()?;
            return Some(self.files(site, &self.walked(&site.join(first))));
        };
        let distribution = self.world.inventory.distributions.get(*index)?;
        let paths = distribution.listed_files(self.vfs).unwrap_or_else(|| {
            let names = distribution.top_level(self.vfs).into_iter();
            let walked =
                |name: Vec<u8>| self.walked(&distribution.site.join(OsStr::from_bytes(&name)));
            names.flat_map(walked).collect()
        });
        Some(self.files(&distribution.site, &paths))
    }

    /// The source files below a directory.
    fn walked(&self, directory: &Path) -> Vec<PathBuf> {
        let (mut found, mut next) = (Vec::new(), vec![directory.to_owned()]);
        while let Some(directory) = next.pop() {
            for entry in self.vfs.read_dir(&directory).unwrap_or_default() {
                let path = directory.join(&entry.name);
                match entry.kind {
                    FileKind::Directory => next.push(path),
                    FileKind::File if is_source(&path) => found.push(path),
                    _ => {}
                }
            }
            if found.len() + next.len() > MAX_FILES {
                break;
            }
        }
        found
    }

    fn files(&self, site: &Path, paths: &[PathBuf]) -> Package {
        let (mut files, mut is_partly_unread) = (Vec::new(), false);
        for path in paths.iter().filter(|path| is_source(path)) {
            let Some(module) = module_of(site, path) else { continue };
            if module.split('.').any(is_of_tests) {
                continue;
            }
            let Ok(source) = self.vfs.open(path) else { continue };
            let len = source.len();
            let Some(left) = self.unread.get().checked_sub(len) else {
                is_partly_unread = true;
                continue;
            };
            self.unread.set(left);
            let Some(bytes) = source.get(0..len) else { continue };
            // A longer file is searched for names, and not parsed.
            let is_parsed = len <= sources::MAX_FILE_BYTES;
            files.push(File {
                path: path.clone(),
                module,
                is_package: path.file_name() == Some(OsStr::new("__init__.py")),
                bytes: bytes.into_owned(),
                source: if is_parsed { OnceCell::new() } else { OnceCell::from(None) },
                may_open: OnceCell::new(),
            });
        }
        let by_module = files.iter().enumerate().map(|(at, file)| (file.module.clone(), at));
        Package { by_module: by_module.collect(), files, is_partly_unread }
    }

    /// The name by which a module is imported.
    fn module_name(&self, module: &Object) -> Option<String> {
        module_of(self.site_of(module)?, &module.path)
    }

    /// The directory of packages that an object is in.
    fn site_of(&self, object: &Object) -> Option<&'a Path> {
        let world = self.world;
        if let Some(distribution) = world.inventory.distribution_of(object) {
            return Some(&distribution.site);
        }
        let mut sites = world.inventory.sites.iter();
        sites.find(|site| object.path.starts_with(site)).map(PathBuf::as_path)
    }
}

impl Package {
    /// The file that is a module.
    fn module(&self, name: &str) -> Option<&File> {
        self.files.get(*self.by_module.get(name)?)
    }

    /// The files that an import of one of them leads to, in order.
    fn led_to(&self, file: &File, import: &Import) -> Vec<&File> {
        let Some(base) = file.base(import) else { return Vec::new() };
        if import.is_start {
            return self.files.iter().filter(|it| file.imports(import, &it.module)).collect();
        }
        let own = import.names.iter().map(|name| format!("{base}.{name}"));
        let names: Vec<String> = own.chain([base.clone()]).collect();
        let each = names.iter().flat_map(|name| {
            let ends = name.match_indices('.').map(|(end, _)| end).chain([name.len()]);
            ends.filter_map(|end| name.get(..end))
        });
        let places: BTreeSet<usize> =
            each.filter_map(|name| self.by_module.get(name)).copied().collect();
        places.into_iter().filter_map(|at| self.files.get(at)).collect()
    }
}

impl File {
    fn source(&self) -> Option<&Source> {
        self.source.get()?.as_ref()
    }

    fn at(&self, standing: Standing) -> SourceLine {
        SourceLine { file: self.path.clone(), line: standing.line }
    }

    /// Does an import of this file load a module, or something in it?
    fn imports(&self, import: &Import, module: &str) -> bool {
        let Some(base) = self.base(import) else { return false };
        // A beginning that ends with a dot does not show which.
        if import.is_start {
            return base.contains('.') && !base.ends_with('.') && module.starts_with(&base);
        }
        let leads = |name: &str| {
            name.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        leads(&base) || import.names.iter().any(|name| leads(&format!("{base}.{name}")))
    }

    /// The module that an import begins with, from the top (PEP 328).
    fn base(&self, import: &Import) -> Option<String> {
        if import.level == 0 {
            return Some(import.module.clone());
        }
        let mut parts: Vec<&str> = self.module.split('.').collect();
        let up = usize::try_from(import.level).ok()? - usize::from(self.is_package);
        parts.truncate(parts.len().checked_sub(up)?);
        if !import.module.is_empty() {
            parts.push(&import.module);
        }
        Some(parts.join("."))
    }
}

/// Does a file have the name of Python source?
fn is_source(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b".py")
}

/// Is a package or a module one of tests, by the names that pytest and unittest go by? Nothing else needs what
/// tests import.
fn is_of_tests(part: &str) -> bool {
    matches!(part, "tests" | "test") || part.starts_with("test_") || part.ends_with("_test")
}

/// Is a module meant to be imported by others, which means that none of its names begins with an
/// underscore?
fn is_public(module: &str) -> bool {
    !module.split('.').any(|part| part.starts_with('_'))
}

/// The name by which Python imports a file: its path below a directory of packages, with dots, without
/// the ending (PEP 3149) and without `__init__`.
fn module_of(site: &Path, file: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in file.strip_prefix(site).ok()?.components() {
        let Component::Normal(part) = component else { return None };
        parts.push(part.to_str()?);
    }
    let last = parts.pop()?.split('.').next()?;
    if last != "__init__" {
        parts.push(last);
    }
    (!parts.is_empty()).then(|| parts.join("."))
}
