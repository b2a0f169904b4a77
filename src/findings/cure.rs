//! What cures a finding, as data: a command, or what a person has to do. How it is said is the report's
//! business.

use super::evidence::Release;
use super::evidence::opening::Cuda;
use super::evidence::variable::Blame;
use crate::command_line::CommandLine;
use crate::python::distribution::{Distribution, Requirement};
use crate::world::Place;
use std::path::PathBuf;

/// What cures a finding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cure {
    /// A command of tfpatch.
    Command(CommandLine),
    /// Nothing has to be done.
    Nothing,
    /// Nothing has to be done, and that command does away with it all the same.
    NothingOr(Tidying),
    /// The same, or to install that version of Python again.
    OrPythonAgain(Box<Cure>),
    /// To run tfpatch as a user who may read a file.
    RunAsReader,
    /// To put the target on a file system that is not mounted `noexec`, or to mount that one otherwise.
    AllowCode,
    /// To sign an object ad hoc.
    SignAdHoc,
    /// To take the flag of the executable stack away, which does no harm.
    Fix,
    /// To have the stack executable from the start, for an object that may need it.
    GrantExecutableStack {
        /// The distribution that the object belongs to.
        owner: Option<String>,
    },
    /// To install a release that asks for no executable stack, or to take the flag away.
    ClearExecutableStack {
        /// The distribution that the object belongs to.
        owner: Option<String>,
        /// The object.
        object: Place,
    },
    /// To have an object laid out at the start of the program, or to leave room for that many bytes.
    LoadAtStart {
        /// The object.
        object: PathBuf,
        /// What is wanted, in bytes.
        wanted: u64,
    },
    /// To tell XLA where CUDA's data are.
    PointXlaAt(PathBuf),
    /// To lead the loader or the interpreter to something, or away from it.
    Search(Search),
    /// To install something that is not there.
    Install(Install),
    /// To install something again.
    Reinstall(Reinstall),
    /// To set an environment or its interpreter right.
    Setup(Setup),
}

/// What leads the loader or the interpreter to something, or away from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Search {
    /// To say which of several directories is meant.
    NameDirectory,
    /// To say which of several directories an object is to have an entry for.
    NameEntry,
    /// To drop duplicate entries.
    Dedupe,
    /// To rename a directory whose name no search path can contain.
    RenameDirectory(PathBuf),
    /// To have the loader find a library in a directory by `LD_LIBRARY_PATH`.
    LibraryPath(PathBuf),
    /// To open a library by its path.
    OpenByPath(PathBuf),
    /// To see what a program opens, by running it under `tfpatch trace`.
    Trace,
    /// To make a link beside a file.
    Link {
        /// What the link names.
        named: PathBuf,
        /// The link.
        link: PathBuf,
        /// Is a file in its place, and has to go?
        replaces: bool,
        /// Has a search path to lead there besides?
        then_fix: bool,
    },
    /// To make `ld.so.cache` anew.
    Ldconfig,
    /// To take an entry out of variables.
    TakeOut {
        /// The entry.
        entry: PathBuf,
        /// The variables.
        variables: Blame,
    },
    /// To take a library out of `LD_PRELOAD`, or to install what ships it.
    TakeOutOfPreload(Vec<u8>),
    /// To unset `PYTHONHOME`.
    UnsetPythonHome,
    /// To set `PYTHONNOUSERSITE`, or to uninstall from the user site.
    LeaveOutUserSite,
    /// To take a copy of a library out of the way of a newer one.
    MakeWay(Place),
}

