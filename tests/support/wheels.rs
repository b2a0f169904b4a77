//! Real wheels and real environments: a package whose extension module is compiled against
//! Python's headers, installed by uv or by pip.

use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// How files come from the installer's cache into the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkMode {
    /// uv, which asks for clones and copies where the file system has none.
    Clone,
    /// uv, copies.
    Copy,
    /// uv, hard links into its cache.
    Hardlink,
    /// uv, symbolic links into its cache.
    Symlink,
    /// `python3 -m venv` and pip.
    Pip,
}

/// All of them.
pub(crate) const LINK_MODES: [LinkMode; 5] =
    [LinkMode::Clone, LinkMode::Copy, LinkMode::Hardlink, LinkMode::Symlink, LinkMode::Pip];

/// An environment with the package `broken` in it.
#[derive(Debug, Clone)]
pub(crate) struct Env {
    pub(crate) prefix: PathBuf,
    /// `PREFIX/bin/python`.
    pub(crate) python: PathBuf,
    pub(crate) site_packages: PathBuf,
    /// The installer's own cache, which nothing but the installer may change.
    pub(crate) cache: PathBuf,
}

impl Env {
    /// The extension module, relative to `site_packages`, of any Python version.
    pub(crate) fn extension(&self) -> PathBuf {
        let package = self.site_packages.join("broken");
        let names = std::fs::read_dir(&package).unwrap().map(|entry| entry.unwrap().file_name());
        let found = names.into_iter().find(|name| name.to_string_lossy().starts_with("_core."));
        Path::new("broken").join(found.unwrap())
    }
}

/// Runs a command in the test's own environment, without the variables that change what Python,
/// uv, pip and the loader do; its output if it succeeds, else a panic with everything it said.
pub(crate) fn run(command: &mut Command) -> String {
    let (succeeded, said) = outcome(command);
    assert!(succeeded, "{command:?}: {said}");
    said
}

fn outcome(command: &mut Command) -> (bool, String) {
    for variable in ["LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"] {
        command.env_remove(variable);
    }
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        said += &String::from_utf8_lossy(&output.stderr);
    }
    (output.status.success(), said)
}

/// What `python3` on `PATH` says to a line of Python. It says the same each time, and is asked once: a
/// `python3` that only chooses another one takes longer than what it starts.
pub(crate) fn python_says(code: &str) -> String {
    static SAID: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let says = || run(Command::new("python3").args(["-c", code])).trim().to_owned();
    said.entry(code.to_owned()).or_insert_with(says).clone()
}

/// The interpreter that `python3` on `PATH` starts.
pub(crate) fn python3() -> Command {
    Command::new(python_says("import sys; print(sys.executable)"))
}

/// A file of `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Makes a wheel in `dir` of `tree`, the files that go into site-packages, with further lines of
/// METADATA such as `Requires-Dist: numpy`.
pub(crate) fn wheel(
    dir: &Path,
    name: &str,
    version: &str,
    tree: &Path,
    headers: &[&str],
) -> PathBuf {
    let tag = python_says(concat!(
        "import sys, sysconfig; version = 'cp%d%d' % sys.version_info[:2]; ",
        "print(version, version, sysconfig.get_platform().replace('-', '_').replace('.', '_'), ",
        "sep='-')",
    ));
    let mut command = python3();
    command.arg(fixture("wheel.py")).arg(dir).args([name, version, &tag]).arg(tree).args(headers);
    run(&mut command).trim().into()
}

/// Makes a wheel of the package `broken` in `dir`: an extension module that needs `libinner.so.1`,
/// which its RUNPATH `$ORIGIN/libs` finds.
pub(crate) fn broken_wheel(dir: &Path) -> PathBuf {
    broken_wheel_of(dir, "1.0", "$ORIGIN/libs")
}

