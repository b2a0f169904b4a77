//! The texts of fixes for a message alone, without an environment.

use super::commands;
use super::cures::{Family, shipped_on};
use super::managed;
use crate::bytes::{in_shell_quotes, printable, shell_word, shown};
use crate::knowledge::import_names;
use crate::knowledge::managers;
use crate::knowledge::packages::{self, Shipped};
use crate::knowledge::standard_modules::Headers;
use crate::knowledge::symbols::Owner;
use crate::knowledge::tensorflow::is_of_cuda;
use crate::messages::advice::Advice;
use crate::messages::cure::{
    Bring, Help, LibraryHelp, Newer, Older, OpenFile, Owned, ReleasesHelp,
};
use crate::messages::{Message, Speaker, leaf};
use std::path::Path;

/// What helps an interpreter that does not find its standard library.
const STANDARD_LIBRARY: &str = "unset PYTHONHOME and PYTHONPATH; if that does not help, reinstall this Python, or recreate the environment";

/// A command or an instruction.
#[must_use]
pub fn of(message: &Message) -> String {
    match message.cure() {
        Help::Saying(saying) => {
            let own = message.distribution().unwrap_or_else(|| UNKNOWN.to_owned());
            with_file(message, saying.cure).replace("--no-cache-dir NAME", &format!("--no-cache-dir {own}"))
        }
        Help::OpenFile(advice) => with_file(message, opening(advice)),
        Help::Advice(Advice::GpuLibraries) => gpu_libraries(message),
        Help::Advice(Advice::Module) => module(message),
        Help::Advice(advice) => with_file(message, fixed(advice)),
        Help::Driver { is_needed } => driver(message, is_needed),
        Help::Library(help) => library(message, &help),
        Help::StandardModule { headers } => standard_module(message, &headers),
        Help::Managed(manager, lack) => managed::of(&manager, lack, &library_name(message)),
        Help::Older(help) => older(message, &help),
        Help::Object { shipped, owner } => {
            let known = installs(message, &shipped);
            match owner {
                Some(owner) => {
                    let again = reinstall(message, &owner);
                    format!("{known}; if it is already installed, {again}")
                }
                None => known,
            }
        }
        Help::Reinstall(owner) => reinstall(message, &owner),
        Help::Rename(file) => rename(&file),
        Help::Processor { is_mac: false, distribution: None } => {
            "install the build of the package or the program for this machine (file FILE shows what a file is built for; on \
             Debian and Ubuntu, apt install PACKAGE:amd64 or PACKAGE:arm64)"
                .to_owned()
        }
        Help::Processor { is_mac, distribution } => {
            let own = distribution.as_deref().unwrap_or(UNKNOWN);
            processor(is_mac, &requirement(message, own))
        }
        Help::NewerLibstdcxx(release) => newer_libstdcxx(release),
        Help::NewerGlibc(distribution) => {
            let own = distribution.as_deref().unwrap_or("it");
            format!(
                "run it on a newer system or in a newer image, or install a release of {own} that is built for this \
                 GNU C library; do not copy another libc.so.6 into place"
            )
        }
        Help::Releases(help) => releases(message, &help),
        Help::LoadFirst => {
            let object = message.object.as_deref().map_or_else(|| "PATH".to_owned(), printable);
            format!("import it first, or run LD_PRELOAD={object} python …")
        }
        Help::Page(cause) => format!("tfpatch explain {cause}"),
    }
}

fn older(message: &Message, help: &Older) -> String {
    match help {
        Older::Formula(formula) => format!(
            "brew update && brew upgrade {formula}; if it is already the newest, unset DYLD_LIBRARY_PATH, which can select \
             an older copy, or rebuild what needs it"
        ),
        Older::Copy(shipped) => format!(
            "remove the older copy, or the link with its name to another version, from what is searched, and install the \
             library itself: {}",
            installs(message, shipped)
        ),
        Older::LinkToAnother { library, shipped } => format!(
            "install the library itself: {}; before that, if ls -l {library} shows a link that was made by hand to another \
             release, remove the link; do not remove a file of a package",
            installs(message, shipped)
        ),
        Older::OfSystem { library, conda } => newer_system(message, library, *conda),
        Older::PrivateCopy(library) => format!(
            "unset LD_LIBRARY_PATH for this program, since {} is a private copy that is found before that of the system; the \
             program that it belongs to can set the variable for itself",
            printable(library)
        ),
    }
}

