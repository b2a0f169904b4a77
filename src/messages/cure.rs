//! What cures what a message says, where nothing is known of the machine beside its words.

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

/// What cures what a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Help {
    /// What is the same for all such messages.
    Advice(Advice),
    /// To have a file opened that is there.
    OpenFile(OpenFile),
    /// What is in the table of sayings.
    Saying(&'static Saying),
    /// The graphics driver.
    Driver {
        /// Does a program fail without it, and not only go on without a GPU?
        is_needed: bool,
    },
    /// A library.
    Library(LibraryHelp),
    /// A part of Python's standard library.
    StandardModule {
        /// The package of headers that it is compiled with.
        headers: Headers,
    },
    /// An object that is not there.
    Object {
        /// What ships it, by the tables.
        shipped: Shipped,
        /// What it is of, where a distribution owns its path.
        owner: Option<Owned>,
    },
    /// What a package manager beside Python's and the system's has for it.
    Managed(Manager, Lack),
    /// A newer library in the place of an older one.
    Older(Older),
    /// The distribution or the package again that an object is of.
    Reinstall(Owned),
    /// A build for this processor.
    Processor {
        /// Does dyld speak, so that Python may be of another processor than the Mac?
        is_mac: bool,
        /// The distribution.
        distribution: Option<String>,
    },
    /// A newer libstdc++: that of a release of GCC, if it is known.
    NewerLibstdcxx(Option<&'static str>),
    /// A newer GNU C library, or a release of the distribution that was built for an older one.
    NewerGlibc(Option<String>),
    /// Releases that fit.
    Releases(ReleasesHelp),
    /// To load an object before others.
    LoadFirst,
    /// What the page of a cause says.
    Page(Cause),
}

/// What is the same for all messages of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nothing has to be done.
    Nothing,
    /// An entry that does not depend on where the program was started.
    RelativeEntry,
    /// An environment that was made on this kind of Linux.
    AnotherLinux,
    /// A build for glibc, in the place of one for musl.
    BuiltForMusl,
    /// A directory whose file system lets files be executed.
    NoExec,
    /// Modules of Node.js that were built for this system.
    NodeModules,
    /// NVIDIA's libraries, for TensorFlow.
    GpuLibraries,
    /// What ships a module.
    Module,
    /// The right path, where a part of it is a file.
    Path,
    /// One GNU C library in place of two.
    OneLibc,
    /// A newer copy of a library.
    NewerCopy,
    /// A release that needs no executable stack.
    NoExecutableStack,
    /// One Team ID.
    OneTeam,
    /// A signature.
    Sign,
    /// To drop a duplicate entry.
    Dedupe,
    /// The program `ptxas`.
    Ptxas,
    /// libdevice.
    Libdevice,
    /// The environment recreated.
    RemakeEnvironment,
    /// To find out what a script or a program names as its interpreter.
    FindInterpreter,
}

/// What helps where a library is older than what needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Older {
    /// A formula of Homebrew that has an older library.
    Formula(String),
    /// A library of the right version, and no older copy before it.
    Copy(Shipped),
    /// The same where the name is in a directory of the system, in which nothing but a link may be removed.
    LinkToAnother {
        /// The file that was found.
        library: String,
        /// What ships the library.
        shipped: Shipped,
    },
    /// A newer system, or a build for this one, where the system's own library is too old.
    OfSystem {
        /// The system's library.
        library: String,
        /// The package of conda-forge that has a newer one.
        conda: Option<&'static str>,
    },
    /// No private copy of a library before that of the system.
    PrivateCopy(Vec<u8>),
}

/// What helps where a file is not opened, whatever is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenFile {
    /// Permissions with which the user may read it.
    Permissions,
    /// Links that lead to a file, in place of a loop.
    LinkLoop,
    /// A higher limit of open files.
    Limit,
    /// What Gatekeeper lets through.
    Quarantine,
}

/// What an object is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owned {
    /// Of modules of Node.js.
    Node,
    /// Of a package of the system, which this file belongs to.
    System(Vec<u8>),
    /// Of a distribution.
    Distribution(String),
    /// Not known.
    Unknown,
}

/// What an object that a package manager brought lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// A library.
    Library,
    /// A library of the right release.
    Fit,
    /// The file itself, or a part of it.
    File,
}

/// How to get a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryHelp {
    /// What brings it.
    pub bring: Bring,
    /// May it be in the environment, in a directory that is not searched?
    pub may_be_here: bool,
    /// An object of which another build, for the CUDA that is there, would do without it.
    pub or_build_of: Option<Vec<u8>>,
    /// What could build the object again, for the libraries that are there.
    pub or_again: Option<Manager>,
}