/// The same of any version, with any RUNPATH.
pub(crate) fn broken_wheel_of(dir: &Path, version: &str, runpath: &str) -> PathBuf {
    let tree = dir.join("broken-tree");
    let package = tree.join("broken");
    let libs = package.join("libs");
    std::fs::create_dir_all(&libs).unwrap();
    std::fs::copy(fixture("broken/__init__.py"), package.join("__init__.py")).unwrap();
    let said = python_says(concat!(
        "import sysconfig; ",
        "print(sysconfig.get_path('include'), sysconfig.get_config_var('EXT_SUFFIX'), sep='\\n')",
    ));
    let (include, suffix) = said.split_once('\n').unwrap();
    let inner = libs.join("libinner.so.1");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O1", "-Wl,-soname,libinner.so.1", "-o"]);
    run(gcc.arg(&inner).arg(fixture("broken/inner.c")));
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O1"]);
    gcc.arg(format!("-Wl,--enable-new-dtags,-rpath,{runpath}")).arg("-I");
    gcc.arg(include).arg("-o").arg(package.join(format!("_core{suffix}")));
    run(gcc.arg(fixture("broken/core.c")).arg(&inner));
    let headers = ["Requires-Python: >=3.8", "Provides-Extra: gpu"];
    let requires = r#"Requires-Dist: inner-runtime[cuda]>=1.0; extra == "gpu""#;
    wheel(dir, "broken", version, &tree, &[headers[0], headers[1], requires])
}

/// An empty virtual environment at `prefix`, by uv or, for [`LinkMode::Pip`], by `venv`.
pub(crate) fn empty_environment(prefix: &Path, mode: LinkMode) {
    let base = python_says("import sys; print(sys.executable)");
    if mode == LinkMode::Pip {
        run(Command::new(base).args(["-m", "venv", "--without-pip"]).arg(prefix));
    } else {
        let mut uv = Command::new("uv");
        uv.args(["--no-config", "--offline", "venv", "--quiet", "--python", &base]);
        run(uv.arg(prefix).env("UV_CACHE_DIR", prefix.with_extension("uv-cache")));
    }
}

/// Takes a distribution out of an environment again, by the installer that put it there.
pub(crate) fn uninstall(env: &Env, mode: LinkMode, name: &str) {
    if mode == LinkMode::Pip {
        let mut pip = python3();
        pip.args(["-m", "pip", "--isolated", "--disable-pip-version-check", "--python"]);
        run(pip.arg(&env.python).args(["uninstall", "--quiet", "--yes", name]));
    } else {
        let mut uv = Command::new("uv");
        uv.args(["--no-config", "--offline", "pip", "uninstall", "--quiet", "--python"]);
        run(uv.arg(&env.python).arg(name).env("UV_CACHE_DIR", &env.cache));
    }
}

/// Installs wheels into an environment, without their dependencies.
pub(crate) fn install(prefix: &Path, cache: &Path, mode: LinkMode, wheels: &[&Path]) {
    let how = match mode {
        LinkMode::Clone => "clone",
        LinkMode::Copy => "copy",
        LinkMode::Hardlink => "hardlink",
        LinkMode::Symlink => "symlink",
        LinkMode::Pip => {
            let mut pip = python3();
            pip.args(["-m", "pip", "--isolated", "--disable-pip-version-check", "--python"]);
            pip.arg(prefix.join("bin/python")).args(["install", "--quiet", "--no-index"]);
            pip.args(["--no-deps", "--cache-dir"]).arg(cache).args(wheels);
            run(&mut pip);
            return;
        }
    };
    let mut uv = Command::new("uv");
    uv.args(["--no-config", "--offline", "pip", "install", "--quiet", "--no-index", "--no-deps"]);
    uv.args(["--link-mode", how, "--python"]).arg(prefix.join("bin/python"));
    run(uv.args(wheels).env("UV_CACHE_DIR", cache));
}

