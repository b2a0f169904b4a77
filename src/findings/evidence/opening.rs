//! Libraries that an object opens at run time with `dlopen`.

use super::Release;
use super::variable::Absent;
use crate::bytes::printable;
use crate::world::Place;
use std::fmt::Display;

/// The state of a library that is opened at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// It exists, but is not found.
    OutOfReach(OutOfReach, Unfound),
    /// It exists, but is not found, and the object does not work without it.
    Required(OutOfReach),
    /// It is not found on this system, and the object does not work without it.
    RequiredNowhere {
        /// The object that opens it.
        opener: Place,
        /// The name by which it is opened, or the first of several alternatives.
        library: Vec<u8>,
    },
    /// The object contains its name. The library exists, but would not be found. Files do not show whether
    /// the object opens it.
    Named(OutOfReach),
    /// Python code opens it by its bare name on every import of the package. It exists, but is not found.
    ByCode {
        /// The file with the call.
        file: Place,
        /// Its line, from 1.
        line: u32,
        /// The name by which it is opened.
        library: Vec<u8>,
        /// Where it is.
        directory: Place,
    },
    /// Python code looks for it on every import of the package, and finds nothing. Whether the import fails is not
    /// visible.
    SoughtByCode {
        /// The file with the call.
        file: Place,
        /// Its line, from 1.
        line: u32,
        /// The name that it looks for, without `lib` and the ending.
        name: String,
    },
    /// The system has another release of it than the one that TensorFlow was built with.
    OtherRelease {
        /// The TensorFlow.
        tensorflow: Release,
        /// The releases that it was built with.
        cuda: Cuda,
        /// The name by which it is opened.
        library: Vec<u8>,
        /// The name of the library of the system.
        there: Vec<u8>,
        /// Its directory.
        directory: Place,
    },
    /// Libraries that TensorFlow opens are not found on this system.
    Nowhere {
        /// The TensorFlow.
        tensorflow: Release,
        /// The releases that it was built with.
        cuda: Cuda,
        /// The libraries.
        libraries: Vec<String>,
        /// Variables that name missing directories.
        absent: Absent,
    },
    /// No graphics driver is found.
    NoDriver {
        /// The object that opens its library.
        opener: Place,
        /// The name of its library.
        library: Vec<u8>,
    },
}

/// A library that exists, and the object that does not find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfReach {
    /// The object that opens it.
    pub opener: Place,
    /// The name by which it is opened.
    pub library: Vec<u8>,
    /// Its directory.
    pub directory: Place,
}

/// The reason why an opened library is not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfound {
    /// No entry in the search path of the opener contains it.
    NoneLeads {
        /// The number of different entries.
        entries: usize,
    },
    /// No search path contains it.
    NoSearchPath {
        /// Does TensorFlow continue without it, and therefore without a GPU?
        leaves_no_gpu: bool,
    },
    /// musl uses only the search path of the main program.
    MainProgramOnly,
}

/// The releases of NVIDIA's libraries that a TensorFlow was built with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cuda {
    /// The release of CUDA, such as `12.5.1`.
    pub cuda: String,
    /// The major number of cuDNN.
    pub cudnn: String,
}

impl Opening {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        match self {
            Self::OutOfReach(found, _) | Self::Required(found) | Self::Named(found) => {
                let OutOfReach { opener, library, directory } = found;
                to(opener);
                to(&printable(library));
                to(directory);
            }
            Self::ByCode { file, library, directory, .. } => {
                to(file);
                to(&printable(library));
                to(directory);
            }
            Self::SoughtByCode { file, name, .. } => {
                to(file);
                to(name);
            }
            Self::OtherRelease { tensorflow, library, there, directory, .. } => {
                to(tensorflow);
                to(&printable(library));
                to(&printable(there));
                to(directory);
            }
            Self::Nowhere { tensorflow, libraries, absent, .. } => {
                to(tensorflow);
                libraries.iter().for_each(|library| to(library));
                absent.each_name(to);
            }
            Self::NoDriver { opener, library } | Self::RequiredNowhere { opener, library } => {
                to(opener);
                to(&printable(library));
            }
        }
    }
}
