//! The texts of fixes for files from package managers other than those of Python and the system.

use crate::knowledge::managers::Manager;
use crate::messages::cure::Lack;

/// A command or an instruction for an object that lacks something called `name`.
pub(super) fn of(manager: &Manager, lack: Lack, name: &str) -> String {
    match manager {
        Manager::Nix => nix(lack, name),
        Manager::Snap(snap) => of_snap(lack, snap),
        Manager::Base(snap) => format!(
            "start the program from a terminal outside of snaps (the one of VS Code sets variables for its own \
             libraries), or unset GTK_PATH GTK_EXE_PREFIX GIO_MODULE_DIR LD_LIBRARY_PATH LD_PRELOAD; the libraries in \
             /snap/{snap} are for snaps only"
        ),
        Manager::Ros(distribution) => ros(lack, distribution.as_deref().unwrap_or("DISTRO")),
        Manager::Php(extension, version) => php(lack, extension, version.unwrap_or_default()),
        Manager::Gem(gem) => match lack {
            Lack::Library => format!("gem install {gem} --platform ruby, which compiles it on this system"),
            Lack::Fit | Lack::File => {
                format!("gem pristine {gem} --extensions, which compiles it for the Ruby and the libraries that are installed")
            }
        },
        Manager::R(package) => format!("in R, run install.packages(\"{package}\"), which compiles it for this system"),
        Manager::Perl(module) => format!(
            "build {module} again for this Perl and the libraries that are installed: cpan -f -i {module}; if it is a package \
             of the system, reinstall that (Debian, Ubuntu: apt install --reinstall {})",
            debian_package_of_perl(module)
        ),
        Manager::Conda => {
            "install what needs it and its libraries from one channel: conda install -c conda-forge \
             --strict-channel-priority PACKAGE, or a new environment with all packages in one command; unset \
             LD_LIBRARY_PATH, which can select libraries from outside of the environment"
                .to_owned()
        }
        Manager::Termux => {
            "pkg upgrade, and unset LD_LIBRARY_PATH and LD_PRELOAD (Termux): programs of Android and of other Linux \
             systems have other libraries, and do not mix with those of Termux"
                .to_owned()
        }
        Manager::Haiku => "pkgman full-sync, and restart (Haiku)".to_owned(),
        Manager::Bundle(maker) => format!(
            "start the program again, since its files in /tmp may have been removed while it ran; otherwise the bundle \
             (made with {maker}) is incomplete or does not fit this system, and packages of the system do not complete it: \
             download it again, or use another release of it or a package of the program for this system"
        ),
    }
}

/// The command that rebuilds an object for the installed libraries, to be appended to the way to get a
/// library.
pub(super) fn again(manager: &Manager) -> Option<String> {
    match manager {
        Manager::Php(extension, version) => {
            let package = format!("php{}-{extension}", version.unwrap_or_default());
            Some(format!(
                "apt install --reinstall {package}, or in PHP's official images docker-php-ext-install {extension}"
            ))
        }
        Manager::Gem(gem) => Some(format!("gem pristine {gem} --extensions")),
        Manager::R(package) => Some(format!("install.packages(\"{package}\") in R")),
        Manager::Perl(module) => Some(format!("cpan -f -i {module}")),
        _ => None,
    }
}

/// Debian's name for the package of a Perl module.
fn debian_package_of_perl(module: &str) -> String {
    format!("lib{}-perl", module.to_lowercase().replace("::", "-").replace('_', "-"))
}

fn nix(lack: Lack, name: &str) -> String {
    match lack {
        Lack::Library => format!(
            "on NixOS, find the Nix package of {name} with nix-locate lib/{name} (libstdc++.so.6 is in stdenv.cc.cc.lib), \
             and set LD_LIBRARY_PATH to its lib directory in the shell (lib.makeLibraryPath), or list it in \
             programs.nix-ld.libraries"
        ),
        Lack::Fit => "do not mix files of the Nix store with libraries of the system: unset LD_LIBRARY_PATH and LD_PRELOAD, \
                      or run the program in nix develop or nix-shell, with libraries of one nixpkgs"
            .to_owned(),
        Lack::File => "nix-store --verify --check-contents --repair".to_owned(),
    }
}

fn of_snap(lack: Lack, snap: &str) -> String {
    let report = format!(
        "if it still fails, report it to the publisher of the snap (snap info {snap}), or install the program from \
         another source"
    );
    match lack {
        Lack::Fit => format!(
            "unset LD_LIBRARY_PATH and LD_PRELOAD, which mix libraries of the system into the snap, and run snap refresh \
             {snap}; {report}"
        ),
        Lack::Library | Lack::File => {
            format!("snap refresh {snap}: the libraries of a snap are in the snap; {report}")
        }
    }
}

fn ros(lack: Lack, distribution: &str) -> String {
    let source = format!("source /opt/ros/{distribution}/setup.bash");
    match lack {
        Lack::Library => format!(
            "{source} in the shell that starts the program, and install/setup.bash of the workspace for its own libraries; \
             rosdep install --from-paths src --ignore-src installs missing packages"
        ),
        Lack::Fit => format!(
            "rebuild the workspace for the installed ROS: {source}, remove its directories build and install, and run \
             colcon build"
        ),
        Lack::File => {
            "apt install --reinstall, with the package that dpkg -S shows for the file".to_owned()
        }
    }
}

fn php(lack: Lack, extension: &str, version: &str) -> String {
    let package = format!("php{version}-{extension}");
    match lack {
        Lack::Fit => format!(
            "install PHP and the extension from one source, so that they are of one release: apt install --reinstall \
             {package} php{version}-common (Debian, Ubuntu); an extension that uses another one has to be listed after it"
        ),
        Lack::Library | Lack::File => format!(
            "apt install {package} (Debian, Ubuntu), dnf install php-{extension} (Fedora), or in PHP's official images \
             docker-php-ext-install {extension}; or remove extension={extension} from the configuration, whose files php \
             --ini lists"
        ),
    }
}
