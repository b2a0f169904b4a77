//! What is broken, hostile, or out of reach: the run goes on, says what is the matter, and ends with
//! the right status.

use crate::support::bad_input::{OUTER, about};
use crate::support::command::{
    Ran, broken_tree, clean, command, inner, outer, run, snapshot, words,
};
use crate::support::elf_writer::Elf;
use crate::support::environments::empty;
use crate::support::wheels;
use serde_json::Value;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn fifo(path: &Path) {
    wheels::run(Command::new("mkfifo").arg(path));
}

#[test]
fn a_target_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for words in [
        ["doctor", "no/such"].as_slice(),
        &["fix", "no/such"],
        &["verify", "no/such"],
        &["log", "no/such"],
        &["diff", "no/such"],
        &["revert", "no/such"],
        &["show", "no/such"],
        &["tree", "no/such"],
        &["rpath", "print", "no/such"],
        &["rpath", "dedupe", "no/such"],
        &["doctor", "--root", "no/such", "/"],
    ] {
        let ran = run(dir.path(), words);
        assert!(ran.error().contains("no/such"), "{words:?}: {ran:#?}");
        assert_eq!(ran.out, "", "{words:?}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // No other user would see more here.
    symlink("loop", dir.path().join("loop")).unwrap();
    assert!(run(dir.path(), &["doctor", "loop"]).error().ends_with("(os error 40)\n"));
}

#[test]
fn a_file_that_is_no_object_is_no_target() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(dir);
    let object = std::fs::read(dir.join(OUTER)).unwrap();
    let cases: [(&str, &[u8], &str); 6] = [
        ("notes.txt", b"some words\n", "neither ELF nor Mach-O"),
        ("text.so", b"print('no object')\n", "neither ELF nor Mach-O"),
        ("script.so", b"/* GNU ld script */\nINPUT(-lc)\n", "neither ELF nor Mach-O"),
        ("empty.so", b"", "is empty"),
        ("zero.so", &[0; 4096], "neither ELF nor Mach-O"),
        ("cut.so", &object[..100], "program headers at offset 0x40"),
    ];
    for (name, content, why) in cases {
        std::fs::write(dir.join(name), content).unwrap();
        for words in [
            ["doctor", name].as_slice(),
            &["fix", name],
            &["verify", name],
            &["show", name],
            &["tree", name],
            &["rpath", "print", name],
            &["rpath", "prune", name],
        ] {
            let ran = run(dir, words);
            assert!(ran.error().contains(name), "{words:?}: {ran:#?}");
            assert!(ran.error().contains(why), "{words:?}: {ran:#?}");
            assert_eq!(ran.out, "", "{words:?}");
        }
    }
    for command in ["show", "tree"] {
        assert!(run(dir, &[command, "pkg"]).error().contains("pkg is not a file"));
    }
    let ran = run(dir, &["rpath", "add", "pkg", "--entry", "x"]);
    assert!(ran.error().contains("not a shared library or a program"), "{ran:#?}");
}

#[test]
fn a_directory_without_objects_is_not_called_well() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("notes.txt"), "words").unwrap();
    for arguments in [["doctor", "."], ["fix", "."], ["verify", "."]] {
        for format in ["human", "json"] {
            let ran = run(dir.path(), &[&arguments[..], &["--format", format]].concat());
            let why = "no shared libraries or programs found in .";
            assert!(ran.error().contains(why), "{ran:#?}");
            assert_eq!(ran.out.contains(why), format == "json", "{ran:#?}");
        }
    }
}

