//! What a loader would load for one object, whichever loader it is.

use super::{Dependency, Resolution, dyld};
use std::path::PathBuf;

/// Everything that is loaded for a program, or for one more object that is opened in it.
#[derive(Debug, Clone)]
pub struct Closure {
    /// The objects that are loaded anew with what they need, the one asked for first.
    pub objects: Vec<(PathBuf, Vec<Dependency>)>,
    /// Would the loader load all of it, as far as it was looked at?
    pub loads: bool,
    /// What the loader says where it gives up, where its words are known.
    pub words: Option<String>,
}

impl From<&Resolution> for Closure {
    fn from(resolution: &Resolution) -> Self {
        let objects = resolution.objects.iter();
        Self {
            objects: objects.map(|object| (object.path.clone(), object.needed.clone())).collect(),
            loads: resolution.loads(),
            words: None,
        }
    }
}

impl Closure {
    /// Of what no loader takes.
    #[must_use]
    pub fn nothing() -> Self {
        Self { objects: Vec::new(), loads: false, words: None }
    }

    /// What dyld of a version of macOS loads.
    #[must_use]
    pub fn of_opened(opened: &dyld::Opened, version: dyld::Version) -> Self {
        let objects = opened.new_images().map(|(_, image)| {
            let needed = image.needed.iter().map(|need| need.dependency.clone()).collect();
            (image.path.clone(), needed)
        });
        let words = dyld::words(version, opened);
        Self { objects: objects.collect(), loads: opened.is_complete(), words }
    }
}
