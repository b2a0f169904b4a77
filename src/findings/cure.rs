//! The fix of a finding, as data: a command, or an instruction. The texts are in the report.

use super::evidence::Release;
use super::evidence::opening::Cuda;
use super::evidence::variable::Blame;
use crate::command_line::CommandLine;
use crate::python::distribution::{Distribution, Requirement};
use crate::world::{Place, World};
use std::path::{Path, PathBuf};

/// The fix of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cure {
    /// A command of tfpatch.
    Command(CommandLine),
    /// No action is needed.
    Nothing,
    /// No action is needed, but this command removes the cause.
    NothingOr(Tidying),
    /// No action is needed: this package or module is imported instead.
    Shadowed(Place),
    /// The inner fix, or reinstall that version of Python.
    OrPythonAgain(Box<Cure>),
    /// Run tfpatch as a user who may read the file.
    RunAsReader,
    /// Use a file system that is not mounted `noexec`.
    AllowCode,
    /// Give a directory a name without a `$`.
    RenameDirectory,
    /// Sign an object ad hoc.
    SignAdHoc,
    /// Clear the flag of the executable stack, which is harmless.
    Fix,
    /// Start the program with an executable stack, for an object that may need it.
    GrantExecutableStack {
        /// The distribution that the object belongs to.
        owner: Option<String>,
    },
    /// Install a release that requests no executable stack, or clear the flag.
    ClearExecutableStack {
        /// The distribution that the object belongs to.
        owner: Option<String>,
        /// The object.
        object: Place,
    },
    /// Load an object when the program starts, or reserve that many bytes.
    LoadAtStart {
        /// The object.
        object: PathBuf,
        /// The required size, in bytes.
        wanted: u64,
    },
    /// Tell XLA where the data of CUDA are.
    PointXlaAt(PathBuf),
    /// Make the loader or the interpreter find something, or stop finding it.
    Search(Search),
    /// Install something that is missing.
    Install(Install),
    /// Reinstall something.
    Reinstall(Reinstall),
    /// Repair an environment or its interpreter.
    Setup(Setup),
}

/// Ways to make the loader or the interpreter find something, or stop finding it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Search {
    /// Choose one of several directories.
    NameDirectory,
    /// Choose one of several directories for a new entry of an object.
    NameEntry,
    /// Remove duplicate entries.
    Dedupe,
    /// Rename a directory whose name is invalid in a search path.
    RenameDirectory(PathBuf),
    /// Make the loader find a library in a directory through `LD_LIBRARY_PATH`.
    LibraryPath(PathBuf),
    /// Open a library by its path.
    OpenByPath(PathBuf),
    /// Run a program under `tfpatch trace` to see what it opens.
    Trace,
    /// Create a symlink beside a file.
    Link {
        /// The target of the symlink.
        named: PathBuf,
        /// The symlink.
        link: PathBuf,
        /// Does it replace an existing file?
        replaces: bool,
        /// The target of the repair, if a search path needs an entry for its directory too.
        then_fix: Option<PathBuf>,
    },
    /// Update `ld.so.cache`.
    Ldconfig,
    /// Remove an entry from variables.
    TakeOut {
        /// The entry.
        entry: PathBuf,
        /// The variables.
        variables: Blame,
    },
    /// Remove a library from `LD_PRELOAD`, or install the package that contains it.
    TakeOutOfPreload(Vec<u8>),
    /// Unset `PYTHONHOME`.
    UnsetPythonHome,
    /// Set `PYTHONNOUSERSITE`, or uninstall a package from the user site.
    LeaveOutUserSite,
    /// Remove a copy of a library that shadows a newer one.
    MakeWay(Place),
}

