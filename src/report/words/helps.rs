//! What is said of what cures a message, where nothing is known of the machine.

use super::cures::shipped as installs;
use crate::bytes::{in_shell_quotes, printable};
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
        Help::StandardModule { headers } => standard_module(message, headers),
        Help::Object { shipped, owner } => {
            let known = installs(&shipped);
            match owner {
                Some(owner) => format!("{known}; where it is installed, {}", reinstall(&owner)),
                None => known,
            }
        }
        Help::Reinstall(owner) => reinstall(&owner),
        Help::Processor { is_mac, distribution } => {
            processor(is_mac, distribution.as_deref().unwrap_or(UNKNOWN))
        }
        Help::NewerLibstdcxx(release) => newer_libstdcxx(release),
        Help::NewerGlibc(distribution) => {
            let own = distribution.as_deref().unwrap_or("it");
            format!(
                "run it on a newer system or in a newer image, or install a release of {own} that was built for this \
                 GNU C library; no copy of libc.so.6 can be put in its place"
            )
        }
        Help::Releases(help) => releases(message, &help),
        Help::LoadFirst => {
            let object = message.object.as_deref().map_or_else(|| "PATH".to_owned(), printable);
            format!("import it first, or LD_PRELOAD={object} python …")
        }
        Help::Page(cause) => format!("tfpatch explain {cause}"),
    }
}

/// What stands for the name of a distribution that is not known.
const UNKNOWN: &str = "NAME";

const NODE: &str = "npm rebuild, or remove node_modules and run npm ci, on the system that runs it";

fn fixed(advice: Advice) -> &'static str {
    match advice {
        Advice::Nothing => "nothing has to be done",
        Advice::RelativeEntry => {
            "give the library entries that begin with @loader_path: tfpatch rpath set FILE @loader_path/…"
        }
        Advice::AnotherLinux => {
            "make the environment anew on the machine where it is to run; on Alpine, take an image with glibc"
        }
        Advice::NodeModules => NODE,
        Advice::GpuLibraries => {
            "tfpatch fix, where the libraries are installed; else pip install 'tensorflow[and-cuda]'"
        }
        Advice::Module => {
            "install what ships the module into the environment whose python runs: python -m pip install NAME"
        }
        Advice::Path => {
            "correct the path, or the variable that it is made from, such as JAVA_HOME: it has to name a directory"
        }
        Advice::OneLibc => {
            "take the directory of the other libc.so.6 out of LD_LIBRARY_PATH (unset LD_LIBRARY_PATH), or start the \
             program with the loader that belongs to it"
        }
        Advice::NewerCopy => {
            "take the older copy out of the way (LD_LIBRARY_PATH, an old conda environment), or update it"
        }
        Advice::NoExecutableStack => "install a newer release, or patchelf --clear-execstack FILE",
        Advice::OneTeam => {
            "sign the program and its libraries with one Team ID, or give the program the entitlement \
             com.apple.security.cs.disable-library-validation; an ad-hoc signature has no Team ID, and does not help"
        }
        Advice::Sign => "tfpatch fix, or codesign --force --sign - FILE",
        Advice::Dedupe => "tfpatch rpath dedupe FILE",
        Advice::Ptxas => "pip install 'tensorflow[and-cuda]', and its directory on PATH",
        Advice::Libdevice => {
            "pip install 'tensorflow[and-cuda]', or XLA_FLAGS=--xla_gpu_cuda_data_dir=DIR, where DIR has \
             nvvm/libdevice"
        }
        Advice::RemakeEnvironment => {
            "make the environment anew: python3 -m venv --clear .venv, and install into it again"
        }
    }
}

fn driver(is_needed: bool) -> String {
    let or = match is_needed {
        true => "on a machine without a GPU, install a build for the CPU",
        false => "without a GPU, nothing has to be done",
    };
    format!("install NVIDIA's driver, or start the container with --gpus all; {or}")
}

fn library(message: &Message, help: &LibraryHelp) -> String {
    let library = message.library.as_deref().map(leaf).unwrap_or_default();
    let name = if library.is_empty() { "it".to_owned() } else { printable(library) };
    let bring = bring(&help.bring, &name);
    if !help.may_be_here {
        return bring;
    }
    let other = help.or_build_of.as_deref().map_or_else(String::new, |object| {
        let needs = printable(leaf(object));
        format!("; or take a build of {needs} for the CUDA that is installed")
    });
    format!("tfpatch fix, where {name} is in the environment; else {bring}{other}")
}

fn bring(bring: &Bring, name: &str) -> String {
    match bring {
        Bring::Shipped(shipped) => installs(shipped),
        Bring::Distribution(distribution) => {
            format!("pip install --force-reinstall --no-deps {distribution}")
        }
        Bring::Alpine => format!("apk add so:{name} (Alpine)"),
        Bring::Cuda => format!(
            "install the release of CUDA or cuDNN that has {name}, or a newer release of what needs it"
        ),
        Bring::LookUp => format!(
            "install its package: apt-file search {name} (Debian, Ubuntu) or dnf provides '*/{name}' (Fedora) names \
             it"
        ),
        Bring::Formula(formula, newer) => {
            let newer = newer_in_words(newer);
            format!("brew install {formula}; where it is installed without {name}, {newer}")
        }
        Bring::InsteadOf(formula, newer) => {
            let newer = newer_in_words(newer);
            format!(
                "{newer}: Homebrew no longer installs {formula}, and newer builds do not need it"
            )
        }
        Bring::LookUpFormula => format!("install what ships {name}: brew search names formulae"),
    }
}

