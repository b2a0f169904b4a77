//! Which files of a target may be objects: in its directories, and in those that an interpreter reaches
//! from there by links.

use super::imported::Imported;
use super::linked_directories::{self, Links};
use super::object_names::{is_named_as_object, is_passed_over, may_hold_object};
use super::unreadable::Unreadable;
use crate::vfs::{FileKind, Vfs};
use rayon::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// What the kernel shows as files and is not stored: nothing is installed there, and a walk would
/// not end.
const NO_FILES: &[&str] = &["/proc", "/sys", "/dev"];

/// The result of a walk.
pub(super) struct Tree {
    /// Files that may be objects, by path.
    pub(super) files: Vec<PathBuf>,
    /// Linked directories.
    pub(super) links: Links,
    pub(super) unreadable: Vec<Unreadable>,
}

impl Tree {
    /// Walks `roots`, the packages of sources that are imported, and the directories outside that an
    /// interpreter reaches by links.
    pub(super) fn walk(vfs: &dyn Vfs, roots: &[PathBuf], imported: &Imported) -> Self {
        let whole = roots.par_iter().chain(&imported.packages).chain(&imported.mapped);
        let all: Vec<Walked> = whole.map(|root| walk(vfs, root)).collect();
        let mut walked = Walked::default();
        all.into_iter().for_each(|found| walked.add(found));
        for source in &imported.sources {
            walked.add(walk_packages(vfs, source));
        }
        let mut links = Links::new(vfs, roots, imported);
        while !walked.links.is_empty() {
            let new = std::mem::take(&mut walked.links);
            for followed in links.add(vfs, imported, new) {
                walked.add(walk(vfs, &followed.path));
            }
        }
        let Walked { mut files, unreadable, .. } = walked;
        files.sort_unstable();
        files.dedup();
        Self { files, links, unreadable }
    }
}

/// What a walk found.
#[derive(Default)]
struct Walked {
    /// Files that may be objects.
    files: Vec<PathBuf>,
    /// Links to directories, which are not followed.
    links: Vec<PathBuf>,
    /// Directories that are still to be walked.
    directories: Vec<PathBuf>,
    unreadable: Vec<Unreadable>,
}

impl Walked {
    fn add(&mut self, mut other: Self) {
        self.files.append(&mut other.files);
        self.links.append(&mut other.links);
        self.directories.append(&mut other.directories);
        self.unreadable.append(&mut other.unreadable);
    }
}

/// Walks everything below `root`, which may itself be a link. Level by level, since a tree may be deeper than a
/// stack.
fn walk(vfs: &dyn Vfs, root: &Path) -> Walked {
    let mut walked = look_into(vfs, root, true);
    while !walked.directories.is_empty() {
        let level = std::mem::take(&mut walked.directories);
        let below: Vec<Walked> =
            level.par_iter().map(|directory| look_into(vfs, directory, false)).collect();
        below.into_iter().for_each(|below| walked.add(below));
    }
    walked.unreadable.sort_by(|a, b| a.path.cmp(&b.path));
    walked
}

/// Walks the packages in a directory of sources, and the modules beside them: nothing else there is
/// imported, and the results of builds may be beside the sources.
fn walk_packages(vfs: &dyn Vfs, source: &Path) -> Walked {
    let mut walked = look_into(vfs, source, true);
    let is_package = |path: &PathBuf| {
        vfs.metadata(&path.join("__init__.py")).is_ok_and(|found| found.kind == FileKind::File)
            || path.extension().is_some_and(|ending| ending == "libs")
    };
    walked.directories.retain(is_package);
    walked.links.retain(is_package);
    walked.files.retain(|path| is_named_as_object(path.file_name().map_or(b"", OsStr::as_bytes)));
    for package in std::mem::take(&mut walked.directories) {
        walked.add(walk(vfs, &package));
    }
    walked
}

/// What a directory contains directly.
fn look_into(vfs: &dyn Vfs, directory: &Path, is_root: bool) -> Walked {
    let mut walked = Walked::default();
    if NO_FILES.iter().any(|other| directory == Path::new(other)) {
        return walked;
    }
    let entries = match vfs.read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            let path = directory.to_owned();
            walked.unreadable.push(Unreadable { path, why: error.into() });
            return walked;
        }
    };
    if !is_root && entries.iter().any(|entry| entry.name == "pyvenv.cfg") {
        return walked;
    }
    for entry in entries {
        let path = || directory.join(&entry.name);
        match entry.kind {
            FileKind::Directory if !is_passed_over(&entry.name) => walked.directories.push(path()),
            FileKind::Symlink
                if !is_passed_over(&entry.name)
                    && linked_directories::is_directory(vfs, &path()) =>
            {
                walked.links.push(path());
            }
            FileKind::File | FileKind::Symlink if may_hold_object(&entry.name) => {
                walked.files.push(path());
            }
            _ => {}
        }
    }
    walked
}