/// An environment at `DIR/.venv` with `broken` installed, and the installer's cache at `DIR/cache`.
pub(crate) fn environment(dir: &Path, mode: LinkMode) -> Env {
    let prefix = dir.join(".venv");
    let cache = dir.join("cache");
    // pip keeps no local wheel: its cache stays empty.
    std::fs::create_dir_all(&cache).unwrap();
    let wheel = broken_wheel(dir);
    environment_with(prefix, cache, mode, &wheel)
}

/// An environment at `prefix` with a wheel of `broken` installed.
pub(crate) fn environment_with(
    prefix: PathBuf,
    cache: PathBuf,
    mode: LinkMode,
    wheel: &Path,
) -> Env {
    empty_environment(&prefix, mode);
    install(&prefix, &cache, mode, &[wheel]);
    let python = prefix.join("bin/python");
    let code = "import sysconfig; print(sysconfig.get_path('platlib'))";
    let site_packages = run(Command::new(&python).args(["-c", code])).trim().into();
    Env { prefix, python, site_packages, cache }
}

/// Moves `libinner.so.1` to `SITE/broken_libs`, and its row of RECORD along, so that nothing is
/// wrong but that the extension module does not find it.
pub(crate) fn break_it(env: &Env) {
    let site = &env.site_packages;
    std::fs::create_dir_all(site.join("broken_libs")).unwrap();
    let (old, new) = ("broken/libs/libinner.so.1", "broken_libs/libinner.so.1");
    std::fs::rename(site.join(old), site.join(new)).unwrap();
    let names = std::fs::read_dir(site).unwrap().map(|entry| entry.unwrap().file_name());
    let is_info = |name: &str| name.starts_with("broken-") && name.ends_with(".dist-info");
    let mut infos = names.map(|name| name.into_string().unwrap()).filter(|name| is_info(name));
    let record = site.join(infos.next().unwrap()).join("RECORD");
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(text.contains(old), "{text}");
    // A new file, for the old one may be the cache's too.
    let moved = record.with_extension("new");
    std::fs::write(&moved, text.replace(old, new)).unwrap();
    std::fs::rename(moved, record).unwrap();
}

/// Does `import broken` work in the environment? What Python printed, or its error.
pub(crate) fn imports(env: &Env) -> Result<String, String> {
    let mut python = Command::new(&env.python);
    // -B: a test that compares the environment before and after wants no new __pycache__.
    let (succeeded, said) =
        outcome(python.args(["-B", "-c", "import broken; print(broken.value())"]));
    if succeeded { Ok(said.trim().to_owned()) } else { Err(said) }
}

/// Everything below `dir`, by relative path: the mode with its file type, and the digest of a
/// file or the target of a link.
pub(crate) fn digests(dir: &Path) -> BTreeMap<PathBuf, (u32, String)> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(dir).min_depth(1) {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        let content = if entry.file_type().is_symlink() {
            format!("-> {}", std::fs::read_link(entry.path()).unwrap().display())
        } else if entry.file_type().is_file() {
            sha256(entry.path())
        } else {
            String::new()
        };
        let relative = entry.path().strip_prefix(dir).unwrap().to_owned();
        found.insert(relative, (mode, content));
    }
    found
}

fn sha256(path: &Path) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(std::fs::read(path).unwrap()) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

/// A wheel of these members, none of them compressed.
pub(crate) fn stored_wheel(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let offset = archive.len() as u32;
        // Version 2.0, no flags, stored, no time; then checksum, both lengths, and those of names.
        let mut fields = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        fields.extend(crc.sum().to_le_bytes());
        fields.extend([(bytes.len() as u32).to_le_bytes(); 2].concat());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        directory.extend([b"PK\x01\x02\x14\0", fields.as_slice(), &[0; 10]].concat());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        archive.extend([b"PK\x03\x04", fields.as_slice(), name.as_bytes(), bytes].concat());
    }
    let (start, len) = (archive.len() as u32, directory.len() as u32);
    archive.append(&mut directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([(members.len() as u16).to_le_bytes(); 2].concat());
    archive.extend([len.to_le_bytes(), start.to_le_bytes()].concat());
    archive.extend([0, 0]);
    archive
}
