//! The loaders' own words, as people posted them: taken apart, and explained.

use crate::support::command::{Ran, command, open_directory, run, words};
use crate::support::environments;
use crate::support::explain::explain;
use crate::support::wheels::{self, LinkMode};
use serde_json::json;
use std::fs;
use std::process::Command;

/// The interpreter's own words, before and after the repair.
#[test]
fn a_traceback_leads_to_the_finding_and_later_to_what_resolves() {
    let dir = open_directory();
    let env = wheels::environment(dir.path(), LinkMode::Pip);
    wheels::break_it(&env);
    let traceback = wheels::imports(&env).unwrap_err();
    // The traceback names the environment, so that it does not matter where one is.
    let elsewhere = open_directory();
    let report =
        explain(elsewhere.path(), &["--format", "json", "-"], traceback.as_bytes()).json(0);
    let message = &report["messages"][0];
    assert_eq!(
        (&message["kind"], &message["library"]),
        (&json!("library_not_found"), &json!("libinner.so.1"))
    );
    assert_eq!((&message["outcome"], &message["cause"]), (&json!("found"), &json!("path_missing")));
    assert_eq!(message["findings"][0]["library"], "libinner.so.1");
    let cure = message["cure"].as_str().unwrap().strip_prefix("tfpatch ").unwrap();
    let words: Vec<&str> = cure.split(' ').collect();
    run(elsewhere.path(), &words).text(0);
    wheels::imports(&env).unwrap();
    let ran = explain(elsewhere.path(), &["-"], traceback.as_bytes());
    assert!(ran.text(0).contains("The loader now finds libinner.so.1 here"), "{ran:#?}");

    let markdown = explain(
        elsewhere.path(),
        &["--format", "markdown", "-"],
        b"ImportError: /home/jane/.venv/x.so: file too short",
    );
    assert!(markdown.text(0).contains("~/.venv/x.so: file too short"), "{markdown:#?}");
    assert!(!markdown.out.contains("jane"), "{markdown:#?}");
    let full = explain(
        elsewhere.path(),
        &["--format", "markdown", "--full-paths", "-"],
        b"ImportError: /home/jane/.venv/x.so: file too short",
    );
    assert!(full.text(0).contains("/home/jane/.venv/x.so"), "{full:#?}");
}

#[test]
fn a_report_for_an_issue_has_no_home_directory() {
    let dir = open_directory();
    let env = wheels::environment(dir.path(), LinkMode::Pip);
    wheels::break_it(&env);
    let home = fs::canonicalize(dir.path()).unwrap();
    let report = |arguments: &[&str]| {
        let mut doctor = command(dir.path());
        doctor.args(["doctor", "--format", "markdown"]).args(arguments).env("HOME", &home);
        Ran::of(&doctor.arg(home.join(".venv")).output().unwrap())
    };
    let ran = report(&[]);
    let text = ran.text(1);
    assert!(text.starts_with("### tfpatch doctor: 1 error, 0 warnings, 0 info\n"), "{text}");
    assert!(text.contains("| error | `path_missing` |"), "{text}");
    assert!(text.contains("`tfpatch fix ~/.venv`"), "{text}");
    assert!(!text.contains(home.to_str().unwrap()), "{text}");
    let full = report(&["--full-paths"]);
    assert!(full.text(1).contains(home.to_str().unwrap()), "{full:#?}");
    let show = run(dir.path(), &["show", "--format", "markdown", ".venv/bin/python"]);
    assert!(show.text(0).starts_with("```text\n") && show.out.ends_with("```\n"), "{show:#?}");
}

