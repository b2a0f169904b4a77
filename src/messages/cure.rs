//! The fix for a message, if only the message is known.

use super::advice::Advice;
use super::meaning::Unreadable;
use super::scanner::{is_of_system, leaf};
use super::{Kind, Message, Speaker, Weight};
use crate::bytes::printable;
use crate::findings::finding::Cause;
use crate::knowledge::managers::{self, Manager};
use crate::knowledge::packages::Shipped;
use crate::knowledge::saying::Saying;
use crate::knowledge::standard_modules::Headers;
use crate::knowledge::tensorflow::is_of_cuda;
use crate::knowledge::{homebrew, import_names, packages, symbols};
use crate::world::object_names::is_renamed;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// The fix for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Help {
    /// Advice that is the same for all such messages.
    Advice(Advice),
    /// Make an existing file accessible.
    OpenFile(OpenFile),
    /// The fix in the table of sayings.
    Saying(&'static Saying),
    /// Install the graphics driver.
    Driver {
        /// Does the program fail without it, rather than continue without a GPU?
        is_needed: bool,
    },
    /// Install or find a library.
    Library(LibraryHelp),
    /// Install a module of Python's standard library.
    StandardModule {
        /// The package of headers that it is compiled with.
        headers: Headers,
    },
    /// Install a missing object.
    Object {
        /// The package that contains it, according to the tables.
        shipped: Shipped,
        /// The owner of its path, if it is a distribution.
        owner: Option<Owned>,
    },
    /// Use a package manager other than those of Python and the system.
    Managed(Manager, Lack),
    /// Replace an older library with a newer one.
    Older(Older),
    /// Reinstall the distribution or package that contains an object.
    Reinstall(Owned),
    /// Install a build for this processor.
    Processor {
        /// Is the message from dyld, so that Python may be for another architecture than the Mac?
        is_mac: bool,
        /// The distribution.
        distribution: Option<String>,
    },
    /// Install a newer libstdc++: that of a release of GCC, if known.
    NewerLibstdcxx(Option<&'static str>),
    /// Use a newer GNU C library, or a release of the distribution that was built for an older one.
    NewerGlibc(Option<String>),
    /// Install compatible releases.
    Releases(ReleasesHelp),
    /// Load an object before others.
    LoadFirst,
    /// Rename a file of the program that has the name of a package.
    Rename(PathBuf),
    /// Read the page of a cause.
    Page(Cause),
}

/// The fix if a library is too old for what needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Older {
    /// Upgrade a formula of Homebrew.
    Formula(String),
    /// Install the right version of a library, and remove older copies.
    Copy(Shipped),
    /// The same, if the library is in a directory of the system, where only a link may be removed.
    LinkToAnother {
        /// The file that was found.
        library: String,
        /// The package that contains the library.
        shipped: Shipped,
    },
    /// Use a newer system, or a build for this one, because the system's own library is too old.
    OfSystem {
        /// The library of the system.
        library: String,
        /// The package of conda-forge that contains a newer one.
        conda: Option<&'static str>,
    },
    /// Stop a private copy of a library from shadowing that of the system.
    PrivateCopy(Vec<u8>),
}

/// The fix if a file cannot be opened, regardless of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenFile {
    /// Give the user permission to read it.
    Permissions,
    /// Remove the loop of links.
    LinkLoop,
    /// Raise the limit of open files.
    Limit,
    /// Make Gatekeeper accept the file.
    Quarantine,
}

/// The owner of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owned {
    /// Modules of Node.js.
    Node,
    /// The package of the system that contains this file.
    System(Vec<u8>),
    /// A distribution.
    Distribution(String),
    /// Unknown.
    Unknown,
}

/// The problem of an object that a package manager installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// A library is missing.
    Library,
    /// The release of a library is wrong.
    Fit,
    /// The file or a part of it is missing.
    File,
}

/// How to get a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryHelp {
    /// The source of the library.
    pub bring: Bring,
    /// May it be in the environment, in a directory that is not searched?
    pub may_be_here: bool,
    /// An object, another build of which, for the installed CUDA, does not need the library.
    pub or_build_of: Option<Vec<u8>>,
    /// The manager that can rebuild the object for the installed libraries.
    pub or_again: Option<Manager>,
}

