//! What cures what a message says, where nothing is known of the machine beside its words.

use super::scanner::leaf;
use super::{Kind, Message, Speaker, Weight};
use crate::bytes::{in_shell_quotes, printable};
use crate::findings::finding::Cause;
use crate::knowledge::tensorflow::is_of_cuda;
use crate::knowledge::{homebrew, import_names, packages, symbols};

impl Message {
    /// What cures it where nothing is known of the machine.
    #[must_use]
    pub fn cure(&self) -> String {
        if let Some(saying) = self.saying {
            return saying.cure.to_owned();
        }
        let Some(cause) = self.cause() else { return "nothing has to be done".to_owned() };
        match (self.kind, cause) {
            (_, Cause::DriverMissing) => self.cure_of_missing_driver(),
            (Kind::RpathIgnored, _) => IGNORED_ENTRY.to_owned(),
            (Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded, Cause::WrongPlatform) => {
                ANOTHER_LINUX.to_owned()
            }
            (Kind::GpuLibraryNotLoaded | Kind::GpuLibrariesNotLoaded, _)
                if self.speaker == Speaker::Tensorflow =>
            {
                "tfpatch fix, where the libraries are installed; else pip install 'tensorflow[and-cuda]'"
                    .to_owned()
            }
            (Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded, _) => self.cure_of_missing_library(),
            (Kind::ModuleNotFound, Cause::NotInstalled) if self.headers().is_some() => {
                self.cure_of_standard_module()
            }
            (Kind::ModuleNotFound, Cause::NotInstalled) => {
                "install what ships the module into the environment whose python runs: python -m pip install NAME"
                    .to_owned()
            }
            (_, Cause::WrongPlatform) => self.is_node().map_or_else(
                || ANOTHER_LINUX.to_owned(),
                |()| NODE.to_owned(),
            ),
            (Kind::ObjectNotFound, _) => self.cure_of_missing_object(),
            (_, Cause::PartialInstall | Cause::Unreadable) => self.reinstall(),
            (_, Cause::WrongArch) => self.cure_of_wrong_architecture(),
            (_, Cause::EnvOverride) => TWO_LIBCS.to_owned(),
            (_, Cause::SymbolVersion) => self.cure_of_older_library(),
            (_, Cause::VersionMismatch | Cause::MissingSymbol) => self.cure_of_releases(),
            (_, Cause::StaticTls) => format!(
                "import it first, or LD_PRELOAD={} python …",
                self.object.as_deref().map_or_else(|| "PATH".to_owned(), printable)
            ),
            (_, Cause::ExecStack) => {
                "install a newer release, or patchelf --clear-execstack FILE".to_owned()
            }
            (_, Cause::BadSignature) if self.is_about_a_team() => OTHER_TEAM.to_owned(),
            (_, Cause::BadSignature) => "tfpatch fix, or codesign --force --sign - FILE".to_owned(),
            (_, Cause::DuplicateRpath) => "tfpatch rpath dedupe FILE".to_owned(),
            (_, Cause::DataMissing) => self.cure_of_missing_data().to_owned(),
            (_, Cause::WrongInterpreter) => {
                "make the environment anew: python3 -m venv --clear .venv, and install into it again".to_owned()
            }
            (_, other) => format!("tfpatch explain {other}"),
        }
    }

    /// Is it about who signed a library, and not about whether its signature holds?
    pub(super) fn is_about_a_team(&self) -> bool {
        let says = |words: &[u8]| memchr::memmem::find(&self.words, words).is_some();
        self.kind == Kind::BadSignature && (says(b"Team ID") || says(b"not a platform binary"))
    }

    /// Does it speak of an addon of Node.js?
    fn is_node(&self) -> Option<()> {
        let object = self.object.as_deref()?;
        let is_node =
            object.ends_with(b".node") || memchr::memmem::find(object, b"/node_modules/").is_some();
        is_node.then_some(())
    }

    /// The distribution of the object that is named, by its path.
    fn distribution(&self) -> Option<String> {
        import_names::distribution_of_path(&printable(self.object.as_deref()?))
    }

