//! `tfpatch doctor|fix|verify -- COMMAND`: real commands decide, under the real loader of the machine.

use crate::support::command::{Ran, has_store, run, snapshot, words};
use crate::support::scene::{Scene, tfpatch};
use crate::support::wheels::{self, Env, LinkMode};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An environment whose module does not find its library.
fn broken() -> (tempfile::TempDir, Env) {
    let directory = tempfile::tempdir().unwrap();
    let env = wheels::environment(directory.path(), LinkMode::Copy);
    wheels::break_it(&env);
    (directory, env)
}

/// The JSON of a run of tfpatch, and what was said beside it.
#[track_caller]
fn prove(dir: &Path, arguments: &[&dyn AsRef<OsStr>], status: i32) -> (Value, String) {
    let mut all = words(arguments);
    all.splice(1..1, ["--format".into(), "json".into()]);
    let Ran { status: ended, out, err } = run(dir, &all);
    assert_eq!(ended, status, "{out}{err}");
    (serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")), err)
}

fn purposes(report: &Value) -> Vec<&str> {
    let runs = report["runs"].as_array().unwrap();
    runs.iter().map(|run| run["purpose"].as_str().unwrap()).collect()
}

#[test]
fn what_failed_before_works_after_one_command_and_was_run() {
    let (dir, env) = broken();
    let import = "import broken; print(broken.value())";
    let arguments: &[&dyn AsRef<OsStr>] =
        &[&"fix", &env.prefix, &"--", &env.python, &"-Bc", &import];
    let (report, said) = prove(dir.path(), arguments, 0);
    assert_eq!(report["schema"], "tfpatch/proof/v1");
    assert_eq!((&report["verdict"], &report["works"]), (&"works_now".into(), &true.into()));
    assert_eq!((&report["changed"], &report["findings"]), (&true.into(), &json!([])));
    assert_eq!(purposes(&report), ["before", "after"]);
    let [before, after] = [&report["runs"][0], &report["runs"][1]];
    assert_eq!((&before["status"], &after["status"]), (&1.into(), &0.into()));
    assert_eq!(before["missing"][0]["library"], "libinner.so.1");
    assert_eq!(before["evidence"][0]["evidence"], "confirmed");
    let last = before["words"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(last.starts_with("ImportError: libinner.so.1: cannot open"), "{last}");
    assert_eq!((&after["missing"], &after["evidence"]), (&json!([]), &json!([])));
    // Each run is announced, and its own output stands there too: the report is alone.
    let announced: Vec<&str> = said.lines().filter(|line| line.starts_with("tfpatch: ")).collect();
    let [one, two] = announced[..] else { panic!("{said}") };
    assert!(one.starts_with("tfpatch: run 1, before the repair: "), "{one}");
    assert!(two.starts_with("tfpatch: run 2, after the repair: "), "{two}");
    assert!(said.ends_with("\n42\n"), "{said}");
    assert_eq!(wheels::imports(&env).unwrap(), "42");

    // Once more, as a gate and for people.
    let again =
        run(dir.path(), &words(&[&"verify", &env.prefix, &"--", &env.python, &"-Bc", &import]));
    assert_eq!(again.status, 0, "{again:#?}");
    assert!(again.out.contains("works  the command works: "), "{again:#?}");
    let (twice, _) = prove(dir.path(), arguments, 0);
    assert_eq!((&twice["verdict"], &twice["changed"]), (&"works".into(), &false.into()));
    assert_eq!(purposes(&twice), ["before"]);

    wheels::run(tfpatch().arg("revert").arg(&env.prefix));
    let text = run(dir.path(), &words(&[&"fix", &env.prefix, &"--", &env.python, &"-Bc", &import]));
    assert_eq!(text.status, 0, "{text:#?}");
    for part in [
        "\n1 file and 1 RECORD repaired; no errors or warnings remain",
        "\nrun 1, before the repair: status 1\n  libinner.so.1 failed to load for ",
        "\nrun 2, after the repair: status 0\n",
        "\nworks  the command failed before the repair and works now: ",
    ] {
        assert!(text.out.contains(part), "{part}: {text:#?}");
    }
}

#[test]
fn a_command_that_never_works_ends_with_what_is_missing() {
    let (dir, env) = broken();
    let code = "import broken, no_such_module";
    let arguments: &[&dyn AsRef<OsStr>] = &[&"fix", &env.prefix, &"--", &env.python, &"-Bc", &code];
    let (report, _) = prove(dir.path(), arguments, 1);
    assert_eq!((&report["verdict"], &report["works"]), (&"fails".into(), &false.into()));
    // What can be repaired is repaired, and nothing speaks for a third run.
    assert_eq!(purposes(&report), ["before", "after"]);
    assert_eq!(report["runs"][1]["missing"], json!([]));
    let words = report["runs"][1]["words"].as_array().unwrap();
    assert_eq!(words.last().unwrap(), "ModuleNotFoundError: No module named 'no_such_module'");
    assert!(wheels::imports(&env).is_ok());
    let text = run(dir.path(), &crate::support::command::words(arguments));
    assert_eq!(text.status, 1, "{text:#?}");
    assert!(text.out.contains("\n  | ModuleNotFoundError: No module named "), "{text:#?}");
    assert!(text.out.contains("\nfails  the command fails: "), "{text:#?}");

    // A library that is nowhere stays missing, and is named.
    let site = &env.site_packages;
    fs::remove_file(site.join("broken_libs/libinner.so.1")).unwrap();
    let (report, _) = prove(dir.path(), arguments, 1);
    let [missing] = &report["runs"][0]["missing"].as_array().unwrap()[..] else {
        panic!("{report:#}")
    };
    assert_eq!(
        (&missing["library"], &missing["fixable"]),
        (&"libinner.so.1".into(), &false.into())
    );
}

/// Its code goes another way once the library is there, and that way fails.
const TOUCHY: &str = "
try:
    import broken
except ImportError:
    print('without it')
else:
    raise SystemExit('it cannot be here')
";

#[test]
fn what_worked_before_and_not_after_is_taken_back() {
    let (dir, env) = broken();
    let before = snapshot(&env.prefix);
    let arguments: &[&dyn AsRef<OsStr>] =
        &[&"fix", &env.prefix, &"--", &env.python, &"-Bc", &TOUCHY];
    let (report, said) = prove(dir.path(), arguments, 1);
    assert_eq!(report["verdict"], "taken_back", "{report:#}");
    assert_eq!(purposes(&report), ["before", "after", "reverted"]);
    let ended: Vec<&Value> = (0..3).map(|run| &report["runs"][run]["status"]).collect();
    assert_eq!(ended, [&json!(0), &json!(1), &json!(0)]);
    assert_eq!(
        (&report["changed"], report["put_back"]["operation"].is_object()),
        (&false.into(), true)
    );
    // What is the case is told of the target as it is left.
    assert_eq!(report["findings"][0]["library"], "libinner.so.1");
    assert!(said.contains("\ntfpatch: run 3, after the repair was undone: "), "{said}");
    assert_eq!(snapshot(&env.prefix), before);

    let text = run(dir.path(), &words(arguments));
    assert_eq!(text.status, 1, "{text:#?}");
    assert!(text.out.contains(" restored (operation "), "{text:#?}");
    let verdict = "\nundone  the command worked before the repair and failed after it; ";
    assert!(text.out.contains(verdict), "{text:#?}");
    assert!(!text.out.contains(" repaired, "), "nothing is left of it: {text:#?}");
    assert_eq!(snapshot(&env.prefix), before);
}

#[test]
fn what_does_not_work_again_once_it_is_taken_back_is_flaky() {
    let (dir, env) = broken();
    let before = snapshot(&env.prefix);
    let mark = dir.path().join("mark");
    let script = "test ! -e \"$0\" && : > \"$0\"";
    let arguments: &[&dyn AsRef<OsStr>] =
        &[&"fix", &env.prefix, &"--", &"sh", &"-c", &script, &mark];
    let (report, _) = prove(dir.path(), arguments, 1);
    assert_eq!(report["verdict"], "flaky", "{report:#}");
    assert_eq!(purposes(&report), ["before", "after", "reverted"]);
    assert_eq!(snapshot(&env.prefix), before);
}

#[test]
fn runs_go_on_while_new_libraries_fail_to_load() {
    let scene = Scene::new();
    // The program does not start; once it does, it opens a library that nothing names.
    fs::rename(scene.package.join("libcaller.so"), scene.package.join("far/libcaller.so")).unwrap();
    let env = scene.directory.path().join("env");
    let program = scene.program();
    let fix = |options: &[&str], status| {
        let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"fix", &env];
        all.extend(options.iter().map(|option| option as &dyn AsRef<OsStr>));
        all.extend([&"--" as &dyn AsRef<OsStr>, &program, &"+must", &"libfar.so.1"]);
        prove(scene.directory.path(), &all, status).0
    };
    // The library's own search path leads to its own directory no more.
    let dry = fix(&["--dry-run"], 1);
    assert_eq!((purposes(&dry), &dry["changed"]), (vec!["once"], &false.into()));
    assert_eq!(dry["plans"][0]["dry_run"], true);
    assert!(!has_store(&env));

    let few = fix(&["--max-runs", "2"], 1);
    assert_eq!((purposes(&few), &few["verdict"]), (vec!["before", "after"], &"fails".into()));
    assert_eq!(few["runs"][1]["missing"][0]["library"], "libfar.so.1", "{few:#}");
    wheels::run(tfpatch().arg("revert").arg(&env));

    let all = fix(&[], 0);
    assert_eq!(purposes(&all), ["before", "after", "after"], "{all:#}");
    assert_eq!((&all["verdict"], all["plans"].as_array().unwrap().len()), (&"works_now".into(), 2));
    let output = Command::new(&program).args(["+must", "libfar.so.1"]).output().unwrap();
    assert!(output.status.success());
}

/// Makes distributions of the scene's package and of its far library; what the first requires, and whether
/// it has a module that is imported.
fn distributions(scene: &Scene, requires: &str, has_module: bool) {
    let site = scene.package.parent().unwrap();
    let far = site.join("far");
    fs::rename(scene.package.join("far"), &far).unwrap();
    if has_module {
        let module = scene.package.join("_m.abi3.so");
        scene.library(&module, "void *PyInit__m(void) { return 0; }", &[]);
    }
    for (name, files, requires) in [
        ("demo", "demo/libcaller.so,,\ndemo/program,,\ndemo/_m.abi3.so,,\n", requires),
        ("far", "far/libfar.so.1,,\n", ""),
    ] {
        let info = site.join(format!("{name}-1.0.dist-info"));
        fs::create_dir(&info).unwrap();
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}");
        fs::write(info.join("METADATA"), metadata).unwrap();
        fs::write(info.join("RECORD"), files).unwrap();
    }
}

