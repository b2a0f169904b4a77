//! Operations on real files: what changes, what stays, and what is refused.

use crate::support::operated::{
    LIBRARY, append, copy_program, edited, fix, inode, library, options, revert_all, size, step,
};
use std::path::Path;
use std::process::Command;
use tfpatch::operation::{Error, Kind, Options, State, Store, Write, apply, drift};
use tfpatch::plan::Plan;

#[test]
fn a_running_program_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let program = root.path().join("sleep");
    copy_program(Path::new("/bin/sleep"), &program);
    let mut running = Command::new(&program).arg("60").spawn().unwrap();
    let edit = step(root.path(), "sleep", append(&program));
    let store = Store::open(root.path()).unwrap();
    let plan = Plan::new(vec![edit.clone()]);
    let (was, old) = (inode(&program), std::fs::read(&program).unwrap());
    let strict = Options { write: Write::InPlace, ..options() };
    let error = apply(root.path(), &store, &plan, Kind::Fix, &strict).unwrap_err();
    assert!(matches!(error, Error::Stopped { rest: None, .. }), "{error:?}");
    assert_eq!((inode(&program), std::fs::read(&program).unwrap()), (was, old.clone()));
    fix(root.path(), vec![edit.clone()]).unwrap();
    assert_ne!(inode(&program), was);
    assert_eq!(std::fs::read(&program).unwrap(), edited(&old, &edit));
    assert!(running.try_wait().unwrap().is_none(), "it runs on");
    running.kill().unwrap();
    running.wait().unwrap();
}

#[test]
fn a_plan_travels_as_json() {
    let root = tempfile::tempdir().unwrap();
    let file = library(root.path(), "a.so");
    let plan = Plan::new(vec![step(root.path(), "a.so", append(&file))]);
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["schema"], "tfpatch/plan/v1");
    assert_eq!(json["steps"][0]["path"], "a.so");
    assert_eq!(json["steps"][0]["bytes_changed"], plan.steps[0].edits.bytes_changed());
    assert_eq!(json["steps"][0]["lock"]["size"], size(&file));
    assert!(json["steps"][0]["edits"].is_array());
    assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), plan);

    // Copied elsewhere, with another owner and other times, it is the same environment.
    let copy = tempfile::tempdir().unwrap();
    fix(root.path(), plan.steps).unwrap();
    let status =
        Command::new("cp").arg("-r").arg(root.path()).arg(copy.path().join("env")).status();
    assert!(status.unwrap().success());
    let copy = copy.path().join("env");
    let states = drift(&copy, &Store::open(&copy).unwrap()).unwrap();
    assert_eq!(states[0].state, State::AsLeft);
    revert_all(&copy);
    assert_eq!(std::fs::read(copy.join("a.so")).unwrap(), std::fs::read(*LIBRARY).unwrap());
}
