//! The search of dyld of macOS 11 to 26, by version.
//!
//! Rules and their names are those of Apple's published source (`dyld/Loader.cpp`,
//! `dyld/DyldProcessConfig.cpp`, `dyld/JustInTimeLoader.cpp`), from dyld-940 on. Left out are
//! `DYLD_IMAGE_SUFFIX`, `DYLD_VERSIONED_LIBRARY_PATH`, `DYLD_INSERT_LIBRARIES`, simulators and
//! Catalyst.

mod bind;
mod expand;
mod files;
mod message;
mod process;
mod search;
mod shared_cache;
mod variants;
mod version;

pub use bind::{Unbound, Unreadable};
pub use message::words;
pub use process::{Attempt, LoadedImage, Need, Opened, Process};
pub use version::{UnknownVersion, Version};

use super::{Dependency, FileId, Rule, Trail};
use crate::hashing::QuickMap;
use crate::macho::Arch;
use crate::vfs::Vfs;
use files::{Files, Probe};
use search::{Hit, Loaded, Query, Search};
use std::collections::{BTreeSet, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// Objects built with this SDK or a later one get no default fallbacks from macOS 13 on.
const NO_FALLBACKS_SINCE: Version = Version::new(14, 0);

/// What dyld runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// The version of macOS.
    pub version: Version,
    /// The architecture of the process.
    pub arch: Arch,
}

/// dyld's environment, as data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `DYLD_LIBRARY_PATH`.
    pub library_path: Option<Vec<u8>>,
    /// `DYLD_FRAMEWORK_PATH`.
    pub framework_path: Option<Vec<u8>>,
    /// `DYLD_FALLBACK_LIBRARY_PATH`.
    pub fallback_library_path: Option<Vec<u8>>,
    /// `DYLD_FALLBACK_FRAMEWORK_PATH`.
    pub fallback_framework_path: Option<Vec<u8>>,
    /// Is the program restricted or hardened? Then it has no variables and no relative paths.
    pub hardened: bool,
    /// The process's working directory, absolute.
    pub working_directory: PathBuf,
}

impl Settings {
    /// The same without the variables.
    #[must_use]
    pub fn without_variables(&self) -> Self {
        Self {
            hardened: self.hardened,
            working_directory: self.working_directory.clone(),
            ..Self::default()
        }
    }

    /// The names of the variables in which two environments differ.
    pub fn variables_beside(&self, other: &Self) -> impl Iterator<Item = &'static str> + use<> {
        let differ = [
            ("DYLD_LIBRARY_PATH", self.library_path != other.library_path),
            ("DYLD_FRAMEWORK_PATH", self.framework_path != other.framework_path),
            (
                "DYLD_FALLBACK_LIBRARY_PATH",
                self.fallback_library_path != other.fallback_library_path,
            ),
            (
                "DYLD_FALLBACK_FRAMEWORK_PATH",
                self.fallback_framework_path != other.fallback_framework_path,
            ),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name)
    }

    /// Where the value of a variable is kept; `None` for one that changes nothing here.
    pub fn variable(&mut self, name: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        match name {
            b"DYLD_LIBRARY_PATH" => Some(&mut self.library_path),
            b"DYLD_FRAMEWORK_PATH" => Some(&mut self.framework_path),
            b"DYLD_FALLBACK_LIBRARY_PATH" => Some(&mut self.fallback_library_path),
            b"DYLD_FALLBACK_FRAMEWORK_PATH" => Some(&mut self.fallback_framework_path),
            _ => None,
        }
    }

    fn library_path(&self) -> Option<&[u8]> {
        self.library_path.as_deref().filter(|_| !self.hardened)
    }

    fn framework_path(&self) -> Option<&[u8]> {
        self.framework_path.as_deref().filter(|_| !self.hardened)
    }

    fn fallback_library_path(&self) -> Option<&[u8]> {
        self.fallback_library_path.as_deref().filter(|_| !self.hardened)
    }

    fn fallback_framework_path(&self) -> Option<&[u8]> {
        self.fallback_framework_path.as_deref().filter(|_| !self.hardened)
    }
}

/// dyld of one system in one environment. What it has read is shared among all questions.
pub struct Dyld<'a> {
    files: Files<'a>,
    system: System,
    settings: Settings,
    /// The symbols that images bind, by the file.
    imports: RwLock<QuickMap<FileId, bind::Imports>>,
}

/// The images while they are loaded.
struct Growing<'p> {
    base: &'p Process,
    fresh: Vec<LoadedImage>,
    cached: BTreeSet<Vec<u8>>,
    main: Option<usize>,
    /// Images whose own needs are searched for.
    visited: HashSet<usize>,
}

impl Growing<'_> {
    fn loaded(&self) -> Loaded<'_> {
        Loaded { images: &self.base.images, fresh: &self.fresh, cached: &self.cached }
    }

    fn finish(self, root: Need) -> Opened {
        let first = self.base.images.len();
        let fresh = self.fresh.into_iter().map(Arc::new);
        let images = self.base.images.iter().cloned().chain(fresh).collect();
        Opened { root, first, process: Process { images, main: self.main, cached: self.cached } }
    }
}

impl<'a> Dyld<'a> {
    /// dyld of `system`, run with `settings`.
    #[must_use]
    pub fn new(vfs: &'a dyn Vfs, system: System, settings: Settings) -> Self {
        let files = Files::new(vfs, system.version, system.arch);
        Self { files, system, settings, imports: RwLock::default() }
    }

    /// What it runs on.
    #[must_use]
    pub fn system(&self) -> System {
        self.system
    }