/// The fix if a library of the system is too old.
fn newer_system(message: &Message, library: &str, conda: Option<&str>) -> String {
    let path = message.object.as_deref().map(printable).unwrap_or_default();
    let stays = format!("do not remove or replace {library}, which programs of the system need");
    let package = conda.unwrap_or("PACKAGE");
    if managers::is_of_conda(&path) {
        return format!(
            "unset LD_LIBRARY_PATH, which puts the copy of the system before that of the conda environment; then conda install \
             -c conda-forge {package}; {stays}"
        );
    }
    // A file in a bundle cannot be installed separately.
    let is_alone = !path.is_empty() && managers::of_path(&path).is_none();
    let object = if is_alone { printable(leaf(path.as_bytes())) } else { "the program".to_owned() };
    let conda = conda.map_or_else(String::new, |package| {
        format!("; in a conda environment, conda install -c conda-forge {package}")
    });
    format!(
        "use a newer release of the system or a newer image, or install a build of {object} that is made for this \
         one{conda}; {stays}"
    )
}

/// Replaces FILE in a text with the path of the object in the message.
fn with_file(message: &Message, text: &str) -> String {
    match message.object.as_deref().filter(|object| object.starts_with(b"/")) {
        Some(object) => text.replace(" FILE", &format!(" {}", shell_word(object))),
        None => text.to_owned(),
    }
}

/// The name of the library that a message is about.
fn library_name(message: &Message) -> String {
    let library = message.library.as_deref().map(leaf).filter(|library| !library.is_empty());
    library.map_or_else(|| "it".to_owned(), printable)
}

/// The command that installs a library, for the Linux family that the paths in the message suggest.
fn installs(message: &Message, shipped: &Shipped) -> String {
    let names = |mark: &str| message.says(mark.as_bytes());
    let family = if names("-linux-gnu/") {
        Family::Debian
    } else if names("/lib64/lib") {
        Family::RedHat
    } else {
        Family::Any
    };
    shipped_on(shipped, family)
}

/// A distribution as an argument of `pip install`: with its release, if that is installed, so that nothing
/// else changes.
fn requirement(message: &Message, name: &str) -> String {
    match message.installed.as_ref().filter(|release| release.name == name) {
        Some(release) => commands::requirement(release),
        None => name.to_owned(),
    }
}

/// The placeholder for an unknown distribution.
const UNKNOWN: &str = "NAME";

const NO_EXEC: &str = "set TMPDIR=DIR (for Java, -Djava.io.tmpdir=DIR) to a directory that is not mounted noexec (findmnt -T DIR shows \
             the options); or, as root, mount -o remount,exec the file system";

const NODE: &str =
    "run npm rebuild, or remove node_modules and run npm ci, on the system that runs it";

fn opening(advice: OpenFile) -> &'static str {
    match advice {
        OpenFile::Permissions => {
            "let the user who runs the program read it: chmod a+r FILE, and chmod a+x on each directory above it (namei -l FILE \
             shows them); where the permissions are right, SELinux or AppArmor denies it (dmesg shows it)"
        }
        OpenFile::LinkLoop => {
            "find the loop with namei -l FILE, remove the link that closes it, and reinstall the package that has the library"
        }
        OpenFile::Limit => {
            "raise the limit in the shell that starts the program: ulimit -n 65536 (in a container, docker run --ulimit \
             nofile=65536:65536); if it fails again after a while, the program does not close its files"
        }
        OpenFile::Quarantine => {
            "if you trust the file, xattr -d com.apple.quarantine FILE (for all files of a directory, xattr -dr \
             com.apple.quarantine DIR), or allow it in System Settings, Privacy & Security"
        }
    }
}

