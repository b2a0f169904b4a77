//! The view of a target's files: the file system of this machine, or the members of a wheel.

use super::{App, Chosen, Error};
use crate::bytes::Source;
use crate::elf::Headers;
use crate::loader;
use crate::python::target::{self, Target};
use crate::python::wheel::Wheel;
use crate::vfs::{DirEntry, FileKind, Metadata, OsVfs, Vfs};
use crate::world::{Question, World};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of a target.
pub enum View<'a> {
    /// Files of this machine, or below `--root`.
    Files(&'a OsVfs),
    /// Only the members of a wheel.
    Wheel(Box<Wheel<'a>>),
}

impl<'a> View<'a> {
    /// The files that a path belongs to: those of the wheel that contains it, if there is one.
    ///
    /// # Errors
    /// If it leads into a wheel that cannot be read.
    pub fn at(files: &'a OsVfs, path: &Path) -> Result<Self, Error> {
        let is_wheel = |path: &&Path| {
            target::is_wheel(path)
                && files.metadata(path).is_ok_and(|found| found.kind == FileKind::File)
        };
        match path.ancestors().find(is_wheel) {
            Some(wheel) => Ok(Self::Wheel(Box::new(open(files, wheel)?))),
            None => Ok(Self::Files(files)),
        }
    }

    /// The files.
    #[must_use]
    pub fn vfs(&self) -> &dyn Vfs {
        match self {
            Self::Files(files) => *files,
            Self::Wheel(wheel) => &**wheel,
        }
    }

    /// The wheel, if it is one.
    #[must_use]
    pub fn wheel(&self) -> Option<&Wheel<'a>> {
        match self {
            Self::Files(_) => None,
            Self::Wheel(wheel) => Some(wheel),
        }
    }

    /// Checks that everything requested was read. The bytes of a damaged member are otherwise just missing.
    ///
    /// # Errors
    /// If a member is damaged.
    pub fn require_sound(&self) -> Result<(), Error> {
        let Self::Wheel(wheel) = self else { return Ok(()) };
        wheel.fault().map_err(|error| Error::about(wheel.path(), error))
    }
}

fn open<'a>(files: &'a OsVfs, path: &Path) -> Result<Wheel<'a>, Error> {
    Wheel::open(files, path).map_err(|error| Error::about(path, error))
}

impl App {
    /// The files of a target.
    ///
    /// # Errors
    /// If it is a wheel that cannot be read.
    pub fn view<'v>(&self, files: &'v OsVfs, chosen: &Chosen) -> Result<View<'v>, Error> {
        match &chosen.target {
            Target::Wheel(path) => Ok(View::Wheel(Box::new(open(files, path)?))),
            _ => Ok(View::Files(files)),
        }
    }

    /// Reads a target with all its objects, as the process that tfpatch was given would import it.
    #[must_use]
    pub fn world(&self, view: &View<'_>, chosen: &Chosen, settings: loader::Settings) -> World {
        let python_path = self.ambient.as_ref().map(|ambient| ambient.python_path.as_slice());
        self.world_importing(view, chosen, settings, python_path.unwrap_or_default())
    }

    /// The same, with another `PYTHONPATH`.
    #[must_use]
    pub fn world_importing(
        &self,
        view: &View<'_>,
        chosen: &Chosen,
        settings: loader::Settings,
        python_path: &[PathBuf],
    ) -> World {
        let vfs = view.vfs();
        if let View::Wheel(wheel) = view {
            let world = World::of_wheel(wheel, &settings);
            return World { naming: chosen.naming(), ..world };
        }
        let world = match &chosen.target {
            Target::Environment(found) => {
                let mut found = found.clone();
                if let Ok(ambient) = &self.ambient {
                    found.add_python_path(vfs, &ambient.working_directory, python_path);
                }
                World::of_environment(vfs, found, settings)
            }
            Target::Distribution { environment, normalized, .. } => {
                World::of_distribution(vfs, normalized, environment.clone(), settings)
            }
            Target::SitePackages { path, .. } | Target::Directory(path) => {
                match (&chosen.environment, &chosen.target) {
                    (Some(around), _) => {
                        World::of_part(vfs, path.clone(), around.clone(), settings)
                    }
                    (None, Target::SitePackages { environment, .. }) => {
                        World::of_directory(vfs, path, environment.clone(), settings)
                    }
                    (None, _) => World::of_directory(vfs, path, None, settings),
                }
            }
            Target::File(path) | Target::Wheel(path) => {
                World::of_object(vfs, path, chosen.environment.clone(), settings)
            }
        };
        World { elsewhere: self.vfs.root().is_some(), naming: chosen.naming(), ..world }
    }

    /// The question about a target, with absolute directories to search: on this machine, or in the wheel
    /// that is the target.
    ///
    /// # Errors
    /// If one is not a directory, or the working directory is gone.
    pub fn question(&self, view: &View<'_>, asked: &Question) -> Result<Question, Error> {
        let here = &self.ambient()?.working_directory;
        let absolute = |directory: &PathBuf| {
            let path = target::absolute(&self.vfs, here, directory);
            match view.vfs().metadata(&path) {
                Ok(found) if found.kind == FileKind::Directory => Ok(path),
                _ => Err(Error::NoSearchDirectory {
                    directory: directory.clone(),
                    in_wheel: view.wheel().is_some(),
                }),
            }
        };
        let search = asked.search.iter().map(absolute).collect::<Result<_, _>>()?;
        Ok(Question { search, ..asked.clone() })
    }
}

/// The members of a wheel in place of its file, among the files of the machine: as a program would see them.
pub struct Mounted<'a> {
    /// The wheel, or an empty view if there is none.
    pub view: &'a View<'a>,
    /// All other files.
    pub files: &'a OsVfs,
}

impl Mounted<'_> {
    fn of(&self, path: &Path) -> &dyn Vfs {
        match self.view.wheel() {
            Some(wheel) if path.starts_with(wheel.path()) => wheel,
            _ => self.files,
        }
    }
}

impl Vfs for Mounted<'_> {
    fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.of(path).symlink_metadata(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.of(path).metadata(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.of(path).read_link(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.of(path).read_dir(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.of(path).canonicalize(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>> {
        self.of(path).open(path)
    }

    fn headers(
        &self,
        path: &Path,
        id: (u64, u64),
        source: Option<&dyn Source>,
    ) -> io::Result<Arc<Headers>> {
        self.of(path).headers(path, id, source)
    }

    fn is_noexec(&self, path: &Path) -> bool {
        self.of(path).is_noexec(path)
    }
}
