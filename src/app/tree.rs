//! Tree: what the loader would load for a program, and from where.

use super::targets::open_object;
use super::view::{Mounted, View};
use super::{App, Error};
use crate::bytes::{self, Source};
use crate::elf::Image;
use crate::loader::dyld::{self, Dyld};
use crate::loader::{self, Closure, Loader, Settings, System};
use crate::macho::{Arch, Container};
use crate::object::Format;
use crate::vfs::Vfs;
use crate::world::origins::{Home, homes};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// `S_ISUID` and `S_ISGID`.
const SET_ID: u32 = 0o6000;

/// What is to be resolved.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Programs and libraries, as they were named.
    pub files: Vec<PathBuf>,
    /// The program that opens them; without one each starts by itself.
    pub main: Option<PathBuf>,
    /// The loader's environment.
    pub settings: Settings,
}

impl App {
    /// Resolves each file.
    ///
    /// # Errors
    /// Where one cannot be read, or the loader takes it for neither a library nor a program.
    pub fn tree(&self, how: &Tree) -> Result<Vec<Closure>, Error> {
        let here = &self.ambient()?.working_directory;
        let main = how.main.as_ref().map(|main| (here.join(main), main.as_path()));
        let settings = &how.settings;
        let files = self.vfs.remembering();
        let mut loaders = Loaders { vfs: &files, settings, known: Vec::new() };
        let closures = how.files.iter().map(|file| {
            let path = here.join(file);
            let view = View::at(&files, &path)?;
            if view.wheel().is_some_and(|wheel| wheel.path() == path) {
                return Err(Error::WholeWheel(file.clone()));
            }
            let main = main.as_ref().map(|(path, named)| (path.as_path(), *named));
            let closure =
                closure(&mut loaders, &Mounted { view: &view, files: &files }, &path, file, main)?;
            view.require_sound()?;
            Ok(closure)
        });
        closures.collect()
    }

    /// Where the files of closures come from.
    #[must_use]
    pub fn homes<'c>(&self, closures: &'c [Closure]) -> HashMap<&'c Path, Home> {
        let objects = closures.iter().flat_map(|closure| &closure.objects);
        let needs = objects.clone().flat_map(|(_, needed)| needed);
        let found = needs.filter_map(|need| need.found.as_deref());
        homes(&self.vfs, objects.map(|(path, _)| path.as_path()).chain(found))
    }
}

/// What is loaded for the file at `path`, which the user called `file`, by itself or by `main`.
fn closure(
    loaders: &mut Loaders<'_>,
    mounted: &Mounted<'_>,
    path: &Path,
    file: &Path,
    main: Option<(&Path, &Path)>,
) -> Result<Closure, Error> {
    let (started, called) = main.unwrap_or((path, file));
    let opened = Format::of(&*open_object(mounted, path, file)?);
    let source = open_object(mounted, started, called)?;
    let format = Format::of(&*source);
    let opened = main.is_some().then_some(path).filter(|_| opened == format);
    let settings = loaders.settings;
    let closure = match format {
        Some(Format::Macho) => macho(mounted, &*source, started, opened, settings),
        _ if mounted.view.wheel().is_some() => {
            let mut loaders = Loaders { vfs: mounted, settings, known: Vec::new() };
            loaders.closure(&*source, started, opened)
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

/// The loaders that the files so far need: each reads a file once, however many need it.
struct Loaders<'a> {
    vfs: &'a dyn Vfs,
    settings: &'a Settings,
    known: Vec<(Key, Loader<'a>)>,
}

/// What makes a loader another one: `PT_INTERP`, what it can load, and whether the process has more
/// rights than its caller.
type Key = (Option<Vec<u8>>, loader::Target, bool);

impl Loaders<'_> {
    /// What ld.so loads for the program at `started`, or for `opened` in it. A program with the
    /// set-user-ID or set-group-ID bit is taken to be started by somebody else than its owner.
    fn closure(
        &mut self,
        source: &dyn Source,
        started: &Path,
        opened: Option<&Path>,
    ) -> Result<Closure, bytes::Error> {
        let summary = Image::parse(source).and_then(|image| image.summary())?;
        let mode = self.vfs.metadata(started).map_or(0, |metadata| metadata.mode);
        let secure = summary.interpreter.is_some() && mode & SET_ID != 0;
        let key = (summary.interpreter.clone(), loader::Target::of(&summary), secure);
        let index = self.known.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let system = System::read_as(self.vfs, &summary, self.settings.libc);
            let settings = Settings { secure, ..self.settings.clone() };
            self.known.push((key, Loader::new(self.vfs, system, settings)));
            self.known.len() - 1
        });
        let Some((_, loader)) = self.known.get(index) else { return Ok(Closure::nothing()) };
        let program = loader.program(started);
        Ok(match opened {
            Some(path) => {
                let opened = loader.dlopen(&[&program], path);
                match &opened.root.found {
                    // The program has loaded it already.
                    Some(found) if opened.objects.is_empty() => Closure::within(&program, found),
                    _ => (&opened).into(),
                }
            }
            None => (&program).into(),
        })
    }
}

/// What dyld loads for the program at `started`, or for `opened` in it. The processor is the
/// program's; of a universal one Apple's own, where it has a slice for it.
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