/// What an interrupted write leaves of a program is known by its start, or by the length that a RECORD lists.
/// Scripts and empty files that nobody lists are no programs.
#[test]
fn a_damaged_program_is_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let bin = env.prefix.join("bin");
    let program = std::fs::read("/bin/true").unwrap();
    let tool = bin.join("tool");
    std::fs::write(&tool, &program).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let info = env.distribution("tool", &[], &[]);
    let record = info.join("RECORD");
    std::fs::write(&record, "../../../bin/tool,,\n").unwrap();
    let doctor = || run(dir.path(), &["doctor", "env"]);
    let runs = || Command::new(&tool).output().is_ok_and(|ran| ran.status.success());
    std::fs::write(bin.join("nothing"), "").unwrap();
    std::fs::write(bin.join("script"), "#!/bin/sh\n").unwrap();
    assert!(runs());
    doctor().text(0);
    for left in [&program[..100], &program[..program.len() / 2], &[0; 5000][..]] {
        std::fs::write(&tool, left).unwrap();
        assert!(!runs());
        let doctor = doctor();
        assert!(doctor.text(1).contains("bin/tool cannot be read"), "{doctor:#?}");
    }
    std::fs::write(&tool, "").unwrap();
    let listed = std::fs::read_to_string(&record).unwrap();
    doctor().text(0);
    let row = format!("../../../bin/tool,,{}", program.len());
    std::fs::write(&record, listed.replace("../../../bin/tool,,", &row)).unwrap();
    let doctor = doctor();
    assert!(doctor.text(1).contains("bin/tool: it is empty"), "{doctor:#?}");
}

/// A file that is truncated behind its dynamic table is mapped, and the program is killed when it gets there.
#[test]
fn a_file_without_its_last_bytes_is_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Initialised data are last in the last segment, behind the dynamic table.
    let code = "int big[100000] = { 1 }; int value(void) { return big[99999]; }\n";
    std::fs::write(dir.join("x.c"), code).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-s", "x.c", "-o", "libx.so"]).current_dir(dir);
    assert!(gcc.status().unwrap().success());
    let file = dir.join("libx.so");
    let calls = || {
        let mut python = Command::new("python3");
        python.args(["-c", &format!("import ctypes; ctypes.CDLL({file:?}).value()")]);
        python.output().unwrap().status.success()
    };
    assert!(calls());
    run(dir, &["doctor", "."]).text(0);
    let file = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    file.set_len(file.metadata().unwrap().len() - 200_000).unwrap();
    assert!(!calls());
    let told = run(dir, &["doctor", "."]);
    assert!(told.text(1).contains("libx.so: loadable segment at offset"), "{told:#?}");
}