    /// Starts the program at `path`, or a library in its place.
    #[must_use]
    pub fn program(&self, path: &Path) -> Opened {
        let base = Process::default();
        let mut growing = Growing {
            base: &base,
            fresh: Vec::new(),
            cached: Default::default(),
            main: Some(0),
            visited: HashSet::new(),
        };
        let name = path.as_os_str().as_bytes();
        let query = Query { name, is_linked: true, needs_fallbacks: false, chain: &[], main: None };
        let root = self.request(&mut growing, query, false, None);
        match root.image {
            Some(main) => self.load_needed(&mut growing, main, &[main]),
            None => growing.main = None,
        }
        growing.finish(root)
    }

    /// Opens a name in `process`: as the image at `caller` would by calling `dlopen`, or, without
    /// one, as the main program would.
    #[must_use]
    pub fn dlopen(&self, process: &Process, caller: Option<&Path>, name: &[u8]) -> Opened {
        let mut growing = Growing {
            base: process,
            fresh: Vec::new(),
            cached: process.cached.clone(),
            main: process.main,
            visited: (0..process.images.len()).collect(),
        };
        let caller = caller
            .and_then(|caller| process.images.iter().position(|image| image.path == caller))
            .filter(|&caller| Some(caller) != process.main);
        let chain: Vec<usize> = caller.into_iter().chain(process.main).collect();
        let asking = chain.first().and_then(|&index| process.images.get(index));
        let needs_fallbacks = asking.is_some_and(|image| has_old_sdk(image));
        let query =
            Query { name, is_linked: false, needs_fallbacks, chain: &chain, main: process.main };
        let root = self.request(&mut growing, query, false, None);
        if let Some(image) = root.image
            && !growing.visited.contains(&image)
        {
            let opened: Vec<usize> = std::iter::once(image).chain(chain).collect();
            self.load_needed(&mut growing, image, &opened);
        }
        growing.finish(root)
    }

    /// Loads what an image needs, then what that needs (`loadDependents`). `above` is the chain above
    /// the image. Continues after what is missing.
    fn load_needed(&self, growing: &mut Growing<'_>, image: usize, above: &[usize]) {
        if !growing.visited.insert(image) {
            return;
        }
        let Some(found) = growing.loaded().get(image) else { return };
        let summary = Arc::clone(&found.summary);
        let needs_fallbacks = has_old_sdk(found);
        let chain: Vec<usize> = std::iter::once(image).chain(above.iter().copied()).collect();
        let mut needed = Vec::new();
        for library in &summary.needed {
            let query = Query {
                name: &library.name,
                is_linked: true,
                needs_fallbacks,
                chain: &chain,
                main: growing.main,
            };
            needed.push(self.request(growing, query, library.is_weak, Some(image)));
        }
        let below: Vec<usize> = needed.iter().filter_map(|need| need.image).collect();
        let own = image.checked_sub(growing.base.images.len());
        if let Some(image) = own.and_then(|own| growing.fresh.get_mut(own)) {
            image.needed = needed;
        }
        for next in below {
            self.load_needed(growing, next, &chain);
        }
    }

    /// How dyld interprets a name, and what it loads for it.
    fn request(
        &self,
        growing: &mut Growing<'_>,
        query: Query<'_>,
        is_weak: bool,
        requested_by: Option<usize>,
    ) -> Need {
        let search = self.search(growing.loaded(), query);
        let Search { hit, rule, via, attempts } = search;
        let mut tried = Trail::default();
        attempts.iter().for_each(|attempt| tried.push_step(attempt.step.clone()));
        let mut need = Need {
            dependency: Dependency {
                name: query.name.into(),
                found: None,
                rule: rule.unwrap_or(Rule::NotFound),
                via: via.map(Into::into),
                tried,
                fatal: None,
            },
            is_weak,
            image: None,
            reason: None,
            attempts,
        };
        match hit {
            Some(Hit::Loaded(index)) => need.image = Some(index),
            Some(Hit::File(candidate)) => {
                need.image = Some(growing.base.images.len() + growing.fresh.len());
                growing.fresh.push(LoadedImage {
                    path: candidate.path.clone(),
                    id: candidate.id,
                    summary: Arc::clone(&candidate.summary),
                    requested_by,
                    needed: Vec::new(),
                });
            }
            Some(Hit::Cached(path)) => {
                need.dependency.found = Some(Path::new(std::ffi::OsStr::from_bytes(&path)).into());
                growing.cached.insert(path);
            }
            None if is_weak => need.dependency.rule = Rule::WeakAbsent,
            None => {
                let chain = query.chain.iter().filter_map(|&index| growing.loaded().get(index));
                let has_rpaths = chain.into_iter().any(|image| !image.summary.rpaths.is_empty());
                let version = self.system.version;
                need.reason =
                    Some(message::reason(version, query.name, &need.attempts, has_rpaths));
            }
        }
        if let Some(image) = need.image.and_then(|index| growing.loaded().get(index)) {
            need.dependency.found = Some(image.path.as_path().into());
        }
        need
    }

    /// Would dyld accept the file at an absolute path as an image? If not, why, in its words.
    ///
    /// # Errors
    /// What the message says about the file: `no such file`.
    pub fn accepts(&self, path: &Path) -> Result<(), String> {
        match self.files.probe(path) {
            Probe::Found(_) => Ok(()),
            Probe::Refused(_, words) => Err(words),
            Probe::NotAFile => Err("not a file".into()),
            Probe::Absent => Err("no such file".into()),
        }
    }
}

/// Was an image built with an SDK of before 2022's (`pre2022Binary`)?
fn has_old_sdk(image: &LoadedImage) -> bool {
    files::sdk_of(&image.summary) < NO_FALLBACKS_SINCE
}
