//! Libraries that an object opens at run time with `dlopen`.

use super::Release;
use super::variable::Absent;
use crate::bytes::printable;
use crate::world::Place;
use std::fmt::Display;

/// What becomes of a library that is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// It is there, and is not found.
    OutOfReach(OutOfReach, Unfound),
    /// The same, and the object does not work without it.
    Required(OutOfReach),
    /// The object does not work without it, and it is nowhere.
    RequiredNowhere {
        /// The object that opens it.
        opener: Place,
        /// The name by which it is opened, or the first of several that would do.
        library: Vec<u8>,
    },
    /// The object names it, and it is there and would not be found; files do not tell whether the object
    /// opens it.
    Named(OutOfReach),
    /// Python code opens it by its name alone, whenever the package is imported; it is there, and is not found.
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
    /// The system has another release of it than TensorFlow was built with.
    OtherRelease {
        /// The TensorFlow.
        tensorflow: Release,
        /// What it was built with.
        cuda: Cuda,
        /// The name by which it is opened.
        library: Vec<u8>,
        /// What the system has.
        there: Vec<u8>,
        /// Where that lies.
        directory: Place,
    },
    /// Libraries that TensorFlow opens are nowhere.
    Nowhere {
        /// The TensorFlow.
        tensorflow: Release,
        /// What it was built with.
        cuda: Cuda,
        /// The libraries.
        libraries: Vec<String>,
        /// Variables that name what is not there.
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

/// A library that is there, and the object that does not find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfReach {
    /// The object that opens it.
    pub opener: Place,
    /// The name by which it is opened.
    pub library: Vec<u8>,
    /// Where it lies.
    pub directory: Place,
}

/// Why a library that is opened is not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfound {
    /// None of the entries of the opener's search path leads to it.
    NoneLeads {
        /// How many different entries there are.
        entries: usize,
    },
    /// No search path leads to it, wherever it is looked for.
    NoSearchPath {
        /// Does TensorFlow work on without it, on no GPU?
        leaves_no_gpu: bool,
    },
    /// musl looks along the search path of the main program.
    MainProgramOnly,
}

/// The releases of NVIDIA's libraries that TensorFlow was built with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cuda {
    /// CUDA: `12.5.1`.
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