#[test]
fn what_a_distribution_requires_and_opens_in_vain_is_lost_and_what_may_be_there_is_not() {
    for (requires, has_module, verdict, status) in [
        ("Requires-Dist: far\n", true, "incomplete", 1),
        ("Requires-Dist: far\n", false, "works", 0),
        ("", true, "works", 0),
    ] {
        let scene = Scene::new();
        distributions(&scene, requires, has_module);
        let (env, program) = (scene.directory.path().join("env"), scene.program());
        let mut arguments: Vec<&dyn AsRef<OsStr>> =
            vec![&"doctor", &env, &"--", &program, &"libfar.so.1"];
        let (report, _) = prove(scene.directory.path(), &arguments, status);
        assert_eq!(report["verdict"], verdict, "{report:#}");
        let [missing] = &report["runs"][0]["missing"].as_array().unwrap()[..] else {
            panic!("{report:#}")
        };
        let (severity, lost) = (&missing["severity"], &missing["lost"]);
        assert_eq!((severity == "error", lost == true), (status == 1, status == 1), "{report:#}");
        if status == 0 {
            continue;
        }
        arguments[0] = &"fix";
        let text = run(scene.directory.path(), &words(&arguments));
        let verdict = "\nworks  libraries failed to load before the repair and load now: ";
        assert!(text.status == 0 && text.out.contains(verdict), "{text:#?}");
    }
}

