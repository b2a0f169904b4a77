//! What a virtual environment says about itself: its `pyvenv.cfg` (PEP 405), `bin/activate`, and
//! the programs in `bin`, which name the interpreter that they were installed for.

use super::interpreter::{Version, is_interpreter_name, version_of_path};
use super::{is_directory, is_file, join_lexically, read_start};
use crate::vfs::{FileKind, Vfs};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A pyvenv.cfg has a few lines; a longer file is not read.
const MAX_CFG_BYTES: u64 = 1 << 16;
/// The scripts of venv, virtualenv and uv have some four kilobytes.
const MAX_ACTIVATE_BYTES: u64 = 1 << 16;
/// Two lines, each with a path of at most Linux's `PATH_MAX`.
const MAX_SHEBANG_BYTES: u64 = 2 * 4096;

/// What a `pyvenv.cfg` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PyvenvCfg {
    /// The directory of the base interpreter.
    pub home: Option<PathBuf>,
    /// `version`, as venv writes it, or `version_info`, as uv and virtualenv do.
    pub version: Option<Version>,
    /// Does it import from the base interpreter's directories too?
    pub system_site_packages: bool,
    /// The command of the tool that created the environment, if it recorded its name.
    pub made_by: Option<&'static str>,
}

impl PyvenvCfg {
    /// Reads that of the environment at `prefix`; `None` if there is none.
    #[must_use]
    pub fn of(vfs: &dyn Vfs, prefix: &Path) -> Option<Self> {
        let text = read_start(vfs, &prefix.join("pyvenv.cfg"), MAX_CFG_BYTES).ok()?;
        // If the base interpreter's directories are not mentioned, they count (`venv` in `Lib/site.py`).
        let mut cfg = Self { home: None, version: None, system_site_packages: true, made_by: None };
        for line in String::from_utf8_lossy(&text).lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "home" => cfg.home = Some(value.into()),
                "version" | "version_info" => cfg.version = cfg.version.or(Version::parse(value)),
                "include-system-site-packages" => {
                    cfg.system_site_packages = value.eq_ignore_ascii_case("true");
                }
                "uv" => cfg.made_by = Some("uv venv"),
                "virtualenv" => cfg.made_by = Some("virtualenv"),
                _ => {}
            }
        }
        Some(cfg)
    }
}

/// The version of `PREFIX/bin/python` by its name, or by the name of its link's target.
#[must_use]
pub fn version_that_runs(vfs: &dyn Vfs, prefix: &Path) -> Option<Version> {
    ["bin/python", "bin/python3"].iter().find_map(|name| version_of_path(vfs, &prefix.join(name)))
}

/// Is there an interpreter in a directory, as `home` of a `pyvenv.cfg` names it?
#[must_use]
pub fn holds_interpreter(vfs: &dyn Vfs, directory: &Path) -> bool {
    let entries = vfs.read_dir(directory).unwrap_or_default();
    entries.iter().any(|entry| entry.name.to_str().is_some_and(is_interpreter_name))
}

/// The prefix that `bin/activate` activates; `None` if there is no such script, or it determines
/// its own location.
#[must_use]
pub fn activated_prefix(vfs: &dyn Vfs, prefix: &Path) -> Option<PathBuf> {
    let text = read_start(vfs, &prefix.join("bin/activate"), MAX_ACTIVATE_BYTES).ok()?;
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let line = line.trim_ascii();
        let line = line.strip_prefix(b"export ").unwrap_or(line);
        let word = line.strip_prefix(b"VIRTUAL_ENV=")?;
        let path = unquoted(word);
        let is_literal = path.starts_with(b"/") && !path.iter().any(|byte| b"$`\\".contains(byte));
        is_literal.then(|| PathBuf::from(OsStr::from_bytes(path)))
    })
}

/// A word of a shell without the quotes around it.
fn unquoted(word: &[u8]) -> &[u8] {
    let inside = |quote: &[u8]| word.strip_prefix(quote)?.strip_suffix(quote);
    inside(b"'").or_else(|| inside(b"\"")).unwrap_or(word)
}

/// A program in `bin` that a Python interpreter runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its path.
    pub path: PathBuf,
    /// The interpreter that it names, absolute.
    pub interpreter: PathBuf,
}

impl Script {
    /// The prefix of the environment that its interpreter is in, by its path.
    #[must_use]
    pub fn prefix(&self) -> Option<&Path> {
        let bin = self.interpreter.parent()?;
        bin.ends_with("bin").then(|| bin.parent())?
    }
}

/// The programs in `bin` that name a Python interpreter by its path.
#[must_use]
pub fn scripts(vfs: &dyn Vfs, prefix: &Path) -> Vec<Script> {
    let bin = prefix.join("bin");
    let entries = vfs.read_dir(&bin).unwrap_or_default();
    let files = entries.into_iter().filter(|entry| entry.kind == FileKind::File);
    let scripts = files.filter_map(|entry| {
        let path = bin.join(&entry.name);
        let start = read_start(vfs, &path, MAX_SHEBANG_BYTES).ok()?;
        let interpreter = PathBuf::from(OsStr::from_bytes(named_interpreter(&start)?));
        let name = interpreter.file_name()?.to_str()?;
        is_interpreter_name(name).then_some(Script { path, interpreter })
    });
    scripts.collect()
}