/// What is to be installed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Install {
    /// To install what ships a library, by the tables of what is known.
    WhatShips(Vec<u8>),
    /// To install what ships a library, of which no table knows.
    Unknown(Vec<u8>),
    /// To install the graphics driver.
    Driver {
        /// Is it known that it is NVIDIA's?
        is_nvidias: bool,
    },
    /// To install the wheel for a processor; `None` for this machine's.
    WheelFor(Option<&'static str>),
    /// To install builds that share one OpenMP runtime.
    OneOpenMp,
    /// To install builds that were linked with the same BLAS.
    OneBlas,
    /// To install CUDA's toolkit.
    Toolkit,
    /// To install what is required, by `pip`.
    Wanted(Wanted),
    /// To install the host that a plugin is for, by the plugin's own metadata.
    Host {
        /// The plugin.
        plugin: Release,
        /// The host.
        host: Wanted,
        /// Releases of the plugin that fit the host that is there, where they follow it by number; else the
        /// plugin may go.
        follows: Option<(String, String)>,
    },
    /// To install the newest TensorFlow that a plugin fits, by what is known of it, or to uninstall it.
    Tensorflow {
        /// The plugin.
        plugin: Release,
        /// The oldest release that it fits, major and minor number.
        oldest: (u8, u8),
        /// The newest.
        newest: (u8, u8),
    },
    /// To install releases of these two that fit.
    Fitting(String, String),
    /// To install releases that fit.
    FittingReleases,
    /// To install the release of a library that an object was built against.
    BuiltAgainst,
    /// To install the extra of a TensorFlow that brings NVIDIA's libraries.
    WithCuda(Release),
    /// To install those releases of NVIDIA's libraries.
    Cuda(Cuda),
    /// To take a build for an older glibc, of the distribution if it is known, or a newer system.
    ForOlderGlibc(Option<String>),
    /// To install a newer libstdc++: that of a release of GCC, if it is known.
    NewerLibstdcxx(Option<&'static str>),
    /// To install a newer release of a library.
    NewerLibrary(Vec<u8>),
}

/// What is to be installed again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reinstall {
    /// To install a distribution again.
    Distribution,
    /// To install the distribution again that a file belongs to.
    Owner,
    /// To install a distribution again, or to remove a link.
    OrUnlink,
    /// To install that release again, without what it requires.
    Release(Release),
    /// To install again, on the machine that runs it.
    Here,
    /// To build a wheel again.
    Wheel {
        /// Has it to be for its tag?
        for_its_tag: bool,
    },
    /// To have Git LFS fetch what its pointers stand for.
    FromGitLfs,
    /// To install a distribution again, or to sign what was changed.
    OrSign,
    /// To uninstall two distributions, and to install one of them again.
    OneOfBoth {
        /// The names of both.
        names: [String; 2],
        /// The one that stays.
        kept: Release,
    },
    /// To uninstall a distribution as often as it is installed, and to install it again.
    AfterUninstalling(String),
    /// To remove what an upgrade left, and to install the distribution again.
    AfterCleaning,
    /// To uninstall libraries for one CUDA, and to install those for another again.
    ForOneCuda {
        /// The distributions to uninstall.
        distributions: Vec<String>,
        /// The major version of the other CUDA.
        beside: String,
    },
}

/// What sets an environment or its interpreter right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Setup {
    /// To make the environment anew, and to install into it again.
    Remake,
    /// To make the environment anew in its place.
    RemakeInPlace,
    /// To recreate the environment, or to remove a link.
    RecreateOrUnlink,
    /// To install a version of Python again, and to recreate the environment.
    ReinstallPython,
    /// To let a program be executed.
    MakeExecutable,
    /// To use a Python that was built for this system.
    PythonForThisSystem,
    /// To activate the environment with that prefix.
    Activate(PathBuf),
}

/// What does away with something that does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tidying {
    /// Entries that an object lacks are added where everything is tidied.
    Entries,
    /// The same, where a file is named.
    EntriesOfFile,
    /// Dead entries are dropped.
    DeadEntries,
}

/// A distribution and its versions, as `pip` takes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The distribution.
    pub name: String,
    /// The versions, without spaces; empty for any.
    pub specifier: String,
}

impl Wanted {
    /// What a distribution requires.
    #[must_use]
    pub fn of(needed: &Requirement) -> Self {
        Self::new(&needed.name, &needed.specifier)
    }

    /// Those versions of a distribution.
    #[must_use]
    pub fn new(name: &str, specifier: &str) -> Self {
        Self { name: name.to_owned(), specifier: specifier.replace(' ', "") }
    }
}

impl Cure {
    /// `tfpatch fix`, with nothing besides.
    #[must_use]
    pub fn fix() -> Self {
        Self::Command(CommandLine::new(["fix"]))
    }

    /// `tfpatch fix` with leave to write absolute entries.
    #[must_use]
    pub fn fix_with_absolute() -> Self {
        Self::Command(CommandLine::new(["fix", "--allow-absolute"]))
    }

    /// To install that version of a distribution again.
    #[must_use]
    pub fn reinstall(distribution: &Distribution) -> Self {
        Self::Reinstall(Reinstall::Release(Release::of(distribution)))
    }
}
