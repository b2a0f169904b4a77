//! What is shipped beside the engine: completions, manual pages, the version, stores in images.

use crate::wheels::{self, LinkMode};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

fn tfpatch() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tfpatch"))
}

fn prints(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands below a command, by the references at the end of its manual page.
fn commands(above: &[&str]) -> Vec<String> {
    let page = prints(tfpatch().arg("man").args(above));
    let depth = above.len() + 1;
    page.lines()
        .filter_map(|line| line.strip_suffix("(1)"))
        .map(|name| name.replace("\\-", "-"))
        .filter(|name| name.matches('-').count() == depth)
        .map(|name| name.rsplit('-').next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_command_has_a_page_that_names_it() {
    let first = commands(&[]);
    assert!(first.iter().any(|name| name == "fix"), "{first:?}");
    let mut pages = 0;
    for name in &first {
        for below in commands(&[name]) {
            let page = prints(tfpatch().args(["man", name, &below]));
            assert!(page.contains(&format!("tfpatch\\-{name}\\-{below} \\-")), "{page}");
            pages += 1;
        }
        let page = prints(tfpatch().args(["man", name]));
        assert!(page.contains(&format!("tfpatch\\-{name} \\-")), "{page}");
        assert!(page.contains("\\-\\-store"), "the common options are missing: {page}");
    }
    assert!(pages > 3, "tfpatch rpath has commands below it");
}

#[test]
fn an_unknown_page_is_an_error_that_names_the_others() {
    let output = tfpatch().args(["man", "rpath", "nonsense"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("no such command: rpath nonsense"), "{error}");
    assert!(error.contains("prune"), "{error}");
}

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

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = prints(tfpatch().args(["completions", shell]));
        assert!(script.contains("revert"), "{shell}: {script}");
    }
}

#[test]
fn the_version_says_what_was_built_for_what() {
    let version = prints(tfpatch().arg("--version"));
    let rest = version.strip_prefix(concat!("tfpatch ", env!("CARGO_PKG_VERSION"), " (")).unwrap();
    assert!(rest.contains(std::env::consts::ARCH), "{version}");
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

#[test]
fn the_readme_quotes_the_dockerfiles_that_are_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    for name in ["one-stage", "multi-stage"] {
        let file = wheels::fixture("docker").join(name).join("Dockerfile");
        let text = std::fs::read_to_string(file).unwrap();
        assert!(readme.contains(&format!("```dockerfile\n{text}```")), "{name} differs");
    }
}

#[test]
fn the_readme_shows_the_session_that_was_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let session = std::fs::read_to_string(wheels::fixture("docs").join("session.txt")).unwrap();
    assert!(
        readme.contains(&format!("```console\n{session}```")),
        "run scripts/record: the README's session is not the recorded one"
    );
}