fn fixed(advice: Advice) -> &'static str {
    match advice {
        Advice::Nothing => "no action needed",
        Advice::RelativeEntry => {
            "use entries that begin with @loader_path: tfpatch rpath set FILE --entry @loader_path/…"
        }
        Advice::AnotherLinux => {
            "use a build for musl, which environments get when they are recreated on the machine that runs them; or instead \
             of Alpine use an image with glibc, such as Debian"
        }
        Advice::BuiltForMusl => {
            "install the build for glibc (often called gnu or linux-x64, without musl) on the system that runs it: for \
             Node.js, remove node_modules and run npm ci; or run the program in an image of Alpine, which has musl"
        }
        Advice::NoExec => NO_EXEC,
        Advice::NodeModules => NODE,
        Advice::GpuLibraries => {
            "if the libraries are installed, run tfpatch fix; otherwise pip install 'tensorflow[and-cuda]'"
        }
        Advice::Module => {
            "install the package that contains the module, with the python that runs: python -m pip install NAME"
        }
        Advice::Path => {
            "correct the path, or the variable that it comes from, such as JAVA_HOME, which must name a directory"
        }
        Advice::OneLibc => {
            "remove the directory of the other libc.so.6 from LD_LIBRARY_PATH (unset LD_LIBRARY_PATH), or start the \
             program with the loader of that libc.so.6"
        }
        Advice::NewerCopy => {
            "remove the older copy from the search (LD_LIBRARY_PATH, on macOS DYLD_LIBRARY_PATH, an old conda environment), or \
             update it"
        }
        Advice::NoExecutableStack => {
            "install a newer release, or run tfpatch fix, which clears the flag if the code does not need it"
        }
        Advice::OneTeam => {
            "sign the program and its libraries with the same Team ID, or give the program the entitlement \
             com.apple.security.cs.disable-library-validation; an ad-hoc signature has no Team ID and does not help"
        }
        Advice::Sign => "run tfpatch fix, or codesign --force --sign - FILE",
        Advice::Dedupe => "tfpatch rpath dedupe FILE",
        Advice::Ptxas => {
            "pip install 'tensorflow[and-cuda]', and add the directory of ptxas to PATH"
        }
        Advice::Libdevice => {
            "pip install 'tensorflow[and-cuda]', or set XLA_FLAGS=--xla_gpu_cuda_data_dir=DIR, where DIR contains \
             nvvm/libdevice"
        }
        Advice::FindInterpreter => {
            "for a script, check its first line: it must not have a Windows line ending (sed -i 's/\\r$//' FILE removes them); then \
             recreate its environment; for a program, install the loader that \
             readelf -l FILE shows as the requested interpreter"
        }
        Advice::StandardLibrary => STANDARD_LIBRARY,
        Advice::RemakeEnvironment => {
            "recreate the environment with python3 -m venv --clear .venv, then reinstall its packages"
        }
    }
}

/// What installs a module, by name where the table knows its distribution.
fn module(message: &Message) -> String {
    let module = message.module.as_deref().map(printable).unwrap_or_default();
    match import_names::known_distribution_of(&module) {
        Some(name) => format!(
            "install {name}, which contains the module, with the python that runs: python -m pip install {name}"
        ),
        None => fixed(Advice::Module).to_owned(),
    }
}

/// The advice for TensorFlow's GPU libraries, if TensorFlow does not load them.
fn gpu_libraries(message: &Message) -> String {
    let named = message.library.as_deref().map(leaf).and_then(packages::shipper);
    match named {
        // TensorFlow's extra is for the current release of CUDA.
        Some(Shipped::Distribution { distribution, .. }) if distribution.ends_with("-cu11") => {
            format!(
                "if the libraries are installed, run tfpatch fix; otherwise pip install {distribution}, and likewise for other missing \
                 libraries of CUDA 11, which this release of TensorFlow needs; or upgrade: pip install -U \
                 'tensorflow[and-cuda]'"
            )
        }
        _ => fixed(Advice::GpuLibraries).to_owned(),
    }
}

fn driver(message: &Message, is_needed: bool) -> String {
    let or = match is_needed {
        true => "on a machine without a GPU, install a CPU build",
        false => "without a GPU, no action is needed",
    };
    let library = library_name(message);
    let unversioned = match library.ends_with(".so") {
        true => format!(
            "; the driver has {library}.1, and in WSL also {library}, in /usr/lib/wsl/lib: LD_LIBRARY_PATH=/usr/lib/wsl/lib \
             lets it be found"
        ),
        false => String::new(),
    };
    format!("install the NVIDIA driver, or start the container with --gpus all{unversioned}; {or}")
}