/// What brings a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bring {
    /// The tables know it.
    Shipped(Shipped),
    /// Its distribution again.
    Distribution(String),
    /// The distribution again whose wheel brought a copy with a name of its own.
    OfWheel,
    /// The directory of libraries beside that of the program whose own library it is.
    OfTree(String),
    /// Alpine's package.
    Alpine,
    /// The release of CUDA or cuDNN that has it.
    Cuda,
    /// A package of the system whose name is to be looked up.
    LookUp,
    /// A formula of Homebrew; where it is installed without the library, something newer.
    Formula(String, Newer),
    /// Something newer, since Homebrew no longer installs a formula.
    InsteadOf(String, Newer),
    /// A formula of Homebrew whose name is to be looked up.
    LookUpFormula,
}

/// Something newer that does without a library, or finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Newer {
    /// A release of a distribution.
    Distribution(String),
    /// A formula of Homebrew.
    Formula(String),
    /// Some build of what asks.
    Build,
    /// The variable by which dyld finds a bare name among Homebrew's libraries.
    Fallback,
}

/// Releases that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleasesHelp {
    /// A newer NumPy.
    NewerNumpy,
    /// NumPy 1, or what was built for NumPy 2.
    Numpy1,
    /// Another Python, or the distribution for this one.
    OtherPython(Option<String>),
    /// Newer releases of a distribution and of what imports from it.
    Newer(String),
    /// A newer macOS, or an older release.
    NewerMacos(Option<String>),
    /// The distribution again, for the one that is there of whose symbols something lacks.
    Again {
        /// The distribution.
        distribution: String,
        /// The project whose symbols are lacking.
        owner: &'static str,
        /// Does dyld speak?
        is_mac: bool,
    },
    /// A release, or a build, for what is there.
    BuiltFor {
        /// The distribution.
        distribution: String,
        /// The project whose symbols are lacking.
        owner: symbols::Owner,
    },
    /// The distribution again, which requires the very release of what it lacks symbols of.
    Requires {
        /// The distribution.
        distribution: String,
        /// The project whose symbols are lacking.
        owner: symbols::Owner,
    },
    /// A release of what brings the object, for what is there.
    OfObject {
        /// The project whose symbols are lacking.
        owner: symbols::Owner,
        /// Does dyld speak?
        is_mac: bool,
    },
    /// The distribution again, or built here.
    BuildHere(String),
    /// Releases that were built for each other.
    ForEachOther,
}

impl Message {
    /// What cures it where nothing is known of the machine.
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

    /// What helps where a file is not opened, although nothing has to be wrong with what is in it.
    fn cure_of_opening(&self) -> Option<Help> {
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

    /// The distribution of the object that is named, by its path.
    #[must_use]
    pub fn distribution(&self) -> Option<String> {
        import_names::distribution_of_path(&printable(self.object.as_deref()?))
    }

    /// What the object is of that is named.
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

    /// What manages the object or the library that is named, beside Python's installers and the system.
    pub(super) fn manager(&self) -> Option<Manager> {
        // R names the library that it opens in the line before.
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

    /// What cures it where another package manager decides about the object.
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
            // What a bundle brings is in it, and it leaves what is the system's to the system.
            Manager::Bundle(_) => {
                let is_in_it = self.library.as_deref().is_none_or(|name| name.starts_with(b"/"));
                lack == Lack::File || lack == Lack::Library && is_in_it
            }
            // The library that they lack is the system's.
            Manager::Php(..) | Manager::Gem(_) | Manager::R(_) | Manager::Perl(_) => {
                lack != Lack::Library || cause == Cause::WrongPlatform
            }
            // Versions say more about what is too old.
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
            _ if is_renamed_by_a_wheel(&name) => {
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
        // Nobody's environment holds what belongs to the system, or to another package manager.
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

    /// What brings a library on macOS: the formula that its path names, or that ships it, or its own
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

    /// What helps where two things were not built for each other.
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
                if owner.distribution.is_empty() || owner.distribution == distribution =>
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

    /// Whose the missing symbol is. The names of C in Mach-O files begin with an underscore.
    pub(super) fn owner(&self) -> Option<symbols::Owner> {
        let symbol =
            printable(self.symbol.as_deref().filter(|_| self.kind == Kind::SymbolNotFound)?);
        let plain = symbol.strip_prefix('_').filter(|_| self.speaker == Speaker::Dyld);
        symbols::owner(plain.unwrap_or(&symbol))
    }

    /// Is a name that was not found that of a compiled module, which by custom begins with an
    /// underscore?
    pub(super) fn asks_for_a_compiled_module(&self) -> bool {
        self.symbol
            .as_deref()
            .is_some_and(|name| name.starts_with(b"_") && !name.starts_with(b"__"))
    }
}

impl Bring {
    /// Does it come with the system, or from a package manager beside Python's?
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

/// Is it a name that auditwheel gave a copy of a library: `libgomp-d22c30c5.so.1.0.0`?
fn is_renamed_by_a_wheel(name: &str) -> bool {
    let stem = name.split(".so").next().unwrap_or(name);
    let tag = stem.rsplit_once('-').map(|(_, tag)| tag).unwrap_or_default();
    let tag = tag.split('.').next().unwrap_or(tag);
    tag.len() == 8 && tag.chars().all(|c| c.is_ascii_hexdigit())
}