/// Everything that can be the matter with a file, in one tree with an object that can be repaired.
#[test]
fn bad_files_are_findings_and_the_rest_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(dir);
    let object = std::fs::read(dir.join(OUTER)).unwrap();
    let of_machine = |machine: u16| {
        let mut bytes = object.clone();
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    };
    let small = Elf { is_64: false, machine: 3, ..Elf::needing(&["libinner.so.1"]) };
    let bad: [(&str, &[u8], &str); 6] = [
        ("text.so", b"no object\n", "neither ELF nor Mach-O"),
        ("empty.so", b"", "is empty"),
        ("zero.so.1", &[0; 5000], "begins with zeros"),
        ("header.so", &object[..100], "program headers at offset 0x40"),
        ("half.so", &object[..object.len() / 2], "offset 0x"),
        ("magic.so", b"\x7fELF", "ELF identification"),
    ];
    for (name, content, _) in bad {
        std::fs::write(dir.join(name), content).unwrap();
    }
    let no_finding: [(&str, &[u8]); 5] = [
        ("script.so", b"/* GNU ld script */\nGROUP ( libc.so.6 )\n"),
        ("script2.so", b"INPUT(libinner.so.1)\n"),
        ("libinner.so.LICENSE", b"You may.\n"),
        ("words", b"no object\n"),
        ("program.py", b"\x7fELF"),
    ];
    for (name, content) in no_finding {
        std::fs::write(dir.join(name), content).unwrap();
    }
    let others =
        [("arm.so", of_machine(183)), ("riscv.so", of_machine(243)), ("i386.so", small.bytes())];
    for (name, content) in &others {
        std::fs::write(dir.join(name), content).unwrap();
    }
    // A name without a file is no different from no name, unless a RECORD lists it.
    symlink("nowhere.so.3", dir.join("dangling.so")).unwrap();
    symlink("loop-b.so", dir.join("loop-a.so")).unwrap();
    symlink("loop-a.so", dir.join("loop-b.so")).unwrap();
    symlink(".", dir.join("pkg/round")).unwrap();
    symlink("../..", dir.join("pkg/and-round.so")).unwrap();
    symlink("itself", dir.join("itself")).unwrap();
    std::fs::create_dir(dir.join("directory.so")).unwrap();
    fifo(&dir.join("pipe.so"));
    fifo(&dir.join("pipe"));
    let _socket = std::os::unix::net::UnixListener::bind(dir.join("socket.so")).unwrap();

    let started = Instant::now();
    let report = run(dir, &["doctor", ".", "--format", "json"]).json(1);
    assert!(started.elapsed() < Duration::from_secs(10), "a pipe must not be waited for");
    for (name, _, why) in bad {
        let found = about(&report, &dir.join(name));
        let [finding] = found.as_slice() else { panic!("{name}: {found:#?}") };
        assert_eq!(finding["cause"], "unreadable", "{name}");
        assert!(finding["message"].as_str().unwrap().contains(why), "{name}: {finding:#}");
        assert_eq!(finding["cure"], "reinstall the package", "{name}");
    }
    for (name, why) in [
        ("loop-a.so", "is a link that points back to itself"),
        ("loop-b.so", "is a link that points back to itself"),
    ] {
        let found = about(&report, &dir.join(name));
        let [finding] = found.as_slice() else { panic!("{name}: {found:#?}") };
        assert_eq!(finding["cause"], "unreadable", "{name}");
        assert!(finding["message"].as_str().unwrap().contains(why), "{name}: {finding:#}");
    }
    for (name, _) in &others {
        let found = about(&report, &dir.join(name));
        // Without PT_GNU_STACK an object for x86 asks for an executable stack too.
        let causes = 1 + usize::from(*name == "i386.so");
        assert_eq!(found.len(), causes, "{name}: {found:#?}");
        let finding = found.first().unwrap();
        // No copy of the library is for that machine.
        assert_eq!(
            (&finding["cause"], &finding["library"]),
            (&"not_installed".into(), &"libinner.so.1".into())
        );
    }
    assert_eq!(report["findings"].as_array().unwrap().len(), bad.len() + 2 + others.len() + 2);

    let fixed = run(dir, &["fix", ".", "--format", "json"]).json(1);
    let steps = fixed["steps"].as_array().unwrap();
    let [step] = steps.as_slice() else { panic!("one step: {steps:#?}") };
    assert_eq!(step["path"], OUTER);
    assert_eq!(fixed["unfixable"].as_array().unwrap().len(), bad.len() + 2 + others.len() + 1);
    let report = run(dir, &["doctor", ".", "--format", "json"]).json(1);
    assert_eq!(about(&report, &dir.join(OUTER)), Vec::<&Value>::new());
    assert!(
        run(dir, &["doctor", "pkg"]).text(0).contains("1 object checked; all dependencies resolve")
    );
    assert!(run(dir, &["revert", "."]).text(0).starts_with("1 file restored"));

    for name in ["pipe.so", "pipe", "socket.so"] {
        assert!(run(dir, &["doctor", name]).error().contains("is not a file or a directory"));
        assert!(run(dir, &["show", name]).error().contains(name));
    }
    for name in ["loop-a.so", "itself"] {
        assert!(run(dir, &["doctor", name]).error().contains(name));
    }
}