fn library(message: &Message, help: &LibraryHelp) -> String {
    let name = library_name(message);
    let bring = bring(message, &help.bring, &name);
    if let Some(again) = help.or_again.as_ref().and_then(managed::again) {
        let is_of_releases =
            matches!(help.bring, Bring::Shipped(Shipped::Releases { .. }) | Bring::LookUp);
        return match is_of_releases {
            true => format!(
                "reinstall what needs {name}, for the release of it that is installed: {again}"
            ),
            false => format!("{bring}; or build what needs it again: {again}"),
        };
    }
    if !help.may_be_here {
        return bring;
    }
    let other = help.or_build_of.as_deref().map_or_else(String::new, |object| {
        let needs = printable(leaf(object));
        format!("; or install a build of {needs} for the installed CUDA")
    });
    // A program that reports this itself may have found another copy, which did not load.
    let is_own_words = message.speaker == Speaker::Program && message.object.is_none();
    let shadowed = match is_own_words && is_of_cuda(name.as_bytes()) {
        true => "; and unset LD_LIBRARY_PATH, which can select another copy",
        false => "",
    };
    format!("if {name} is in the environment, run tfpatch fix; otherwise {bring}{other}{shadowed}")
}

fn bring(message: &Message, bring: &Bring, name: &str) -> String {
    match bring {
        Bring::Shipped(shipped) => {
            let known = installs(message, shipped);
            packages::besides(name)
                .map_or_else(|| known.clone(), |besides| format!("{known}; {besides}"))
        }
        Bring::Distribution(distribution) => {
            let again = requirement(message, distribution);
            format!("pip install --force-reinstall --no-deps {again}")
        }
        Bring::OfWheel => format!(
            "reinstall the package whose import fails: pip install --force-reinstall --no-deps NAME; {name} is a copy inside its \
             wheel, in the directory NAME.libs"
        ),
        Bring::OfTree(directory) => format!(
            "its library is usually in {directory}: run ldconfig as root after the directory was added to a file in \
             /etc/ld.so.conf.d, or set LD_LIBRARY_PATH={directory}; if {name} is not there, build the program again, with \
             --enable-shared to install the library, or without it to link it statically"
        ),
        Bring::Alpine => format!(
            "apk add so:{name} (Alpine); if no package has it, install a build for this release of Alpine"
        ),
        Bring::Cuda => format!(
            "install the release of CUDA or cuDNN that contains {name}, or a newer release of the package that needs \
             it"
        ),
        Bring::LookUp if message.is_of_conda() => in_conda(name),
        Bring::LookUp => {
            let usual = packages::usual_package(name)
                .map_or_else(String::new, |usual| format!("; usually called {usual}"));
            format!(
                "find its package with apt-file search {name} (Debian, Ubuntu{usual}) or dnf provides '*/{name}' \
                 (Fedora), and install it"
            )
        }
        Bring::Formula(formula, Newer::Fallback) | Bring::InsteadOf(formula, Newer::Fallback) => {
            format!(
                "brew install {formula}; if it is installed, {}",
                newer_in_words(&Newer::Fallback)
            )
        }
        Bring::Formula(formula, newer) => {
            let newer = built_again(message, newer).unwrap_or_else(|| newer_in_words(newer));
            format!("brew install {formula}; if it is installed without {name}, {newer}")
        }
        Bring::InsteadOf(formula, newer) => {
            let newer = newer_in_words(newer);
            format!(
                "{newer}: Homebrew no longer installs {formula}, and newer builds do not need it"
            )
        }
        Bring::LookUpFormula => {
            let stem = name.strip_prefix("lib").unwrap_or(name).split('.').next().unwrap_or(name);
            format!(
                "install the formula that contains {name}; brew search {stem} lists formulae with similar names"
            )
        }
    }
}

/// Reinstalls the distribution whose wheel contains a path of Homebrew: that wheel was built on this machine,
/// and is in the cache of pip.
fn built_again(message: &Message, newer: &Newer) -> Option<String> {
    let Newer::Distribution(distribution) = newer else { return None };
    message
        .names_a_path_of_the_library()
        .then(|| format!("pip install -U --force-reinstall --no-cache-dir {distribution}"))
}

fn in_conda(name: &str) -> String {
    format!(
        "install what needs it and its libraries from one channel: conda install -c conda-forge --strict-channel-priority \
         PACKAGE, or a new environment with all packages in one command; packages of the system do not help a conda \
         environment that lacks {name}"
    )
}

