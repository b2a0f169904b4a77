//! What installers do to files that tfpatch has patched: `verify` tells, `fix` repairs again, and what
//! was uninstalled is expected no more.

use crate::support::command::{inner, run, words};
use crate::support::wheels::{self, LinkMode};
use serde_json::json;
use std::path::Path;

/// The file of a report whose path ends so.
fn file<'a>(report: &'a serde_json::Value, path: &Path) -> &'a serde_json::Value {
    let files = report["files"].as_array().unwrap();
    let is_it =
        |file: &&serde_json::Value| Path::new(file["path"].as_str().unwrap()).ends_with(path);
    files.iter().find(is_it).unwrap_or_else(|| panic!("{path:?}: {report:#}"))
}

#[test]
fn an_upgrade_is_explained_and_repaired_again() {
    for mode in [LinkMode::Pip, LinkMode::Hardlink] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let env = wheels::environment(dir, mode);
        wheels::break_it(&env);
        run(dir, &["fix", ".venv"]).text(0);
        let newer = wheels::broken_wheel_of(dir, "1.1", "$ORIGIN/libs:$ORIGIN/of/1.1");
        wheels::install(&env.prefix, &env.cache, mode, &[&newer]);

        // The new version finds its library by itself.
        let module = env.extension();
        let what = "was reinstalled with broken 1.1";
        let ran = run(dir, &["verify", ".venv"]);
        let line = format!("{} {what}; it needs no repair\n", module.display());
        assert!(ran.text(0).contains(&line), "{mode:?}: {ran:#?}");
        assert!(!ran.out.contains("RECORD"), "{mode:?}: {ran:#?}");
        let report = run(dir, &["verify", ".venv", "--format", "json"]).json(0);
        let seen = file(&report, &module);
        assert_eq!(
            (&seen["state"], &seen["installed_by"]),
            (&json!("changed"), &json!("broken 1.1"))
        );
        let old = file(&report, Path::new("broken-1.0.dist-info/RECORD"));
        assert_eq!((&old["state"], &old["kind"]), (&json!("uninstalled"), &json!("record")));

        // It does not find it any more: what was repaired is lost.
        wheels::break_it(&env);
        let ran = run(dir, &["verify", ".venv"]);
        assert!(ran.text(1).contains(&format!("{} {what}\n", module.display())), "{ran:#?}");
        assert!(ran.out.starts_with("drift  lib/"), "{mode:?}: {ran:#?}");
        assert!(ran.out.ends_with("→ tfpatch fix .venv\n"), "{mode:?}: {ran:#?}");

        assert!(run(dir, &["fix", ".venv"]).text(0).contains("1 file and 1 RECORD repaired"));
        assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
        let said = "1 patched file unchanged; all dependencies resolve\n";
        assert_eq!(run(dir, &["verify", ".venv"]).text(0), said);
        assert_eq!(run(dir, &["log", ".venv"]).text(0).lines().count(), 2);
        assert!(!run(dir, &["diff", ".venv"]).text(0).contains("broken-1.0"));
        // What is put back is what the second fix has changed.
        let said = run(dir, &["revert", ".venv"]);
        assert!(said.text(0).contains(" restored (operation "), "{mode:?}: {said:#?}");
        assert!(wheels::imports(&env).is_err());
        assert!(!run(dir, &["verify", ".venv"]).text(1).contains("drift"));
    }
}

#[test]
fn what_was_uninstalled_is_expected_no_more() {
    for mode in [LinkMode::Pip, LinkMode::Copy] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let env = wheels::environment(dir, mode);
        wheels::break_it(&env);
        let module = env.extension();
        run(dir, &["fix", ".venv"]).text(0);
        let other = env.site_packages.join("other/libinner.so.1");
        inner(&other);
        let bytes = std::fs::read(&other).unwrap();
        run(dir, &words(&[&"rpath", &"add", &other, &"--entry", &"$ORIGIN/x"])).text(0);

        // A file alone may not be missing, as long as its distribution is there.
        let path = env.site_packages.join(&module);
        let patched = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let ran = run(dir, &["verify", ".venv"]);
        assert!(ran.text(1).contains(&format!("{} is missing\n", module.display())), "{ran:#?}");
        std::fs::write(&path, patched).unwrap();

        wheels::uninstall(&env, mode, "broken");
        let record = env.site_packages.join("broken-1.0.dist-info/RECORD");
        assert!(std::fs::symlink_metadata(record).is_err(), "{mode:?}");
        let ran = run(dir, &["verify", ".venv"]);
        let line = format!("{} was uninstalled\n", module.display());
        assert!(ran.text(0).contains(&line), "{mode:?}: {ran:#?}");
        assert!(
            ran.out.ends_with("1 patched file unchanged; all dependencies resolve\n"),
            "{ran:#?}"
        );
        assert_eq!(run(dir, &["verify", ".venv", "-q"]).text(0), "");
        assert_eq!(run(dir, &["log", ".venv"]).text(0).lines().count(), 2);
        let diff = run(dir, &["diff", ".venv", "--format", "json"]).json(0);
        assert_eq!(diff["files"].as_array().unwrap().len(), 1, "{diff:#}");

        // It is said, and the rest is put back.
        let ran = run(dir, &["revert", ".venv"]);
        assert!(ran.text(0).starts_with("1 file restored"), "{mode:?}: {ran:#?}");
        let line = format!("{} was uninstalled; nothing to restore\n", module.display());
        assert!(ran.out.contains(&line), "{mode:?}: {ran:#?}");
        assert_eq!(std::fs::read(&other).unwrap(), bytes);
        let report = run(dir, &["revert", ".venv", "--format", "json"]).json(0);
        let target = &report["targets"][0];
        assert_eq!((&target["operation"], &target["refused"]), (&json!(null), &json!([])));
        assert!(
            target["uninstalled"][0]["path"].as_str().unwrap().contains("_core."),
            "{report:#}"
        );
    }
}