/// An extension module for another processor in an environment, whose interpreter cannot load it.
#[test]
fn an_extension_module_for_another_processor_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let env = wheels::environment(dir.path(), wheels::LinkMode::Copy);
    wheels::break_it(&env);
    let module = env.site_packages.join(env.extension());
    let mut bytes = std::fs::read(&module).unwrap();
    bytes[18..20].copy_from_slice(&183_u16.to_le_bytes());
    let foreign = env.site_packages.join("foreign").join(module.file_name().unwrap());
    std::fs::create_dir(foreign.parent().unwrap()).unwrap();
    std::fs::write(&foreign, bytes).unwrap();
    std::fs::write(env.site_packages.join("cut.so"), &std::fs::read(&module).unwrap()[..2000])
        .unwrap();

    let report = run(dir.path(), &["doctor", ".venv", "--format", "json"]).json(1);
    let found = about(&report, &foreign);
    let [finding] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(finding["cause"], "wrong_arch");
    assert!(finding["message"].as_str().unwrap().contains("is built for aarch64"), "{finding:#}");

    // What cannot be helped does not keep the rest from being repaired.
    let ran = run(dir.path(), &["fix", ".venv"]);
    assert!(ran.text(1).contains("1 file and 1 RECORD repaired; 2 errors remain"), "{ran:#?}");
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));

    // A program for that processor beside the interpreter imports nothing.
    let mut program = std::fs::read("/bin/true").unwrap();
    program[18..20].copy_from_slice(&183_u16.to_le_bytes());
    std::fs::write(env.prefix.join("bin/foreign"), program).unwrap();
    let report = run(dir.path(), &["doctor", ".venv", "--format", "json"]).json(1);
    assert_eq!(about(&report, &foreign)[0]["cause"], "wrong_arch");
}

#[test]
fn names_of_any_bytes_break_neither_lines_nor_json() {
    let names: [&[u8]; 6] = [
        b"with space",
        b"quo'te\"s",
        b"li\nne",
        b"esc\x1b[31mape",
        b"not\xffutf8",
        "schön \u{1f600}".as_bytes(),
    ];
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    inner(&dir.join("inner/libinner.so.1"));
    outer(&dir.join("outer.so"), "$ORIGIN/gone/with/the/wind/and/never/seen/again");
    for name in names {
        let package = dir.join(OsStr::from_bytes(name));
        std::fs::create_dir(&package).unwrap();
        let object = package.join(OsStr::from_bytes(&[name, b".so"].concat()));
        std::fs::copy(dir.join("outer.so"), object).unwrap();
    }
    std::fs::remove_file(dir.join("outer.so")).unwrap();

    let report = run(dir, &["doctor", ".", "--format", "json"]).json(1);
    let findings = report["findings"].as_array().unwrap();
    let objects: Vec<Vec<u8>> = findings
        .iter()
        .map(|finding| match finding.get("object_bytes") {
            Some(bytes) => decoded(bytes),
            None => finding["object"].as_str().unwrap().into(),
        })
        .collect();
    for name in names {
        let path = [dir.as_os_str().as_bytes(), b"/", name, b"/", name, b".so"].concat();
        assert!(objects.contains(&path), "{:?}", OsStr::from_bytes(name));
    }
    let with_bytes = findings.iter().filter(|finding| finding.get("object_bytes").is_some());
    assert_eq!(with_bytes.count(), 1, "only where the path is not UTF-8");

    let ran = run(dir, &["doctor", ".", "-v"]);
    let text = ran.text(1);
    assert!(text.contains("    li\\nne/li\\nne.so\n"), "{text}");
    assert!(text.contains("esc\\u{1b}[31mape"), "{text}");
    for name in names {
        let path = dir.join(OsStr::from_bytes(name));
        let object = path.join(OsStr::from_bytes(&[name, b".so"].concat()));
        for arguments in [
            words(&[&"show", &object]),
            words(&[&"tree", &object]),
            words(&[&"doctor", &path]),
            words(&[&"rpath", &"print", &object, &dir.join("inner/libinner.so.1")]),
            words(&[&"fix", &object, &"--dry-run", &"--diff"]),
            words(&[&"rpath", &"remove", &object, &"--entry", &"x"]),
        ] {
            let ran = run(dir, &arguments);
            assert!(matches!(ran.status, 0 | 1), "{arguments:?}: {ran:#?}");
            assert!(!ran.out.contains('\u{1b}') && !ran.out.contains("li\nne"), "{ran:#?}");
        }
        let ran = run(dir, &words(&[&"show", &path]));
        assert_eq!(ran.error().lines().count(), 1, "{ran:#?}");
    }

    let before = snapshot(dir);
    let fixed = run(dir, &["fix", ".", "--format", "json"]).json(0);
    let steps = fixed["steps"].as_array().unwrap();
    assert_eq!(steps.len(), names.len());
    let with_bytes: Vec<&Value> =
        steps.iter().filter(|step| step.get("path_bytes").is_some()).collect();
    let [step] = with_bytes.as_slice() else { panic!("{with_bytes:#?}") };
    assert_eq!(decoded(&step["path_bytes"]), b"not\xffutf8/not\xffutf8.so");
    for command in ["verify", "log", "diff"] {
        assert!(!run(dir, &[command, "."]).text(0).contains("li\nne"));
    }
    for name in names {
        let object =
            Path::new(OsStr::from_bytes(name)).join(OsStr::from_bytes(&[name, b".so"].concat()));
        let tree = run(dir, &words(&[&"tree", &object, &"--format", &"json"])).json(0);
        assert!(tree["objects"][0]["needed"][0]["found"].is_string(), "{tree:#}");
    }
    assert!(run(dir, &["revert", "."]).text(0).starts_with("6 files restored"));
    assert_eq!(snapshot(dir), before);
}

