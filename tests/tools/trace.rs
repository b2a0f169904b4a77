//! `tfpatch trace`, with real programs under the real loader of the machine.

use crate::support::scene::{Scene, tfpatch};
use crate::support::trace::parse;
use crate::support::wheels::{self, LinkMode};
use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tfpatch::trace::Trace;

/// The report after the command's own output, and the exit status.
fn report(command: &mut Command) -> (Value, i32) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let start = text.find("{\n").unwrap_or_else(|| {
        panic!("{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    (serde_json::from_str(&text[start..]).unwrap(), output.status.code().unwrap())
}

/// The report on the program of a scene with these arguments, and the exit status.
fn program_report(scene: &Scene, arguments: &[&str]) -> (Value, i32) {
    report(scene.trace(&["--format", "json"]).arg(scene.program()).args(arguments))
}

/// The requests for a name.
fn requests<'a>(report: &'a Value, name: &str) -> Vec<&'a Value> {
    let all = report["requests"].as_array().unwrap();
    all.iter().filter(|request| request["name"] == name).collect()
}

fn request<'a>(report: &'a Value, name: &str) -> &'a Value {
    let [request] = requests(report, name)[..] else { panic!("{name}: {report:#}") };
    request
}

fn path(path: &Path) -> Value {
    Value::from(path.to_str().unwrap())
}

fn no_request_differs(report: &Value) {
    for request in report["requests"].as_array().unwrap() {
        assert_eq!(request["verdict"], "agrees", "{request:#}");
    }
}

#[test]
fn a_library_is_opened_by_the_search_path_of_the_object_that_asks() {
    let scene = Scene::new();
    let names = ["libnear.so.1", "liboutside.so.1", "libfar.so.1", "libnowhere.so.1"];
    let mut command = scene.trace(&["--format", "json"]);
    command.arg(scene.program()).args(names).env("LD_LIBRARY_PATH", scene.outside());
    let (report, status) = report(&mut command);
    assert_eq!(report["schema"], "tfpatch/trace/v1");
    assert_eq!(report["child"], serde_json::json!({"status": 0, "signal": null}));
    assert_eq!(report["processes"], 1);
    no_request_differs(&report);
    let caller = path(&scene.package.join("libcaller.so"));
    for name in names {
        assert_eq!(request(&report, name)["asker"], caller);
        assert_eq!(request(&report, name)["kind"], "dlopen");
    }
    let near = request(&report, "libnear.so.1");
    assert_eq!(near["found"], path(&scene.package.join("libs/libnear.so.1")));
    assert_eq!(near["predicted"], near["found"]);
    let last = near["tried"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["rule"], &last["outcome"]), (&"runpath".into(), &"found".into()));
    let outside = request(&report, "liboutside.so.1");
    assert_eq!(outside["found"], path(&scene.outside().join("liboutside.so.1")));
    assert_eq!(outside["tried"].as_array().unwrap().last().unwrap()["rule"], "ld_library_path");
    assert_eq!(request(&report, "libcaller.so")["kind"], "needed");

    // What is nowhere is optional; what lies in the environment was meant.
    let [finding] = &report["findings"].as_array().unwrap()[..] else { panic!("{report:#}") };
    assert_eq!(finding["cause"], "dlopen_path_missing");
    assert_eq!(finding["object"], caller);
    assert_eq!(finding["library"], "libfar.so.1");
    assert_eq!(finding["lies_in"][0], path(&scene.package.join("far")));
    assert!(!finding["tried"].as_array().unwrap().is_empty());
    assert_eq!(status, 0, "the command's, whatever it asked for in vain");

    // The cure works as it is printed.
    let cure = finding["cure"].as_str().unwrap();
    let cure = cure.replacen("tfpatch", env!("CARGO_BIN_EXE_tfpatch"), 1);
    wheels::run(Command::new("sh").args(["-c", &cure]));
    let (report, status) = program_report(&scene, &["libfar.so.1"]);
    assert_eq!(request(&report, "libfar.so.1")["verdict"], "agrees");
    assert_eq!(
        request(&report, "libfar.so.1")["found"],
        path(&scene.package.join("far/libfar.so.1"))
    );
    assert_eq!((&report["findings"], status), (&serde_json::json!([]), 0));
}