/// The program that the system starts for a script, as its first line names it; `None` if it is not a
/// script.
#[must_use]
pub fn run_by(vfs: &dyn Vfs, script: &Path) -> Option<PathBuf> {
    let start = read_start(vfs, script, MAX_SHEBANG_BYTES).ok()?;
    let line = start.split(|&byte| byte == b'\n').next()?.strip_prefix(b"#!")?.trim_ascii();
    let named = line.split(u8::is_ascii_whitespace).next().filter(|named| !named.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(named)))
}

/// The interpreter that the first lines of a script name: after `#!`, or, if its path is too long
/// or has a space, after `'''exec'` in the second line, as pip and uv write it.
fn named_interpreter(start: &[u8]) -> Option<&[u8]> {
    let mut lines = start.split(|&byte| byte == b'\n');
    let first = lines.next()?.strip_prefix(b"#!")?.trim_ascii();
    let named = match first {
        b"/bin/sh" => {
            let word = lines.next()?.strip_prefix(b"'''exec' ")?;
            match word.strip_prefix(b"\"") {
                Some(quoted) => quoted.split(|&byte| byte == b'"').next()?,
                None => word.split(u8::is_ascii_whitespace).next()?,
            }
        }
        _ => first.split(u8::is_ascii_whitespace).next()?,
    };
    let is_literal = named.starts_with(b"/") && !named.contains(&b'$');
    is_literal.then_some(named)
}

/// Does the environment at `prefix` exist there?
#[must_use]
pub fn is_venv(vfs: &dyn Vfs, prefix: &Path) -> bool {
    is_file(vfs, &prefix.join("pyvenv.cfg"))
}

/// Is there Python's library for a version below a prefix, as `getpath.py` looks for it?
#[must_use]
pub fn holds_library(vfs: &dyn Vfs, prefix: &Path, version: Version) -> bool {
    ["lib", "lib64"].iter().any(|library| {
        let library = prefix.join(library);
        let zip = format!("python{}{}.zip", version.major, version.minor);
        is_file(vfs, &library.join(format!("python{version}/os.py")))
            || is_file(vfs, &library.join(zip))
    })
}

/// The names of the packages and modules in a directory of `sys.path`: of its directories that contain an
/// `__init__.py`, and of its files that end with `.py`, without that.
#[must_use]
pub fn packages(vfs: &dyn Vfs, directory: &Path) -> Vec<OsString> {
    let entries = vfs.read_dir(directory).unwrap_or_default();
    let named = entries.into_iter().filter_map(|entry| {
        let module = entry.name.as_bytes().strip_suffix(b".py").map(OsStr::from_bytes);
        if let Some(module) = module.filter(|_| is_file(vfs, &directory.join(&entry.name))) {
            return Some(module.to_owned());
        }
        is_file(vfs, &directory.join(&entry.name).join("__init__.py")).then_some(entry.name)
    });
    named.collect()
}

/// The directories of `PYTHONPATH` that exist, from the working directory.
#[must_use]
pub fn directories(vfs: &dyn Vfs, here: &Path, path: &[PathBuf]) -> Vec<PathBuf> {
    let absolute = path.iter().map(|directory| join_lexically(here, directory));
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in absolute.filter(|directory| is_directory(vfs, directory)) {
        if !found.contains(&directory) {
            found.push(directory);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{named_interpreter, unquoted};

    #[test]
    fn a_script_names_its_interpreter_in_its_first_lines() {
        let named = |text: &str| {
            named_interpreter(text.as_bytes()).map(|it| String::from_utf8_lossy(it).into_owned())
        };
        assert_eq!(named("#!/e/bin/python\nx").as_deref(), Some("/e/bin/python"));
        assert_eq!(named("#! /e/bin/python3 -E\n").as_deref(), Some("/e/bin/python3"));
        let long = "#!/bin/sh\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n' '''\n";
        assert_eq!(named(long).as_deref(), Some("/a b/bin/python"));
        let bare = "#!/bin/sh\n'''exec' /e/bin/python3 \"$0\" \"$@\"\n";
        assert_eq!(named(bare).as_deref(), Some("/e/bin/python3"));
        let relocatable =
            "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python'\n";
        assert_eq!(named(relocatable), None);
        assert_eq!(named("#!/usr/bin/env python3\n").as_deref(), Some("/usr/bin/env"));
        assert_eq!(named("\x7fELF"), None);
    }

    #[test]
    fn a_word_may_stand_in_quotes() {
        assert_eq!(unquoted(b"'/a b'"), b"/a b");
        assert_eq!(unquoted(b"\"/a\""), b"/a");
        assert_eq!(unquoted(b"/a"), b"/a");
    }
}