/// A library that Python code opens by its name alone: no search path of the environment counts, wherever it lies.
#[test]
fn what_is_opened_by_its_name_is_told_with_who_opens_it() {
    let dir = open_directory();
    let env = environments::empty(dir.path());
    let library = env.library("share/lib/libopened.so.1", "libopened.so.1", &[], &[]);
    let package = env.site.join("pkg");
    fs::create_dir(&package).unwrap();
    fs::write(
        package.join("__init__.py"),
        "import ctypes\n\nctypes.CDLL('libopened.so.1')\nctypes.CDLL('libabsent.so.1')\n",
    )
    .unwrap();
    env.distribution("pkg", &[], &["pkg/__init__.py"]);
    let mut python = Command::new(env.prefix.join("bin/python"));
    let ran = python.args(["-c", "import pkg"]).output().unwrap();
    assert!(!ran.status.success());
    let report = explain(dir.path(), &["--format", "json", "-"], &ran.stderr).json(0);
    let message = &report["messages"][0];
    assert_eq!((&message["outcome"], &message["cause"]), (&json!("found"), &json!("path_missing")));
    let text = message["message"].as_str().unwrap();
    assert!(
        text.contains("pkg/__init__.py:3 opens libopened.so.1 by name, without a path"),
        "{text}"
    );
    // What is said to help does.
    let cure = message["cure"].as_str().unwrap();
    let call = cure.split(" as in ").nth(1).unwrap().split("; if").next().unwrap();
    assert!(call.contains(library.to_str().unwrap()), "{cure}");
    assert!(env.runs(&format!("import ctypes; {call}")));
    let absent = "libabsent.so.1: cannot open shared object file: No such file or directory";
    let near =
        format!("  File \"{}\", line 4, in <module>\n", package.join("__init__.py").display());
    let ran = explain(dir.path(), &["-"], format!("{near}OSError: {absent}\n").as_bytes());
    assert!(ran.text(0).contains("pkg/__init__.py:4 opens libabsent.so.1"), "{ran:#?}");
    assert!(ran.out.contains("It is not in this environment"), "{ran:#?}");
}

/// The distribution is the installed one, which may have another name than usual, with its release; and there is
/// nothing to build for one that is published as wheels only.
#[test]
fn the_installed_release_is_the_one_to_reinstall() {
    let dir = open_directory();
    let env = environments::empty(dir.path());
    let inside = env.module("tensorflow/_native", &[], &[]);
    let listed = inside.strip_prefix(&env.site).unwrap().to_str().unwrap();
    env.distribution("tensorflow-cpu", &[], &[listed]);
    let said =
        format!("ImportError: {}: undefined symbol: _ZdlPv, version GLIBCXX_3.4", inside.display());
    let ran = explain(dir.path(), &["-"], said.as_bytes());
    assert!(ran.text(0).contains("--no-deps --no-cache-dir 'tensorflow-cpu==1.0'"), "{ran:#?}");
    assert!(!ran.out.contains("--no-binary"), "{ran:#?}");
    fs::write(&inside, "").unwrap();
    let doctor = words(&[&"doctor", &"--format", &"json", &env.prefix]);
    let report = run(dir.path(), &doctor).json(1);
    let cure = &report["findings"][0]["cure"];
    assert_eq!(cure, "pip install --force-reinstall --no-deps 'tensorflow-cpu==1.0'", "{report:#}");
    let said = format!("ImportError: {}: file too short", inside.display());
    let ran = explain(dir.path(), &["-"], said.as_bytes());
    assert!(ran.text(0).contains("--no-deps 'tensorflow-cpu==1.0'"), "{ran:#?}");
}