#[test]
fn what_is_found_in_another_way_is_no_finding() {
    let scene = Scene::new();
    let far = scene.package.join("far/libfar.so.1");
    let (report, status) = program_report(&scene, &["libfar.so.1", far.to_str().unwrap()]);
    let missed = request(&report, "libfar.so.1");
    assert_eq!(missed["found"], Value::Null);
    assert_eq!(missed["found_later"]["found"]["path"], path(&far));
    assert_eq!(missed["found_later"]["asker"]["path"], path(&scene.package.join("libcaller.so")));
    assert_eq!((&report["findings"], status), (&serde_json::json!([]), 0));
}

#[test]
fn what_is_preloaded_is_not_taken_for_a_need() {
    let scene = Scene::new();
    let preload = format!("libnowhere.so {}", scene.outside().join("liboutside.so.1").display());
    let mut command = scene.trace(&["--format", "json"]);
    let (report, status) = report(command.arg(scene.program()).env("LD_PRELOAD", preload));
    no_request_differs(&report);
    let missing = request(&report, "libnowhere.so");
    assert_eq!((&missing["kind"], &missing["found"]), (&"preload".into(), &Value::Null));
    let outside = path(&scene.outside().join("liboutside.so.1"));
    assert_eq!(request(&report, outside.as_str().unwrap())["found"], outside);
    assert_eq!((&report["findings"], status), (&serde_json::json!([]), 0));
}

#[test]
fn children_and_what_they_exec_are_traced_each_in_its_own_environment() {
    let scene = Scene::new();
    let script = format!(
        "LD_LIBRARY_PATH={outside} {program} liboutside.so.1; exec {program} liboutside.so.1",
        outside = scene.outside().display(),
        program = scene.program().display(),
    );
    let (report, _) = report(scene.trace(&["--format", "json"]).args(["sh", "-c", &script]));
    assert_eq!(report["processes"], 2);
    no_request_differs(&report);
    let asked = requests(&report, "liboutside.so.1");
    let found: Vec<&Value> = asked.iter().map(|request| &request["found"]).collect();
    assert_eq!(found.len(), 2, "{report:#}");
    assert!(found.contains(&&Value::Null));
    assert!(found.contains(&&path(&scene.outside().join("liboutside.so.1"))));
    // The shell, and the program twice.
    assert_eq!(requests(&report, "libcaller.so")[0]["times"], 2);
    assert!(requests(&report, "libc.so.6").len() >= 2);

    let (report, _) = program_report(&scene, &["libnowhere.so.1", "+fork", "libnear.so.1"]);
    assert_eq!(report["processes"], 2);
    no_request_differs(&report);
    assert_eq!(
        request(&report, "libnear.so.1")["found"],
        path(&scene.package.join("libs/libnear.so.1"))
    );
}

#[test]
fn a_program_that_misses_a_library_is_traced_as_far_as_it_comes() {
    let scene = Scene::new();
    fs::rename(scene.package.join("libcaller.so"), scene.package.join("far/libcaller.so")).unwrap();
    let script = format!("exec {}", scene.program().display());
    let mut command = scene.trace(&["--format", "json"]);
    let (report, status) = report(command.args(["sh", "-c", &script]));
    assert_eq!(report["child"]["status"], 127);
    let missing = request(&report, "libcaller.so");
    assert_eq!(missing["asker"], path(&scene.program()));
    assert_eq!((&missing["found"], &missing["verdict"]), (&Value::Null, &"agrees".into()));
    let finding = &report["findings"][0];
    assert_eq!((&finding["cause"], &finding["fixable"]), (&"path_missing".into(), &true.into()));
    assert_eq!(finding["lies_in"][0], path(&scene.package.join("far")));
    assert_eq!(report["doctor"][0]["trace"], "confirmed");
    assert_eq!(status, 127);
}

#[test]
fn what_is_gone_by_now_is_unknown_and_not_wrong() {
    let scene = Scene::new();
    let copy = scene.outside().join("copy.so");
    fs::copy(scene.package.join("libs/libnear.so.1"), &copy).unwrap();
    let (report, status) = program_report(&scene, &[copy.to_str().unwrap(), "+rm"]);
    assert!(!copy.try_exists().unwrap());
    let gone = request(&report, copy.to_str().unwrap());
    assert_eq!((&gone["found"], &gone["verdict"]), (&path(&copy), &"unknown".into()));
    assert_eq!(gone["why"], "the file no longer exists");
    assert_eq!(status, 0);
}