/// The source of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bring {
    /// A package in the tables.
    Shipped(Shipped),
    /// Reinstalling its distribution.
    Distribution(String),
    /// Reinstalling the distribution whose wheel contains a renamed copy.
    OfWheel,
    /// The library directory beside the program that the library belongs to.
    OfTree(String),
    /// A package of Alpine.
    Alpine,
    /// A release of CUDA or cuDNN that contains it.
    Cuda,
    /// A package of the system that the user has to look up.
    LookUp,
    /// A formula of Homebrew; something newer if the formula is installed without the library.
    Formula(String, Newer),
    /// Something newer, because Homebrew no longer installs a formula.
    InsteadOf(String, Newer),
    /// A formula of Homebrew that the user has to look up.
    LookUpFormula,
}

/// Something newer that does not need a library, or finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Newer {
    /// A release of a distribution.
    Distribution(String),
    /// A formula of Homebrew.
    Formula(String),
    /// A newer build of the program that needs it.
    Build,
    /// The variable that makes dyld find a bare name among the libraries of Homebrew.
    Fallback,
}

/// How to get compatible releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleasesHelp {
    /// A newer NumPy.
    NewerNumpy,
    /// NumPy 1, or packages that were built for NumPy 2.
    Numpy1,
    /// Another Python, or the distribution for this Python.
    OtherPython(Option<String>),
    /// Newer releases of a distribution and of the packages that import from it.
    Newer(String),
    /// A newer macOS, or an older release.
    NewerMacos(Option<String>),
    /// Reinstall a distribution for the installed project whose symbols were not found.
    Again {
        /// The distribution.
        distribution: String,
        /// The project whose symbols were not found.
        owner: &'static str,
        /// Is the message from dyld?
        is_mac: bool,
    },
    /// A release or a build for the installed project.
    BuiltFor {
        /// The distribution.
        distribution: String,
        /// The project whose symbols were not found.
        owner: symbols::Owner,
    },
    /// Reinstall a distribution that requires the exact release of the project.
    Requires {
        /// The distribution.
        distribution: String,
        /// The project whose symbols were not found.
        owner: symbols::Owner,
    },
    /// A release of the package with the object, for the installed project.
    OfObject {
        /// The project whose symbols were not found.
        owner: symbols::Owner,
        /// Is the message from dyld?
        is_mac: bool,
    },
    /// Reinstall the distribution, install another release, or build it here.
    BuildHere(String),
    /// Releases that were built for each other.
    ForEachOther,
}

impl Message {
    /// The fix if only the message is known.
    #[must_use]
    pub fn cure(&self) -> Help {
        if let Some(saying) = self.saying {
            return Help::Saying(saying);
        }
        let Some(cause) = self.cause() else { return Help::Advice(Advice::Nothing) };
        if let Some(help) = self.cure_of_managed(cause).or_else(|| self.cure_of_opening()) {
            return help;
        }
        match (self.kind, cause) {
            _ if self.is_built_by_npm(cause) => Help::Advice(Advice::NodeModules),
            (Kind::LibraryNotFound, Cause::WrongPlatform) if self.speaker != Speaker::Musl => {
                Help::Advice(Advice::BuiltForMusl)
            }
            _ if self.may_not_be_executed() => Help::Advice(Advice::NoExec),
            (_, Cause::DriverMissing) => Help::Driver { is_needed: self.weight() == Weight::Fails },
            (Kind::RpathIgnored, _) => Help::Advice(Advice::RelativeEntry),
            (Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded, Cause::WrongPlatform) => {
                Help::Advice(Advice::AnotherLinux)
            }
            (Kind::GpuLibraryNotLoaded | Kind::GpuLibrariesNotLoaded, _)
                if self.speaker == Speaker::Tensorflow =>
            {
                Help::Advice(Advice::GpuLibraries)
            }
            (Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded, _) => {
                Help::Library(self.cure_of_missing_library())
            }
            (Kind::ModuleNotFound, Cause::NotInstalled) => match self.headers() {
                Some(headers) => Help::StandardModule { headers },
                None => Help::Advice(Advice::Module),
            },
            (Kind::ModuleNotFound, Cause::EnvOverride) => Help::Advice(Advice::StandardLibrary),
            (_, Cause::WrongPlatform) => Help::Advice(Advice::AnotherLinux),
            (Kind::ObjectNotFound, _) => self.cure_of_missing_object(),
            (_, Cause::PartialInstall | Cause::Unreadable) => Help::Reinstall(self.owned()),
            (_, Cause::WrongArch) => Help::Processor {
                is_mac: self.speaker == Speaker::Dyld,
                distribution: self.distribution(),
            },
            (_, Cause::EnvOverride) => Help::Advice(Advice::OneLibc),
            (_, Cause::SymbolVersion) => self.cure_of_older_library(),
            (_, Cause::VersionMismatch | Cause::MissingSymbol) => {
                Help::Releases(self.cure_of_releases())
            }
            (_, Cause::StaticTls) => Help::LoadFirst,
            (_, Cause::ExecStack) => Help::Advice(Advice::NoExecutableStack),
            (_, Cause::BadSignature) => Help::Advice(Advice::Sign),
            (_, Cause::DuplicateRpath) => Help::Advice(Advice::Dedupe),
            (_, Cause::DataMissing) if self.library.as_deref() == Some(b"ptxas") => {
                Help::Advice(Advice::Ptxas)
            }
            (_, Cause::DataMissing) => Help::Advice(Advice::Libdevice),
            (_, Cause::WrongInterpreter) if self.entry.is_none() => {
                Help::Advice(Advice::FindInterpreter)
            }
            (_, Cause::WrongInterpreter) => Help::Advice(Advice::RemakeEnvironment),
            (_, other) => Help::Page(other),
        }
    }

