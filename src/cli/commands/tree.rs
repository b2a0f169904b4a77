//! `tfpatch tree`: dependencies as the loader would resolve them.

use crate::app::Error;
use crate::app::targets::open_object;
use crate::app::view::{Mounted, View};
use crate::bytes::{self, Source, shown};
use crate::cli::args::{self, Tree};
use crate::cli::session::Session;
use crate::elf::Image;
use crate::loader::dyld::{self, Dyld};
use crate::loader::{self, Closure, Loader, Settings, System};
use crate::macho::{Arch, Container};
use crate::object::Format;
use crate::report::json::{self, TreeReport};
use crate::report::{dot, tree};
use crate::vfs::Vfs;
use crate::world::origins::homes;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// `S_ISUID` and `S_ISGID`.
const SET_ID: u32 = 0o6000;

/// Resolves each file.
///
/// # Errors
/// Where one cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Tree) -> Result<u8, Error> {
    let here = session.app.ambient()?.working_directory.clone();
    let settings = session.loader_settings(&options.simulation)?;
    let files = session.app.vfs.clone();
    let mut closures: Vec<Closure> = Vec::new();
    let mut loaders = Loaders { vfs: &session.app.vfs, settings: &settings, known: Vec::new() };
    for file in &options.files {
        let path = here.join(file);
        let main = options.main.as_ref().map(|main| here.join(main));
        let started = main.as_deref().unwrap_or(&path);
        let called = options.main.as_ref().unwrap_or(file);
        let view = View::at(&files, &path)?;
        if view.wheel().is_some_and(|wheel| wheel.path() == path) {
            let why = format!("{} is a wheel: name an object in it", shown(file));
            let example = format!("tfpatch tree {}/PACKAGE/MODULE.so", shown(file));
            return Err(Error::new(why).hint(example));
        }
        let vfs = Mounted { view: &view, files: &files };
        let opened = Format::of(&*open_object(&vfs, &path, file)?);
        let source = open_object(&vfs, started, called)?;
        let format = Format::of(&*source);
        let named = |error: bytes::Error| Error::new(format!("{}: {error}", shown(called)));
        let opened = main.is_some().then_some(path.as_path()).filter(|_| opened == format);
        let closure = match format {
            Some(Format::Macho) => macho(&vfs, &*source, started, opened, &settings),
            _ if view.wheel().is_some() => {
                let mut loaders = Loaders { vfs: &vfs, settings: &settings, known: Vec::new() };
                loaders.closure(&*source, started, opened)
            }
            _ => loaders.closure(&*source, started, opened),
        };
        let closure = closure.map_err(named)?;
        if closure.objects.is_empty() || (main.is_some() && opened.is_none()) {
            let why = "the loader does not take it as a shared object or a program";
            let said = closure.words.first().map(|said| said.words.clone());
            let said = said.unwrap_or_else(|| format!("{}: {why}", shown(file)));
            return Err(Error::new(said));
        }
        view.require_sound()?;
        closures.push(closure);
    }
    let status = u8::from(!closures.iter().all(|closure| closure.loads));
    match session.format {
        args::Format::Json => json::write(&mut *session.out, &TreeReport::of(&closures))?,
        args::Format::Dot => {
            let objects = closures.iter().flat_map(|closure| &closure.objects);
            let needs = objects.clone().flat_map(|(_, needed)| needed);
            let found = needs.filter_map(|need| need.found.as_deref());
            let files = objects.map(|(path, _)| path.as_path()).chain(found);
            let homes = homes(&session.app.vfs, files);
            dot::write(&mut *session.out, &closures, &homes, session.detail)?;
        }
        args::Format::Human | args::Format::Markdown => {
            for closure in &closures {
                tree::write(&mut *session.out, closure, options.flat, session.detail)?;
            }
        }
    }
    Ok(status)
}

/// The loaders that the files so far asked for: each reads a file once, however many need it.
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
