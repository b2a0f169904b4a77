//! The reports' schemas under `fixtures/schema` are those of the types, and reports are of them.
//!
//! `BLESS=1 cargo test --test fast -- schemas` writes the files anew after a change that is meant: names
//! that are gone break other programs.

use crate::macho::built;
use crate::support::command::{Ran, broken_tree, inner, outer, run, words};
use crate::support::schemas::path_of;
use crate::support::wheels::{self, LinkMode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tfpatch::report::schema;

/// Judges reports by the schemas that lie in the tree.
#[derive(Default)]
struct Judge {
    seen: BTreeSet<String>,
}

impl Judge {
    /// The report of a run that ended with `status`, which is of its schema.
    #[track_caller]
    fn report(&mut self, ran: &Ran, status: i32) -> Value {
        let report = ran.json(status);
        self.check(&report);
        report
    }

    #[track_caller]
    fn check(&mut self, report: &Value) {
        let schema = report["schema"].as_str().unwrap();
        let name = schema.split('/').nth(1).unwrap().to_owned();
        let faults = faults(&name, report);
        assert!(faults.is_empty(), "{name}: {faults:#?}\n{report:#}");
        self.seen.insert(name);
    }
}

fn faults(name: &str, report: &Value) -> Vec<String> {
    let schema = serde_json::from_slice(&std::fs::read(path_of(name)).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_reports_of_every_command_are_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut judge = Judge::default();
    let env = wheels::environment(dir, LinkMode::Copy);
    wheels::break_it(&env);
    let said = |arguments: &[&str]| run(dir, &[arguments, &["--format", "json"]].concat());
    judge.report(&said(&["doctor", ".venv"]), 1);
    let error = wheels::imports(&env).unwrap_err();
    judge.report(&said(&["explain", &error]), 0);
    judge.report(&said(&["fix", ".venv", "--dry-run"]), 0);
    let python = env.python.to_str().unwrap();
    // Beside these it is said on standard error what is run.
    let ran = |options: &[&str], command: &[&str]| {
        let all = [options, &["--format", "json", ".venv"], command].concat();
        Ran { err: String::new(), ..run(dir, &all) }
    };
    let import = ["--", python, "-B", "-c", "import broken"];
    for command in ["doctor", "verify"] {
        judge.report(&ran(&[command], &import), 1);
        judge.report(&ran(&[command, "--probe"], &[]), 1);
    }
    judge.report(&ran(&["fix", "--dry-run"], &import), 1);
    judge.report(&ran(&["fix", "--dry-run", "--probe"], &[]), 1);
    judge.report(&ran(&["fix"], &import), 0);
    judge.report(&said(&["revert", ".venv"]), 0);
    judge.report(&ran(&["fix", "--probe"], &[]), 0);
    judge.report(&said(&["revert", ".venv"]), 0);
    let too_long = ["--", "sh", "-c", "sleep 9; exit"];
    judge.report(&ran(&["doctor", "--timeout", "1"], &too_long), 1);
    run(dir, &["fix", ".venv", "--dry-run", "-o", "plan.json"]).text(0);
    judge.check(&serde_json::from_slice(&std::fs::read(dir.join("plan.json")).unwrap()).unwrap());
    judge.report(&said(&["apply", "plan.json", ".venv"]), 0);
    judge.report(&said(&["apply", "plan.json", ".venv"]), 0);
    judge.report(&said(&["log", ".venv"]), 0);
    judge.report(&said(&["diff", ".venv"]), 0);
    judge.report(&said(&["verify", ".venv"]), 0);
    let module = env.site_packages.join(env.extension());
    let module = module.to_str().unwrap();
    judge.report(&said(&["show", module]), 0);
    judge.report(&said(&["rpath", "print", module]), 0);
    judge.report(&said(&["tree", module, "--main", env.python.to_str().unwrap()]), 0);
    let trace = ["--format", "json", "trace", "--", python, "-B", "-c", "import broken"];
    judge.report(&run(dir, &trace), 0);
    let unknown = "libgone.so.9: cannot open shared object file: No such file or directory";
    judge.report(&said(&["explain", unknown]), 0);
    judge.report(&said(&["explain", "path_missing"]), 0);
    // Of each state and change, and of what is refused.
    std::fs::write(
        env.site_packages.join(env.extension()),
        [std::fs::read(module).unwrap(), b"more".to_vec()].concat(),
    )
    .unwrap();
    judge.report(&said(&["verify", ".venv"]), 1);
    judge.report(&said(&["revert", ".venv"]), 1);
    std::fs::remove_file(module).unwrap();
    judge.report(&said(&["verify", ".venv"]), 1);
    judge.report(&said(&["revert", ".venv"]), 1);
    wheels::uninstall(&env, LinkMode::Copy, "broken");
    judge.report(&said(&["verify", ".venv"]), 0);
    judge.report(&said(&["revert", ".venv"]), 0);

    // Names that are not UTF-8, in every report that has paths.
    let tree = dir.join(OsStr::from_bytes(b"tr\xffee"));
    broken_tree(&tree);
    let named = |first: &[&str], path: &Path| {
        let mut arguments: Vec<_> = first.iter().map(|word| OsStr::new(word).to_owned()).collect();
        arguments.extend(words(&[&path, &"--format", &"json"]));
        run(dir, &arguments)
    };
    let object = tree.join("pkg/outer.so");
    let report = judge.report(&named(&["doctor"], &tree), 1);
    assert!(report["targets"][0]["path_bytes"].is_string(), "{report:#}");
    assert!(report["findings"][0]["object_bytes"].is_string(), "{report:#}");
    assert!(report["findings"][0]["lies_in_bytes"][0].is_string(), "{report:#}");
    let report = judge.report(&named(&["fix"], &tree), 0);
    assert!(report["operation"].is_string());
    let report = judge.report(&named(&["tree"], &object), 0);
    assert!(report["objects"][0]["path_bytes"].is_string(), "{report:#}");
    assert!(report["objects"][0]["needed"][0]["found_bytes"].is_string(), "{report:#}");
    judge.report(&named(&["show"], &object), 0);
    judge.report(&named(&["revert", "--dry-run"], &tree), 0);
    judge.report(&named(&["revert"], &tree), 0);
    judge.report(&named(&["log"], &tree), 0);
    judge.report(&named(&["rpath", "set", "--entry", "$ORIGIN"], &object), 0);
    let odd = OsStr::from_bytes(b"od\xffd.so");
    outer(&tree.join(odd), "$ORIGIN/gone/with/the/wind");
    let other = tree.join("libs/libinner.so.1");
    inner(&other);
    // Of equal copies the nearest is chosen.
    std::fs::write(&other, [std::fs::read(&other).unwrap(), b"more".to_vec()].concat()).unwrap();
    let report = judge.report(&named(&["fix"], &tree.join(odd)), 1);
    assert_eq!(report["steps"], json!([]), "two directories have the library: {report:#}");

    // Mach-O, signed as a linker does.
    let mac = dir.join("mac");
    let library = mac.join("liba.dylib");
    std::fs::create_dir_all(mac.join("libs")).unwrap();
    std::fs::copy(built().join("arm64/signed"), &library).unwrap();
    std::fs::copy(built().join("arm64/libb.dylib"), mac.join("libs/libb.dylib")).unwrap();
    judge.report(&named(&["show"], &library), 0);
    let report = judge.report(&named(&["fix"], &mac), 0);
    assert_eq!(report["steps"][0]["kind"], "macho", "{report:#}");
    judge.report(&named(&["verify"], &mac), 0);

    // An error, beside which the same is said on standard error.
    let failed = named(&["doctor"], &dir.join("nosuch"));
    let failed = Ran { err: String::new(), ..failed };
    let report = judge.report(&failed, 2);
    assert_eq!(report["kind"], "target", "{report:#}");

    let all: BTreeSet<String> =
        schema::all().into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(judge.seen, all);
}

/// The judge sees what it has to see.
#[test]
fn a_report_with_another_name_is_not_of_them() {
    let dir = tempfile::tempdir().unwrap();
    broken_tree(dir.path());
    let report = run(dir.path(), &["doctor", ".", "--format", "json"]).json(1);
    assert_eq!(faults("doctor", &report), Vec::<String>::new());
    for name in ["severity", "cause", "object", "fixable", "message", "cure"] {
        let mut renamed = report.clone();
        let finding = renamed["findings"][0].as_object_mut().unwrap();
        let value = finding.remove(name).unwrap();
        finding.insert(format!("{name}s"), value);
        assert_eq!(faults("doctor", &renamed).len(), 1, "{name}");
    }
    let mut other = report;
    other["schema"] = json!("tfpatch/doctor/v2");
    other["findings"][0]["cause"] = json!("path_mising");
    assert_eq!(faults("doctor", &other).len(), 2);
}