    fn reinstall(&self) -> String {
        if self.is_node().is_some() {
            return NODE.to_owned();
        }
        let object = self.object.as_deref().unwrap_or_default();
        let is_of_system = [&b"/usr/lib"[..], b"/lib", b"/usr/bin/", b"/bin/"]
            .iter()
            .any(|start| object.starts_with(start));
        if is_of_system && self.distribution().is_none() {
            let file = in_shell_quotes(object);
            return format!(
                "install the package again that owns the file: dpkg -S {file} (Debian, Ubuntu) or rpm -qf {file} \
                 (Fedora) names it"
            );
        }
        let name = self.distribution().unwrap_or_else(|| "NAME".to_owned());
        format!("install the distribution again: pip install --force-reinstall --no-deps {name}")
    }

    fn cure_of_standard_module(&self) -> String {
        let headers = self.headers().unwrap_or_default();
        match self.module.as_deref() {
            Some(b"_tkinter") => {
                "apt install python3-tk (Debian, Ubuntu), or brew install python-tk (macOS); a \
                                  Python that you compiled yourself needs tk-dev first"
                    .to_owned()
            }
            _ => format!(
                "apt install {headers} (Debian, Ubuntu), and compile Python again (pyenv install --force VERSION); or \
                 take a Python that has it, such as the system's or that of uv"
            ),
        }
    }

    fn cure_of_older_library(&self) -> String {
        let version = self.version.as_deref().unwrap_or_default();
        let release = packages::gcc_of(version)
            .map_or_else(String::new, |gcc| format!(" (that of GCC {gcc} or later)"));
        if version.starts_with(b"GLIBCXX_") || version.starts_with(b"CXXABI_") {
            return format!(
                "let a newer libstdc++.so.6{release} be found first: take the older copy out of LD_LIBRARY_PATH; in a \
                 conda environment, conda install -c conda-forge libstdcxx-ng; else update the system's libstdc++6"
            );
        }
        if version.starts_with(b"GLIBC_") {
            let own = self.distribution().unwrap_or_else(|| "it".to_owned());
            return format!(
                "run it on a newer system or in a newer image, or install a release of {own} that was built for this \
                 GNU C library; no copy of libc.so.6 can be put in its place"
            );
        }
        "take the older copy out of the way (LD_LIBRARY_PATH, an old conda environment), or update it".to_owned()
    }

    fn cure_of_missing_driver(&self) -> String {
        let driver = "install NVIDIA's driver, or start the container with --gpus all";
        match self.weight() {
            Weight::Fails => {
                format!("{driver}; on a machine without a GPU, install a build for the CPU")
            }
            _ => format!("{driver}; without a GPU, nothing has to be done"),
        }
    }

    fn cure_of_missing_library(&self) -> String {
        let library = self.library.as_deref().map(leaf).unwrap_or_default();
        let name = if library.is_empty() { "it".to_owned() } else { printable(library) };
        let otherwise = match self.speaker {
            Speaker::Dyld => self.cure_on_macos(&name),
            _ if name.ends_with(".dylib") => self.cure_on_macos(&name),
            Speaker::Musl => format!("apk add so:{name} (Alpine)"),
            _ => packages::known_cure(library).unwrap_or_else(|| match self.distribution() {
                Some(distribution) if is_renamed_by_a_wheel(&name) => {
                    format!("pip install --force-reinstall --no-deps {distribution}")
                }
                _ if is_of_cuda(library) => format!(
                    "install the release of CUDA or cuDNN that has {name}, or a newer release of what needs it"
                ),
                _ => format!(
                    "install its package: apt-file search {name} (Debian, Ubuntu) or dnf provides '*/{name}' \
                     (Fedora) names it"
                ),
            }),
        };
        // Nobody's environment holds what belongs to the system, or to another package manager.
        let is_of_system = ["apt ", "brew ", "apk "].iter().any(|tool| otherwise.starts_with(tool));
        let is_path = self.library.as_deref().is_some_and(|name| name.starts_with(b"/"));
        match is_of_system || is_path || library.is_empty() {
            true => otherwise,
            false => {
                let other = match &self.object {
                    Some(object) if is_of_cuda(library) && self.speaker != Speaker::Dyld => {
                        let needs = printable(leaf(object));
                        format!("; or take a build of {needs} for the CUDA that is installed")
                    }
                    _ => String::new(),
                };
                format!("tfpatch fix, where {name} is in the environment; else {otherwise}{other}")
            }
        }
    }

