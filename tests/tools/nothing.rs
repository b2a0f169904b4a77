//! Targets in which there is nothing to be judged, and interpreters that do not start: neither is
//! ever called well.

use crate::support::command::{outer, run, set_mode, words};
use crate::support::wheels::{self, LinkMode};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A virtual environment in `DIR/NAME` with a sound object, whose `bin/python` alone stands for its
/// interpreter. Returns the interpreter's own file.
fn environment(dir: &Path, name: &str) -> PathBuf {
    let prefix = dir.join(name);
    wheels::empty_environment(&prefix, LinkMode::Pip);
    let real = fs::canonicalize(prefix.join("bin/python")).unwrap();
    for entry in fs::read_dir(prefix.join("bin")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("python") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    symlink(&real, prefix.join("bin/python")).unwrap();
    let site = site(&prefix);
    crate::support::command::inner(&site.join("pkg/libinner.so.1"));
    outer(&site.join("pkg/outer.so"), "$ORIGIN");
    real
}

fn site(prefix: &Path) -> PathBuf {
    let lib = prefix.join("lib");
    let version = fs::read_dir(&lib)
        .unwrap()
        .map(Result::unwrap)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("python3."));
    version.unwrap().path().join("site-packages")
}

/// Every command that judges, in both formats, ends with 2 and one sentence that holds `why`.
#[track_caller]
fn refused(dir: &Path, target: &Path, why: &[&str]) {
    for command in ["verify", "doctor", "fix"] {
        for format in ["human", "json"] {
            let ran = run(dir, &words(&[&command, &"--format", &format, &target]));
            let error = ran.error();
            assert!(why.iter().all(|why| error.contains(why)), "{why:?}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
            // Whoever reads JSON reads the same there, and nothing else.
            match format {
                "human" => assert_eq!(ran.out, ""),
                _ => assert!(ran.out.contains("\"tfpatch/error/v1\""), "{ran:#?}"),
            }
        }
    }
}

#[test]
fn a_venv_whose_python_is_gone_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    environment(dir, "env");
    let prefix = dir.join("env");
    assert_eq!(run(dir, &["verify", "env"]).status, 0);
    let python = prefix.join("bin/python");
    let cure = "recreate it with `python3 -m venv --clear env`";

    fs::remove_file(&python).unwrap();
    refused(
        dir,
        Path::new("env"),
        &["broken virtual environment: env/bin/python is missing", cure],
    );

    // A chain of links, of which the last one leads nowhere.
    symlink("python3", &python).unwrap();
    symlink("python3.99", prefix.join("bin/python3")).unwrap();
    symlink("/gone/bin/python3.99", prefix.join("bin/python3.99")).unwrap();
    let why = ["env/bin/python points to a missing file, /gone/bin/python3.99", cure];
    refused(dir, Path::new("env"), &why);
    refused(dir, &python, &why);
    refused(dir, &site(&prefix), &why);
    refused(dir, &site(&prefix).join("pkg"), &why);
    // A file that is named is judged by itself.
    assert_eq!(run(dir, &words(&[&"verify", &site(&prefix).join("pkg/outer.so")])).status, 0);
    let root = run(Path::new("/"), &words(&[&"verify", &"--root", &dir, &"/env"]));
    assert!(root.error().contains("/env/bin/python points to a missing file, /gone"), "{root:#?}");

    fs::remove_file(prefix.join("bin/python3.99")).unwrap();
    symlink("python", prefix.join("bin/python3.99")).unwrap();
    refused(dir, Path::new("env"), &["env/bin/python is a symlink that points back to itself"]);

    fs::remove_dir_all(prefix.join("bin")).unwrap();
    refused(dir, Path::new("env"), &["env/bin/python is missing", cure]);
    let cfg = fs::read_to_string(prefix.join("pyvenv.cfg")).unwrap();
    fs::write(prefix.join("pyvenv.cfg"), format!("{cfg}uv = 0.9.1\n")).unwrap();
    refused(dir, Path::new("env"), &["`uv venv --clear env`"]);
    fs::rename(&prefix, dir.join("b env")).unwrap();
    refused(dir, Path::new("b env"), &["`uv venv --clear 'b env'`"]);
    fs::rename(dir.join("b env"), &prefix).unwrap();
    // Without a version in it.
    fs::write(prefix.join("pyvenv.cfg"), "").unwrap();
    refused(dir, Path::new("env"), &["env/bin/python is missing"]);
}