#[test]
fn a_run_that_takes_too_long_is_ended_with_all_that_it_started_and_proves_nothing() {
    let (dir, env) = broken();
    let pid = dir.path().join("pid");
    // One goes at the first signal, the other does not hear it.
    let script = "(trap '' TERM; exec sleep 1000) & echo $! > \"$0\"; exec sleep 1000";
    let started = Instant::now();
    let arguments: &[&dyn AsRef<OsStr>] =
        &[&"fix", &env.prefix, &"--timeout", &"1", &"--", &"sh", &"-c", &script, &pid];
    let (report, _) = prove(dir.path(), arguments, 1);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(report["verdict"], "unknown", "{report:#}");
    // What files tell is repaired all the same, and nothing is run again.
    assert_eq!((purposes(&report), &report["changed"]), (vec!["before"], &true.into()));
    assert_eq!(
        (&report["runs"][0]["timed_out"], &report["runs"][0]["signal"]),
        (&true.into(), &15.into())
    );
    let pid = fs::read_to_string(&pid).unwrap();
    let gone = Instant::now();
    let stat = format!("/proc/{}/stat", pid.trim());
    // It may be a zombie that nobody waits for.
    while fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
        assert!(gone.elapsed() < Duration::from_secs(5), "{pid} is left");
        std::thread::sleep(Duration::from_millis(20));
    }

    let deaf =
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)";
    let arguments: &[&dyn AsRef<OsStr>] =
        &[&"doctor", &env.prefix, &"--timeout", &"1", &"--", &env.python, &"-c", &deaf];
    let (report, _) = prove(dir.path(), arguments, 1);
    assert_eq!((&report["verdict"], &report["runs"][0]["signal"]), (&"unknown".into(), &9.into()));
}