#[test]
fn what_differs_from_the_prediction_is_shown() {
    let scene = Scene::new();
    let (far, libs) = (scene.package.join("far/libfar.so.1"), scene.package.join("libs"));
    // The library comes to where it was looked for after the program has looked.
    let program = scene.program();
    let script = "\"$0\" libfar.so.1; ln -sf \"$1\" \"$2\"";
    let arguments = [Path::new("-c"), Path::new(script), &program, &far, &libs];
    let (report, _) = report(scene.trace(&["--format", "json"]).arg("sh").args(arguments));
    let missed = request(&report, "libfar.so.1");
    assert_eq!((&missed["found"], &missed["verdict"]), (&Value::Null, &"differs".into()));
    assert_eq!(missed["predicted"], path(&libs.join("libfar.so.1")));
    fs::remove_file(libs.join("libfar.so.1")).unwrap();
    let output = scene.trace(&[]).arg("sh").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(", 1 different\n"), "{text}");
    assert!(
        text.contains("opens libfar.so.1 not found\n  only the simulation finds it: "),
        "{text}"
    );
}

#[test]
fn the_environment_is_that_of_the_python_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let env = wheels::environment(directory.path(), LinkMode::Copy);
    let trace = || {
        let mut command = tfpatch();
        // Nothing but the command leads to the environment.
        command.current_dir("/").env_remove("VIRTUAL_ENV").env_remove("CONDA_PREFIX");
        command.args(["trace", "--format", "json", "--"]);
        command
    };
    let import = ["-B", "-c", "import broken; print(broken.value())"];
    let (good, status) = report(trace().arg(&env.python).args(import));
    no_request_differs(&good);
    let module = env.site_packages.join(env.extension());
    let inner = request(&good, "libinner.so.1");
    assert_eq!((&inner["asker"], &inner["kind"]), (&path(&module), &"needed".into()));
    assert_eq!(requests(&good, module.to_str().unwrap()).len(), 1);
    assert_eq!((status, &good["findings"]), (0, &serde_json::json!([])));

    wheels::break_it(&env);
    let shell = format!("{} -B -c 'import broken'", env.python.display());
    let (broken, status) = report(trace().args(["sh", "-c", &shell]));
    no_request_differs(&broken);
    assert_eq!(broken["target"]["path"], path(&env.prefix));
    assert_eq!(request(&broken, "libinner.so.1")["found"], Value::Null);
    let [finding] = &broken["findings"].as_array().unwrap()[..] else { panic!("{broken:#}") };
    assert_eq!((&finding["cause"], &finding["object"]), (&"path_missing".into(), &path(&module)));
    // The command runs in the root directory, from which the environment is named.
    let named = env.prefix.strip_prefix("/").unwrap();
    assert_eq!(finding["cure"], format!("tfpatch fix {}", named.display()));
    let [doctor] = &broken["doctor"].as_array().unwrap()[..] else { panic!("{broken:#}") };
    assert_eq!(doctor["trace"], "confirmed");
    assert_eq!(status, 1);

    let mut human = tfpatch();
    human.current_dir("/").args(["trace", "--"]).arg(&env.python).args(import);
    let output = human.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = format!(
        "libinner.so.1 was requested by {} and not found, as doctor reports\n",
        env.extension().display()
    );
    assert!(text.contains(&line), "{text}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("ImportError"));

    wheels::run(tfpatch().arg("fix").arg(&env.prefix));
    let (fixed, status) = report(trace().arg(&env.python).args(import));
    no_request_differs(&fixed);
    assert_eq!((status, &fixed["findings"]), (0, &serde_json::json!([])));
}