#[test]
fn a_venv_of_windows_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let site = dir.join("env/Lib/site-packages");
    fs::create_dir_all(site.join("pkg")).unwrap();
    fs::create_dir_all(dir.join("env/Scripts")).unwrap();
    fs::write(dir.join("env/Scripts/python.exe"), "MZ").unwrap();
    fs::write(site.join("pkg/_core.cp311-win_amd64.pyd"), "MZ").unwrap();
    fs::write(site.join("pkg/inner.dll"), "MZ").unwrap();
    fs::write(dir.join("env/pyvenv.cfg"), "home = C:\\Python311\nversion = 3.11.4\n").unwrap();
    let why =
        ["virtual environment for Windows: env/Scripts/python.exe", "recreate it on this system"];
    refused(dir, Path::new("env"), &why);
    refused(dir, &site, &why);
    fs::remove_dir_all(dir.join("env/Scripts")).unwrap();
    refused(dir, Path::new("env"), &["env/bin/python is missing"]);
}

#[test]
fn a_conda_environment_needs_python_where_it_has_packages_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir_all(dir.join("env/conda-meta")).unwrap();
    refused(dir, Path::new("env"), &["no shared libraries or programs found in env"]);
    crate::support::command::inner(&dir.join("env/lib/libinner.so.1"));
    fs::write(dir.join("env/conda-meta/python_abi-3.11-4_cp311.json"), "{}").unwrap();
    assert_eq!(run(dir, &["verify", "env"]).status, 0, "it may be for another language");
    let record = dir.join("env/conda-meta/python-3.11.7-hab00c5b_1_cpython.json");
    fs::write(&record, "{}").unwrap();
    refused(dir, Path::new("env"), &["broken conda environment: env/bin/python is missing"]);
    fs::remove_file(record).unwrap();
    fs::create_dir_all(dir.join("env/lib/python3.11/site-packages/x-1.dist-info")).unwrap();
    let why = ["broken conda environment: env/bin/python is missing", "conda install --prefix env"];
    refused(dir, Path::new("env"), &why);
}

#[test]
fn what_holds_no_object_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("empty")).unwrap();
    refused(dir, Path::new("empty"), &["no shared libraries or programs found in empty"]);
    // A walk passes over environments inside.
    environment(dir, "project/.venv");
    let why = "found in project; name the environment: project/.venv";
    refused(dir, Path::new("project"), &[why]);
    let tree = dir.join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("x.py"), "").unwrap();
    let wheel = wheels::wheel(dir, "x", "1.0", &tree, &[]);
    refused(dir, &wheel, &["no shared libraries or programs found in "]);
    let (prefix, site) = (dir.join("project/.venv"), site(&dir.join("project/.venv")));
    fs::remove_dir_all(site.join("pkg")).unwrap();
    refused(dir, &site, &["no shared libraries or programs found in "]);
    assert_eq!(run(dir, &words(&[&"verify", &prefix])).status, 0, "its interpreter is one");
}