    /// What brings a library on macOS: the formula that its path names, or that ships it, or its own
    /// distribution.
    fn cure_on_macos(&self, name: &str) -> String {
        let path = self.library.as_deref().map(printable).unwrap_or_default();
        let asker = self.object.as_deref().map(printable).unwrap_or_default();
        let tried = || {
            let places = self.tried.iter().map(|tried| printable(&tried.path));
            let places = places.filter(|place| place.contains("/opt/homebrew/opt/"));
            places.filter_map(|place| homebrew::formula_of_path(&place).map(str::to_owned)).next()
        };
        let formula = homebrew::formula_of_path(&path)
            .or_else(|| homebrew::formula_of_library(name))
            .map(str::to_owned)
            .or_else(tried);
        let Some(formula) = formula else {
            return match (packages::known_cure(name.as_bytes()), self.distribution()) {
                (_, Some(distribution)) => {
                    format!("pip install --force-reinstall --no-deps {distribution}")
                }
                (Some(known), None) => known,
                (None, None) => format!("install what ships {name}: brew search names formulae"),
            };
        };
        let newer = match (homebrew::formula_of_path(&asker), self.distribution()) {
            (_, Some(distribution)) => format!("pip install -U {distribution}"),
            (Some(own), None) => format!("brew reinstall {own}"),
            (None, None) => "a newer build of what needs it".to_owned(),
        };
        if homebrew::is_disabled(&formula) {
            return format!(
                "{newer}: Homebrew no longer installs {formula}, and newer builds do not need it"
            );
        }
        format!("brew install {formula}; where it is installed without {name}, {newer}")
    }

    fn cure_of_missing_object(&self) -> String {
        if self.is_not_a_directory() {
            return "correct the path, or the variable that it is made from, such as JAVA_HOME: it has to name a \
                    directory"
                .to_owned();
        }
        let object = self.object.as_deref().map(leaf).unwrap_or_default();
        match packages::known_cure(object) {
            Some(known) if self.distribution().is_some() => {
                format!("{known}; where it is installed, {}", self.reinstall())
            }
            Some(known) => known,
            None => self.reinstall(),
        }
    }

    fn cure_of_wrong_architecture(&self) -> String {
        if self.is_node().is_some() {
            return NODE.to_owned();
        }
        let name = self.distribution().unwrap_or_else(|| "NAME".to_owned());
        if self.speaker != Speaker::Dyld {
            return format!(
                "install the build for this machine: python -m pip install --force-reinstall --no-cache-dir {name}"
            );
        }
        format!(
            "let Python and the library be for one processor (python -c 'import platform; \
             print(platform.machine())' shows Python's, x86_64 under Rosetta): with that Python, python -m pip \
             install --force-reinstall --no-cache-dir {name}; for a library of Homebrew, the Homebrew of that processor \
             (/opt/homebrew is for arm64, /usr/local for x86_64)"
        )
    }