#[test]
fn standard_input_is_read_by_a_single_run_alone() {
    let (dir, env) = broken();
    let mut scripts = vec![];
    for (words, is_read) in
        [(vec!["doctor"], true), (vec!["fix"], false), (vec!["fix", "--dry-run"], true)]
    {
        let mut command = crate::support::command::command(dir.path());
        let script = "read line; test \"$line\" = word && \"$0\" -c pass";
        command.args(&words).arg(&env.prefix).args(["--", "sh", "-c", script]).arg(&env.python);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"word\n").unwrap();
        let ran = Ran::of(&child.wait_with_output().unwrap());
        scripts.push((words, ran.status == 0, is_read, ran));
    }
    for (words, succeeded, is_read, ran) in scripts {
        assert_eq!(succeeded, is_read, "{words:?}: {ran:#?}");
    }
}

#[test]
fn a_gate_closes_for_a_file_that_is_not_as_it_was_left() {
    let (dir, env) = broken();
    wheels::run(tfpatch().arg("fix").arg(&env.prefix));
    let gate: &[&dyn AsRef<OsStr>] = &[&"verify", &env.prefix, &"--", &env.python, &"-c", &"pass"];
    let (report, _) = prove(dir.path(), gate, 0);
    assert_eq!(
        (&report["verdict"], &report["files"][0]["state"]),
        (&"works".into(), &"as_left".into())
    );
    let module = env.site_packages.join(env.extension());
    let mut bytes = fs::read(&module).unwrap();
    bytes.push(0);
    fs::write(&module, bytes).unwrap();
    let (report, _) = prove(dir.path(), gate, 1);
    assert_eq!(report["verdict"], "works");
}

#[test]
fn what_was_loaded_after_all_is_no_error() {
    let (dir, env) = broken();
    // Code of Python loads the library by its path first, which no file's header tells of.
    let library = env.site_packages.join("broken_libs/libinner.so.1");
    let code =
        format!("import ctypes; ctypes.CDLL({:?}, ctypes.RTLD_GLOBAL); import broken", library);
    let doctor: &[&dyn AsRef<OsStr>] =
        &[&"doctor", &env.prefix, &"--strict", &"--", &env.python, &"-Bc", &code];
    let (report, _) = prove(dir.path(), doctor, 0);
    assert_eq!(report["verdict"], "works", "{report:#}");
    assert_eq!(report["runs"][0]["evidence"][0]["evidence"], "refuted", "{report:#}");
    assert_eq!(report["findings"][0]["severity"], "info", "{report:#}");
    // What works by another way is left alone.
    let before = snapshot(&env.prefix);
    let fix: &[&dyn AsRef<OsStr>] = &[&"fix", &env.prefix, &"--", &env.python, &"-Bc", &code];
    let (report, _) = prove(dir.path(), fix, 0);
    assert_eq!((&report["changed"], purposes(&report)), (&false.into(), vec!["before"]));
    assert_eq!(snapshot(&env.prefix), before);
}

