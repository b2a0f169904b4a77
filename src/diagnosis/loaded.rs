//! The files that are loaded with objects: hundreds with each, and the same with most of them.

use crate::hashing::QuickMap;
use crate::loader::{FileId, Resolution};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

/// What the loader loads with one object.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The files, the object itself among them, by device and inode, with their real paths.
    pub files: Vec<(FileId, Arc<Path>)>,
    /// The names that are not found.
    pub missing: Vec<Vec<u8>>,
    /// Does a library lack a version that is needed?
    pub lacks_version: bool,
}

impl From<&Resolution> for Loaded {
    fn from(resolution: &Resolution) -> Self {
        let objects = resolution.objects.iter();
        Self {
            files: objects.map(|object| (object.id, Arc::clone(&object.real))).collect(),
            missing: resolution.missing().map(|(_, needed)| needed.name.to_vec()).collect(),
            lacks_version: lacks_version(resolution),
        }
    }
}

fn lacks_version(resolution: &Resolution) -> bool {
    resolution.objects.iter().any(|object| !object.version_problems.is_empty())
}

/// The same for many objects: each file is kept once, and is a number.
#[derive(Debug, Default)]
pub(super) struct AllLoaded {
    files: Vec<(FileId, Arc<Path>)>,
    numbers: QuickMap<FileId, u32>,
    /// By the paths of objects, byte for byte.
    objects: QuickMap<OsString, Numbered>,
}

#[derive(Debug)]
struct Numbered {
    files: Box<[u32]>,
    missing: Box<[Vec<u8>]>,
    lacks_version: bool,
}

impl AllLoaded {
    /// Adds what is loaded with the object at a path.
    pub(super) fn add(&mut self, path: &Path, resolution: &Resolution) {
        let files = resolution.objects.iter().map(|object| {
            *self.numbers.entry(object.id).or_insert_with(|| {
                self.files.push((object.id, Arc::clone(&object.real)));
                // Four thousand million files do not fit into memory.
                (self.files.len() - 1) as u32
            })
        });
        let files = files.collect();
        let missing = resolution.missing().map(|(_, needed)| needed.name.to_vec()).collect();
        let numbered = Numbered { files, missing, lacks_version: lacks_version(resolution) };
        self.objects.insert(path.as_os_str().to_owned(), numbered);
    }

    /// What is loaded with the object at a path, if it was added.
    pub(super) fn of(&self, path: &Path) -> Option<Loaded> {
        let numbered = self.objects.get(path.as_os_str())?;
        let files = numbered.files.iter();
        Some(Loaded {
            files: files.filter_map(|&file| self.files.get(file as usize).cloned()).collect(),
            missing: numbered.missing.to_vec(),
            lacks_version: numbered.lacks_version,
        })
    }
}
