//! Entries that are there twice or lead nowhere: of ELF objects they are told where those are named, and
//! go where that is asked for.

use crate::support::command::{inner, outer, run, snapshot};
use std::path::Path;

const TWICE: &str = "$ORIGIN/libs:$ORIGIN/gone:$ORIGIN/libs";

/// A directory with an object that finds its library, and has more entries than it needs.
fn untidy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    outer(&dir.path().join("untidy.so"), TWICE);
    inner(&dir.path().join("libs/libinner.so.1"));
    dir
}

fn entries(dir: &Path, file: &str) -> String {
    run(dir, &["rpath", "print", file]).text(0).to_owned()
}

/// The causes that are told, with their severities.
fn causes(dir: &Path, target: &str) -> Vec<String> {
    let report = run(dir, &["doctor", "--format", "json", target]).json(0);
    let findings = report["findings"].as_array().unwrap().iter();
    let name = |finding: &serde_json::Value| {
        assert_eq!(finding["severity"], "info", "{finding:#}");
        finding["cause"].as_str().unwrap().to_owned()
    };
    findings.map(name).collect()
}

#[test]
fn they_are_told_of_objects_that_are_named_alone() {
    let dir = untidy();
    let dir = dir.path();
    assert_eq!(causes(dir, "."), Vec::<String>::new());
    assert_eq!(causes(dir, "untidy.so"), ["duplicate_rpath", "dead_rpath"]);
    let before = snapshot(dir);
    assert!(run(dir, &["fix", "."]).text(0).contains("nothing to do"));
    assert_eq!(snapshot(dir), before);
}

#[test]
fn all_go_where_a_tree_is_to_be_tidy_and_come_back() {
    let dir = untidy();
    let dir = dir.path();
    let before = snapshot(dir);
    assert!(run(dir, &["fix", "--tidy", "."]).text(0).contains("1 file repaired"));
    assert_eq!(entries(dir, "untidy.so"), "$ORIGIN/libs\n");
    assert!(run(dir, &["fix", "--tidy", "."]).text(0).contains("nothing to do"));
    run(dir, &["revert", "."]).text(0);
    assert_eq!(snapshot(dir), before);
}

/// What leads nowhere here may lead somewhere on another machine, and stays.
#[test]
fn an_object_that_is_named_loses_its_duplicates() {
    let dir = untidy();
    let dir = dir.path();
    run(dir, &["fix", "untidy.so"]).text(0);
    assert_eq!(entries(dir, "untidy.so"), "$ORIGIN/libs\n$ORIGIN/gone\n");
    assert_eq!(causes(dir, "untidy.so"), ["dead_rpath"]);
}

/// The entry that is missing and the duplicates are one edit.
#[test]
fn an_object_that_is_named_is_repaired_and_loses_its_duplicates() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("untidy.so"), TWICE);
    inner(&dir.join("elsewhere/libinner.so.1"));
    std::fs::create_dir(dir.join("libs")).unwrap();
    run(dir, &["fix", "untidy.so"]).text(0);
    assert_eq!(entries(dir, "untidy.so"), "$ORIGIN/libs\n$ORIGIN/gone\n$ORIGIN/elsewhere\n");
}