#[test]
fn where_nothing_is_traced_the_status_decides_and_that_is_said() {
    let (dir, _env) = broken();
    let source = dir.path().join("main.c");
    fs::write(&source, "int main(void) { return 0; }").unwrap();
    for (compiler, flags, word) in [
        ("gcc", vec!["-static"], "is statically linked"),
        ("musl-gcc", vec![], "is not from glibc"),
    ] {
        let program = dir.path().join("main");
        wheels::run(Command::new(compiler).args(flags).arg("-o").arg(&program).arg(&source));
        let doctor = words(&[&"doctor", &dir.path().join(".venv"), &"--", &program]);
        let ran = run(dir.path(), &doctor);
        assert_eq!(ran.status, 0, "{ran:#?}");
        assert!(ran.out.contains(word), "{ran:#?}");
        let unseen =
            "; the libraries that it loaded are unknown, and only its exit status counts\n";
        assert!(ran.out.contains(unseen), "{ran:#?}");
    }
}

#[test]
fn what_cannot_be_run_or_for_what_is_refused() {
    let (dir, env) = broken();
    let before = snapshot(&env.prefix);
    let wheel = wheels::broken_wheel(dir.path());
    for (arguments, what) in [
        (
            words(&[&"fix", &env.prefix, &"--", &"no-such-command"]),
            "cannot run no-such-command: No such",
        ),
        (words(&[&"fix", &wheel, &"--", &"true"]), "cannot run in a wheel"),
        (words(&[&"fix", &env.prefix, &env.prefix, &"--", &"true"]), "name one"),
        (
            words(&[&"doctor", &"--root", &"/", &"/app", &"--", &"true"]),
            "cannot run a command of another root",
        ),
    ] {
        let ran = run(dir.path(), &arguments);
        assert_eq!(ran.status, 2, "{ran:#?}");
        assert!(ran.err.contains(what), "{what}: {ran:#?}");
    }
    for options in ["--env=A=b", "--no-env", "--cpu=x86-64", "--loader=musl"] {
        let ran = run(dir.path(), &words(&[&"fix", &env.prefix, &options, &"--", &"true"]));
        assert!(ran.status == 2 && ran.err.contains("cannot be used with"), "{ran:#?}");
    }
    for options in [vec!["--timeout", "5"], vec!["--max-runs", "3"]] {
        let ran = run(dir.path(), &[vec!["fix"], options].concat());
        assert!(ran.status == 2 && ran.err.contains("COMMAND"), "{ran:#?}");
    }
    assert_eq!(snapshot(&env.prefix), before);
    assert!(!has_store(&env.prefix));
}

/// A signal that comes goes on to the command and what it started; then nothing is repaired.
#[test]
fn a_signal_ends_the_runs_and_nothing_is_repaired() {
    let (dir, env) = broken();
    let before = snapshot(&env.prefix);
    let mut command = Command::new("env");
    crate::support::command::clean(&mut command);
    command.arg("--default-signal=HUP,INT,QUIT,TERM").current_dir(dir.path());
    command.arg(assert_cmd::cargo::cargo_bin!("tfpatch")).args(["fix", "--format", "json"]);
    command.arg(&env.prefix).args(["--", "sh", "-c", "echo there >&2; sleep 1000; exit 0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while line != "there\n" {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut said, &mut line).unwrap(), 0);
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["verdict"], purposes(&report)), (&"interrupted".into(), vec!["before"]));
    assert_eq!(snapshot(&env.prefix), before);
}

/// An import that works in another environment proves nothing of this one.
#[test]
fn what_another_interpreter_imports_proves_nothing() {
    let (dir, env) = broken();
    let other = dir.path().join("other");
    wheels::empty_environment(&other, LinkMode::Copy);
    let python = other.join("bin/python");
    let gate: &[&dyn AsRef<OsStr>] = &[&"verify", &env.prefix, &"--", &python, &"-c", &"pass"];
    let (report, _) = prove(dir.path(), gate, 1);
    assert_eq!(report["verdict"], "unknown", "{report:#}");
    let ran = report["runs"][0]["stranger"]["path"].as_str().unwrap();
    assert!(ran.ends_with("/other/bin/python"), "{ran}");
    let text = run(dir.path(), &words(gate));
    let verdict = "\nno verdict  the command exits with status 0, but ";
    assert!(text.status == 1 && text.out.contains(verdict), "{text:#?}");
    // By way of a shell, or beside another one, the target's own is enough.
    let script = format!("{} -c pass && {} -c pass", python.display(), env.python.display());
    let (report, _) = prove(dir.path(), &[&"verify", &env.prefix, &"--", &"sh", &"-c", &script], 0);
    assert_eq!(report["verdict"], "works", "{report:#}");
    // Without a target it is that of the interpreter.
    let (report, _) = prove(dir.path(), &[&"doctor", &"--", &python, &"-c", &"pass"], 0);
    assert!(report["target"]["path"].as_str().unwrap().ends_with("/other"), "{report:#}");
}

