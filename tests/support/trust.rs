//! Whose store is relied on, and what nobody's record makes an operation do.

use crate::support::operated::{append, fix, library, options, snapshot, step};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tfpatch::operation::{self, Error, Kind, Selection, Store, apply, drift, log, recover, revert};
use tfpatch::plan::Plan;
use tfpatch::report::words::operations::error as said;

pub(crate) const MALLORY: u32 = 23_456;

pub(crate) fn open_to_all(directory: &Path) {
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
}

pub(crate) fn records(root: &Path) -> Vec<PathBuf> {
    let directory = root.join(".tfpatch/operations");
    let listed = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut records: Vec<_> =
        listed.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    records.sort();
    records
}

pub(crate) fn record(root: &Path) -> PathBuf {
    records(root).pop().unwrap()
}

pub(crate) fn pending(root: &Path) -> PathBuf {
    let done = record(root);
    let path = done.with_extension("pending.json");
    std::fs::rename(done, &path).unwrap();
    path
}

/// The operation of a record, and a record with another one, its digest included.
pub(crate) fn unsealed(path: &Path) -> Value {
    let mut operation: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for field in ["schema", "digest"] {
        operation.as_object_mut().unwrap().remove(field).unwrap();
    }
    operation
}

pub(crate) fn seal(path: &Path, operation: &Value) {
    let text = serde_json::to_string(operation).unwrap();
    let rest = &text[1..];
    let digest = blake3::hash(rest.as_bytes()).to_hex();
    let start = format!(r#"{{"schema":"tfpatch/operation/v2","digest":"{digest}","#);
    std::fs::write(path, start + rest).unwrap();
}

/// Every command that reads the store of a tree, and what each says.
pub(crate) fn all_of(root: &Path) -> Vec<Result<(), Error>> {
    let store = match Store::open(root) {
        Ok(store) => store,
        Err(error) => return vec![Err(error)],
    };
    let file = root.join("a.so");
    let edit = step(root, "a.so", append(&file));
    vec![
        recover(root, &store, &options()).map(drop),
        log(&store).map(drop),
        drift(root, &store).map(drop),
        operation::diff(root, &store).map(drop),
        revert(root, &store, &Selection::All, &options()).map(drop),
        apply(root, &store, &Plan::new(vec![edit]), Kind::Fix, &options()).map(drop),
    ]
}

#[track_caller]
pub(crate) fn is_refused(root: &Path, words: &str) {
    let file = root.join("a.so");
    let before = snapshot(&file);
    // A recovery reads no record but one that is pending.
    let outcomes = all_of(root).into_iter().enumerate();
    for (_, outcome) in outcomes.filter(|(index, outcome)| *index > 0 || outcome.is_err()) {
        let error = outcome.expect_err("refused");
        assert!(said(&error).contains(words), "{error:?}");
    }
    assert_eq!(snapshot(&file), before);
}

/// A tree with one library that was edited, and what lies outside of it.
pub(crate) struct Tree {
    pub(crate) _top: tempfile::TempDir,
    pub(crate) root: PathBuf,
    pub(crate) outside: PathBuf,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        open_to_all(top.path());
        let path = top.path().canonicalize().unwrap();
        let (root, outside) = (path.join("tree"), path.join("outside"));
        std::fs::create_dir(&outside).unwrap();
        library(&root, "a.so");
        Self { _top: top, root, outside }
    }

    pub(crate) fn edited() -> Self {
        let tree = Self::new();
        tree.edit();
        tree
    }

    pub(crate) fn edit(&self) {
        let file = self.root.join("a.so");
        fix(&self.root, vec![step(&self.root, "a.so", append(&file))]).unwrap();
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join(".tfpatch")
    }
}