/// A path that begins at the working directory leads nowhere from another one, wherever the file lies.
#[test]
fn a_relative_path_is_told_to_begin_at_the_working_directory() {
    let dir = open_directory();
    let env = environments::empty(dir.path());
    let library = env.library("lib/libopened.so.1", "libopened.so.1", &[], &[]);
    for path in ["lib/libopened.so.1", "./lib/libopened.so.1"] {
        let mut python = Command::new(env.prefix.join("bin/python"));
        let code = format!("import ctypes; ctypes.CDLL('{path}')");
        let ran = python.args(["-c", &code]).current_dir(dir.path()).output().unwrap();
        assert!(!ran.status.success());
        let said = String::from_utf8(ran.stderr).unwrap();
        let mut explain = command(dir.path());
        explain.args(["explain", "--format", "json", &said]).env("VIRTUAL_ENV", &env.prefix);
        let report = Ran::of(&explain.output().unwrap()).json(0);
        let message = &report["messages"][0];
        let outcome = (&message["outcome"], &message["cause"]);
        assert_eq!(outcome, (&json!("found"), &json!("path_missing")), "{message:#}");
        let cure = message["cure"].as_str().unwrap();
        let call = cure.split(" as in ").nth(1).unwrap().split(", or").next().unwrap();
        assert!(call.contains(library.to_str().unwrap()), "{cure}");
        assert!(env.runs(&format!("import ctypes; {call}")));
        let from = cure.split(" start the program in ").nth(1).unwrap();
        assert!(env.runs(&format!("import ctypes, os; os.chdir('{from}'); {}", &code[15..])));
    }
}

/// A program that sets its locale says it in its user's language (with Debian's libc-l10n).
#[test]
fn what_the_loader_says_in_other_languages_is_understood() {
    let dir = open_directory();
    let say =
        "import locale, ctypes; locale.setlocale(locale.LC_ALL, ''); ctypes.CDLL('libgone.so.1')";
    for language in ["de", "fr", "es", "ru", "zh_CN", "ja"] {
        let mut python = Command::new("python3");
        let python = python.args(["-c", say]).env("LC_ALL", "C.UTF-8").env("LANGUAGE", language);
        let said = python.output().unwrap().stderr;
        let text = String::from_utf8(said.clone()).unwrap();
        assert!(text.contains("libgone.so.1: ") && !text.contains("cannot open"), "{text}");
        let report = explain(dir.path(), &["--format", "json", "-"], &said).json(0);
        let message = &report["messages"][0];
        let found = (&message["kind"], &message["library"], &message["speaker"]);
        let wanted = (&json!("library_not_found"), &json!("libgone.so.1"), &json!("glibc"));
        assert_eq!(found, wanted, "{text}");
        assert!(text.contains(message["words"].as_str().unwrap()), "{message:#}");
    }
}

/// A file that is sound is refused all the same where the system does not permit to map or to run it.
#[test]
fn a_sound_file_is_not_called_well_where_the_system_refuses_it() {
    let dir = tempfile::tempdir().unwrap();
    let env = environments::empty(dir.path());
    let file = env.module("pkg/_fast", &[], &[]);
    for why in [
        "failed to map segment from shared object",
        "cannot open shared object file: Permission denied",
    ] {
        let words = format!("ImportError: {}: {why}", file.display());
        let told = run(dir.path(), &["explain", &words]);
        assert!(!told.out.starts_with("ok"), "{why}: {told:#?}");
        assert!(!told.out.contains("no action needed"), "{why}: {told:#?}");
    }
}

/// A release is not the right one because its number is there: what it does not list was never in it.
#[test]
fn a_module_that_the_release_never_had_is_not_reinstalled() {
    let dir = tempfile::tempdir().unwrap();
    let env = environments::empty(dir.path());
    fs::create_dir_all(env.site.join("numpy")).unwrap();
    fs::write(env.site.join("numpy/__init__.py"), "").unwrap();
    env.distribution("numpy", &[], &["numpy/__init__.py"]);
    fs::create_dir_all(env.site.join("shared/one")).unwrap();
    fs::write(env.site.join("shared/one/__init__.py"), "").unwrap();
    env.distribution("shared-one", &[], &["shared/one/__init__.py"]);
    let answer = |text: &str| {
        let target = env.prefix.to_str().unwrap();
        explain(dir.path(), &["--target", target, "-"], text.as_bytes()).out
    };

    let newer = answer("ModuleNotFoundError: No module named 'numpy._core'");
    assert!(newer.contains("numpy 1.0 does not contain numpy._core"), "{newer}");
    assert!(newer.contains("-U numpy") && !newer.contains("--force-reinstall"), "{newer}");

    let name = format!(
        "ImportError: cannot import name 'trapezoid' from 'numpy' ({}/numpy/__init__.py)",
        env.site.display()
    );
    let name = answer(&name);
    assert!(name.contains("-U numpy") && !name.contains("numpy<2"), "{name}");

    // A directory that several distributions share belongs to none of them.
    let other = answer("ModuleNotFoundError: No module named 'shared.two'");
    assert!(other.contains("No package in this environment provides shared.two"), "{other}");
}

