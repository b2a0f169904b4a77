//! The words for the fix of a message, where nothing is known of the machine.

use super::cures::{Family, shipped_on};
use super::managed;
use crate::bytes::{in_shell_quotes, printable};
use crate::knowledge::import_names;
use crate::knowledge::packages::{self, Shipped};
use crate::knowledge::standard_modules::Headers;
use crate::knowledge::symbols::Owner;
use crate::messages::cure::{Advice, Bring, Help, LibraryHelp, Newer, Owned, ReleasesHelp};
use crate::messages::{Message, leaf};

/// A command, or what a person has to do.
#[must_use]
pub fn of(message: &Message) -> String {
    match message.cure() {
        Help::Saying(saying) => saying.cure.to_owned(),
        Help::Advice(advice) => fixed(advice).to_owned(),
        Help::Driver { is_needed } => driver(is_needed),
        Help::Library(help) => library(message, &help),
        Help::StandardModule { headers } => standard_module(message, &headers),
        Help::Managed(manager, lack) => managed::of(&manager, lack, &library_name(message)),
        Help::OlderCopy(shipped) => format!(
            "remove the older copy, or the link with its name to another version, from what is searched, and install the \
             library itself: {}",
            installs(message, &shipped)
        ),
        Help::Object { shipped, owner } => {
            let known = installs(message, &shipped);
            match owner {
                Some(owner) => {
                    format!("{known}; if it is already installed, {}", reinstall(&owner))
                }
                None => known,
            }
        }
        Help::Reinstall(owner) => reinstall(&owner),
        Help::Processor { is_mac: false, distribution: None } => {
            "install the build of the package or the program for this machine (file FILE shows what a file is built for; on \
             Debian and Ubuntu, apt install PACKAGE:amd64 or PACKAGE:arm64)"
                .to_owned()
        }
        Help::Processor { is_mac, distribution } => {
            processor(is_mac, distribution.as_deref().unwrap_or(UNKNOWN))
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

/// The name of the library that a message is about.
fn library_name(message: &Message) -> String {
    let library = message.library.as_deref().map(leaf).filter(|library| !library.is_empty());
    library.map_or_else(|| "it".to_owned(), printable)
}

/// What installs a library, for the kind of system that the paths of a message are of.
fn installs(message: &Message, shipped: &Shipped) -> String {
    let names = |mark: &str| memchr::memmem::find(&message.words, mark.as_bytes()).is_some();
    let family = if names("-linux-gnu/") {
        Family::Debian
    } else if names("/lib64/lib") {
        Family::RedHat
    } else {
        Family::Any
    };
    shipped_on(shipped, family)
}

/// What stands for the name of a distribution that is not known.
const UNKNOWN: &str = "NAME";

const NODE: &str =
    "run npm rebuild, or remove node_modules and run npm ci, on the system that runs it";

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
        Advice::NoExec => {
            "have libraries unpacked to a directory that is not mounted noexec (findmnt -T DIR shows it): TMPDIR=DIR, or \
             for Java -Djava.io.tmpdir=DIR; or mount -o remount,exec as root"
        }
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
            "remove the older copy from the search (LD_LIBRARY_PATH, an old conda environment), or update it"
        }
        Advice::NoExecutableStack => {
            "install a newer release, or run patchelf --clear-execstack FILE"
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
            "for a script, see its first line, and recreate its environment; for a program, install the loader that \
             readelf -l FILE shows as the requested interpreter"
        }
        Advice::RemakeEnvironment => {
            "recreate the environment with python3 -m venv --clear .venv, then reinstall its packages"
        }
    }
}

fn driver(is_needed: bool) -> String {
    let or = match is_needed {
        true => "on a machine without a GPU, install a CPU build",
        false => "without a GPU, no action is needed",
    };
    format!("install the NVIDIA driver, or start the container with --gpus all; {or}")
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
    format!("if {name} is in the environment, run tfpatch fix; otherwise {bring}{other}")
}