#[test]
fn how_the_command_ends_is_reported() {
    let scene = Scene::new();
    let run = |script: &str| report(scene.trace(&["--format", "json"]).args(["sh", "-c", script]));
    let (failed, status) = run("exit 7");
    assert_eq!((&failed["child"]["status"], status), (&7.into(), 7));
    let (killed, status) = run("kill -9 $$");
    assert_eq!((&killed["child"]["signal"], status), (&9.into(), 128 + 9));
    assert_eq!(killed["child"]["status"], Value::Null);

    let output = scene.trace(&[]).args(["sh", "-c", "echo out; echo err >&2"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("out\n──── tfpatch trace ────\nEnvironment  "), "{text}");
    assert_eq!(output.stderr, b"err\n");
}

#[test]
fn a_command_that_cannot_be_started_is_an_error() {
    let scene = Scene::new();
    let text = scene.outside().join("text");
    fs::write(&text, "no program").unwrap();
    // As env(1) ends there.
    for (command, why, status) in [
        (Path::new("no-such-command"), "No such file or directory", 127),
        (text.as_path(), "Permission denied", 126),
    ] {
        let output = scene.trace(&[]).arg(command).output().unwrap();
        let (said, out) = (String::from_utf8(output.stderr).unwrap(), output.stdout);
        assert_eq!(output.status.code(), Some(status), "{said}");
        let error = format!("error: cannot run {}: {why}", command.display());
        assert!(said.starts_with(&error), "{said}");
        assert_eq!(out, b"");
        let env = Command::new("env").arg(command).output().unwrap();
        assert_eq!(env.status.code(), Some(status));
    }
}

#[test]
fn a_program_without_a_loader_is_not_traced_and_that_is_said() {
    let scene = Scene::new();
    let program = scene.outside().join("static");
    scene.compile(&program, "int main() { return 3; }", &["-static"]);
    let (report, status) = report(scene.trace(&["--format", "json"]).arg(&program));
    assert_eq!((&report["child"]["status"], &report["processes"]), (&3.into(), &0.into()));
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.contains("is statically linked"), "{note}");
    assert_eq!(status, 3);
}

#[test]
fn the_users_own_tracing_is_kept_and_nothing_is_left_behind() {
    let scene = Scene::new();
    let temporary = scene.directory.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = scene.trace(&["--format", "json"]);
    command.arg(scene.program()).arg("libnear.so.1").env("TMPDIR", &temporary);
    command.env("LD_DEBUG", "versions").env("LD_DEBUG_OUTPUT", scene.outside().join("kept"));
    let (report, _) = report(&mut command);
    no_request_differs(&report);
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.starts_with("LD_DEBUG=versions is set"), "{note}");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    let kept = fs::read_dir(scene.outside()).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<String> = kept
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("kept."))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(kept.iter().any(|text| text.contains("checking for version")));
    assert!(kept.iter().any(|text| text.contains("find library=libnear.so.1")));
}

/// A file's names, lengths and bytes of all that an environment holds, but for the store.
fn content(scene: &Scene) -> std::collections::BTreeMap<PathBuf, (u32, String)> {
    let mut all = wheels::digests(&scene.directory.path().join("env"));
    all.retain(|path, _| !path.starts_with(".tfpatch"));
    all
}