/// Each of these is a python that the system does not start, and so an error.
#[test]
fn a_python_that_does_not_start_is_an_error() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path();
    let real = environment(dir, "env");
    let python = dir.join("env/bin/python");
    let site = site(&dir.join("env"));
    let copy = || {
        fs::remove_file(&python).unwrap();
        fs::copy(&real, &python).unwrap();
    };
    let error = |message: &str| {
        let status = Command::new(&python).args(["-c", ""]).env_remove("LD_LIBRARY_PATH").status();
        assert!(!status.is_ok_and(|status| status.success()), "it does not start: {message}");
        for target in [&dir.join("env"), &site] {
            let ran = run(dir, &words(&[&"doctor", &"--format", &"json", target]));
            let report = ran.json(1);
            let findings = report["targets"][0]["findings"].as_array().cloned();
            let findings =
                findings.unwrap_or_else(|| report["findings"].as_array().unwrap().clone());
            let found = findings
                .iter()
                .find(|finding| finding["message"].as_str().unwrap().contains(message));
            let found = found.unwrap_or_else(|| panic!("{message}: {report:#}"));
            assert_eq!(found["severity"], "error");
            for command in ["verify", "fix"] {
                assert_eq!(run(dir, &words(&[&command, target])).status, 1, "{command}: {message}");
            }
        }
    };
    copy();
    wheels::run(Command::new("patchelf").args(["--add-needed", "libgone.so.1"]).arg(&python));
    error("bin/python cannot start: it needs libgone.so.1");
    // What the link of an environment leads to is its interpreter as well.
    fs::rename(&python, dir.join("elsewhere")).unwrap();
    symlink(dir.join("elsewhere"), &python).unwrap();
    error("bin/python cannot start: it needs libgone.so.1");
    // Nor does it start where a library that it needs lacks another.
    copy();
    let library = dir.join("env/lib/libmine.so.1");
    outer(&library, "$ORIGIN/nowhere");
    let mut patchelf = Command::new("patchelf");
    patchelf.args(["--replace-needed", "libinner.so.1", "libgone.so.2"]);
    wheels::run(patchelf.arg(&library));
    let libraries = real.ancestors().nth(2).unwrap().join("lib");
    let path = format!("$ORIGIN/../lib:{}", libraries.display());
    wheels::run(Command::new("patchelf").args(["--set-rpath", &path]).arg(&python));
    wheels::run(Command::new("patchelf").args(["--add-needed", "libmine.so.1"]).arg(&python));
    error("bin/python cannot start: lib/libmine.so.1 needs libgone.so.2");
    copy();
    wheels::run(Command::new("patchelf").args(["--set-interpreter", "/gone/ld.so"]).arg(&python));
    error("bin/python cannot start: its loader /gone/ld.so is not found");
    copy();
    set_mode(&python, 0o644);
    error("bin/python cannot start: it is not executable");
    fs::write(&python, &fs::read(&real).unwrap()[..100]).unwrap();
    set_mode(&python, 0o755);
    error("bin/python cannot start: it is damaged");
    fs::write(&python, "").unwrap();
    error("bin/python cannot start: it is an empty file");
    fs::write(&python, [0; 4096]).unwrap();
    error("bin/python cannot start: it is not a program");
    fs::write(&python, "#!/gone/python -E\n").unwrap();
    error("bin/python cannot start: it is a script for /gone/python, which is missing");
}

/// Of several interpreters one does not start; the others do.
#[test]
fn one_of_several_interpreters_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    environment(dir, "env");
    symlink("/gone/python3.5", dir.join("env/bin/python3.5")).unwrap();
    let ran = run(dir, &["verify", "env"]);
    assert!(ran.text(1).contains("bin/python3.5 cannot start: it points to a missing file, /gone"));
}

/// An installation of Python is judged by its interpreter, too.
#[test]
fn the_python_of_an_installation_is_judged() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let real = environment(dir, "env");
    let version = site(&dir.join("env")).parent().unwrap().file_name().unwrap().to_owned();
    let prefix = dir.join("python");
    let lib = prefix.join("lib").join(&version);
    fs::create_dir_all(&lib).unwrap();
    fs::write(lib.join("os.py"), "").unwrap();
    fs::create_dir(prefix.join("bin")).unwrap();
    let python = prefix.join("bin").join(&version);
    fs::copy(&real, &python).unwrap();
    wheels::run(Command::new("patchelf").args(["--add-needed", "libgone.so.1"]).arg(&python));
    for command in ["verify", "doctor", "fix"] {
        let ran = run(dir, &[command, "python"]);
        assert!(ran.text(1).contains("libgone.so.1"), "{ran:#?}");
    }
    fs::remove_file(&python).unwrap();
    symlink("/gone/python", &python).unwrap();
    refused(
        dir,
        Path::new("python"),
        &["broken Python installation: python/bin/", "/gone/python;"],
    );
}

