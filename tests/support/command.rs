//! The real binary, run as a user runs it, and small real objects to run it on.

use crate::support::wheels;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Variables that change what tfpatch does.
const VARIABLES: &[&str] = &[
    "CLICOLOR_FORCE",
    "CONDA_PREFIX",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NO_COLOR",
    "PYTHONPATH",
    "SOURCE_DATE_EPOCH",
    "VIRTUAL_ENV",
];

/// What a run said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            // A signal is no status: -1.
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// The report, where the run ended with `status`.
    #[track_caller]
    pub(crate) fn json(&self, status: i32) -> Value {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.err, "");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The report for people, where the run ended with `status`.
    #[track_caller]
    pub(crate) fn text(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.err, "");
        assert!(!self.out.contains('\u{1b}'), "escape sequences in a pipe: {self:#?}");
        &self.out
    }

    /// The error of a run that ended with status 2.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        assert_eq!(self.status, 2, "{self:#?}");
        assert!(self.err.starts_with("error: "), "{self:#?}");
        &self.err
    }
}

/// tfpatch, to be started in `dir`.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tfpatch"));
    clean(&mut command);
    command.current_dir(dir);
    command
}

/// Takes away what would change the outcome.
pub(crate) fn clean(command: &mut Command) {
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
}

/// Runs tfpatch in `dir` with words and paths as arguments.
#[track_caller]
pub(crate) fn run<A: AsRef<OsStr>>(dir: &Path, arguments: &[A]) -> Ran {
    Ran::of(&command(dir).args(arguments).output().unwrap())
}

/// Arguments of words and paths, mixed.
pub(crate) fn words(words: &[&dyn AsRef<OsStr>]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}

/// A directory that any user may look into.
pub(crate) fn open_directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), 0o755);
    dir
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Compiles a library `libinner.so.1` to `path`.
pub(crate) fn inner(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O1", "-Wl,-soname,libinner.so.1", "-o"]).arg(path);
    wheels::run(gcc.arg(wheels::fixture("broken/inner.c")));
}

/// Compiles an object to `path` that needs `libinner.so.1`, with that RUNPATH.
pub(crate) fn outer(path: &Path, runpath: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let library = scratch.path().join("libinner.so.1");
    inner(&library);
    let source = scratch.path().join("outer.c");
    let code = "extern int inner_value(void); int outer_value(void) { return inner_value(); }\n";
    std::fs::write(&source, code).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O1", "-nostdlib", "-Wl,--no-as-needed"]);
    gcc.arg(format!("-Wl,--enable-new-dtags,-rpath,{runpath}")).arg("-o").arg(path);
    wheels::run(gcc.args([&source, &library]));
}

/// A tree with `pkg/outer.so`, whose RUNPATH does not lead to `inner/libinner.so.1`.
pub(crate) fn broken_tree(dir: &Path) {
    outer(&dir.join("pkg/outer.so"), "$ORIGIN/gone/with/the/wind");
    inner(&dir.join("inner/libinner.so.1"));
}

/// Everything below `dir` but stores of tfpatch, by relative path: mode, content or target, and
/// the time of the last change in nanoseconds.
pub(crate) fn snapshot(dir: &Path) -> BTreeMap<PathBuf, (u32, String, i64, i64)> {
    let is_store = |path: &Path| path.components().any(|part| part.as_os_str() == ".tfpatch");
    let digests = wheels::digests(dir).into_iter().filter(|(path, _)| !is_store(path));
    digests
        .map(|(path, (mode, content))| {
            let stat = std::fs::symlink_metadata(dir.join(&path)).unwrap();
            (path, (mode, content, stat.mtime(), stat.mtime_nsec()))
        })
        .collect()
}

/// Is there a store of tfpatch in a directory?
pub(crate) fn has_store(dir: &Path) -> bool {
    std::fs::symlink_metadata(dir.join(".tfpatch")).is_ok()
}

/// How many rows with a hash the RECORD of `broken` has; each is checked by Python, hash and size.
pub(crate) fn checked_rows(env: &wheels::Env) -> usize {
    const CODE: &str = "
import base64, csv, hashlib, pathlib, sys
site = pathlib.Path(sys.argv[1])
checked = 0
for path, digest, size in csv.reader((site / 'broken-1.0.dist-info/RECORD').open(newline='')):
    # uv and pip list the compiled files that they write, and pip writes none here.
    if not digest or not (site / path).exists():
        continue
    content = (site / path).read_bytes()
    value = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()
    assert (digest, size) == ('sha256=' + value, str(len(content))), path
    checked += 1
print(checked)
";
    let mut python = Command::new(&env.python);
    let said = wheels::run(python.args(["-B", "-c", CODE]).arg(&env.site_packages));
    said.trim().parse().unwrap()
}
