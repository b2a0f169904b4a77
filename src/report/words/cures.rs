//! The texts of fixes for findings.

use super::commands;
use super::opening::releases;
use super::text::joined;
use super::variables::blamed;
use crate::bytes::{in_shell_quotes, printable, shell_word, shown};
use crate::command_line::{CommandLine, Naming};
use crate::findings::cure::{Cure, Install, Reinstall, Search, Setup, Tidying, Wanted};
use crate::findings::evidence::Release;
use crate::knowledge::packages::{self, Shipped};
use crate::python::direct_url::Source;
use crate::python::installs::Installs;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A command or an instruction for a target, and for the tool that installs packages into it.
pub(super) fn of(cure: &Cure, installs: &Installs, naming: &Naming) -> String {
    commands::in_words_of(installs, &for_tool(cure, installs, naming))
}

/// The conda command if conda installed the package, or else the pip command.
fn for_tool(cure: &Cure, installs: &Installs, naming: &Naming) -> String {
    let Installs::Conda { prefix, .. } = installs else { return in_words(cure, naming) };
    let conda = |words: &str| format!("conda install -p {} {words}", word(prefix));
    match cure {
        Cure::Reinstall(Reinstall::Release(Release { name, version, .. }))
            if installs.is_by_conda(name) =>
        {
            conda(&format!("--force-reinstall {name}={version}"))
        }
        Cure::Install(Install::Wanted(Wanted { name, specifier }))
            if installs.is_by_conda(name) =>
        {
            conda(&in_shell_quotes(format!("{name}{specifier}").as_bytes()))
        }
        Cure::Install(Install::WhatShips(library)) => match packages::of_conda(library) {
            Some(package) => conda(&format!("-c conda-forge {package}")),
            None => in_words(cure, naming),
        },
        Cure::Install(Install::NewerLibstdcxx(_)) => conda("-c conda-forge libstdcxx-ng"),
        _ => in_words(cure, naming),
    }
}

/// A command of tfpatch for the target.
fn command(words: &[&str], naming: &Naming) -> String {
    naming.command(CommandLine::new(words)).to_string()
}

/// A command that does not name a target yet, for the target: its name is followed by options without values.
fn completed(command: &CommandLine, naming: &Naming) -> String {
    let is_option = |word: &OsStr| word.as_bytes().starts_with(b"-");
    match command.arguments().skip(1).all(is_option) {
        true => naming.command(command.clone()).to_string(),
        false => command.to_string(),
    }
}

fn in_words(cure: &Cure, naming: &Naming) -> String {
    match cure {
        Cure::Command(command) => completed(command, naming),
        Cure::Nothing => "no action needed".to_owned(),
        Cure::NothingOr(tidying) => {
            let or = match tidying {
                Tidying::Entries => "adds its own search path entry",
                Tidying::EntriesOfFile => {
                    return "no action needed; `tfpatch fix FILE` adds its own search path entry"
                        .to_owned();
                }
                Tidying::DeadEntries => "removes them",
            };
            format!("no action needed; `{}` {or}", command(&["fix", "--tidy"], naming))
        }
        Cure::Shadowed(instead) => {
            format!("no action needed: shadowed by {instead}, which Python imports instead")
        }
        Cure::OrPythonAgain(cure) => {
            format!("{}, or reinstall that version of Python", in_words(cure, naming))
        }
        Cure::RunAsReader => "run tfpatch as a user who can read it".to_owned(),
        Cure::AllowCode => {
            "move it to a file system that is mounted without noexec (`findmnt -T DIR` shows the options)"
                .to_owned()
        }
        Cure::RenameDirectory => "rename the directory so that its name contains no `$`".to_owned(),
        Cure::SignAdHoc => "codesign --force --sign - FILE".to_owned(),
        Cure::Fix => command(&["fix"], naming),
        Cure::GrantExecutableStack { owner } => {
            let owner = owner.as_deref().unwrap_or("it");
            format!(
                "GLIBC_TUNABLES=glibc.rtld.execstack=2 python …; or install a release of {owner} without it"
            )
        }
        Cure::ClearExecutableStack { owner, object } => {
            let owner = owner.as_deref().unwrap_or("it");
            let fix = CommandLine::new(["fix", "--exec-stack"]);
            let fix = naming.command_for(fix, object.path());
            format!("install a release of {owner} without it; or run {fix}")
        }
        Cure::LoadAtStart { object, wanted } => {
            let enough = wanted.saturating_add(1023) / 1024 * 1024;
            format!(
                "LD_PRELOAD={} python …; or GLIBC_TUNABLES=glibc.rtld.optional_static_tls={enough}",
                shown(object)
            )
        }
        Cure::PointXlaAt(root) => {
            let flag = [b"--xla_gpu_cuda_data_dir=", root.as_os_str().as_bytes()].concat();
            format!("export XLA_FLAGS={}", shell_word(&flag))
        }
        Cure::Search(search) => search_in_words(search, naming),
        Cure::Install(install) => install_in_words(install),
        Cure::Reinstall(reinstall) => reinstall_in_words(reinstall),
        Cure::Setup(setup) => setup_in_words(setup),
    }
}

