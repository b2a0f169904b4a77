//! Which environment is meant where none is named.

use crate::support::wheels;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tfpatch::python::discovery::{Ambient, Reason, Unfit, discover};
use tfpatch::python::environment::Kind;
use tfpatch::vfs::OsVfs;

/// Under uvx the first python3 on PATH is that of uv's cache.
#[test]
fn under_uvx_the_environment_of_the_tool_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let wheel = wheels::broken_wheel(dir.path());
    let mine = dir.path().join("mine");
    let base = wheels::python_says("import sys; print(sys.executable)");
    wheels::run(Command::new(&base).args(["-m", "venv", "--without-pip"]).arg(&mine));
    let mut uv = Command::new("uv");
    uv.args(["--no-config", "--offline", "tool", "run", "--no-index", "--python", &base, "--from"]);
    uv.arg(&wheel).args(["python", "-c"]);
    uv.arg("import os, sys, broken; print(sys.executable); print(os.environ['PATH'])");
    let said = wheels::run(uv.env("UV_CACHE_DIR", dir.path().join("cache")));
    let (executable, path) = said.trim().split_once('\n').unwrap();
    let mut path: Vec<PathBuf> = std::env::split_paths(OsStr::new(path)).collect();
    let tool = Path::new(executable).parent().unwrap();
    assert!(path.iter().any(|directory| directory == tool), "{said}");
    path.insert(1, mine.join("bin"));
    let ambient = Ambient { working_directory: dir.path().into(), path, ..Ambient::default() };
    let found = discover(&OsVfs::new(), &ambient).unwrap();
    assert_eq!(found.environment.prefix, mine);
    assert_eq!(found.passed_over[0].path, tool.join("python3"));
    assert_eq!(found.passed_over[0].why, Unfit::InCache);
}

/// The shims of this machine's pyenv, where it has one on PATH, against pyenv itself.
#[test]
fn python3_on_path_is_the_one_that_runs() {
    let said = wheels::python_says("import os, sys; print(sys.prefix); print(os.environ['PATH'])");
    let (prefix, path) = said.split_once('\n').unwrap();
    // pyenv puts the directory of the version it chose first; the shims come after.
    let path = std::env::split_paths(OsStr::new(path))
        .filter(|directory| !directory.starts_with(prefix))
        .collect();
    let ambient = Ambient { working_directory: "/".into(), path, ..Ambient::default() };
    let found = discover(&OsVfs::new(), &ambient).unwrap();
    if matches!(found.reason, Reason::OnPath { by_pyenv: true, .. }) {
        assert_eq!(found.environment.prefix, Path::new(prefix));
    } else {
        assert_eq!(found.environment.kind, Kind::System);
    }
}
