//! The use-cases of tfpatch, with typed input and output. They report progress only through [`Watch`].

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
mod promise;
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

/// The context of every use-case.
pub struct App {
    /// The files of this machine, or of the root of another system.
    pub vfs: OsVfs,
    /// The surroundings of the process that concern the target; empty if the target is in the root of another
    /// system. An error if the working directory does not exist, which only affects commands that use it.
    pub ambient: Result<Ambient, Error>,
    /// The working directory that paths are shown relative to, if any.
    pub here: Option<PathBuf>,
    /// The directory of `--store`.
    pub store: Option<PathBuf>,
    /// The directory of `--trust-store`.
    pub trusted: Option<PathBuf>,
    /// The receiver of progress reports.
    pub watch: Watch,
}

/// Receives progress reports, and provides the time.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// Work begins that may take long. It ends when the returned value is dropped.
    pub working: fn(Work) -> Box<dyn Any>,
    /// Another tfpatch is running, with this process ID if known; tfpatch waits for it.
    pub waiting: fn(Option<u32>),
    /// The operation with this ID was interrupted. A command that only reads does not change that.
    pub interrupted: fn(&str) -> io::Result<()>,
    /// An interrupted operation was completed or undone.
    pub recovered: fn(&Recovered),
    /// The time in the record of an operation: seconds since 1970.
    pub now: fn() -> i64,
}

/// Work that may take longer than a user expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The objects of a target are read.
    Reading,
    /// A repair is planned and proved.
    Planning,
    /// A plan from elsewhere is compared with the target.
    Comparing,
    /// Files are written.
    Writing,
}

impl App {
    /// The surroundings of the process that concern the target.
    ///
    /// # Errors
    /// If the working directory is gone.
    pub fn ambient(&self) -> Result<&Ambient, Error> {
        self.ambient.as_ref().map_err(Error::clone)
    }

    /// Is the target in the root of another system?
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.vfs.root().is_some()
    }

    /// The path on the disk for a directory of the target.
    #[must_use]
    pub fn on_disk(&self, path: &Path) -> PathBuf {
        let Some(root) = self.vfs.root() else { return path.to_owned() };
        let inside = self.vfs.canonicalize(path).unwrap_or_else(|_| path.to_owned());
        root.join(inside.strip_prefix("/").unwrap_or(&inside))
    }

    /// A path relative to the working directory, if it is below it.
    #[must_use]
    pub fn relative(&self, path: &Path) -> PathBuf {
        let Some(here) = &self.here else { return path.to_owned() };
        match path.strip_prefix(here) {
            Ok(below) if below.as_os_str() == OsStr::new("") => PathBuf::from("."),
            Ok(below) => below.to_owned(),
            Err(_) => path.to_owned(),
        }
    }

    /// Reports that work begins. It ends when the returned value is dropped.
    fn begin(&self, work: Work) -> Box<dyn Any> {
        (self.watch.working)(work)
    }
}
