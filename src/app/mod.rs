//! What tfpatch does, as a program would ask for it: typed questions, typed answers, and no word to
//! anybody but through [`Watch`].

pub mod apply;
pub mod carry_out;
pub mod child;
pub mod doctor;
pub mod error;
pub mod explain;
pub mod fix;
pub mod history;
pub mod imports;
pub mod judged;
pub mod probe;
pub mod proof;
pub mod revert;
pub mod rpath;
pub mod runs;
pub mod selection;
pub mod settle;
pub mod show;
pub mod stores;
pub mod targets;
pub mod trace;
pub mod tree;
pub mod verify;
pub mod view;
pub mod wheel;

pub use error::{Error, ErrorKind};
pub use targets::Chosen;

use crate::operation::Recovered;
use crate::python::discovery::Ambient;
use crate::vfs::{OsVfs, Vfs as _};
use std::any::Any;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// What every use-case is given.
pub struct App {
    /// The files of this machine, or of the root of another system.
    pub vfs: OsVfs,
    /// What the process was given, as far as it concerns the target; nothing where the target is in
    /// the root of another system. An error where the working directory is gone, which only matters to
    /// commands that depend on it.
    pub ambient: Result<Ambient, Error>,
    /// The working directory that paths are shown from, where there is one.
    pub here: Option<PathBuf>,
    /// The directory of `--store`.
    pub store: Option<PathBuf>,
    /// The directory of `--trust-store`.
    pub trusted: Option<PathBuf>,
    /// Who is told what happens meanwhile.
    pub watch: Watch,
}

/// What a use-case tells while it works, and the time that it requests.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// Work begins that may take long; it ends where what is returned is dropped.
    pub working: fn(Work) -> Box<dyn Any>,
    /// Another tfpatch is waited for, with this process ID where it is known.
    pub waiting: fn(Option<u32>),
    /// The operation with this ID was interrupted, and is left so by what only reads.
    pub interrupted: fn(&str) -> io::Result<()>,
    /// An operation was interrupted, and is now finished or undone.
    pub recovered: fn(&Recovered),
    /// The time that an operation's record bears: seconds since 1970.
    pub now: fn() -> i64,
}

/// Work that may take longer than a person expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The objects of a target are read.
    Reading,
    /// A repair is planned and proved.
    Planning,
    /// A plan from elsewhere is held against the target.
    Comparing,
    /// Files are written.
    Writing,
}

impl App {
    /// What the process was given, as far as it concerns the target.
    ///
    /// # Errors
    /// Where the working directory is gone.
    pub fn ambient(&self) -> Result<&Ambient, Error> {
        self.ambient.as_ref().map_err(Error::clone)
    }

    /// Is the target in the root of another system?
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.vfs.root().is_some()
    }

    /// The path on the disk of a directory of the target.
    #[must_use]
    pub fn on_disk(&self, path: &Path) -> PathBuf {
        let Some(root) = self.vfs.root() else { return path.to_owned() };
        let inside = self.vfs.canonicalize(path).unwrap_or_else(|_| path.to_owned());
        root.join(inside.strip_prefix("/").unwrap_or(&inside))
    }

    /// A path relative to the working directory, where it is below it.
    #[must_use]
    pub fn relative(&self, path: &Path) -> PathBuf {
        let Some(here) = &self.here else { return path.to_owned() };
        match path.strip_prefix(here) {
            Ok(below) if below.as_os_str() == OsStr::new("") => PathBuf::from("."),
            Ok(below) => below.to_owned(),
            Err(_) => path.to_owned(),
        }
    }

    /// Says that work begins which ends where what is returned is dropped.
    fn begin(&self, work: Work) -> Box<dyn Any> {
        (self.watch.working)(work)
    }
}
