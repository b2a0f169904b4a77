//! A process as dyld builds it: the images, and the results of their needs.

use crate::loader::{Dependency, FileId, Rule, SearchStep};
use crate::macho::Summary;
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// One place that was searched, with what the message says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The place, and the result.
    pub step: SearchStep,
    /// The text in parentheses after the path: `no such file`.
    pub note: String,
}

/// A name that an image needs, or that was opened, and what dyld finds for it.
#[derive(Debug, Clone)]
pub struct Need {
    /// The name, what was found for it and by which rule, and every place that was searched.
    pub dependency: Dependency,
    /// May it be absent (`LC_LOAD_WEAK_DYLIB`)?
    pub is_weak: bool,
    /// The places, with what dyld says about each, and what it would list in its message.
    pub attempts: Vec<Attempt>,
    /// The image that serves it, as an index into [`Process::images`]; `None` for a library of the
    /// shared cache, and where nothing was found.
    pub image: Option<usize>,
    /// The text after `Reason:` if nothing was found.
    pub reason: Option<String>,
}

impl Need {
    /// Does the image load without it?
    #[must_use]
    pub fn is_satisfied(&self) -> bool {
        !self.dependency.is_missing()
    }
}

/// An image in a process.
#[derive(Debug, Clone)]
pub struct LoadedImage {
    /// The path, links resolved, as dyld knows it.
    pub path: PathBuf,
    /// The file's identity.
    pub id: FileId,
    /// What dyld reads of the slice that it takes.
    pub summary: Arc<Summary>,
    /// The image that needed it first, as an index into [`Process::images`]; `None` for the main
    /// program and for what was opened.
    pub requested_by: Option<usize>,
    /// What it needs, in order.
    pub needed: Vec<Need>,
}

impl LoadedImage {
    /// Is it known by that path, or by its install name where that is another
    /// (`JustInTimeLoader::matchesPath`)?
    pub(super) fn known_as(&self, name: &[u8]) -> Option<Rule> {
        use std::os::unix::ffi::OsStrExt as _;
        if self.path.as_os_str().as_bytes() == name {
            return Some(Rule::Loaded);
        }
        (self.summary.install_name.as_deref() == Some(name)).then_some(Rule::InstallName)
    }
}

/// The images of a process, in the order in which dyld loads them.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The images; the main program first where there is one.
    pub images: Vec<Arc<LoadedImage>>,
    /// The main program, as an index; `None` if only libraries are opened.
    pub main: Option<usize>,
    /// Paths of libraries of the shared cache that were loaded.
    pub cached: BTreeSet<Vec<u8>>,
}

/// The result of starting a program or opening a library.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The requested name, and what was found for it.
    pub root: Need,
    /// The process with everything that was loaded.
    pub process: Process,
    /// The first image that was newly loaded.
    pub first: usize,
}

impl Opened {
    /// The images that were newly loaded, with their indices.
    pub fn new_images(&self) -> impl Iterator<Item = (usize, &Arc<LoadedImage>)> {
        self.process.images.iter().enumerate().skip(self.first)
    }

    /// The images that were newly loaded; or, if all were loaded before, the requested one with
    /// what it needs.
    #[must_use]
    pub fn closure(&self) -> Vec<&LoadedImage> {
        let new: Vec<&LoadedImage> = self.new_images().map(|(_, image)| &**image).collect();
        if !new.is_empty() {
            return new;
        }
        let mut wanted: Vec<usize> = self.root.image.into_iter().collect();
        let mut images = Vec::new();
        while let Some(&index) = wanted.get(images.len()) {
            let Some(image) = self.process.images.get(index) else { break };
            for index in image.needed.iter().filter_map(|need| need.image) {
                if !wanted.contains(&index) {
                    wanted.push(index);
                }
            }
            images.push(&**image);
        }
        images
    }

    /// What is missing: each need with the image that has it. The requested name itself comes
    /// without one.
    pub fn missing(&self) -> impl Iterator<Item = (Option<&LoadedImage>, &Need)> {
        let needs = self
            .new_images()
            .flat_map(|(_, image)| image.needed.iter().map(|need| (Some(&**image), need)));
        std::iter::once((None, &self.root)).chain(needs).filter(|(_, need)| !need.is_satisfied())
    }

    /// The first missing need, at which dyld gives up. It searches for everything that an image
    /// needs, and then descends into each.
    #[must_use]
    pub fn stops_at(&self) -> Option<(Option<&LoadedImage>, &Need)> {
        if !self.root.is_satisfied() {
            return Some((None, &self.root));
        }
        let mut visited = HashSet::new();
        let mut next: Vec<usize> = self.root.image.into_iter().collect();
        while let Some(index) = next.pop() {
            let Some(image) = self.process.images.get(index) else { continue };
            if index < self.first || !visited.insert(index) {
                continue;
            }
            if let Some(need) = image.needed.iter().find(|need| !need.is_satisfied()) {
                return Some((Some(image), need));
            }
            next.extend(image.needed.iter().rev().filter_map(|need| need.image));
        }
        None
    }

    /// Is every library found? Symbols are checked separately.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing().next().is_none()
    }
}
