//! What an object wants of the memory of a program that runs already.

use crate::loader::GlibcVersion;
use crate::world::Place;
use std::fmt::Display;

/// What is wanted. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Memory {
    /// A stack that can be executed.
    ExecutableStack {
        /// The object.
        object: Place,
        /// Does it ask outright, or only not say what it needs?
        is_asked: bool,
        /// The glibc that is here and refuses it.
        refused_by: Option<GlibcVersion>,
        /// Does its code write functions to the stack, as far as bytes tell?
        writes_code: bool,
    },
    /// More static thread-local storage than a running program has.
    StaticTls {
        /// The object that is opened.
        object: Place,
        /// Does it want all of that itself, and not with what it loads?
        is_alone: bool,
        /// What is wanted.
        wanted: u64,
        /// What a running program has.
        available: u64,
    },
    /// More static thread-local storage than a running program has, when all objects are opened.
    StaticTlsTogether {
        /// How many objects want some.
        objects: usize,
        /// What they want together.
        wanted: u64,
        /// What a running program has.
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