fn search_in_words(search: &Search, naming: &Naming) -> String {
    match search {
        Search::NameDirectory => {
            format!("choose one: {}", command(&["fix", "--search", "DIR"], naming))
        }
        Search::NameEntry => "choose one: tfpatch rpath add FILE --entry DIR".to_owned(),
        Search::Dedupe => {
            format!("{}, or tfpatch rpath dedupe FILE", command(&["fix", "--tidy"], naming))
        }
        Search::RenameDirectory(directory) => {
            format!(
                "rename {}, as a search path cannot contain ':' or '$'; then run {}",
                shown(directory),
                command(&["fix"], naming)
            )
        }
        Search::LibraryPath(directory) => {
            format!("set LD_LIBRARY_PATH={} before starting the program", shown(directory))
        }
        Search::Trace => {
            "`tfpatch trace -- COMMAND` shows which libraries a program opens".to_owned()
        }
        Search::OpenByPath(path) => format!("open it by its path, {}", shown(path)),
        Search::Link { named, link, replaces, then_fix } => {
            let how = if *replaces { "-sf" } else { "-s" };
            let then =
                then_fix.as_deref().map(|target| format!(" && tfpatch fix {}", word(target)));
            format!("ln {how} {} {}{}", word(named), word(link), then.unwrap_or_default())
        }
        Search::Ldconfig => "run ldconfig as root".to_owned(),
        Search::TakeOut { entry, variables } => {
            format!("remove {} from {}", shown(entry), blamed(variables))
        }
        Search::TakeOutOfPreload(library) => {
            let library = printable(library);
            format!("remove {library} from LD_PRELOAD, or install the package that contains it")
        }
        Search::UnsetPythonHome => "unset PYTHONHOME".to_owned(),
        Search::LeaveOutUserSite => {
            "set PYTHONNOUSERSITE=1, or uninstall it from the user site".to_owned()
        }
        Search::MakeWay(copy) => {
            format!("remove or rename {copy}, so that the newer copy is found")
        }
    }
}

fn install_in_words(install: &Install) -> String {
    match install {
        Install::WhatShips(library) => match packages::shipper(library) {
            Some(known) => shipped(&known),
            None => what_ships(library),
        },
        Install::Unknown(library) => what_ships(library),
        Install::Driver { is_nvidias } => {
            let driver = if *is_nvidias { "the NVIDIA driver" } else { "the graphics driver" };
            format!("install {driver}, or start the container with --gpus all")
        }
        Install::WheelFor(arch) => {
            format!("install the wheel for {}", arch.unwrap_or("this machine"))
        }
        Install::OneOpenMp => {
            "install builds of both that share one OpenMP runtime, such as all packages from conda-forge; \
             KMP_DUPLICATE_LIB_OK=TRUE disables the check, and results may then be wrong"
                .to_owned()
        }
        Install::OneBlas => "install builds that are linked to the same BLAS".to_owned(),
        Install::Toolkit => "install the CUDA toolkit".to_owned(),
        Install::Wanted(wanted) => pip_install(wanted),
        Install::Host { plugin: Release { name, version, .. }, host, follows } => {
            let for_host = format!("{} {}", host.name, host.specifier);
            let cure = format!("{name} {version} is for {for_host}: {}", pip_install(host));
            match follows {
                Some((major, minor)) => format!("{cure}, or pip install '{name}=={major}.{minor}.*'"),
                None => format!("{cure}, or pip uninstall {name}"),
            }
        }
        Install::Tensorflow { plugin, oldest: (a, b), newest: (c, d) } => format!(
            "{plugin} works with TensorFlow {a}.{b} to {c}.{d}: pip install 'tensorflow=={c}.{d}.*', or pip \
             uninstall {}",
            plugin.name
        ),
        Install::Fitting(plugin, host) => format!("install compatible releases of {plugin} and {host}"),
        Install::FittingReleases => {
            "reinstall the package that contains the file, so that it is of one release with the libraries that it loads \
             (otool -L FILE lists them)"
                .to_owned()
        }
        Install::LinkedAgain => {
            "rebuild it, and link it with the library that defines them (`nm -D --undefined-only FILE` lists them)"
                .to_owned()
        }
        Install::BuiltAgainst => {
            "install the release of the library that the file was built against".to_owned()
        }
        Install::WithCuda(Release { name, version, .. }) => {
            format!("pip install '{name}[and-cuda]=={version}'")
        }
        Install::Cuda(cuda) => {
            format!("install {} from NVIDIA or conda-forge", releases(cuda))
        }
        Install::ForOlderGlibc(owner) => for_older_glibc(owner.as_deref()),
        Install::NewerLibstdcxx(release) => newer_libstdcxx(*release),
        Install::NewerLibrary(library) => format!("install a newer {}", printable(library)),
    }
}