    /// The fix if a file cannot be opened, although its content may be fine, or is opened instead of another one.
    fn cure_of_opening(&self) -> Option<Help> {
        if let Some(file) = self.object.as_deref().filter(|_| self.may_be_about_a_shadow()) {
            return Some(Help::Rename(PathBuf::from(OsStr::from_bytes(file))));
        }
        if self.kind == Kind::BadSignature {
            let quarantine =
                self.is_about_a_policy().then_some(Help::OpenFile(OpenFile::Quarantine));
            let team = || self.is_about_a_team().then_some(Help::Advice(Advice::OneTeam));
            return quarantine.or_else(team);
        }
        let why = (self.kind == Kind::ObjectUnreadable).then(|| self.why_unreadable())?;
        Some(Help::OpenFile(match why {
            Unreadable::Forbidden => OpenFile::Permissions,
            Unreadable::LinkLoop => OpenFile::LinkLoop,
            Unreadable::TooManyFiles => OpenFile::Limit,
            _ => return None,
        }))
    }

    /// The distribution of the named object: the installed one if it is known, or else the usual one for its
    /// path.
    #[must_use]
    pub fn distribution(&self) -> Option<String> {
        let installed = self.installed.as_ref().map(|release| release.name.clone());
        installed.or_else(|| self.usual_distribution())
    }

    /// The distribution that usually contains the named object, according to its path.
    fn usual_distribution(&self) -> Option<String> {
        import_names::distribution_of_path(&printable(self.object.as_deref()?))
    }

    /// The owner of the named object.
    fn owned(&self) -> Owned {
        if self.is_node() {
            return Owned::Node;
        }
        let object = self.object.as_deref().unwrap_or_default();
        match self.distribution() {
            None if is_of_system(object) => Owned::System(object.to_vec()),
            None => Owned::Unknown,
            Some(distribution) => Owned::Distribution(distribution),
        }
    }

    /// The manager of the named object or library, other than Python's installers and the system.
    pub(super) fn manager(&self) -> Option<Manager> {
        // R names the library that it opens in the previous line.
        let near = self.near.as_ref().filter(|near| near.ends_with(b".so"));
        let named = [&self.object, &self.library].into_iter().flatten().chain(near);
        let by_path = named.map(|path| printable(path)).find_map(|path| managers::of_path(&path));
        let library = self.library.as_deref().map(leaf).map(printable).unwrap_or_default();
        match by_path {
            None if managers::is_of_ros(&library) => Some(Manager::Ros(None)),
            None if self.in_nix => Some(Manager::Nix),
            known => known,
        }
    }