/// A file beside a program has the name of an installed package: the interpreter's own words about it.
#[test]
fn a_file_of_the_program_that_shadows_a_package_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let env = environments::empty(dir.path());
    fs::create_dir_all(env.site.join("pack/part")).unwrap();
    fs::write(env.site.join("pack/__init__.py"), "name = 1").unwrap();
    fs::write(env.site.join("pack/part/__init__.py"), "").unwrap();
    let own = dir.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("pack.py"), "").unwrap();
    fs::write(own.join("utils.py"), "").unwrap();
    let said = |code: &str| {
        let mut python = Command::new(env.prefix.join("bin/python"));
        let python = python.args(["-c", code]).current_dir(&own).env_remove("PYTHONPATH");
        let said = python.output().unwrap().stderr;
        explain(&own, &["--target", env.prefix.to_str().unwrap(), "-"], &said)
    };
    let named = format!("→ rename {}", own.join("pack.py").display());
    for code in ["from pack import name", "import pack.part"] {
        let answer = said(code);
        assert!(answer.text(0).contains(&named), "{code}: {answer:#?}");
    }
    // A module of the program that no package has is its own affair.
    let answer = said("from utils import name");
    assert!(answer.error().contains("not a known message") || answer.status == 2, "{answer:#?}");
    let elsewhere =
        "ImportError: cannot import name 'keras' from 'tensorflow' (/home/u/tensorflow.py)";
    let answer = explain(dir.path(), &["-"], elsewhere.as_bytes());
    assert!(answer.text(0).contains("rename /home/u/tensorflow.py"), "{answer:#?}");
}

/// People write parts of messages from memory, and name the target behind the message.
#[test]
fn parts_of_messages_and_a_target_behind_them_are_understood() {
    let dir = open_directory();
    for (part, says) in [
        ("GLIBCXX_3.4.30 not found", "LD_LIBRARY_PATH"),
        ("version 'GLIBC_2.34' not found", "ldd --version"),
        ("cannot allocate memory in static TLS block", "optional_static_tls"),
        ("dlopen: cannot load any more object with static TLS", "optional_static_tls"),
        ("wrong ELF class: ELFCLASS32", "32 bits"),
        ("OSError: [Errno 8] Exec format error", "another processor"),
        ("ImportError: libGL.so.1: cannot open shared object", "libgl1"),
        ("libGL.so.1", "libgl1"),
    ] {
        let said = run(dir.path(), &["explain", part]);
        assert!(said.text(0).contains(says), "{part}: {said:#?}");
    }
    let env = wheels::environment(dir.path(), LinkMode::Pip);
    wheels::break_it(&env);
    let message = "ImportError: libinner.so.1: cannot open shared object file";
    let prefix = env.prefix.to_str().unwrap();
    let behind = run(dir.path(), &["explain", message, prefix]);
    assert!(behind.text(0).contains("tfpatch fix"), "{behind:#?}");
    let named = run(dir.path(), &["explain", message, "--target", prefix]);
    assert_eq!(behind.out, named.out);
    assert_eq!(explain(dir.path(), &["-", prefix], message.as_bytes()).out, named.out);
}
