//! Shows what the loader would load for a program, and from where.

use super::targets::open_object;
use super::view::{Mounted, View};
use super::{App, Error};
use crate::bytes::{self, Source};
use crate::elf::{Image, Summary};
use crate::loader::dyld::{self, Dyld};
use crate::loader::{self, Closure, Loader, Settings, System};
use crate::macho::{Arch, Container};
use crate::object::Format;
use crate::vfs::Vfs;
use crate::world::origins::{Home, homes};
use rayon::prelude::*;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// `S_ISUID` and `S_ISGID`.
const SET_ID: u32 = 0o6000;

/// The files to resolve.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Programs and libraries, as the user named them.
    pub files: Vec<PathBuf>,
    /// The program that opens them. Without it, each is started itself.
    pub main: Option<PathBuf>,
    /// The environment of the loader.
    pub settings: Settings,
}

impl App {
    /// Resolves each file, and makes something smaller of what is loaded for it, which for a thousand files together
    /// takes much memory.
    ///
    /// # Errors
    /// If one cannot be read, or the loader takes it for neither a library nor a program.
    pub fn tree<T: Send>(
        &self,
        how: &Tree,
        make: impl Fn(Closure) -> T + Sync,
    ) -> Result<Vec<T>, Error> {
        let here = &self.ambient()?.working_directory;
        let main = how.main.as_ref().map(|main| (here.join(main), main.as_path()));
        let settings = &how.settings;
        let files = self.vfs.remembering();
        let loaders = Loaders::new(&files, settings);
        let resolve = |file: &PathBuf| {
            let path = here.join(file);
            let view = View::at(&files, &path)?;
            if view.wheel().is_some_and(|wheel| wheel.path() == path) {
                return Err(Error::WholeWheel(file.clone()));
            }
            let main = main.as_ref().map(|(path, named)| (path.as_path(), *named));
            let closure =
                closure(&loaders, &Mounted { view: &view, files: &files }, &path, file, main)?;
            view.require_sound()?;
            Ok(make(closure))
        };
        // Starting threads takes longer than resolving one file.
        if let [file] = how.files.as_slice() {
            return Ok(vec![resolve(file)?]);
        }
        let closures: Vec<Result<T, Error>> = how.files.par_iter().map(resolve).collect();
        // Report the first error, in the order of the files.
        let closures = closures.into_iter().collect();
        // The program ends soon: to free each part of what was found takes a tenth of its time.
        std::mem::forget(loaders);
        std::mem::forget(files);
        closures
    }

    /// Where the files of closures come from.
    #[must_use]
    pub fn homes<'c>(&self, closures: &'c [Closure]) -> HashMap<&'c Path, Home> {
        let objects = closures.iter().flat_map(|closure| &closure.objects);
        let needs = objects.clone().flat_map(|(_, needed)| needed);
        let found = needs.filter_map(|need| need.found.as_deref());
        homes(&self.vfs, objects.map(|(path, _)| &**path).chain(found))
    }
}

/// The libraries that are loaded for the file at `path`, which the user called `file`. It is started itself,
/// or opened by `main`.
fn closure(
    loaders: &Loaders<'_>,
    mounted: &Mounted<'_>,
    path: &Path,
    file: &Path,
    main: Option<(&Path, &Path)>,
) -> Result<Closure, Error> {
    let (started, called) = main.unwrap_or((path, file));
    let opened = open_object(mounted, path, file)?;
    let (source, opened) = match main {
        None => (opened, None),
        Some(_) => (open_object(mounted, started, called)?, Some(Format::of(&*opened))),
    };
    let format = Format::of(&*source);
    let opened = opened.filter(|opened| *opened == format).map(|_| path);
    let settings = loaders.settings;
    let closure = match format {
        Some(Format::Macho) => macho(mounted, &*source, started, opened, settings),
        _ if mounted.view.wheel().is_some() => {
            Loaders::new(mounted, settings).closure(&*source, started, opened)
        }
        _ => loaders.closure(&*source, started, opened),
    };
    let closure = closure.map_err(|error| Error::about(called, error))?;
    if closure.objects.is_empty() || (main.is_some() && opened.is_none()) {
        let words = closure.words.first().map(|said| said.words.clone());
        return Err(Error::NotTaken { file: file.to_owned(), words });
    }
    Ok(closure)
}

