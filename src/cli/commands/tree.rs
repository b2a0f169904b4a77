//! `tfpatch tree`: dependencies as the loader would resolve them.

use crate::bytes::{self, Source};
use crate::cli::args::{self, Tree};
use crate::cli::error::CommandError;
use crate::cli::session::{Session, open_object};
use crate::cli::view::{Mounted, View};
use crate::elf::Image;
use crate::loader::dyld::{self, Dyld};
use crate::loader::{Closure, Loader, Settings, System};
use crate::macho::{Arch, Container};
use crate::object::Format;
use crate::repair::target::shown;
use crate::report::json::{self, TreeReport};
use crate::report::tree;
use crate::vfs::Vfs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Resolves each file.
///
/// # Errors
/// Where one cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Tree) -> Result<u8, CommandError> {
    let here = session.ambient()?.working_directory;
    let settings = session.loader_settings(&options.simulation)?;
    let files = session.vfs.clone();
    let mut closures: Vec<Closure> = Vec::new();
    for file in &options.files {
        let path = here.join(file);
        let main = options.main.as_ref().map(|main| here.join(main));
        let started = main.as_deref().unwrap_or(&path);
        let called = options.main.as_ref().unwrap_or(file);
        let view = View::at(&files, &path)?;
        if view.wheel().is_some_and(|wheel| wheel.path() == path) {
            let why = format!("{} is a wheel: name an object in it", shown(file));
            let example = format!("tfpatch tree {}/PACKAGE/MODULE.so", shown(file));
            return Err(CommandError::new(why).hint(example));
        }
        let vfs = Mounted { view: &view, files: &files };
        let opened = Format::of(&*open_object(&vfs, &path, file)?);
        let source = open_object(&vfs, started, called)?;
        let format = Format::of(&*source);
        let named = |error: bytes::Error| CommandError::new(format!("{}: {error}", shown(called)));
        let opened = main.is_some().then_some(path.as_path()).filter(|_| opened == format);
        let closure = match format {
            Some(Format::Macho) => macho(&vfs, &*source, started, opened, &settings),
            _ => elf(&vfs, &*source, started, opened, &settings),
        };
        let closure = closure.map_err(named)?;
        if closure.objects.is_empty() || (main.is_some() && opened.is_none()) {
            let why = "the loader does not take it as a shared object or a program";
            return Err(CommandError::new(format!("{}: {why}", shown(file))));
        }
        view.require_sound()?;
        closures.push(closure);
    }
    let status = u8::from(!closures.iter().all(|closure| closure.loads));
    match session.format {
        args::Format::Json => json::write(&mut *session.out, &TreeReport::of(&closures))?,
        args::Format::Human => {
            for closure in &closures {
                tree::write(&mut *session.out, closure, options.flat, session.detail)?;
            }
        }
    }
    Ok(status)
}

/// What ld.so loads for the program at `started`, or for `opened` in it.
fn elf(
    vfs: &dyn Vfs,
    source: &dyn Source,
    started: &Path,
    opened: Option<&Path>,
    settings: &Settings,
) -> Result<Closure, bytes::Error> {
    let summary = Image::parse(source).and_then(|image| image.summary())?;
    let loader = Loader::new(vfs, System::read(vfs, &summary), settings.clone());
    let program = loader.program(started);
    Ok(match opened {
        Some(path) => (&loader.dlopen(&[&program], path)).into(),
        None => (&program).into(),
    })
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
        return Ok(Closure { objects: Vec::new(), loads: false, words: None });
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
