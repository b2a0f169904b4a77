//! Memory that an object needs, and that a running program may not have.

use crate::loader::GlibcVersion;
use crate::world::Place;
use std::fmt::Display;

/// The required memory. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Memory {
    /// An executable stack.
    ExecutableStack {
        /// The object.
        object: Place,
        /// Is it requested explicitly, rather than by not stating any flags?
        is_asked: bool,
        /// The installed glibc, if it refuses the object.
        refused_by: Option<GlibcVersion>,
        /// Does its code appear to write functions to the stack?
        writes_code: bool,
    },
    /// More static thread-local storage than a running program has left.
    StaticTls {
        /// The object that is opened.
        object: Place,
        /// Does it need all of that alone, rather than together with the libraries that it loads?
        is_alone: bool,
        /// The required size.
        wanted: u64,
        /// The size that a running program has left.
        available: u64,
    },
    /// More static thread-local storage than a running program has left if all objects are opened.
    StaticTlsTogether {
        /// The number of objects that need some.
        objects: usize,
        /// Their total size.
        wanted: u64,
        /// The size that a running program has left.
        available: u64,
    },
}

impl Memory {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        match self {
            Self::ExecutableStack { object, .. } | Self::StaticTls { object, .. } => to(object),
            Self::StaticTlsTogether { .. } => {}
        }
    }
}