    /// The fix if another package manager is responsible for the object.
    fn cure_of_managed(&self, cause: Cause) -> Option<Help> {
        let manager = self.manager()?;
        let lack = match (self.kind, cause) {
            (_, Cause::EnvOverride) if matches!(manager, Manager::Base(_)) => Lack::Fit,
            (_, Cause::DriverMissing | Cause::EnvOverride) => return None,
            _ if self.may_not_be_executed() => return None,
            (Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded, _) => Lack::Library,
            (Kind::VersionNotFound | Kind::SymbolNotFound, _) => Lack::Fit,
            (Kind::ObjectNotFound | Kind::ObjectUnreadable | Kind::WrongArchitecture, _) => {
                Lack::File
            }
            _ => return None,
        };
        let is_for_it = match &manager {
            Manager::Nix
            | Manager::Snap(_)
            | Manager::Base(_)
            | Manager::Termux
            | Manager::Haiku => true,
            Manager::Ros(distribution) => {
                let library = self.library.as_deref().map(leaf).map(printable).unwrap_or_default();
                // The libraries of ROS have no versions.
                let may_be_own = distribution.is_some() && library.ends_with(".so");
                lack != Lack::Library || may_be_own || managers::is_of_ros(&library)
            }
            // A bundle contains its own libraries, and uses those of the system for the rest.
            Manager::Bundle(_) => {
                let is_in_it = self.library.as_deref().is_none_or(|name| name.starts_with(b"/"));
                lack == Lack::File || lack == Lack::Library && is_in_it
            }
            // The missing library belongs to the system.
            Manager::Php(..) | Manager::Gem(_) | Manager::R(_) | Manager::Perl(_) => {
                lack != Lack::Library || cause == Cause::WrongPlatform
            }
            // Versions are a better indication of what is too old.
            Manager::Conda => self.kind == Kind::SymbolNotFound,
        };
        is_for_it.then_some(Help::Managed(manager, lack))
    }

    fn cure_of_missing_library(&self) -> LibraryHelp {
        let library = self.library.as_deref().map(leaf).unwrap_or_default();
        let name = if library.is_empty() { "it".to_owned() } else { printable(library) };
        let bring = match self.speaker {
            Speaker::Dyld => self.cure_on_macos(&name),
            _ if name.ends_with(".dylib") => self.cure_on_macos(&name),
            Speaker::Musl => Bring::Alpine,
            _ if is_renamed(name.as_bytes()) => {
                let near = self.near.as_deref().map(printable);
                let near = || import_names::distribution_of_path(&near?);
                self.distribution().or_else(near).map_or(Bring::OfWheel, Bring::Distribution)
            }
            _ => match (packages::shipper(library), self.own_libraries()) {
                (_, Some(directory)) => Bring::OfTree(directory),
                (Some(shipped), _) => Bring::Shipped(shipped),
                _ if is_of_cuda(library) => Bring::Cuda,
                _ => Bring::LookUp,
            },
        };
        // No environment contains files of the system, or of another package manager.
        let is_path = self.library.as_deref().is_some_and(|name| name.starts_with(b"/"));
        let may_be_here =
            !bring.is_of_system() && !is_path && !library.is_empty() && self.is_of_an_environment();
        let is_built_for_cuda = may_be_here && is_of_cuda(library) && self.speaker != Speaker::Dyld;
        LibraryHelp {
            bring,
            may_be_here,
            or_build_of: self.object.clone().filter(|_| is_built_for_cuda),
            or_again: self.manager(),
        }
    }

    /// The source of a library on macOS: the formula in its path, or the one that contains it, or its own
    /// distribution.
    fn cure_on_macos(&self, name: &str) -> Bring {
        let path = self.library.as_deref().map(printable).unwrap_or_default();
        let asker = self.object.as_deref().map(printable).unwrap_or_default();
        let tried = || {
            let places = self.tried.iter().map(|tried| printable(&tried.path));
            let places = places.filter(|place| place.contains("/opt/homebrew/opt/"));
            places.filter_map(|place| homebrew::formula_of_path(&place).map(str::to_owned)).next()
        };
        let formula = homebrew::formula_of_path(&path)
            .or_else(|| homebrew::formula_of_library(name))
            .or_else(|| homebrew::formula_of_library(&packages::library_called(name)?))
            .map(str::to_owned)
            .or_else(tried);
        let Some(formula) = formula else {
            return match (packages::shipper(name.as_bytes()), self.distribution()) {
                (_, Some(distribution)) => Bring::Distribution(distribution),
                (Some(shipped), None) => Bring::Shipped(shipped),
                (None, None) => Bring::LookUpFormula,
            };
        };
        let newer = match (homebrew::formula_of_path(&asker), self.distribution()) {
            _ if self.is_bare_name() => Newer::Fallback,
            (_, Some(distribution)) => Newer::Distribution(distribution),
            (Some(own), None) => Newer::Formula(own.to_owned()),
            (None, None) => Newer::Build,
        };
        match homebrew::is_disabled(&formula) {
            true => Bring::InsteadOf(formula, newer),
            false => Bring::Formula(formula, newer),
        }
    }

