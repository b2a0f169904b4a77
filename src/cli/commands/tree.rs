//! `tfpatch tree`: dependencies as the loader would resolve them.

use crate::cli::args::{Format, Tree};
use crate::cli::error::CommandError;
use crate::cli::session::{Session, open_object};
use crate::elf::Image;
use crate::loader::{Loader, Resolution, System};
use crate::repair::target::shown;
use crate::report::json::{self, TreeReport};
use crate::report::tree;

/// Resolves each file.
///
/// # Errors
/// Where one cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Tree) -> Result<u8, CommandError> {
    let here = session.ambient()?.working_directory;
    let settings = session.loader_settings(&options.simulation)?;
    let mut resolutions: Vec<Resolution> = Vec::new();
    for file in &options.files {
        let path = here.join(file);
        let main = options.main.as_ref().map(|main| here.join(main));
        let started = main.as_deref().unwrap_or(&path);
        let called = options.main.as_ref().unwrap_or(file);
        drop(open_object(&session.vfs, &path, file)?);
        let source = open_object(&session.vfs, started, called)?;
        let summary = Image::parse(source.as_ref())
            .and_then(|image| image.summary())
            .map_err(|error| CommandError::new(format!("{}: {error}", shown(called))))?;
        let system = System::read(&session.vfs, &summary);
        let loader = Loader::new(&session.vfs, system, settings.clone());
        let program = loader.program(started);
        let resolution = if main.is_some() { loader.dlopen(&[&program], &path) } else { program };
        if resolution.objects.is_empty() {
            let why = "the loader does not take it as a shared object or a program";
            return Err(CommandError::new(format!("{}: {why}", shown(file))));
        }
        resolutions.push(resolution);
    }
    let status = u8::from(!resolutions.iter().all(Resolution::loads));
    match session.format {
        Format::Json => json::write(&mut *session.out, &TreeReport::of(&resolutions))?,
        Format::Human => {
            for resolution in &resolutions {
                tree::write(&mut *session.out, resolution, options.flat, session.detail)?;
            }
        }
    }
    Ok(status)
}