    /// What helps where two things were not built for each other.
    fn cure_of_releases(&self) -> String {
        if self.module.as_deref() == Some(b"numpy") {
            return match self.is_for_a_newer_numpy() {
                true => {
                    "pip install -U numpy: it is older than the module was built with".to_owned()
                }
                false => "pip install 'numpy<2', or newer releases of what was built for NumPy 1"
                    .to_owned(),
            };
        }
        let own = self.distribution();
        let shown = own.clone().unwrap_or_else(|| "NAME".to_owned());
        if self.kind == Kind::NameNotFound && self.asks_for_a_compiled_module() {
            return format!(
                "run the python that the package was installed for (that of /usr/lib/python3/dist-packages is \
                 /usr/bin/python3), or install it for this one: python -m pip install --force-reinstall {shown}"
            );
        }
        if let (Kind::NameNotFound, Some(own)) = (self.kind, &own) {
            return format!(
                "install releases that were built for each other: pip install -U {own} and what imports from it"
            );
        }
        if self.library.as_deref().is_some_and(super::meaning::is_of_macos) {
            return format!(
                "update macOS, or install an older release of {shown}, one built for this macOS"
            );
        }
        match (self.owner(), own) {
            (Some(owner), Some(own))
                if owner.distribution.is_empty() || owner.distribution == own =>
            {
                format!(
                    "pip install --force-reinstall --no-cache-dir {own}, for the {} that is here; and take other \
                     copies of that out of {}",
                    owner.name,
                    self.variable()
                )
            }
            (Some(owner), Some(own)) => format!(
                "install a release of {own} that was built for the {0} that is here, or build it against that: pip \
                 install --force-reinstall --no-deps --no-cache-dir --no-build-isolation --no-binary {own} {own} \
                 ({0} is {1} on PyPI)",
                owner.name, owner.distribution
            ),
            (Some(owner), None) if !owner.distribution.is_empty() => format!(
                "install a release of what brings {} that was built for the {} that is here (on PyPI it is {}); and \
                 take other copies of that out of {}",
                self.object.as_deref().map(leaf).map_or_else(|| "the object".to_owned(), printable),
                owner.name,
                owner.distribution,
                self.variable()
            ),
            (None, Some(own)) if self.speaker == Speaker::Dyld => format!(
                "pip install --force-reinstall --no-cache-dir {own}; if that is not enough, --no-binary {own} builds \
                 it for this macOS"
            ),
            _ => "install releases that were built for each other".to_owned(),
        }
    }

    /// The variable that puts other copies of libraries before those that are searched.
    fn variable(&self) -> &'static str {
        if self.speaker == Speaker::Dyld { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" }
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

    /// Do the numbers of the words say that a module was built with a newer NumPy than is here? It is so
    /// where what was built with comes first and is the greater: `0x10 … 0xf`, `Expected 96 … got 88`.
    pub(super) fn is_for_a_newer_numpy(&self) -> bool {
        let text = printable(&self.words);
        let words =
            text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut words = words.peekable();
        let mut numbers = Vec::new();
        while let Some(word) = words.next() {
            let hexadecimal = word.strip_prefix("0x").and_then(|n| u64::from_str_radix(n, 16).ok());
            let is_size = matches!(word, "Expected" | "got");
            let size = words.peek().filter(|_| is_size).and_then(|next| next.parse().ok());
            numbers.extend(hexadecimal.or(size));
        }
        matches!(numbers.as_slice(), [built, here, ..] if built > here)
    }

    fn cure_of_missing_data(&self) -> &'static str {
        if self.library.as_deref() == Some(b"ptxas") {
            return "pip install 'tensorflow[and-cuda]', and its directory on PATH";
        }
        "pip install 'tensorflow[and-cuda]', or XLA_FLAGS=--xla_gpu_cuda_data_dir=DIR, where DIR has nvvm/libdevice"
    }
}

const ANOTHER_LINUX: &str = "make the environment anew on the machine where it is to run; on Alpine, take an image with glibc";

const NODE: &str = "npm rebuild, or remove node_modules and run npm ci, on the system that runs it";

const OTHER_TEAM: &str = "sign the program and its libraries with one Team ID, or give the program the entitlement \
                          com.apple.security.cs.disable-library-validation; an ad-hoc signature has no Team ID, and \
                          does not help";

const TWO_LIBCS: &str = "take the directory of the other libc.so.6 out of LD_LIBRARY_PATH (unset LD_LIBRARY_PATH), or \
                         start the program with the loader that belongs to it";

const IGNORED_ENTRY: &str = "give the library entries that begin with @loader_path: tfpatch rpath set FILE \
                             @loader_path/…";

/// Is it a name that auditwheel gave a copy of a library: `libgomp-d22c30c5.so.1.0.0`?
fn is_renamed_by_a_wheel(name: &str) -> bool {
    let stem = name.split(".so").next().unwrap_or(name);
    let tag = stem.rsplit_once('-').map(|(_, tag)| tag).unwrap_or_default();
    let tag = tag.split('.').next().unwrap_or(tag);
    tag.len() == 8 && tag.chars().all(|c| c.is_ascii_hexdigit())
}
