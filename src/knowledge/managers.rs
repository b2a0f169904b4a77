//! Detects the package manager of the files below a path, other than Python's installers and that of the
//! system. It determines the fix for a file that is damaged, or that lacks something.

/// The manager of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    /// Nix.
    Nix,
    /// A snap with this name.
    Snap(String),
    /// A snap with this name whose libraries are for other snaps.
    Base(String),
    /// ROS, with the name of the distribution, such as `humble`.
    Ros(Option<String>),
    /// PHP, with the name of an extension, and the version of PHP if the path contains it.
    Php(String, Option<&'static str>),
    /// RubyGems, with the name of a gem.
    Gem(String),
    /// R, with the name of a package.
    R(String),
    /// Perl, with the name of a module.
    Perl(String),
    /// conda: a library of the environment itself, which no distribution on PyPI contains.
    Conda,
    /// Termux, on Android.
    Termux,
    /// Haiku.
    Haiku,
    /// A self-extracting bundle, with the tool that made it.
    Bundle(&'static str),
}

/// Prefixes of the names of snaps that provide libraries for others.
const BASES: &[&str] = &["core", "bare", "gnome-", "kde-frameworks-"];

/// The directories in which bundles mount or unpack themselves, each with the tool that made them.
const BUNDLES: &[(&str, &str)] = &[("/.mount_", "AppImage"), ("/_MEI", "PyInstaller")];

/// The versions of PHP's interface for extensions, which is in their paths (`ZEND_MODULE_API_NO`).
const PHP: &[(&str, &str)] = &[
    ("20151012", "7.0"),
    ("20160303", "7.1"),
    ("20170718", "7.2"),
    ("20180731", "7.3"),
    ("20190902", "7.4"),
    ("20200930", "8.0"),
    ("20210902", "8.1"),
    ("20220829", "8.2"),
    ("20230831", "8.3"),
    ("20240924", "8.4"),
];

/// Prefixes of the names of ROS's own libraries.
const OF_ROS: &[&str] = &[
    "librcl",
    "librcutils",
    "librmw",
    "librosidl_",
    "libroscpp",
    "librosconsole",
    "librostime",
    "librosbag",
    "libament_",
    "libcatkin",
];

/// Is a library part of ROS, or generated for messages of ROS?
#[must_use]
pub fn is_of_ros(library: &str) -> bool {
    OF_ROS.iter().any(|start| library.starts_with(start)) || library.contains("__rosidl_")
}

/// The manager of the file at a path, according to the path.
#[must_use]
pub fn of_path(path: &str) -> Option<Manager> {
    let below = |mark: &str| {
        let (_, rest) = path.split_once(mark)?;
        let name = rest.split('/').next().filter(|name| !name.is_empty())?;
        Some(name.to_owned())
    };
    if path.contains("/nix/store/") {
        return Some(Manager::Nix);
    }
    if path.starts_with("/snap/") {
        let is_base = |snap: &String| BASES.iter().any(|base| snap.starts_with(base));
        let snap = below("/snap/")?;
        return Some(if is_base(&snap) { Manager::Base(snap) } else { Manager::Snap(snap) });
    }
    if let Some((_, maker)) = BUNDLES.iter().find(|(mark, _)| path.contains(mark)) {
        return Some(Manager::Bundle(maker));
    }
    if path.starts_with("/opt/ros/") {
        return Some(Manager::Ros(below("/opt/ros/")));
    }
    if path.starts_with("/data/data/com.termux/") {
        return Some(Manager::Termux);
    }
    if path.starts_with("/boot/system/") || path.starts_with("/boot/home/") {
        return Some(Manager::Haiku);
    }
    if let Some(extension) = php_extension(path) {
        let known = PHP.iter().find(|(interface, _)| path.contains(interface));
        return Some(Manager::Php(extension, known.map(|(_, version)| *version)));
    }
    // The directory of a Ruby version may be called `gems` too.
    let gem = path.rsplit_once("/gems/").and_then(|(_, rest)| rest.split('/').next());
    if let Some(gem) = gem.filter(|gem| !gem.is_empty() && !path.ends_with(".py")) {
        return Some(Manager::Gem(name_of_gem(gem)));
    }
    if let Some(module) = perl_module(path) {
        return Some(Manager::Perl(module));
    }
    if is_of_conda(path) && is_beside_packages(path) {
        return Some(Manager::Conda);
    }
    // R installs a package in a temporary directory, and moves it when it can be loaded.
    let is_of_r = ["/R/", "/site-library/", STAGED].iter().any(|mark| path.contains(mark));
    let package = below(STAGED).or_else(|| below("/site-library/"));
    let package = package.or_else(|| below("/R/library/"));
    let package = package.or_else(|| {
        let (_, rest) = path.split_once("-library/")?;
        rest.split('/').nth(1).map(str::to_owned)
    });
    package.filter(|_| is_of_r).map(Manager::R)
}

/// The directory in which R prepares a package.
const STAGED: &str = "/00new/";

/// Components of the paths of conda installations and environments.
const OF_CONDA: &[&str] = &["conda", "mamba", "forge", "/envs/"];

/// Is a path inside a conda environment, according to its name?
#[must_use]
pub fn is_of_conda(path: &str) -> bool {
    OF_CONDA.iter().any(|mark| path.contains(mark))
}

/// Is a file outside the directory of packages that its path passes through:
/// `ENV/lib/python3.7/site-packages/osgeo/../../../libkea.so.1`?
fn is_beside_packages(path: &str) -> bool {
    let Some((_, below)) = path.split_once("/site-packages/") else { return false };
    let mut depth = 0;
    for part in below.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// `DBD::mysql` of `/usr/lib/perl5/auto/DBD/mysql/mysql.so`.
fn perl_module(path: &str) -> Option<String> {
    let (above, module) = path.split_once("/auto/").filter(|(above, _)| above.contains("perl"))?;
    let (module, file) = module.rsplit_once('/')?;
    let is_module = !above.is_empty() && file.contains('.') && !module.is_empty();
    is_module.then(|| module.replace('/', "::"))
}

/// `intl` of `/usr/lib/php/20180731/intl.so`.
fn php_extension(path: &str) -> Option<String> {
    let is_of_php = ["/php/", "/php5/", "/php7/", "/php8/"].iter().any(|mark| path.contains(mark));
    let name = path.rsplit('/').next()?.split('.').next().filter(|name| !name.is_empty())?;
    let is_extension = path.contains(".so") || path.contains("/extensions/");
    (is_of_php && is_extension && !name.starts_with("lib")).then(|| name.to_owned())
}

/// `grpc` of `grpc-1.36.0-x86_64-linux`.
fn name_of_gem(directory: &str) -> String {
    let is_version = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = directory.split('-').take_while(|part| !is_version(part)).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::{Manager, of_path};

    #[test]
    fn a_path_tells_what_manages_its_file() {
        let php = |name: &str, version| Some(Manager::Php(name.to_owned(), version));
        for (path, expected) in [
            ("/nix/store/40n9-python3-3.10.4/lib/libx.so", Some(Manager::Nix)),
            ("/snap/keepassxc/49/usr/lib/libGL.so.1", Some(Manager::Snap("keepassxc".to_owned()))),
            ("/snap/core20/current/lib/libpthread.so.0", Some(Manager::Base("core20".to_owned()))),
            ("/opt/ros/humble/lib/librcl.so", Some(Manager::Ros(Some("humble".to_owned())))),
            ("/usr/lib/php/20180731/intl.so", php("intl", Some("7.3"))),
            ("/opt/remi/php56/root/usr/lib64/php/modules/intl.so", php("intl", None)),
            (
                "/usr/local/bundle/gems/google-protobuf-3.6.1-x86_64-linux/lib/a.so",
                Some(Manager::Gem("google-protobuf".to_owned())),
            ),
            (
                "/Users/me/.rvm/gems/ruby-3.2.3/gems/pg-1.5.4/lib/pg_ext.bundle",
                Some(Manager::Gem("pg".to_owned())),
            ),
            ("/usr/lib/R/library/rJava/libs/rJava.so", Some(Manager::R("rJava".to_owned()))),
            (
                "/home/me/renv/staging/1/00LOCK-stringi/00new/stringi/libs/stringi.so",
                Some(Manager::R("stringi".to_owned())),
            ),
            (
                "/usr/lib64/perl5/auto/DBD/mysql/mysql.so",
                Some(Manager::Perl("DBD::mysql".to_owned())),
            ),
            (
                "/home/me/miniconda3/envs/t/lib/python3.7/site-packages/osgeo/../../.././libkea.so.1.4",
                Some(Manager::Conda),
            ),
            ("/home/me/miniconda3/lib/python3.7/site-packages/osgeo/../_gdal.so", None),
            ("/home/me/miniconda3/lib/python3.7/site-packages/osgeo/_gdal.so", None),
            (
                "/home/me/R/x86_64-pc-linux-gnu-library/4.2/rJava/libs/rJava.so",
                Some(Manager::R("rJava".to_owned())),
            ),
            ("/tmp/_MEIx1/libpython3.7m.so.1.0", Some(Manager::Bundle("PyInstaller"))),
            ("/tmp/.mount_Appx1/usr/lib/libx.so.1", Some(Manager::Bundle("AppImage"))),
            ("/v/lib/python3.11/site-packages/numpy/core/x.so", None),
            ("/usr/lib/x86_64-linux-gnu/libphp.so", None),
        ] {
            assert_eq!(of_path(path), expected, "{path}");
        }
    }
}
