//! What the dynamic loader would do: which file it uses for every name, by which rule, and where it
//! searched before.
//!
//! [`Loader`] answers for one system and one environment, and shares what it has read among all
//! its answers. Nothing is executed, and everything is read through the [`Vfs`].
//!
//! [`Vfs`]: crate::vfs::Vfs

mod closure;
pub mod dyld;
mod files;
pub mod glibc;
mod link_map;
mod machine;
mod musl;
mod resolve;
mod search_list;
mod search_trace;
mod searches;
mod system;
pub mod tokens;

pub use self::glibc::versions::VersionProblem;
pub use closure::{Closure, Complaint};
pub use files::{Fatal, Limit, NO_DYNAMIC_SECTION};
pub use machine::{GlibcVersion, Libc, Target};
pub use resolve::Loader;
pub use search_trace::Trail;
pub use system::{STATIC_TLS_ROUNDING, System};

use self::files::Names;
use crate::elf::Summary;
use crate::hashing::QuickMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Device and inode: equal for two names of one file.
pub type FileId = (u64, u64);

/// The rule by which a library was found, or a place was searched.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// `DT_RPATH` or `LC_RPATH` of the requester, of an object that loaded it, or of the main
    /// program.
    Rpath,
    /// `DT_RUNPATH` of the requester.
    Runpath,
    /// `LD_LIBRARY_PATH`.
    LdLibraryPath,
    /// `/etc/ld.so.cache`.
    LdSoCache,
    /// The directories that are built into the loader.
    DefaultDirs,
    /// `/etc/ld-musl-ARCH.path`, which replaces them with musl.
    MuslPath,
    /// The name is one of those that musl keeps for itself: `libc.`, `libm.`, and others.
    LibcItself,
    /// It was loaded already.
    Loaded,
    /// The name is a path, and is opened directly.
    Direct,
    /// `DYLD_LIBRARY_PATH`.
    DyldLibraryPath,
    /// `DYLD_FRAMEWORK_PATH`.
    DyldFrameworkPath,
    /// `DYLD_FALLBACK_LIBRARY_PATH` and similar, or dyld's default.
    DyldFallback,
    /// An image with that install name (`LC_ID_DYLIB`) was loaded already.
    InstallName,
    /// Below the cryptex of macOS.
    Cryptex,
    /// In the shared cache of macOS, which has no files.
    SharedCache,
    /// Not found, which is allowed: `LC_LOAD_WEAK_DYLIB`, or a `DT_NEEDED` with a token that has no
    /// value, which ld.so skips.
    WeakAbsent,
    /// Not found.
    NotFound,
}

/// The result for one place that was searched.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// The library.
    Found,
    /// Nothing, or a dangling link.
    Absent,
    /// An object of 32 bits where 64 are wanted, or the other way round.
    WrongClass,
    /// An object for another processor.
    WrongMachine,
    /// Anything but a shared object that the loader accepts: text, a truncated file, a directory, a
    /// program.
    NotALibrary,
    /// A file that cannot be opened.
    Unreadable,
    /// Its code is not signed, or its signature is invalid.
    BadSignature,
}

/// One place that the loader searches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchStep {
    /// The candidate; absolute, otherwise as the loader builds it.
    pub path: PathBuf,
    /// Why it is searched.
    pub rule: Rule,
    /// The object whose `DT_RPATH` or `DT_RUNPATH` names the directory.
    pub via: Option<PathBuf>,
    /// The result.
    pub outcome: StepOutcome,
}

/// The loader's environment, as data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `LD_LIBRARY_PATH`.
    pub library_path: Option<Vec<u8>>,
    /// `LD_PRELOAD`.
    pub preload: Option<Vec<u8>>,
    /// Does the program run with more rights than its caller (`AT_SECURE`)? Then `LD_LIBRARY_PATH`
    /// is ignored, and in `LD_PRELOAD` only names count that resolve to a file with the set-user-ID
    /// bit.
    pub secure: bool,
    /// The version of glibc that is simulated; without one, that of the target's files.
    pub glibc: Option<GlibcVersion>,
    /// The `glibc-hwcaps` subdirectories that the processor can use, the best first: `x86-64-v3`.
    /// They count where the target is of that architecture.
    pub hwcaps: Vec<String>,
    /// The process's working directory, absolute; relative entries start from it.
    pub working_directory: PathBuf,
    /// The C library whose loader is simulated; `None` to determine it from the files.
    pub libc: Option<Libc>,
    /// `AT_PLATFORM` as the loader understands it; the value of `$PLATFORM`. A target of another
    /// architecture has the usual one of its own. Without one the token has no value.
    pub platform: Option<String>,
    /// `GLIBC_TUNABLES`: names and values, such as `glibc.rtld.execstack=2`, separated by colons.
    pub tunables: Option<Vec<u8>>,
    /// The same for dyld.
    pub dyld: dyld::Settings,
    /// The version of macOS whose dyld is simulated.
    pub macos: dyld::Version,
}

impl Settings {
    /// The same without the variables that affect the search for libraries.
    #[must_use]
    pub fn without_variables(&self) -> Self {
        let dyld = self.dyld.without_variables();
        Self { library_path: None, preload: None, dyld, ..self.clone() }
    }

    /// The same without one of the variables that affect the search for libraries.
    #[must_use]
    pub fn without(&self, variable: &str) -> Self {
        let mut settings = self.clone();
        match variable {
            "LD_LIBRARY_PATH" => settings.library_path = None,
            "LD_PRELOAD" => settings.preload = None,
            name => {
                if let Some(variable) = settings.dyld.variable(name.as_bytes()) {
                    *variable = None;
                }
            }
        }
        settings
    }

