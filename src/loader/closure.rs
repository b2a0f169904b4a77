//! What a loader would load for one object, for any loader.

use super::{Dependency, Resolution, dyld};
use crate::bytes::printable;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that is loaded for a program, or for one more object that is opened in it.
#[derive(Debug, Clone)]
pub struct Closure {
    /// The newly loaded objects with what they need, the requested one first.
    pub objects: Vec<(Arc<Path>, Vec<Dependency>)>,
    /// What `LD_PRELOAD` and `/etc/ld.so.preload` request, for a program.
    pub preload: Vec<Dependency>,
    /// Would the loader load all of it, as far as it was examined?
    pub loads: bool,
    /// What the loader says when it gives up although everything was found, or about what is
    /// missing, if its message is known.
    pub words: Vec<Complaint>,
}

/// What the loader says about an object.
#[derive(Debug, Clone)]
pub struct Complaint {
    /// The object.
    pub object: PathBuf,
    /// The loader's words.
    pub words: String,
}

impl From<Resolution> for Closure {
    fn from(resolution: Resolution) -> Self {
        let complaint = |object: &Path, words| Complaint { object: object.to_owned(), words };
        let objects = resolution.objects.iter();
        let versions = objects.clone().flat_map(|object| {
            let problems = object.version_problems.iter();
            problems.map(|problem| complaint(&object.path, problem.words(&object.path)))
        });
        let refused = resolution.refused.iter().map(|refused| {
            let words = format!("{}: {}", named(&refused.path), refused.message);
            complaint(&refused.path, words)
        });
        let root = &resolution.root.fatal;
        let root = root.iter().map(|fatal| {
            complaint(&fatal.path, format!("{}: {}", named(&fatal.path), fatal.message))
        });
        let words = versions.chain(refused).chain(root).collect();
        let loads = resolution.loads();
        let objects = resolution.objects.into_iter();
        let objects = objects.map(|object| (object.path, object.needed)).collect();
        Self { objects, preload: resolution.preload, loads, words }
    }
}

/// A path as it is shown in a line.
fn named(path: &Path) -> String {
    printable(path.as_os_str().as_bytes())
}

impl Closure {
    /// The object at `path`, which is among those that were loaded for a program, with what it needs:
    /// breadth first, as it would be opened.
    #[must_use]
    pub fn within(program: Resolution, path: &Path) -> Self {
        let mut all = Self::from(program);
        let mut wanted: Vec<Arc<Path>> = vec![path.into()];
        let mut objects = Vec::new();
        let mut next = 0;
        while let Some(path) = wanted.get(next) {
            next += 1;
            let Some(at) = all.objects.iter().position(|(known, _)| known == path) else {
                continue;
            };
            let (path, needed) = all.objects.swap_remove(at);
            wanted.extend(needed.iter().filter_map(|need| need.found.clone()));
            objects.push((path, needed));
        }
        all.words.retain(|said| objects.iter().any(|(path, _)| **path == *said.object));
        // What the program lacks elsewhere does not concern this object.
        let complete = objects.iter().all(|(_, needed)| !needed.iter().any(Dependency::is_missing));
        let loads = complete && all.words.is_empty();
        Self { objects, preload: Vec::new(), loads, words: all.words }
    }

    /// Of a file that no loader accepts.
    #[must_use]
    pub fn nothing() -> Self {
        Self { objects: Vec::new(), preload: Vec::new(), loads: false, words: Vec::new() }
    }

    /// What dyld of a version of macOS loads.
    #[must_use]
    pub fn of_opened(opened: &dyld::Opened, version: dyld::Version) -> Self {
        let images = opened.closure();
        let complete = images.iter().all(|image| image.needed.iter().all(dyld::Need::is_satisfied));
        let objects = images.into_iter().map(|image| {
            let needed = image.needed.iter().map(|need| need.dependency.clone()).collect();
            (image.path.as_path().into(), needed)
        });
        let objects: Vec<(Arc<Path>, _)> = objects.collect();
        let first = objects.first().map(|(path, _)| path.to_path_buf()).unwrap_or_default();
        let words = dyld::words(version, opened)
            .map(|words| Complaint { object: first, words })
            .into_iter()
            .collect();
        Self { objects, preload: Vec::new(), loads: complete && opened.root.is_satisfied(), words }
    }
}