/// What to install.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Install {
    /// Install the package that contains a library, according to the tables.
    WhatShips(Vec<u8>),
    /// Install the package that contains a library that is in no table.
    Unknown(Vec<u8>),
    /// Install the graphics driver.
    Driver {
        /// Is it known to be NVIDIA's?
        is_nvidias: bool,
    },
    /// Install the wheel for a processor; `None` for that of this machine.
    WheelFor(Option<&'static str>),
    /// Install builds that share one OpenMP runtime.
    OneOpenMp,
    /// Install builds that are linked to the same BLAS.
    OneBlas,
    /// Install the CUDA toolkit.
    Toolkit,
    /// Install a requirement with `pip`.
    Wanted(Wanted),
    /// Install the host of a plugin, according to the metadata of the plugin.
    Host {
        /// The plugin.
        plugin: Release,
        /// The host.
        host: Wanted,
        /// Releases of the plugin for the installed host, if both have the same numbers; otherwise the plugin
        /// may be uninstalled.
        follows: Option<(String, String)>,
    },
    /// Install the newest TensorFlow that a plugin is known to work with, or uninstall the plugin.
    Tensorflow {
        /// The plugin.
        plugin: Release,
        /// The oldest release that works, major and minor number.
        oldest: (u8, u8),
        /// The newest one.
        newest: (u8, u8),
    },
    /// Install compatible releases of these two.
    Fitting(String, String),
    /// Install compatible releases.
    FittingReleases,
    /// Link an object again, with the library that defines its symbols.
    LinkedAgain,
    /// Install the release of a library that an object was built against.
    BuiltAgainst,
    /// Install the extra of a TensorFlow with NVIDIA's libraries.
    WithCuda(Release),
    /// Install these releases of NVIDIA's libraries.
    Cuda(Cuda),
    /// Use a build for an older glibc, of the distribution if it is known, or a newer system.
    ForOlderGlibc(Option<String>),
    /// Install a newer libstdc++: that of a release of GCC, if known.
    NewerLibstdcxx(Option<&'static str>),
    /// Install a newer release of a library.
    NewerLibrary(Vec<u8>),
}

/// What to reinstall.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reinstall {
    /// Reinstall a distribution.
    Distribution,
    /// Reinstall the distribution that a file belongs to.
    Owner,
    /// Reinstall a distribution, or remove a link.
    OrUnlink,
    /// Reinstall this release, without its requirements.
    Release(Release),
    /// Reinstall, on the machine that runs it.
    Here,
    /// Rebuild a wheel.
    Wheel {
        /// Must it match its tag?
        for_its_tag: bool,
    },
    /// Let Git LFS fetch the files that its pointers stand for.
    FromGitLfs,
    /// Reinstall a distribution, or sign the changed file.
    OrSign,
    /// Uninstall two distributions, and reinstall one of them.
    OneOfBoth {
        /// The names of both.
        names: [String; 2],
        /// The one that is kept.
        kept: Release,
    },
    /// Uninstall a distribution as often as it is installed, and reinstall it.
    AfterUninstalling(String),
    /// Remove the leftovers of an upgrade, and reinstall the distribution.
    AfterCleaning,
    /// Uninstall libraries for one CUDA, and reinstall those for another.
    ForOneCuda {
        /// The distributions to uninstall.
        distributions: Vec<String>,
        /// The major version of the other CUDA.
        beside: String,
    },
}

/// Ways to repair an environment or its interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Setup {
    /// Recreate the environment, and reinstall its packages.
    Remake,
    /// Recreate the environment in its location.
    RemakeInPlace,
    /// Recreate the environment, or to remove a link.
    RecreateOrUnlink,
    /// Reinstall a version of Python, and recreate the environment.
    ReinstallPython,
    /// Make a program executable.
    MakeExecutable,
    /// Use a Python that is built for this system.
    PythonForThisSystem,
    /// Activate the environment with this prefix.
    Activate(PathBuf),
}

/// Ways to remove harmless problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tidying {
    /// `fix --tidy` adds missing entries.
    Entries,
    /// `fix FILE` adds missing entries.
    EntriesOfFile,
    /// `fix --tidy` removes entries for missing directories.
    DeadEntries,
}

/// A distribution and its versions, in the syntax of `pip`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The distribution.
    pub name: String,
    /// The versions, without spaces; empty for any.
    pub specifier: String,
}

impl Wanted {
    /// A requirement of a distribution.
    #[must_use]
    pub fn of(needed: &Requirement) -> Self {
        Self::new(&needed.name, &needed.specifier)
    }

    /// These versions of a distribution.
    #[must_use]
    pub fn new(name: &str, specifier: &str) -> Self {
        Self { name: name.to_owned(), specifier: specifier.replace(' ', "") }
    }
}

impl Cure {
    /// `tfpatch fix`, without options.
    #[must_use]
    pub fn fix() -> Self {
        Self::Command(CommandLine::new(["fix"]))
    }

    /// `tfpatch fix` with permission for absolute entries.
    #[must_use]
    pub fn fix_with_absolute() -> Self {
        Self::Command(CommandLine::new(["fix", "--allow-absolute"]))
    }

    /// Reinstall this version of a distribution.
    #[must_use]
    pub fn reinstall(distribution: &Distribution) -> Self {
        Self::Reinstall(Reinstall::Release(Release::of(distribution)))
    }

    /// Reinstall the distribution whose RECORD lists a file, with its name and version, or do what `unknown`
    /// says. A wheel is not installed yet.
    #[must_use]
    pub fn reinstall_owner(world: &World, file: &Path, unknown: Reinstall) -> Self {
        match world.distribution_listing(file) {
            Some(owner) if world.wheel.is_none() => Self::reinstall(owner),
            _ => Self::Reinstall(unknown),
        }
    }
}
