//! What people call a target, and in whose words a fix is said.

use crate::support::command::{Ran, command};
use crate::support::environments::{self, Environment};
use std::fs;
use std::path::Path;

/// Runs tfpatch where the environment is the active one.
fn run_in(env: &Environment, arguments: &[&str]) -> Ran {
    let dir = env.prefix.parent().unwrap();
    let mut command = command(dir);
    command.args(arguments).env("VIRTUAL_ENV", &env.prefix);
    Ran::of(&command.output().unwrap())
}

fn made_by_uv(prefix: &Path) {
    let cfg = prefix.join("pyvenv.cfg");
    let text = fs::read_to_string(&cfg).unwrap();
    fs::write(cfg, text + "uv = 0.9.0\n").unwrap();
}

#[test]
fn a_package_is_named_by_its_name_or_by_what_it_imports() {
    let dir = tempfile::tempdir().unwrap();
    let env = environments::empty(dir.path());
    env.distribution("made-up-mq", &[], &["mmq/__init__.py", "mmq_single.py", "../../../bin/mq"]);
    for name in ["made-up-mq", "made_up_mq", "mmq", "mmq_single"] {
        assert_eq!(run_in(&env, &["log", name]).text(0), "no operations yet\n", "{name}");
    }
    // The rest of a path is not a module at the top level.
    for name in ["__init__", "mq", "bin"] {
        assert_ne!(run_in(&env, &["log", name]).out, "no operations yet\n", "{name}");
    }
}

#[test]
fn a_name_that_is_not_there_gets_what_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let env = environments::empty(dir.path());
    env.distribution("made-up-mq", &[], &["mmq/__init__.py"]);
    let misspelt = run_in(&env, &["doctor", "made-up-qm"]);
    assert!(misspelt.error().contains("similar names: made-up-mq"), "{misspelt:#?}");
    let other = run_in(&env, &["doctor", "zzzz"]);
    assert!(!other.error().contains("hint"), "{other:#?}");
    let operation = run_in(&env, &["revert", "5b47d604f99d"]);
    assert!(
        operation.error().contains("tfpatch revert --operation 5b47d604f99d"),
        "{operation:#?}"
    );
}

#[test]
fn a_fix_is_a_command_of_the_tool_that_made_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let env = environments::empty(dir.path());
    env.library("lib/libthere.so.1", "libthere.so.1", &[], &[]);
    env.module("made_up/core", &["libthere.so.1"], &["-Wl,-rpath,$ORIGIN/../../../.."]);
    let module = fs::read_dir(env.site.join("made_up")).unwrap();
    let module = module.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let module = module.into_iter().find(|name| name.ends_with(".so")).unwrap();
    let listed = format!("made_up/{module}");
    env.distribution("made-up", &[], &[&listed, "made_up/libgone.so.1"]);
    let again = "pip install --force-reinstall --no-deps 'made-up==1.0'";
    let said = run_in(&env, &["doctor"]);
    assert!(said.text(1).contains(&format!("→ {again}\n")), "{said:#?}");
    // One file is not there, and the rest is as it was installed.
    assert!(said.text(1).contains("libgone.so.1 is missing"), "{said:#?}");
    made_by_uv(&env.prefix);
    let said = run_in(&env, &["doctor"]);
    let prefix = env.prefix.display();
    let again =
        format!("→ uv pip install --python {prefix} --force-reinstall --no-deps 'made-up==1.0'\n");
    assert!(said.text(1).contains(&again), "{said:#?}");
}