/// What was patched and uninstalled since was looked for: that is something.
#[test]
fn patched_files_that_were_uninstalled_are_something() {
    let dir = tempfile::tempdir().unwrap();
    let env = wheels::environment(dir.path(), LinkMode::Copy);
    wheels::break_it(&env);
    assert_eq!(run(dir.path(), &["fix", ".venv"]).status, 0);
    wheels::uninstall(&env, LinkMode::Copy, "broken");
    let site = env.site_packages.to_str().unwrap();
    assert_eq!(run(dir.path(), &["verify", site]).status, 0);
}

/// A tree may be deeper than any path may be long: what cannot be read is said.
#[test]
fn a_tree_of_any_depth_is_walked() {
    let dir = tempfile::tempdir().unwrap();
    let make = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[2])):\n \
                os.mkdir('d'); os.chdir('d')";
    wheels::run(wheels::python3().args(["-c", make]).arg(dir.path()).arg("6000"));
    let ran = run(dir.path(), &["verify", "."]);
    assert!(ran.text(1).contains("File name too long"), "{ran:#?}");
    wheels::run(Command::new("rm").arg("-rf").arg(dir.path().join("d")));
}

/// A base interpreter that is gone is a warning where the standard library is found all the same, as a
/// link or the program itself leads to it; without any, Python does not start.
#[test]
fn a_home_that_is_gone_is_an_error_where_the_standard_library_went_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let prefix = dir.join("env");
    fs::create_dir_all(prefix.join("lib/python3.99/site-packages")).unwrap();
    fs::create_dir(prefix.join("bin")).unwrap();
    fs::write(prefix.join("pyvenv.cfg"), "home = /gone/bin\nversion = 3.99.1\n").unwrap();
    let library = dir.join("base");
    let source = dir.join("python.c");
    let code = format!(
        "const char *prefix = \"{}\";\nint main(void) {{ return !prefix; }}\n",
        library.display()
    );
    fs::write(&source, code).unwrap();
    let mut gcc = Command::new("gcc");
    wheels::run(gcc.arg("-o").arg(prefix.join("bin/python")).arg(&source));
    let why = "/gone/bin as the directory of the base interpreter, but that directory has no interpreter; its standard library is not found";
    for command in ["doctor", "verify"] {
        let ran = run(dir, &[command, "env"]);
        assert!(ran.text(1).contains(why), "{ran:#?}");
    }
    // It was built for that directory.
    fs::create_dir_all(library.join("lib/python3.99")).unwrap();
    fs::write(library.join("lib/python3.99/os.py"), "").unwrap();
    assert!(!run(dir, &["doctor", "env"]).text(0).contains("no standard library"));
}

/// Whoever reads JSON gets one document, for errors too.
#[test]
fn an_error_is_a_document_where_json_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("empty")).unwrap();
    fs::write(dir.join("text"), "x").unwrap();
    for (line, kind) in [
        ("doctor nosuch", "target"),
        ("doctor empty", "target"),
        ("fix nosuch", "target"),
        ("verify empty", "target"),
        ("rpath add text --entry x", "target"),
        ("revert nosuch", "target"),
        ("apply nosuch.json", "other"),
        ("tree nosuch.so", "target"),
        ("explain blahblah", "other"),
        ("doctor --nosuchoption", "usage"),
        ("nosuchcommand", "usage"),
    ] {
        let arguments: Vec<&str> = line.split(' ').chain(["--format", "json"]).collect();
        let ran = run(dir, &arguments);
        assert_eq!(ran.status, 2, "{line}: {ran:#?}");
        let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(document["schema"], "tfpatch/error/v1", "{line}");
        assert_eq!(document["kind"], kind, "{line}: {document}");
        let message = document["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains("hint: "), "{line}: {message}");
        assert!(ran.err.contains(message.lines().next().unwrap()), "{line}: {ran:#?}");
        assert!(document["hints"].is_array(), "{line}");
    }
    let ran = run(dir, &["doctor", "nosuch"]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
}