#[test]
fn with_fix_what_was_asked_for_in_vain_is_within_reach_and_nothing_else() {
    let scene = Scene::new();
    // Nobody asks for the second library in this run: doctor alone knows what is wrong with it.
    let gone = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/gone/with/the/wind";
    let far = scene.package.join("far/libfar.so.1");
    let flags = [gone, "-Wl,--no-as-needed", far.to_str().unwrap()];
    scene.library(&scene.package.join("libother.so"), "int other;", &flags);
    let before = content(&scene);
    let arguments = ["libfar.so.1", "libnowhere.so.1"];

    let dry = ["--fix", "--dry-run", "--format", "json"];
    let (planned, status) = report(scene.trace(&dry).arg(scene.program()).args(arguments));
    assert_eq!((&planned["plan"]["dry_run"], status), (&true.into(), 0), "{planned:#}");
    let [step] = &planned["plan"]["steps"].as_array().unwrap()[..] else { panic!("{planned:#}") };
    assert!(step["path"].as_str().unwrap().ends_with("demo/libcaller.so"), "{step:#}");
    assert_eq!(step["after"], serde_json::json!(["$ORIGIN/libs", "$ORIGIN/far"]));
    assert_eq!(content(&scene), before);

    let output = scene.trace(&["--fix"]).arg(scene.program()).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in [
        "libfar.so.1 missing\n",
        "libcaller.so opens libnowhere.so.1 not found\n",
        "1 file repaired; no errors or warnings remain",
        "undo: tfpatch revert",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (again, status) =
        report(scene.trace(&["--fix", "--format", "json"]).arg(scene.program()).args(arguments));
    no_request_differs(&again);
    assert_eq!(request(&again, "libfar.so.1")["found"], path(&far));
    assert_eq!((&again["plan"]["steps"], status), (&serde_json::json!([]), 0), "{again:#}");
    // What nobody asked for is as it was, and is still found by doctor.
    let changed = content(&scene).into_iter().filter(|(path, of)| before.get(path) != Some(of));
    let changed: Vec<PathBuf> = changed.map(|(path, _)| path).collect();
    let [changed] = &changed[..] else { panic!("{changed:?}") };
    assert!(changed.ends_with("demo/libcaller.so"));

    let prefix = scene.directory.path().join("env");
    wheels::run(tfpatch().arg("revert").arg(&prefix));
    assert_eq!(content(&scene), before);
}

/// A library that comes within reach needs another one, which nobody could ask for before.
#[test]
fn with_fix_what_is_needed_in_its_turn_is_repaired_too() {
    let scene = Scene::new();
    fs::create_dir(scene.package.join("deep")).unwrap();
    let deep = scene.package.join("deep/libdeep.so.1");
    scene.library(&deep, "int deep_one;", &[]);
    let flags = ["-Wl,--no-as-needed", deep.to_str().unwrap()];
    scene.library(&scene.package.join("far/libfar.so.1"), "int far_one;", &flags);
    let mut traced = scene.trace(&["--fix", "--format", "json"]);
    let (fixed, status) = report(traced.arg(scene.program()).arg("libfar.so.1"));
    assert_eq!(fixed["plan"]["steps"].as_array().unwrap().len(), 2, "{fixed:#}");
    assert_eq!(status, 0);
    let output = Command::new(scene.program()).arg("libfar.so.1").output().unwrap();
    assert_eq!(output.stdout, b"libfar.so.1 opened\n");
}

#[test]
fn with_fix_what_cannot_be_repaired_is_said_and_nothing_is_written() {
    let scene = Scene::new();
    let before = content(&scene);
    // Two copies, and nothing says which is meant.
    fs::create_dir(scene.package.join("far too")).unwrap();
    let copy = scene.package.join("far too/libfar.so.1");
    scene.library(&copy, "int far_other;", &[]);
    let mut traced = scene.trace(&["--fix", "--format", "json"]);
    let (left, status) = report(traced.arg(scene.program()).arg("libfar.so.1"));
    assert_eq!((&left["plan"]["steps"], status), (&serde_json::json!([]), 0), "{left:#}");
    assert_eq!(left["findings"][0]["fixable"], false);
    fs::remove_dir_all(scene.package.join("far too")).unwrap();
    assert_eq!(content(&scene), before);

    // A dry run without a repair makes no sense.
    let output = scene.trace(&["--dry-run"]).arg("true").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Opens each argument in a namespace of its own, and then in the program's.
const OTHER_NAMESPACE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        void *there = dlmopen(LM_ID_NEWLM, argv[i], RTLD_NOW);
        if (there && i % 2) dlclose(there);
        dlopen(argv[i], RTLD_NOW);
    }
    return 0;
}
"#;

#[test]
fn what_is_opened_in_a_namespace_of_its_own_is_predicted_and_judged() {
    let scene = Scene::new();
    let libs = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/libs";
    scene.compile(&scene.program(), OTHER_NAMESPACE, &[libs]);
    let near = scene.package.join("libs/libnear.so.1");
    let names = ["libnear.so.1", "libz.so.1", "libnear.so.1"];
    let (report, _) = program_report(&scene, &names);
    no_request_differs(&report);
    // In each namespace it is asked for anew, with what it needs.
    assert_eq!(request(&report, "libnear.so.1")["found"], path(&near));
    assert_eq!(request(&report, "libnear.so.1")["times"], 3);
    let libc = requests(&report, "libc.so.6");
    let askers = libc.iter().map(|request| request["asker"].as_str().unwrap());
    assert!(askers.into_iter().any(|asker| asker.ends_with("/libz.so.1")), "{report:#}");
    let (report, _) = program_report(&scene, &["libfar.so.1"]);
    no_request_differs(&report);
    let [finding] = &report["findings"].as_array().unwrap()[..] else { panic!("{report:#}") };
    assert_eq!((&finding["library"], &finding["fixable"]), (&"libfar.so.1".into(), &true.into()));
}