    fn cure_of_missing_object(&self) -> Help {
        if self.is_not_a_directory() {
            return Help::Advice(Advice::Path);
        }
        let object = self.object.as_deref().map(leaf).unwrap_or_default();
        match packages::shipper(object) {
            Some(shipped) => {
                let owner = self.distribution().is_some().then(|| self.owned());
                Help::Object { shipped, owner }
            }
            None => Help::Reinstall(self.owned()),
        }
    }

    /// The fix if two files were not built for each other.
    fn cure_of_releases(&self) -> ReleasesHelp {
        if self.module.as_deref() == Some(b"numpy") {
            return match self.is_for_a_newer_numpy() {
                true => ReleasesHelp::NewerNumpy,
                false => ReleasesHelp::Numpy1,
            };
        }
        let own = self.distribution();
        if self.kind == Kind::NameNotFound && self.asks_for_a_compiled_module() {
            return ReleasesHelp::OtherPython(own);
        }
        if let (Kind::NameNotFound, Some(own)) = (self.kind, &own) {
            return ReleasesHelp::Newer(own.clone());
        }
        if self.library.as_deref().is_some_and(super::meaning::is_of_macos) {
            return ReleasesHelp::NewerMacos(own);
        }
        let is_mac = self.speaker == Speaker::Dyld;
        match (self.owner(), own) {
            (Some(owner), Some(distribution))
                if owner.distribution.is_empty()
                    || owner.distribution == distribution
                    || Some(owner.distribution) == self.usual_distribution().as_deref() =>
            {
                ReleasesHelp::Again { distribution, owner: owner.name, is_mac }
            }
            (Some(owner), Some(distribution)) if owner.distribution.starts_with("nvidia-") => {
                ReleasesHelp::Requires { distribution, owner }
            }
            (Some(owner), Some(distribution)) => ReleasesHelp::BuiltFor { distribution, owner },
            (Some(owner), None) if !owner.distribution.is_empty() => {
                ReleasesHelp::OfObject { owner, is_mac }
            }
            (_, Some(own)) => ReleasesHelp::BuildHere(own),
            _ => ReleasesHelp::ForEachOther,
        }
    }

    /// The project of the missing symbol. In Mach-O files, the names of C symbols begin with an underscore.
    pub(super) fn owner(&self) -> Option<symbols::Owner> {
        let symbol =
            printable(self.symbol.as_deref().filter(|_| self.kind == Kind::SymbolNotFound)?);
        let plain = symbol.strip_prefix('_').filter(|_| self.speaker == Speaker::Dyld);
        symbols::owner(plain.unwrap_or(&symbol))
    }

    /// Is the missing name that of a compiled module, which usually begins with an underscore?
    pub(super) fn asks_for_a_compiled_module(&self) -> bool {
        self.symbol
            .as_deref()
            .is_some_and(|name| name.starts_with(b"_") && !name.starts_with(b"__"))
    }
}

impl Bring {
    /// Does it belong to the system, or to a package manager other than Python's?
    fn is_of_system(&self) -> bool {
        match self {
            Self::Shipped(
                Shipped::Packages { .. }
                | Shipped::Conda { .. }
                | Shipped::Development { .. }
                | Shipped::Releases { .. }
                | Shipped::Advice(_),
            )
            | Self::Alpine
            | Self::OfTree(_)
            | Self::Formula(..) => true,
            Self::InsteadOf(_, newer) => matches!(newer, Newer::Formula(_)),
            Self::Shipped(Shipped::Distribution { .. })
            | Self::Distribution(_)
            | Self::OfWheel
            | Self::Cuda
            | Self::LookUp
            | Self::LookUpFormula => false,
        }
    }
}