fn newer_in_words(newer: &Newer) -> String {
    match newer {
        Newer::Distribution(distribution) => format!("pip install -U {distribution}"),
        Newer::Formula(formula) => format!("brew reinstall {formula}"),
        Newer::Build => "a newer build of what needs it".to_owned(),
    }
}

fn standard_module(message: &Message, headers: &str) -> String {
    match message.module.as_deref() {
        Some(b"_tkinter") => {
            "apt install python3-tk (Debian, Ubuntu), or brew install python-tk (macOS); a Python that you compiled \
             yourself needs tk-dev first"
                .to_owned()
        }
        _ => format!(
            "apt install {headers} (Debian, Ubuntu), and compile Python again (pyenv install --force VERSION); or \
             take a Python that has it, such as the system's or that of uv"
        ),
    }
}

fn reinstall(owner: &Owned) -> String {
    match owner {
        Owned::Node => NODE.to_owned(),
        Owned::System(file) => {
            let file = in_shell_quotes(file);
            format!(
                "install the package again that owns the file: dpkg -S {file} (Debian, Ubuntu) or rpm -qf {file} \
                 (Fedora) names it"
            )
        }
        Owned::Distribution(name) => {
            let name = name.as_deref().unwrap_or(UNKNOWN);
            format!(
                "install the distribution again: pip install --force-reinstall --no-deps {name}"
            )
        }
    }
}

fn processor(is_mac: bool, name: &str) -> String {
    match is_mac {
        false => format!(
            "install the build for this machine: python -m pip install --force-reinstall --no-cache-dir {name}"
        ),
        true => format!(
            "let Python and the library be for one processor (python -c 'import platform; \
             print(platform.machine())' shows Python's, x86_64 under Rosetta): with that Python, python -m pip \
             install --force-reinstall --no-cache-dir {name}; for a library of Homebrew, the Homebrew of that \
             processor (/opt/homebrew is for arm64, /usr/local for x86_64)"
        ),
    }
}

fn newer_libstdcxx(release: Option<&str>) -> String {
    let release = release.map_or_else(String::new, |gcc| format!(" (that of GCC {gcc} or later)"));
    format!(
        "let a newer libstdc++.so.6{release} be found first: take the older copy out of LD_LIBRARY_PATH; in a conda \
         environment, conda install -c conda-forge libstdcxx-ng; else update the system's libstdc++6"
    )
}

/// What helps where two things were not built for each other.
fn releases(message: &Message, help: &ReleasesHelp) -> String {
    match help {
        ReleasesHelp::NewerNumpy => {
            "pip install -U numpy: it is older than the module was built with".to_owned()
        }
        ReleasesHelp::Numpy1 => {
            "pip install 'numpy<2', or newer releases of what was built for NumPy 1".to_owned()
        }
        ReleasesHelp::OtherPython(own) => format!(
            "run the python that the package was installed for (that of /usr/lib/python3/dist-packages is \
             /usr/bin/python3), or install it for this one: python -m pip install --force-reinstall {}",
            own.as_deref().unwrap_or(UNKNOWN)
        ),
        ReleasesHelp::Newer(own) => format!(
            "install releases that were built for each other: pip install -U {own} and what imports from it"
        ),
        ReleasesHelp::NewerMacos(own) => format!(
            "update macOS, or install an older release of {}, one built for this macOS",
            own.as_deref().unwrap_or(UNKNOWN)
        ),
        ReleasesHelp::Again { distribution, owner, is_mac } => format!(
            "pip install --force-reinstall --no-cache-dir {distribution}, for the {owner} that is here; and take \
             other copies of that out of {}",
            variable(*is_mac)
        ),
        ReleasesHelp::BuiltFor { distribution: own, owner } => format!(
            "install a release of {own} that was built for the {0} that is here, or build it against that: pip \
             install --force-reinstall --no-deps --no-cache-dir --no-build-isolation --no-binary {own} {own} ({0} is \
             {1} on PyPI)",
            owner.name, owner.distribution
        ),
        ReleasesHelp::OfObject { owner, is_mac } => format!(
            "install a release of what brings {} that was built for the {} that is here (on PyPI it is {}); and take \
             other copies of that out of {}",
            message.object.as_deref().map(leaf).map_or_else(|| "the object".to_owned(), printable),
            owner.name,
            owner.distribution,
            variable(*is_mac)
        ),
        ReleasesHelp::BuildHere(own) => format!(
            "pip install --force-reinstall --no-cache-dir {own}; if that is not enough, --no-binary {own} builds it \
             for this macOS"
        ),
        ReleasesHelp::ForEachOther => "install releases that were built for each other".to_owned(),
    }
}

/// The variable that puts other copies of libraries before those that are searched.
fn variable(is_mac: bool) -> &'static str {
    if is_mac { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" }
}