fn bring(message: &Message, bring: &Bring, name: &str) -> String {
    match bring {
        Bring::Shipped(shipped) => {
            let known = installs(message, shipped);
            packages::besides(name)
                .map_or_else(|| known.clone(), |besides| format!("{known}; {besides}"))
        }
        Bring::Distribution(distribution) => {
            format!("pip install --force-reinstall --no-deps {distribution}")
        }
        Bring::OfWheel => format!(
            "reinstall the package whose import fails: pip install --force-reinstall --no-deps NAME; {name} is a copy that its \
             wheel brings, in a directory NAME.libs"
        ),
        Bring::Alpine => format!(
            "apk add so:{name} (Alpine); if no package has it, install a build for this release of Alpine"
        ),
        Bring::Cuda => format!(
            "install the release of CUDA or cuDNN that contains {name}, or a newer release of the package that needs \
             it"
        ),
        Bring::LookUp => {
            let usual = packages::usual_package(name)
                .map_or_else(String::new, |usual| format!("; usually called {usual}"));
            format!(
                "find its package with apt-file search {name} (Debian, Ubuntu{usual}) or dnf provides '*/{name}' \
                 (Fedora), and install it"
            )
        }
        Bring::Formula(formula, newer) => {
            let newer = newer_in_words(newer);
            format!("brew install {formula}; if it is installed without {name}, {newer}")
        }
        Bring::InsteadOf(formula, newer) => {
            let newer = newer_in_words(newer);
            format!(
                "{newer}: Homebrew no longer installs {formula}, and newer builds do not need it"
            )
        }
        Bring::LookUpFormula => {
            format!("find the formula that contains {name} with brew search, and install it")
        }
    }
}

fn newer_in_words(newer: &Newer) -> String {
    match newer {
        Newer::Distribution(distribution) => format!("pip install -U {distribution}"),
        Newer::Formula(formula) => format!("brew reinstall {formula}"),
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

fn reinstall(owner: &Owned) -> String {
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
            format!("reinstall the package: pip install --force-reinstall --no-deps {name}")
        }
        Owned::Unknown => {
            "reinstall the package or the program that the file belongs to, on the system that runs it".to_owned()
        }
    }
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
         in a conda environment, conda install -c conda-forge libstdcxx-ng; otherwise update the libstdc++6 of the \
         system"
    )
}

/// What helps where two things were not built for each other.
fn releases(message: &Message, help: &ReleasesHelp) -> String {
    match help {
        ReleasesHelp::NewerNumpy => {
            "pip install -U numpy, which is older than the release that the module was built with"
                .to_owned()
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
            "pip install --force-reinstall --no-cache-dir {distribution}, built for the installed {owner}; and \
             remove other copies of {owner} from {}",
            variable(*is_mac)
        ),
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
        ReleasesHelp::BuildHere(own) => format!(
            "pip install --force-reinstall --no-cache-dir {own}; if that does not help, add --no-binary {own} to \
             build it for this system"
        ),
        ReleasesHelp::ForEachOther => for_each_other(message),
    }
}

/// What helps where an object lacks symbols of a project that brings its libraries by itself.
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

/// What helps where nothing but the names is known of two things that were not built for each other.
fn for_each_other(message: &Message) -> String {
    let object = message.object.as_deref().map(leaf).map(printable);
    // The version of a symbol is often the name of the library that defines it.
    let named = [&message.library, &message.version].into_iter().flatten().map(|name| leaf(name));
    let library = named.map(printable).find(|name| name.contains(".so") || name.contains(".dylib"));
    let module = message.module.as_deref().map(printable);
    let search = variable(library.as_deref().is_some_and(|name| name.contains(".dylib")));
    match (object, library, module) {
        (Some(object), Some(library), _) => format!(
            "use {object} and {library} of one release: unset {search}, which can select another {library}, or reinstall \
             the packages of both"
        ),
        (Some(object), None, _) => format!(
            "unset {search} and LD_PRELOAD, which can select other libraries for {object}; otherwise reinstall the package \
             with {object}, so that it is built for the libraries that ldd {object} lists"
        ),
        (None, _, Some(module)) => {
            let top = module.split('.').next().unwrap_or(&module);
            let own = import_names::distribution_of_module(top);
            format!(
                "install compatible releases: pip install -U {own} and the packages that import from it"
            )
        }
        _ => format!(
            "unset {search}, and reinstall the program, for the libraries that are installed"
        ),
    }
}

/// The variable that puts other copies of libraries before those that are searched.
fn variable(is_mac: bool) -> &'static str {
    if is_mac { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" }
}