fn newer_in_words(newer: &Newer) -> String {
    match newer {
        Newer::Distribution(distribution) => format!("pip install -U {distribution}"),
        Newer::Formula(formula) => format!("brew reinstall {formula}"),
        Newer::Fallback => "start the program with DYLD_FALLBACK_LIBRARY_PATH=/opt/homebrew/lib (/usr/local/lib for Homebrew on \
                            Intel), and with another python than /usr/bin/python3, for which macOS removes the variable"
            .to_owned(),
        Newer::Build => "install a newer build of the program that needs it".to_owned(),
    }
}

fn standard_module(message: &Message, headers: &Headers) -> String {
    match message.module.as_deref() {
        Some(b"_tkinter") => {
            "apt install python3-tk (Debian, Ubuntu), or brew install python-tk (macOS); for a Python that you \
             compiled, install tk-dev and compile it again"
                .to_owned()
        }
        _ => format!(
            "apt install {} (Debian, Ubuntu) or dnf install {} (Fedora), and compile Python again (pyenv install --force \
             VERSION); or use a Python that has it, from the system or from uv",
            headers.debian, headers.fedora
        ),
    }
}

fn reinstall(message: &Message, owner: &Owned) -> String {
    match owner {
        Owned::Node => NODE.to_owned(),
        Owned::System(file) => {
            let file = in_shell_quotes(file);
            format!(
                "reinstall the package that owns the file; find it with dpkg -S {file} (Debian, Ubuntu) or rpm -qf \
                 {file} (Fedora)"
            )
        }
        Owned::Distribution(name) => {
            let again = requirement(message, name);
            format!("reinstall the package: pip install --force-reinstall --no-deps {again}")
        }
        Owned::Unknown => {
            "reinstall the package or the program that the file belongs to, on the system that runs it".to_owned()
        }
    }
}

/// Makes way for a package that a file of the program shadows.
pub(super) fn rename(file: &Path) -> String {
    format!("rename {}, or start the program in another directory", shown(file))
}

fn processor(is_mac: bool, name: &str) -> String {
    match is_mac {
        false => format!(
            "install the build for this machine: python -m pip install --force-reinstall --no-cache-dir {name}"
        ),
        true => format!(
            "use Python and the library for the same architecture (python -c 'import platform; \
             print(platform.machine())' shows that of Python, x86_64 under Rosetta): python -m pip install \
             --force-reinstall --no-cache-dir {name}; for a library from Homebrew, use the Homebrew of that \
             architecture (/opt/homebrew is for arm64, /usr/local for x86_64)"
        ),
    }
}

fn newer_libstdcxx(release: Option<&str>) -> String {
    let release = release.map_or_else(String::new, |gcc| format!(" (from GCC {gcc} or later)"));
    format!(
        "make sure that a newer libstdc++.so.6{release} is found first: remove the older copy from LD_LIBRARY_PATH; \
         in a conda environment, conda install -c conda-forge libstdcxx-ng; otherwise update libstdc++6 on the \
         system"
    )
}