/// The Linux family whose packages are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Any.
    Any,
    /// Debian, Ubuntu and derivatives.
    Debian,
    /// Fedora, Red Hat and derivatives.
    RedHat,
}

/// The command that installs a library from the tables, on any system.
fn shipped(shipped: &Shipped) -> String {
    shipped_on(shipped, Family::Any)
}

/// The command that installs a library from the tables.
pub(super) fn shipped_on(shipped: &Shipped, family: Family) -> String {
    let apt = |package: &str| {
        (family != Family::RedHat).then(|| format!("apt install {package} (Debian, Ubuntu)"))
    };
    let dnf = |package: &str| {
        let is_known = family != Family::Debian && !package.is_empty();
        is_known.then(|| format!("dnf install {package} (Fedora)"))
    };
    let from_conda = |package: &str| format!("conda install -c conda-forge {package}");
    match shipped {
        Shipped::Distribution { distribution, library, link } => {
            let link = link.as_ref().map_or_else(String::new, |name| {
                format!("; link {name} to it, since it is opened without a version")
            });
            format!("pip install {distribution} (it contains {library}{link})")
        }
        Shipped::Packages { debian, fedora, conda } => {
            alternatives([apt(debian), dnf(fedora), conda.map(from_conda)].into_iter().flatten())
        }
        Shipped::Development { debian, fedora, library } => {
            let packages = alternatives([apt(debian), dnf(fedora)].into_iter().flatten());
            format!(
                "{packages}: the name {library}, without a version, is in the package for compiling"
            )
        }
        Shipped::Releases { library, releases } => {
            let apt = releases.debian.iter().filter(|_| family != Family::RedHat);
            let apt = apt.map(|(package, where_)| format!("apt install {package} ({where_})"));
            let dnf = releases.fedora.iter().filter(|_| family != Family::Debian);
            let dnf = dnf.map(|(package, where_)| format!("dnf install {package} ({where_})"));
            let conda = Some(releases.conda).filter(|package| !package.is_empty()).map(from_conda);
            let known: Vec<String> = apt.chain(dnf).chain(conda).collect();
            let elsewhere = match (releases.besides, known.is_empty()) {
                ("", false) if releases.has_newest() => String::new(),
                ("", _) => format!(
                    "; on other releases, which do not have {library}, install a newer build of the program"
                ),
                (besides, _) => format!("; {besides}"),
            };
            alternatives(known.into_iter()) + &elsewhere
        }
        Shipped::Advice(advice) => (*advice).to_owned(),
        Shipped::Conda { package, library } => {
            format!("conda install -c conda-forge {package} (it contains {library})")
        }
    }
}

/// Alternative commands.
fn alternatives(commands: impl Iterator<Item = String>) -> String {
    let commands: Vec<String> = commands.collect();
    match &commands[..] {
        [] => "use a system or an image that has it".to_owned(),
        [only] => only.clone(),
        [first, last] => format!("{first}, or {last}"),
        [first @ .., last] => format!("{}, or {last}", first.join(", ")),
    }
}

fn what_ships(library: &[u8]) -> String {
    format!("install the package that contains {}", printable(library))
}

fn for_older_glibc(owner: Option<&str>) -> String {
    match owner {
        None => "install a build for an older glibc, or use a newer system".to_owned(),
        Some(name) if !packages::has_sources(name) => {
            format!("install an older release of {name}, or use a system with a newer glibc")
        }
        Some(name) => format!(
            "install an older release of {name}, build it here (pip install --no-binary {name} {name}), or use a \
             system with a newer glibc"
        ),
    }
}

fn newer_libstdcxx(release: Option<&str>) -> String {
    let release = release
        .map_or_else(|| "a newer GCC".to_owned(), |release| format!("GCC {release} or later"));
    format!(
        "install the libstdc++.so.6 of {release} (conda install -c conda-forge libstdcxx-ng, or use a newer system), \
         or an older release of the package that needs it"
    )
}