#[test]
fn a_library_may_lie_where_a_pth_file_or_an_option_leads() {
    let scene = Scene::new();
    let site = scene.package.parent().unwrap();
    let outside = scene.outside();
    let name = "liboutside.so.1";
    let searched = |options: &[&str]| {
        let search = ["--search", outside.to_str().unwrap()];
        let mut trace = scene.trace(&[&["--format", "json"], &search[..], options].concat());
        report(trace.arg(scene.program()).arg(name)).0
    };
    let (unknown, _) = program_report(&scene, &[name]);
    assert_eq!(unknown["findings"], serde_json::json!([]), "nobody knows where it could be");
    fs::write(site.join("more.pth"), format!("{}\n", outside.display())).unwrap();
    let (named, _) = program_report(&scene, &[name]);
    let [finding] = &named["findings"].as_array().unwrap()[..] else { panic!("{named:#}") };
    assert_eq!(finding["lies_in"][0], path(&outside), "{named:#}");
    fs::remove_file(site.join("more.pth")).unwrap();

    let found = searched(&[]);
    let [finding] = &found["findings"].as_array().unwrap()[..] else { panic!("{found:#}") };
    assert_eq!((&finding["lies_in"][0], &finding["fixable"]), (&path(&outside), &true.into()));
    let fixed = searched(&["--fix", "--allow-absolute"]);
    assert_eq!(fixed["plan"]["steps"][0]["after"][1], path(&outside), "{fixed:#}");
    let output = Command::new(scene.program()).args(["+must", name]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_program_that_the_loader_ends_is_a_finding() {
    let scene = Scene::new();
    let library = scene.package.join("libs/libapi.so.1");
    scene.library(&library, "int api_one(void) { return 0; }", &[]);
    let code = "int api_one(void); int main(void) { return api_one(); }";
    for bind in ["-Wl,-z,now", "-Wl,-z,lazy"] {
        let flags = ["-Wl,--enable-new-dtags,-rpath,$ORIGIN/libs", bind, library.to_str().unwrap()];
        scene.library(&library, "int api_one(void) { return 0; }", &[]);
        scene.compile(&scene.program(), code, &flags);
        let (sound, status) = program_report(&scene, &[]);
        assert_eq!((&sound["findings"], status), (&serde_json::json!([]), 0));
        scene.library(&library, "int api_two(void) { return 0; }", &[]);
        let (broken, status) = program_report(&scene, &[]);
        let findings = broken["findings"].as_array().unwrap();
        let [finding] = &findings[..] else { panic!("{broken:#}") };
        assert_eq!(
            (&finding["cause"], &finding["severity"]),
            (&"missing_symbol".into(), &"error".into())
        );
        assert_eq!((&finding["object"], status), (&path(&scene.program()), 127));
        // By way of another program, only what ended before it began is certain.
        let script = format!("{} || true", scene.program().display());
        let (child, status) =
            report(scene.trace(&["--format", "json"]).args(["sh", "-c", &script]));
        let is_certain = bind.ends_with("now");
        assert_eq!(
            child["findings"].as_array().unwrap().len(),
            usize::from(is_certain),
            "{child:#}"
        );
        assert_eq!(status, 0);
    }
    // What a program only asks about is none, though it be the last that it does.
    let asks = "#include <dlfcn.h>\n#include <unistd.h>\n\
                int main(void) { dlsym(RTLD_DEFAULT, \"no_such_symbol\"); _exit(1); }";
    scene.compile(&scene.program(), asks, &[]);
    let (asked, status) = program_report(&scene, &[]);
    assert_eq!((&asked["findings"], status), (&serde_json::json!([]), 1));
    assert_eq!(asked["errors"].as_array().unwrap().len(), 1, "{asked:#}");
}

/// What the loader prints for the program, in the words of this machine's glibc.
fn real_trace(scene: &Scene, arguments: &[&str]) -> Vec<u8> {
    let output: Output = Command::new(scene.program())
        .args(arguments)
        .env("LD_DEBUG", "libs,files")
        .env("LD_LIBRARY_PATH", scene.outside())
        .output()
        .unwrap();
    output.stderr
}

#[test]
fn a_trace_that_was_cut_or_damaged_is_read_as_far_as_it_goes() {
    let scene = Scene::new();
    let text = real_trace(&scene, &["libnear.so.1", "libfar.so.1", "+fork", "liboutside.so.1"]);
    let whole = parse(&text);
    assert!(whole.images.iter().flat_map(|image| image.requests()).count() >= 5, "{whole:#?}");
    let config = ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() };
    let damage = (0..text.len(), 0..text.len(), prop::collection::vec(any::<u8>(), 0..20));
    proptest!(config, |((one, other, bytes) in damage)| {
        let (start, end) = (one.min(other), one.max(other));
        let damaged = [&text[..start], &bytes, &text[end..]].concat();
        let requests = |trace: &Trace| -> usize {
            trace.images.iter().map(|image| image.requests().count()).sum()
        };
        // Nothing is made up; the bytes put in are no line of their own.
        prop_assert!(requests(&parse(&damaged)) <= requests(&whole));
        prop_assert!(requests(&parse(&text[..start])) <= requests(&whole));
    });
}
