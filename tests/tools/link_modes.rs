//! From the broken import to the repaired one and back again, in every way in which installers put
//! files into an environment.

use crate::support::command::{checked_rows, has_store, run, snapshot};
use crate::support::wheels::{self, LinkMode};
use std::path::Path;

#[test]
fn clones() {
    there_and_back(LinkMode::Clone);
}

#[test]
fn copies() {
    there_and_back(LinkMode::Copy);
}

#[test]
fn hard_links() {
    there_and_back(LinkMode::Hardlink);
}

#[test]
fn symbolic_links() {
    there_and_back(LinkMode::Symlink);
}

#[test]
fn pip() {
    there_and_back(LinkMode::Pip);
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).unwrap().is_symlink()
}

fn there_and_back(mode: LinkMode) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = wheels::environment(dir, mode);
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    wheels::break_it(&env);
    let error = wheels::imports(&env).unwrap_err();
    assert!(error.contains("ImportError: libinner.so.1: cannot open"), "{error}");
    let extension = env.site_packages.join(env.extension());
    assert_eq!(is_link(&extension), mode == LinkMode::Symlink);
    let rows = checked_rows(&env);

    let before = snapshot(&env.prefix);
    let outside = || {
        let mut all = snapshot(dir);
        all.retain(|path, _| !path.starts_with(".venv") || path == Path::new(".venv"));
        // The directory itself gets a store, and its times are kept: they are compared too.
        all
    };
    let outside_before = outside();
    let is_as_before = || {
        assert_eq!(snapshot(&env.prefix), before);
        assert_eq!(outside(), outside_before);
    };

    let report = run(dir, &["doctor", ".venv", "--format", "json"]).json(1);
    let findings = report["findings"].as_array().unwrap();
    let [finding] = findings.as_slice() else { panic!("one finding: {findings:#?}") };
    assert_eq!(finding["cause"], "path_missing");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["object"], extension.to_str().unwrap());
    assert_eq!(finding["library"], "libinner.so.1");
    assert_eq!(finding["fixable"], true);
    assert_eq!(report["unresolved"], 1);
    is_as_before();

    let dry = run(dir, &["fix", ".venv", "--dry-run", "--diff"]);
    let dry = dry.text(0);
    assert!(dry.contains("\n+$ORIGIN/../broken_libs\n"), "{dry}");
    assert!(
        dry.contains("1 file and 1 RECORD would be repaired; no errors or warnings remain"),
        "{dry}"
    );
    is_as_before();
    assert!(!has_store(&env.prefix));

    let fixed = run(dir, &["fix", ".venv"]);
    assert!(
        fixed.text(0).contains("1 file and 1 RECORD repaired; no errors or warnings remain"),
        "{fixed:?}"
    );
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    assert!(!is_link(&extension), "a link into a cache becomes a private copy");
    assert_eq!(checked_rows(&env), rows);
    assert_eq!(outside(), outside_before);
    let changed: Vec<_> = wheels::digests(&env.prefix)
        .into_iter()
        .filter(|(path, _)| !path.starts_with(".tfpatch"))
        .filter(|(path, now)| {
            before.get(path).map(|then| (&then.0, &then.1)) != Some((&now.0, &now.1))
        })
        .map(|(path, _)| env.prefix.join(path))
        .collect();
    let record = env.site_packages.join("broken-1.0.dist-info/RECORD");
    assert_eq!(changed, [extension, record], "and nothing else is changed");

    let repaired = wheels::digests(&env.prefix);
    let again = run(dir, &["fix", ".venv", "--format", "json"]).json(0);
    assert_eq!(
        (&again["operation"], &again["steps"]),
        (&serde_json::Value::Null, &serde_json::json!([]))
    );
    assert_eq!(wheels::digests(&env.prefix), repaired);
    let verified = run(dir, &["verify", ".venv"]);
    assert_eq!(verified.text(0), "1 patched file unchanged; all dependencies resolve\n");
    let log = run(dir, &["log", ".venv", "--format", "json"]).json(0);
    assert_eq!(log["operations"].as_array().unwrap().len(), 1);
    assert_eq!(log["operations"][0]["kind"], "fix");

    let reverted = run(dir, &["revert", ".venv"]);
    assert!(
        reverted.text(0).starts_with("1 file and 1 RECORD restored (operation "),
        "{reverted:?}"
    );
    is_as_before();
    let error = wheels::imports(&env).unwrap_err();
    assert!(error.contains("ImportError: libinner.so.1: cannot open"), "{error}");
    assert_eq!(checked_rows(&env), rows);
    assert_eq!(run(dir, &["revert", ".venv"]).text(0), "nothing to revert\n");
}
