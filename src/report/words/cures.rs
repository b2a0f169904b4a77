//! What is said of what cures a finding.

use super::opening::releases;
use super::text::joined;
use super::variables::blamed;
use crate::bytes::{in_shell_quotes, printable, shell_word, shown};
use crate::findings::cure::{Cure, Install, Reinstall, Search, Setup, Tidying, Wanted};
use crate::findings::evidence::Release;
use crate::knowledge::packages::{self, Shipped};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A command, or what a person has to do.
pub(super) fn of(cure: &Cure) -> String {
    match cure {
        Cure::Command(command) => command.to_string(),
        Cure::Nothing => "nothing has to be done".to_owned(),
        Cure::NothingOr(tidying) => {
            let or = match tidying {
                Tidying::Entries => "tfpatch fix --tidy makes it independent",
                Tidying::EntriesOfFile => "tfpatch fix FILE makes it independent",
                Tidying::DeadEntries => "tfpatch fix --tidy drops them",
            };
            format!("nothing has to be done; {or}")
        }
        Cure::OrPythonAgain(cure) => {
            format!("{}, or install that version of Python again", of(cure))
        }
        Cure::RunAsReader => "run tfpatch as a user who may read it".to_owned(),
        Cure::SignAdHoc => "an ad-hoc signature, as codesign --force --sign - makes it".to_owned(),
        Cure::ClearExecutableStack { owner, object } => {
            let owner = owner.as_deref().unwrap_or("it");
            format!(
                "install a release of {owner} that asks for none; or patchelf --clear-execstack {object}"
            )
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
        Cure::Search(search) => search_in_words(search),
        Cure::Install(install) => install_in_words(install),
        Cure::Reinstall(reinstall) => reinstall_in_words(reinstall),
        Cure::Setup(setup) => setup_in_words(setup),
    }
}

fn search_in_words(search: &Search) -> String {
    match search {
        Search::NameDirectory => "name the right directory: tfpatch fix --search DIR".to_owned(),
        Search::NameEntry => "tell it which: tfpatch rpath add OBJECT --entry DIRECTORY".to_owned(),
        Search::Dedupe => "tfpatch fix --tidy, or tfpatch rpath dedupe FILE".to_owned(),
        Search::LibraryPath(directory) => {
            format!("set LD_LIBRARY_PATH={} before the program starts", shown(directory))
        }
        Search::Trace => "tfpatch trace -- COMMAND shows what a program opens".to_owned(),
        Search::OpenByPath(path) => format!("open it by its path, {}", shown(path)),
        Search::Link { named, link, replaces, then_fix } => {
            let how = if *replaces { "-sf" } else { "-s" };
            let then = if *then_fix { " && tfpatch fix" } else { "" };
            format!("ln {how} {} {}{then}", word(named), word(link))
        }
        Search::Ldconfig => "ldconfig, as root".to_owned(),
        Search::TakeOut { entry, variables } => {
            format!("take {} out of {}", shown(entry), blamed(variables))
        }
        Search::TakeOutOfPreload(library) => {
            let library = printable(library);
            format!("take {library} out of LD_PRELOAD, or install what ships it")
        }
        Search::UnsetPythonHome => "unset PYTHONHOME".to_owned(),
        Search::LeaveOutUserSite => "set PYTHONNOUSERSITE=1, or uninstall it there".to_owned(),
        Search::MakeWay(copy) => {
            format!("take {copy} out of the way, so that the newer copy is found")
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
            let driver = if *is_nvidias { "NVIDIA's driver" } else { "the driver" };
            format!("install {driver}, or start the container with --gpus all")
        }
        Install::WheelFor(arch) => {
            format!("install the wheel for {}", arch.unwrap_or("this machine"))
        }
        Install::OneOpenMp => {
            "install builds of both that share one OpenMP runtime (all from conda, or all from one maker); \
             KMP_DUPLICATE_LIB_OK=TRUE lets the process go on, at its own risk"
                .to_owned()
        }
        Install::OneBlas => "install builds that were linked with the same BLAS".to_owned(),
        Install::Toolkit => "install CUDA's toolkit".to_owned(),
        Install::Wanted(wanted) => pip_install(wanted),
        Install::Host { plugin: Release { name, version }, host, follows } => {
            let for_host = format!("{} {}", host.name, host.specifier);
            let cure = format!("{name} {version} is for {for_host}: {}", pip_install(host));
            match follows {
                Some((major, minor)) => format!("{cure}, or pip install '{name}=={major}.{minor}.*'"),
                None => format!("{cure}, or pip uninstall {name}"),
            }
        }
        Install::Tensorflow { plugin, oldest: (a, b), newest: (c, d) } => format!(
            "{plugin} fits TensorFlow {a}.{b} to {c}.{d}: pip install 'tensorflow=={c}.{d}.*', or pip \
             uninstall {}",
            plugin.name
        ),
        Install::Fitting(plugin, host) => format!("install releases of {plugin} and {host} that fit"),
        Install::FittingReleases => "install releases that fit".to_owned(),
        Install::BuiltAgainst => {
            "install the release of the library that the object was built against".to_owned()
        }
        Install::WithCuda(Release { name, version }) => {
            format!("pip install '{name}[and-cuda]=={version}'")
        }
        Install::Cuda(cuda) => {
            format!("install {}, as NVIDIA or conda-forge have them", releases(cuda))
        }
        Install::ForOlderGlibc(owner) => for_older_glibc(owner.as_deref()),
        Install::NewerLibstdcxx(release) => newer_libstdcxx(*release),
        Install::NewerLibrary(library) => format!("install a newer {}", printable(library)),
    }
}

/// What installs a library that the tables know.
pub(super) fn shipped(shipped: &Shipped) -> String {
    match shipped {
        Shipped::Distribution { distribution, library } => {
            format!("pip install {distribution} (it ships {library})")
        }
        Shipped::Packages { debian, fedora } => {
            format!("apt install {debian} (Debian, Ubuntu), or dnf install {fedora} (Fedora)")
        }
    }
}

fn what_ships(library: &[u8]) -> String {
    format!("install what ships {}", printable(library))
}

fn for_older_glibc(owner: Option<&str>) -> String {
    match owner {
        None => "take a build for an older glibc, or a newer system".to_owned(),
        Some(name) => format!(
            "install an older release of {name}, or build it here (pip install --no-binary {name} {name}), or \
             take a system with a newer glibc"
        ),
    }
}

fn newer_libstdcxx(release: Option<&str>) -> String {
    let release = release
        .map_or_else(|| "a newer GCC".to_owned(), |release| format!("GCC {release} or later"));
    format!(
        "install the libstdc++.so.6 of {release} (conda install -c conda-forge libstdcxx-ng, or a newer \
         system), or an older release of what needs it"
    )
}

fn reinstall_in_words(reinstall: &Reinstall) -> String {
    match reinstall {
        Reinstall::Distribution => "install the distribution again".to_owned(),
        Reinstall::Owner => "install the distribution that the file belongs to again".to_owned(),
        Reinstall::OrUnlink => "install the distribution again, or remove the link".to_owned(),
        Reinstall::Release(Release { name, version }) => {
            format!("pip install --force-reinstall --no-deps '{name}=={version}'")
        }
        Reinstall::Here => {
            "install it anew with this environment's own pip, on the machine that runs it".to_owned()
        }
        Reinstall::Wheel { for_its_tag } => {
            let tag = if *for_its_tag { " for its tag" } else { "" };
            format!("build the wheel again{tag}")
        }
        Reinstall::FromGitLfs => {
            "git lfs pull in the repository that it comes from, or install from a package index".to_owned()
        }
        Reinstall::OrSign => {
            "install the distribution again; to keep the change, sign it: codesign --force --sign - FILE"
                .to_owned()
        }
        Reinstall::OneOfBoth { names, kept: Release { name, version } } => format!(
            "pip uninstall {}, then install the one that is meant: pip install '{name}=={version}'",
            names.join(" ")
        ),
        Reinstall::AfterUninstalling(name) => {
            format!("pip uninstall {name} until nothing is left, then install it again")
        }
        Reinstall::AfterCleaning => {
            "remove what begins with ~, and install the distribution again".to_owned()
        }
        Reinstall::ForOneCuda { distributions, beside } => format!(
            "pip uninstall {}, then install those for CUDA {beside} again: they share directories",
            joined(distributions, " ")
        ),
    }
}

fn setup_in_words(setup: &Setup) -> String {
    let fixed = match setup {
        Setup::Remake => "make the environment anew, and install into it again",
        Setup::RemakeInPlace => "make it anew in its place; until then call bin/python -m PROGRAM",
        Setup::RecreateOrUnlink => "recreate the environment, or remove the link",
        Setup::ReinstallPython => {
            "install that version of Python again, and recreate the environment"
        }
        Setup::MakeExecutable => "set its mode with chmod +x",
        Setup::PythonForThisSystem => "use a Python that was built for this system",
        Setup::Activate(prefix) => {
            return format!("source {}/bin/activate, or call its bin/python", shown(prefix));
        }
    };
    fixed.to_owned()
}

fn pip_install(Wanted { name, specifier }: &Wanted) -> String {
    format!("pip install {}", in_shell_quotes(format!("{name}{specifier}").as_bytes()))
}

/// A path as a word of a command.
fn word(path: &Path) -> String {
    shell_word(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_brought_by_what_the_tables_know() {
        let brings = |library: &[u8]| of(&Cure::Install(Install::WhatShips(library.to_vec())));
        assert_eq!(brings(b"libmkl_rt.so.2"), "pip install mkl (it ships libmkl_rt.so.2)");
        assert!(brings(b"libGL.so.1").starts_with("apt install libgl1 "));
        assert_eq!(brings(b"libGL.so.12"), "install what ships libGL.so.12");
    }

    #[test]
    fn a_path_in_a_command_can_be_pasted() {
        let link = Search::Link {
            named: "libx y.so.1".into(),
            link: "/a/libx.so".into(),
            replaces: false,
            then_fix: true,
        };
        let said = of(&Cure::Search(link));
        assert_eq!(said, "ln -s 'libx y.so.1' /a/libx.so && tfpatch fix");
    }
}