fn reinstall_in_words(reinstall: &Reinstall) -> String {
    match reinstall {
        Reinstall::Distribution => "reinstall the package".to_owned(),
        Reinstall::Owner => "reinstall the package that owns the file".to_owned(),
        Reinstall::OrUnlink => "reinstall the package, or remove the link".to_owned(),
        Reinstall::Release(Release { name, version, source: Some(Source::Gone(path)) }) => format!(
            "reinstall {name} {version} from its source, which is not at {} any more",
            shown(path)
        ),
        Reinstall::Release(release) => {
            format!("pip install --force-reinstall --no-deps {}", commands::requirement(release))
        }
        Reinstall::Here => {
            "reinstall it with the pip of this environment, on the machine that runs it".to_owned()
        }
        Reinstall::Wheel { for_its_tag } => {
            let tag = if *for_its_tag { " for its tag" } else { "" };
            format!("rebuild the wheel{tag}")
        }
        Reinstall::FromGitLfs => {
            "run git lfs pull in its repository, or install from a package index".to_owned()
        }
        Reinstall::OrSign => {
            "reinstall the package; to keep the change, sign the file: codesign --force --sign - FILE"
                .to_owned()
        }
        Reinstall::OneOfBoth { names, kept } => format!(
            "pip uninstall {}, then reinstall the one you want: pip install {}",
            names.join(" "),
            commands::requirement(kept)
        ),
        Reinstall::AfterUninstalling(name) => {
            format!("repeat pip uninstall {name} until no copy is left, then reinstall it")
        }
        Reinstall::AfterCleaning => {
            "remove the directories that begin with ~, and reinstall the package".to_owned()
        }
        Reinstall::ForOneCuda { distributions, beside } => format!(
            "pip uninstall {}, then reinstall the packages for CUDA {beside}, which share directories with them",
            joined(distributions, " ")
        ),
    }
}

fn setup_in_words(setup: &Setup) -> String {
    let fixed = match setup {
        Setup::Remake => "recreate the environment, and reinstall its packages",
        Setup::RemakeInPlace => {
            "recreate it in its current location; until then use bin/python -m PROGRAM"
        }
        Setup::RecreateOrUnlink => "recreate the environment, or remove the link",
        Setup::ReinstallPython => "reinstall that version of Python, and recreate the environment",
        Setup::MakeExecutable => "make it executable with chmod +x",
        Setup::PythonForThisSystem => "use a Python built for this system",
        Setup::Activate(prefix) => {
            return format!("source {}/bin/activate, or use its bin/python", shown(prefix));
        }
    };
    fixed.to_owned()
}

fn pip_install(Wanted { name, specifier }: &Wanted) -> String {
    format!("pip install {}", in_shell_quotes(format!("{name}{specifier}").as_bytes()))
}

/// A path as a shell word.
fn word(path: &Path) -> String {
    shell_word(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_brought_by_what_the_tables_know() {
        let brings = |library: &[u8]| {
            in_words(&Cure::Install(Install::WhatShips(library.to_vec())), &Naming::default())
        };
        assert_eq!(brings(b"libmkl_rt.so.2"), "pip install mkl (it contains libmkl_rt.so.2)");
        assert!(brings(b"libGL.so.1").starts_with("apt install libgl1 "));
        assert_eq!(brings(b"libGL.so.12"), "install the package that contains libGL.so.12");
    }

    #[test]
    fn a_cure_is_in_the_words_of_the_tool_that_installs() {
        let release = Release { name: "numpy".to_owned(), version: "2.0".to_owned(), source: None };
        let again = Cure::Reinstall(Reinstall::Release(release));
        let uv = Installs::Uv("/a b/.venv".into());
        assert_eq!(
            of(&again, &uv, &Naming::default()),
            "uv pip install --python '/a b/.venv' --force-reinstall --no-deps 'numpy==2.0'"
        );
        let of_conda = |packages: &[&str]| {
            let packages = packages.iter().map(|name| (*name).to_owned()).collect();
            Installs::Conda { prefix: "/c".into(), packages: std::sync::Arc::new(packages) }
        };
        assert_eq!(
            of(&again, &of_conda(&["numpy"]), &Naming::default()),
            "conda install -p /c --force-reinstall numpy=2.0"
        );
        assert_eq!(
            of(&again, &of_conda(&[]), &Naming::default()),
            "/c/bin/python -m pip install --force-reinstall --no-deps 'numpy==2.0'"
        );
        let hdf5 = Cure::Install(Install::WhatShips(b"libhdf5.so.200".to_vec()));
        assert_eq!(
            of(&hdf5, &of_conda(&[]), &Naming::default()),
            "conda install -p /c -c conda-forge hdf5=1.12"
        );
    }

    #[test]
    fn a_path_in_a_command_can_be_pasted() {
        let link = Search::Link {
            named: "libx y.so.1".into(),
            link: "/a/libx.so".into(),
            replaces: false,
            then_fix: Some("/a env".into()),
        };
        let said = in_words(&Cure::Search(link), &Naming::default());
        assert_eq!(said, "ln -s 'libx y.so.1' /a/libx.so && tfpatch fix '/a env'");
    }
}