fn decoded(text: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
}

/// `tfpatch … | head -1`: no panic, no error text, and the status of the whole work.
#[test]
fn a_pipe_that_closes_early_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(dir);
    for index in 0..400 {
        let copy = dir.join(format!("pkg/copy-{index}-{}.so", "x".repeat(150)));
        std::fs::copy(dir.join(OUTER), copy).unwrap();
    }
    let second = tempfile::tempdir().unwrap();
    broken_tree(second.path());
    let other = second.path().to_str().unwrap();
    for (arguments, status) in [
        (["doctor", ".", "-v"].as_slice(), 1),
        (&["doctor", ".", "--format", "json"], 1),
        (&["fix", ".", "--dry-run", "--diff", "-v"], 0),
        (&["fix", ".", other, "-v"], 0),
        (&["--help"], 0),
    ] {
        let mut child = command(dir)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    }
    // It was repaired although nobody read the report about the one before.
    assert_eq!(run(second.path(), &["doctor", "."]).status, 0);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(dir);
    let escapes = |set_up: &dyn Fn(&mut Command)| {
        let mut doctor = command(dir);
        doctor.args(["doctor", "."]);
        set_up(&mut doctor);
        Ran::of(&doctor.output().unwrap()).out.matches('\u{1b}').count()
    };
    assert_eq!(escapes(&|_| ()), 0, "a pipe");
    assert!(escapes(&|doctor| _ = doctor.args(["--color", "always"])) > 0);
    let insists =
        |doctor: &mut Command| _ = doctor.args(["--color", "always"]).env("NO_COLOR", "1");
    assert!(escapes(&insists) > 0, "an option says more than a variable");

    // script(1) gives the command a terminal.
    let on_terminal = |variables: &[(&str, &str)], color: &str| {
        let mut script = Command::new("script");
        clean(&mut script);
        let binary = assert_cmd::cargo::cargo_bin!("tfpatch").to_str().unwrap().to_owned();
        let line = format!("{binary} doctor . --color {color}");
        script.args(["-q", "-e", "-c", &line, "/dev/null"]).current_dir(dir).env("TERM", "xterm");
        script.envs(variables.iter().copied());
        let output = script.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stdout).unwrap().contains("\u{1b}[1m")
    };
    assert!(on_terminal(&[], "auto"));
    assert!(!on_terminal(&[("NO_COLOR", "1")], "auto"));
    assert!(!on_terminal(&[("TERM", "dumb")], "auto"));
    assert!(!on_terminal(&[], "never"));
}
