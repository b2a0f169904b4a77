//! What is shipped beside the engine: completions, manual pages, the version, stores in images.

use crate::support::shipping::{prints, tfpatch};
use crate::support::wheels::{self, LinkMode};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

#[test]
fn bash_completes_what_was_begun() {
    let script = prints(tfpatch().args(["completions", "bash"]));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tfpatch.bash");
    std::fs::write(&file, script).unwrap();
    let complete = "source \"$0\"; COMP_WORDS=(tfpatch doc); COMP_CWORD=1; \
        _tfpatch tfpatch doc tfpatch; echo \"${COMPREPLY[@]}\"";
    let reply = prints(Command::new("bash").args(["--norc", "-c", complete]).arg(&file));
    assert_eq!(reply.trim(), "doctor");
}

/// The time of every file of a store, the directory itself included.
fn times(store: &Path) -> Vec<(String, i64, i64)> {
    walkdir::WalkDir::new(store)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            (entry.path().display().to_string(), metadata.mtime(), metadata.mtime_nsec())
        })
        .collect()
}

#[test]
fn a_store_bears_the_time_of_source_date_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let env = wheels::environment(dir.path(), LinkMode::Copy);
    wheels::break_it(&env);
    let before = env.prefix.metadata().unwrap();
    prints(
        tfpatch()
            .args(["fix", "--no-env", "--no-sync"])
            .arg(&env.prefix)
            .env("SOURCE_DATE_EPOCH", "1700000000"),
    );
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    let store = env.prefix.join(".tfpatch");
    let times = times(&store);
    // The store, .gitignore, lock, operations, one record, and room for that of a revert.
    assert_eq!(times.len(), 6, "{times:?}");
    for time in &times {
        assert_eq!((time.1, time.2), (1_700_000_000, 0), "{times:?}");
    }
    let after = env.prefix.metadata().unwrap();
    assert_eq!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
    // What reads leaves nothing behind.
    prints(tfpatch().args(["verify", "--no-env"]).arg(&env.prefix));
    assert_eq!(times, self::times(&store));
}
