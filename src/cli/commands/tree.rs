//! `tfpatch tree`: dependencies as the loader would resolve them.

use crate::bytes::{self, Source};
use crate::cli::args::{self, Tree};
use crate::cli::error::CommandError;
use crate::cli::session::{Session, open_object};
use crate::elf::Image;
use crate::loader::dyld::{self, Dyld};
use crate::loader::{Closure, Loader, Settings, System};
use crate::macho::{Arch, Container};
use crate::object::Format;
use crate::repair::target::shown;
use crate::report::json::{self, TreeReport};
use crate::report::tree;
use crate::vfs::{OsVfs, Vfs as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// `S_ISUID` and `S_ISGID`.
const SET_ID: u32 = 0o6000;

/// Resolves each file.
///
/// # Errors
/// Where one cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Tree) -> Result<u8, CommandError> {
    let here = session.ambient()?.working_directory;
    let settings = session.loader_settings(&options.simulation)?;
    let mut closures: Vec<Closure> = Vec::new();
    for file in &options.files {
        let path = here.join(file);
        let main = options.main.as_ref().map(|main| here.join(main));
        let started = main.as_deref().unwrap_or(&path);
        let called = options.main.as_ref().unwrap_or(file);
        let opened = Format::of(&*open_object(&session.vfs, &path, file)?);
        let source = open_object(&session.vfs, started, called)?;
        let format = Format::of(&*source);
        let named = |error: bytes::Error| CommandError::new(format!("{}: {error}", shown(called)));
        let opened = main.is_some().then_some(path.as_path()).filter(|_| opened == format);
        let closure = match format {
            Some(Format::Macho) => macho(&session.vfs, &*source, started, opened, &settings),
            _ => elf(&session.vfs, &*source, started, opened, &settings),
        };
        let closure = closure.map_err(named)?;
        if closure.objects.is_empty() || (main.is_some() && opened.is_none()) {
            let why = "the loader does not take it as a shared object or a program";
            let said = closure.words.first().map(|said| said.words.clone());
            let said = said.unwrap_or_else(|| format!("{}: {why}", shown(file)));
            return Err(CommandError::new(said));
        }
        closures.push(closure);
    }
    let status = u8::from(!closures.iter().all(|closure| closure.loads));
    match session.format {
        args::Format::Json => json::write(&mut *session.out, &TreeReport::of(&closures))?,
        args::Format::Human | args::Format::Markdown => {
            for closure in &closures {
                tree::write(&mut *session.out, closure, options.flat, session.detail)?;
            }
        }
    }
    Ok(status)
}

/// What ld.so loads for the program at `started`, or for `opened` in it. A program with the
/// set-user-ID or set-group-ID bit is taken to be started by somebody else than its owner.
fn elf(
    vfs: &OsVfs,
    source: &dyn Source,
    started: &Path,
    opened: Option<&Path>,
    settings: &Settings,
) -> Result<Closure, bytes::Error> {
    let summary = Image::parse(source).and_then(|image| image.summary())?;
    let mode = vfs.metadata(started).map_or(0, |metadata| metadata.mode);
    let secure = summary.interpreter.is_some() && mode & SET_ID != 0;
    let settings = Settings { secure, ..settings.clone() };
    let system = System::read_as(vfs, &summary, settings.libc);
    let loader = Loader::new(vfs, system, settings);
    let program = loader.program(started);
    Ok(match opened {
        Some(path) => (&loader.dlopen(&[&program], path)).into(),
        None => (&program).into(),
    })
}

/// What dyld loads for the program at `started`, or for `opened` in it. The processor is the
/// program's; of a universal one Apple's own, where it has a slice for it.
fn macho(
    vfs: &OsVfs,
    source: &dyn Source,
    started: &Path,
    opened: Option<&Path>,
    settings: &Settings,
) -> Result<Closure, bytes::Error> {
    let container = Container::parse(source)?;
    let archs = container.slices.iter().map(|slice| slice.arch());
    let Some(arch) = archs.min_by_key(|arch: &Arch| arch.name() != "arm64") else {
        return Ok(Closure {
            objects: Vec::new(),
            preload: Vec::new(),
            loads: false,
            words: Vec::new(),
        });
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