/// What loads nothing of the target proves nothing of it, however it ends.
#[test]
fn a_command_that_loads_nothing_of_the_target_proves_nothing() {
    let (dir, env) = broken();
    for verb in ["doctor", "fix", "verify"] {
        let (report, _) = prove(dir.path(), &[&verb, &env.prefix, &"--", &"true"], 1);
        assert_eq!(report["verdict"], "unknown", "{report:#}");
    }
    let text = run(dir.path(), &words(&[&"doctor", &env.prefix, &"--", &"true"]));
    let verdict =
        "\nno verdict  the command exits with status 0, but loaded nothing from the target";
    assert!(text.status == 1 && text.out.contains(verdict), "{text:#?}");
    // A module that a program of another kind loads is enough.
    let module = env.site_packages.join(env.extension());
    let script = format!("LD_PRELOAD={} /bin/true", module.display());
    let (report, _) = prove(dir.path(), &[&"doctor", &env.prefix, &"--", &"sh", &"-c", &script], 0);
    assert_eq!(report["verdict"], "works", "{report:#}");
}

/// The status of a shell is not that of what it starts: an import that fails in a pipe has failed, and one that
/// the command's own interpreter survives has been caught.
#[test]
fn an_import_that_fails_behind_a_shell_has_failed() {
    let (dir, env) = broken();
    let python = env.python.display();
    for script in [
        format!("{python} -Bc 'import broken' 2>/dev/null | cat"),
        format!("{python} -Bc 'import broken' || true"),
    ] {
        let command: [&dyn AsRef<OsStr>; 3] = [&"sh", &"-c", &script];
        let gate: Vec<&dyn AsRef<OsStr>> = [&"verify" as &dyn AsRef<OsStr>, &env.prefix, &"--"]
            .into_iter()
            .chain(command)
            .collect();
        let (report, _) = prove(dir.path(), &gate, 1);
        assert_eq!(report["verdict"], "incomplete", "{report:#}");
    }
    let caught = "try:\n    import broken\nexcept ImportError:\n    pass";
    let gate: &[&dyn AsRef<OsStr>] = &[&"verify", &env.prefix, &"--", &env.python, &"-Bc", &caught];
    let (report, _) = prove(dir.path(), gate, 0);
    assert_eq!(report["verdict"], "works", "{report:#}");
    let script = format!("{python} -Bc 'import broken' | cat");
    let fix: &[&dyn AsRef<OsStr>] = &[&"fix", &env.prefix, &"--", &"sh", &"-c", &script];
    let (report, _) = prove(dir.path(), fix, 0);
    assert_eq!(report["verdict"], "works_now", "{report:#}");
}

/// What a command prints commands no terminal by way of the report, nor breaks its lines.
#[test]
fn the_words_of_a_command_are_inert() {
    let (dir, env) = broken();
    let evil = "printf '\\033]0;title\\007 \\342\\200\\256end\\n' >&2; exit 1";
    let arguments: &[&dyn AsRef<OsStr>] = &[&"doctor", &env.prefix, &"--", &"sh", &"-c", &evil];
    let text = run(dir.path(), &words(arguments));
    assert_eq!(text.status, 1, "{text:#?}");
    assert!(text.err.contains('\u{1b}'), "its own output is its own: {text:#?}");
    assert!(!text.out.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:#?}");
    assert!(text.out.contains("\n  | \\u{1b}]0;title\\u{7} \\u{202e}end\n"), "{text:#?}");
    let (report, _) = prove(dir.path(), arguments, 1);
    assert!(report["runs"][0]["words"][0].as_str().unwrap().contains("title"), "{report:#}");
    // Markdown holds the same between fences.
    let mut quoted = words(arguments);
    quoted.splice(1..1, ["--format".into(), "markdown".into()]);
    let quoted = run(dir.path(), &quoted);
    assert!(
        quoted.out.starts_with("```") && quoted.out.contains("fails  the command fails"),
        "{quoted:#?}"
    );
}