/// The loaders for the files so far. Each reads a file once, however many objects need it.
struct Loaders<'a> {
    vfs: &'a dyn Vfs,
    settings: &'a Settings,
    known: RwLock<Vec<(Key, Arc<Loader<'a>>)>>,
}

/// Everything that distinguishes loaders: `PT_INTERP`, the formats that it can load, and whether the process
/// has more privileges than its caller.
type Key = (Option<Vec<u8>>, loader::Target, bool);

impl<'a> Loaders<'a> {
    fn new(vfs: &'a dyn Vfs, settings: &'a Settings) -> Self {
        Self { vfs, settings, known: RwLock::default() }
    }

    /// The loader for a key, which an object with this summary requires.
    fn loader(&self, key: &Key, summary: &Summary) -> Arc<Loader<'a>> {
        let among = |known: &[(Key, Arc<Loader<'a>>)]| {
            let same = known.iter().find(|(known, _)| known == key);
            same.map(|(_, loader)| Arc::clone(loader))
        };
        let known = among(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(loader) = known {
            return loader;
        }
        // Create each loader only once, because it reads the settings of the system, and then every library.
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        among(&known).unwrap_or_else(|| {
            let (.., secure) = *key;
            let system = System::read_as(self.vfs, summary, self.settings.libc);
            let settings = Settings { secure, ..self.settings.clone() };
            let loader = Arc::new(Loader::new(self.vfs, system, settings));
            known.push((key.clone(), Arc::clone(&loader)));
            loader
        })
    }

    /// The libraries that ld.so loads for the program at `started`, or for `opened` in it. A program with the
    /// set-user-ID or set-group-ID bit is assumed to be started by somebody other than its owner.
    fn closure(
        &self,
        source: &dyn Source,
        started: &Path,
        opened: Option<&Path>,
    ) -> Result<Closure, bytes::Error> {
        let metadata = self.vfs.metadata(started);
        let mode = metadata.as_ref().map_or(0, |metadata| metadata.mode);
        let known = metadata.and_then(|it| self.vfs.headers(started, it.id, Some(source)));
        let summary = match known {
            Ok(headers) => Arc::clone(&headers.object()?.summary),
            Err(_) => Arc::new(Image::parse(source)?.summary()?),
        };
        let secure = summary.interpreter.is_some() && mode & SET_ID != 0;
        let key = (summary.interpreter.clone(), loader::Target::of(&summary), secure);
        let loader = self.loader(&key, &summary);
        let program = loader.program(started);
        Ok(match opened {
            Some(path) => {
                let opened = loader.dlopen(&[&program], path);
                match &opened.root.found {
                    // The program has already loaded it.
                    Some(found) if opened.objects.is_empty() => Closure::within(program, found),
                    _ => opened.into(),
                }
            }
            None => program.into(),
        })
    }
}

/// The libraries that dyld loads for the program at `started`, or for `opened` in it. The processor is that
/// of the program; for a universal one it is Apple silicon, if there is a slice for it.
fn macho(
    vfs: &dyn Vfs,
    source: &dyn Source,
    started: &Path,
    opened: Option<&Path>,
    settings: &Settings,
) -> Result<Closure, bytes::Error> {
    let container = Container::parse(source)?;
    let archs = container.slices.iter().map(|slice| slice.arch());
    let Some(arch) = archs.min_by_key(|arch: &Arch| arch.name() != "arm64") else {
        return Ok(Closure::nothing());
    };
    let system = dyld::System { version: settings.macos, arch };
    let dyld = Dyld::new(vfs, system, settings.dyld.clone());
    let program = dyld.program(&vfs.canonicalize(started).unwrap_or_else(|_| started.to_owned()));
    let loaded = match opened {
        Some(path) => dyld.dlopen(&program.process, None, path.as_os_str().as_bytes()),
        None => program,
    };
    Ok(Closure::of_opened(&loaded, settings.macos))
}