    /// The entry of `LD_LIBRARY_PATH` that leads to a directory, as it is written there: with tokens, from the working
    /// directory, or the one above the subdirectory for a processor.
    #[must_use]
    pub fn written_entry(&self, directory: &Path) -> Option<PathBuf> {
        let value = self.library_path.as_deref().unwrap_or_default();
        let entries = value.split(|it| b":;".contains(it)).filter(|entry| !entry.is_empty());
        let absolute = |entry: &[u8]| self.working_directory.join(OsStr::from_bytes(entry));
        let all: Vec<(&[u8], PathBuf)> = entries.map(|it| (it, absolute(it))).collect();
        let exact = all.iter().find(|(_, path)| path == directory);
        let leads = |path: &Path| {
            tokens::leads_to(path.as_os_str().as_bytes(), directory.as_os_str().as_bytes())
        };
        let written = exact.or_else(|| all.iter().find(|(_, path)| leads(path)));
        written.map(|(entry, _)| PathBuf::from(OsStr::from_bytes(entry)))
    }

    /// The value of a tunable of glibc; `None` if it is not set, or is not a number.
    #[must_use]
    pub fn tunable(&self, name: &str) -> Option<u64> {
        let pairs = self.tunables.as_deref().unwrap_or_default().split(|&byte| byte == b':');
        let mut values = pairs.rev().filter_map(|pair| {
            str::from_utf8(pair).ok()?.strip_prefix(name)?.strip_prefix('=')?.parse().ok()
        });
        values.next()
    }

    /// The names of the variables in which two environments differ.
    #[must_use]
    pub fn variables_beside(&self, other: &Self) -> Vec<&'static str> {
        let library_path = (self.library_path != other.library_path).then_some("LD_LIBRARY_PATH");
        let preload = (self.preload != other.preload).then_some("LD_PRELOAD");
        let dyld = self.dyld.variables_beside(&other.dyld);
        library_path.into_iter().chain(preload).chain(dyld).collect()
    }
}

/// A name that an object needs, and what the loader finds for it.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// The name in the object; all that load the object share it.
    pub name: Arc<[u8]>,
    /// The object that was found, by the path under which it was loaded first; absolute.
    pub found: Option<Arc<Path>>,
    /// The rule that found it.
    pub rule: Rule,
    /// The object whose `DT_RPATH` or `DT_RUNPATH` found it.
    pub via: Option<Arc<Path>>,
    /// Every place that was searched, in order.
    pub tried: Trail,
    /// The file that ended the search before other places were searched.
    pub fatal: Option<Box<Fatal>>,
}

impl Dependency {
    /// Does the requester fail to load because of it?
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.found.is_none() && self.rule != Rule::WeakAbsent
    }
}

/// An object in a process, and the results of its needs.
#[derive(Debug, Clone)]
pub struct LoadedObject {
    /// The path under which it was found first; absolute, links not resolved.
    pub path: Arc<Path>,
    /// That path with every link resolved.
    pub real: Arc<Path>,
    /// The file's identity.
    pub id: FileId,
    /// Its own description.
    pub summary: Arc<Summary>,
    /// The object that needed it first, as an index into [`Resolution::objects`]; `None` for what
    /// was opened directly.
    pub requested_by: Option<usize>,
    /// Its `DT_NEEDED`, in order.
    pub needed: Vec<Dependency>,
    /// Versions that it needs and that its libraries lack; it does not load because of them.
    pub version_problems: Vec<VersionProblem>,
    /// The names in its headers.
    names: Arc<Names>,
    /// `$ORIGIN`: of a library the directory of its path, of the main program that of its real path.
    pub origin: Arc<Path>,
}

/// What the loader would load for a program, or for one more object that is opened in it.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The requested name, and what was found for it.
    pub root: Dependency,
    /// The newly loaded objects, in the loader's order, the requested one first.
    pub objects: Vec<LoadedObject>,
    /// `LD_PRELOAD`, for a program.
    pub preload: Vec<Dependency>,
    /// Why the loader ends with an error although everything was found.
    pub refused: Vec<Fatal>,
    /// The names by which loaded objects are known, as indices into [`Self::objects`].
    names: QuickMap<Arc<[u8]>, usize>,
    /// The same for their `DT_SONAME`.
    sonames: QuickMap<Arc<[u8]>, usize>,
}

impl Resolution {
    /// What is missing: each name with the object that needs it. The object itself comes with its
    /// own name if it could not be opened.
    pub fn missing(&self) -> impl Iterator<Item = (Option<&LoadedObject>, &Dependency)> {
        let needs = self.objects.iter().flat_map(|object| {
            object.needed.iter().map(move |dependency| (Some(object), dependency))
        });
        let all = std::iter::once((None, &self.root)).chain(needs);
        all.filter(|(_, dependency)| dependency.is_missing())
    }

    /// Would the loader load all of it?
    #[must_use]
    pub fn loads(&self) -> bool {
        self.missing().next().is_none()
            && self.refused.is_empty()
            && self.objects.iter().all(|object| object.version_problems.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn a_tunable_is_the_last_of_its_name() {
        let text = "glibc.rtld.execstack=1:glibc.malloc.check=3:glibc.rtld.execstack=2";
        let settings = Settings { tunables: Some(text.into()), ..Settings::default() };
        assert_eq!(settings.tunable("glibc.rtld.execstack"), Some(2));
        assert_eq!(settings.tunable("glibc.rtld"), None);
        assert_eq!(Settings::default().tunable("glibc.rtld.execstack"), None);
    }
}