/// The fix if two files were not built for each other.
fn releases(message: &Message, help: &ReleasesHelp) -> String {
    match help {
        ReleasesHelp::NewerNumpy => {
            "pip install -U numpy, which is older than the release that the module needs".to_owned()
        }
        ReleasesHelp::Numpy1 => {
            "pip install 'numpy<2', or newer releases of the packages that were built for NumPy 1"
                .to_owned()
        }
        ReleasesHelp::OtherPython(own) => format!(
            "run the python that the package was installed for (/usr/bin/python3 for \
             /usr/lib/python3/dist-packages), or install it for this one: python -m pip install --force-reinstall {}",
            own.as_deref().unwrap_or(UNKNOWN)
        ),
        ReleasesHelp::Newer(own) => format!(
            "install compatible releases: pip install -U {own} and the packages that import from it"
        ),
        ReleasesHelp::NewerMacos(own) => format!(
            "update macOS, or install an older release of {} that is built for this macOS",
            own.as_deref().unwrap_or(UNKNOWN)
        ),
        ReleasesHelp::Again { distribution, owner, is_mac } => format!(
            "pip install --force-reinstall --no-cache-dir {}, built for the installed {owner}; and \
             remove other copies of {owner} from {}",
            requirement(message, distribution),
            variable(*is_mac)
        ),
        ReleasesHelp::BuiltFor { distribution: own, owner } if !packages::has_sources(own) => {
            format!(
                "install a release of {own} that is built for the installed {} ({} on PyPI)",
                owner.name, owner.distribution
            )
        }
        ReleasesHelp::BuiltFor { distribution: own, owner } => format!(
            "install a release of {own} that is built for the installed {0}, or build it here: pip install \
             --force-reinstall --no-deps --no-cache-dir --no-build-isolation --no-binary {own} {own} ({0} is {1} on \
             PyPI)",
            owner.name, owner.distribution
        ),
        ReleasesHelp::Requires { distribution, owner } => format!(
            "unset LD_LIBRARY_PATH, which can select an older {0}; otherwise pip install --force-reinstall {distribution}, \
             which installs the release of {0} that it requires ({1}, or the same for another CUDA; keep only one)",
            owner.name, owner.distribution
        ),
        ReleasesHelp::OfObject { owner, is_mac } => of_object(message, *owner, *is_mac),
        ReleasesHelp::BuildHere(own) => build_here(message, own),
        ReleasesHelp::ForEachOther => for_each_other(message),
    }
}

/// The fix if a library of the system lacks symbols that an object of a distribution needs.
fn build_here(message: &Message, own: &str) -> String {
    let again = requirement(message, own);
    let build = match packages::has_sources(own) {
        true => format!(
            ", or build it for this system, if it has a source distribution: add --no-binary {own}"
        ),
        false => String::new(),
    };
    format!(
        "pip install --force-reinstall --no-deps --no-cache-dir {again}; if that does not help, install another release \
         of {own}{build}"
    )
}

/// The fix if an object lacks symbols of a project that distributes its own libraries.
fn of_object(message: &Message, owner: Owner, is_mac: bool) -> String {
    let object =
        message.object.as_deref().map(leaf).map_or_else(|| "the file".to_owned(), printable);
    let Owner { name, distribution } = owner;
    if distribution.starts_with("nvidia-") {
        return format!(
            "unset LD_LIBRARY_PATH, which can select an older {name}; otherwise pip install -U {distribution} (or the same \
             for another CUDA), of the release of CUDA that {object} is of"
        );
    }
    format!(
        "install a release of the package with {object} that is built for the installed {name} ({distribution} on PyPI); and \
         remove other copies from {}",
        variable(is_mac)
    )
}

/// The fix if only the names of two incompatible files are known.
fn for_each_other(message: &Message) -> String {
    let object = message.object.as_deref().map(leaf).map(printable);
    // The version of a symbol is often the name of the library that defines it.
    let named = [&message.library, &message.version].into_iter().flatten().map(|name| leaf(name));
    let library = named.map(printable).find(|name| name.contains(".so") || name.contains(".dylib"));
    let module = message.module.as_deref().map(printable);
    let is_mac = message.speaker == Speaker::Dyld
        || library.as_deref().is_some_and(|name| name.contains(".dylib"));
    let search = variable(is_mac);
    let (preload, lists) =
        if is_mac { ("DYLD_INSERT_LIBRARIES", "otool -L") } else { ("LD_PRELOAD", "ldd") };
    match (object, library, module) {
        (Some(object), Some(library), _) => format!(
            "use {object} and {library} of one release: unset {search}, which can select another {library}, or reinstall \
             the packages of both"
        ),
        (Some(object), None, _) => format!(
            "unset {search} and {preload}, which can select other libraries for {object}; otherwise reinstall the package \
             with {object}, so that it is built for the libraries that {lists} {object} lists"
        ),
        (None, _, Some(module)) => {
            let top = module.split('.').next().unwrap_or(&module);
            let own = import_names::distribution_of_module(top);
            let own = own.as_deref().unwrap_or(UNKNOWN);
            format!(
                "install compatible releases: pip install -U {own} and the packages that import from it"
            )
        }
        _ => format!(
            "unset {search}, and reinstall the program, for the libraries that are installed"
        ),
    }
}

/// The variable that makes the loader search other copies first.
fn variable(is_mac: bool) -> &'static str {
    if is_mac { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" }
}
