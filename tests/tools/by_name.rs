//! Libraries that native code opens by a name which its own file holds. In each case the interpreter says
//! first what is so.

use crate::support::command::{run, snapshot};
use crate::support::environments::{Environment, empty};
use std::fs;
use std::path::{Path, PathBuf};

const CUDA: &str = "Classifier: Environment :: GPU :: NVIDIA CUDA :: 12\n";

/// A module that is imported only if it can open a library, which another distribution has where no search
/// path leads.
fn opener(dir: &Path, library: &str, classifiers: &str, flags: &[&str]) -> Environment {
    let env = empty(dir);
    let site = env.below();
    env.library(&format!("{site}/vendor/math/lib/{library}"), library, &[], &[]);
    env.distribution("vendor-math", &[], &[&format!("vendor/math/lib/{library}")]);
    env.module_that_opens("engine/_engine", library, flags);
    let files = ["engine/__init__.py", "engine/_engine.abi3.so"];
    let metadata = env.distribution("engine", &["numpy"], &files).join("METADATA");
    let text = fs::read_to_string(&metadata).unwrap();
    fs::write(metadata, text + classifiers).unwrap();
    env
}

/// The import fails, a repair cures it, and `verify` agrees.
#[track_caller]
fn assert_cured(env: &Environment) {
    let dir = env.prefix.parent().unwrap();
    assert!(!env.runs("import engine._engine"));
    let told = run(dir, &["doctor", "env"]);
    assert!(told.text(1).contains("opened at run time, is not found"), "{told:#?}");
    let fixed = run(dir, &["fix", "env"]);
    assert!(fixed.text(0).contains("repaired; no errors"), "{fixed:#?}");
    assert!(env.runs("import engine._engine"));
    run(dir, &["verify", "env"]).text(0);
}

/// Files do not tell whether the library is opened: that is said, and nothing is written.
#[track_caller]
fn assert_told(env: &Environment) {
    let dir = env.prefix.parent().unwrap();
    let before = snapshot(&env.prefix);
    let told = run(dir, &["doctor", "env"]);
    assert!(told.text(0).contains("Whether it is opened is not visible in the files"), "{told:#?}");
    // The last line is the command that would show it.
    let last = told.out.lines().last().unwrap();
    let (_, command) = last.split_once("by imports: tfpatch ").unwrap();
    let words: Vec<&str> = command.split(' ').collect();
    let ran = run(dir, &[&words[..], &["-v"]].concat());
    assert!(ran.status < 2 && ran.out.contains("import engine._engine: "), "{ran:#?}");
    run(dir, &["fix", "env"]).text(0);
    assert_eq!(snapshot(&env.prefix), before);
}

#[test]
fn a_library_of_a_gpu_is_needed_by_what_says_that_it_computes_on_one() {
    let dir = tempfile::tempdir().unwrap();
    assert_cured(&opener(dir.path(), "libcufft.so.11", CUDA, &[]));
    let dir = tempfile::tempdir().unwrap();
    assert_told(&opener(dir.path(), "libcufft.so.11", "", &[]));
    // A name that is a part of another one, or stands before other text, is none of its strings.
    let dir = tempfile::tempdir().unwrap();
    let env = opener(dir.path(), "libcufft.so.11", CUDA, &[]);
    for text in ["xlibcufft.so.11", "libcufft.so.11.1"] {
        env.module_that_opens("engine/_engine", text, &[]);
        run(dir.path(), &["doctor", "env"]).text(0);
    }
}

/// What a library is for is not known, and nothing asks for it: its name is not looked for.
#[test]
fn a_name_that_nobody_asks_for_is_not_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let env = opener(dir.path(), "libsolver.so.3", CUDA, &[]);
    let told = run(dir.path(), &["doctor", "env", "-v"]);
    assert!(!told.text(0).contains("libsolver"), "{told:#?}");
    // Another library asks for it in vain: so much is known that it lies out of reach.
    let site = env.below();
    let idle = format!("{site}/vendor/math/lib/libidle.so.1");
    env.library(&idle, "libidle.so.1", &["libsolver.so.3"], &[]);
    let files = ["vendor/math/lib/libidle.so.1", "vendor/math/lib/libsolver.so.3"];
    env.distribution("vendor-math", &[], &files);
    assert_told(&env);
}

/// A file to be included, with the note of systemd's specification as its own macro writes it.
fn note(dir: &Path, priority: &str) -> PathBuf {
    let note = dir.join("note.h");
    let text = format!(
        "[{{\\\\\\\"feature\\\\\\\":\\\\\\\"solve\\\\\\\",\\\\\\\"priority\\\\\\\":\\\\\\\"{priority}\\\\\\\",\
             \\\\\\\"soname\\\\\\\":[\\\\\\\"libgone.so.9\\\\\\\",\\\\\\\"libsolver.so.3\\\\\\\"]}}]"
    );
    fs::write(
            &note,
            format!(
                "__asm__(\".pushsection .note.dlopen,\\\"a\\\",@note\\n.balign 4\\n.long 4\\n.long 2f-1f\\n\
                 .long 0x407c0c0a\\n.asciz \\\"FDO\\\"\\n1: .asciz \\\"{text}\\\"\\n2: .balign 4\\n.popsection\");\n"
            ),
        )
        .unwrap();
    note
}

#[test]
fn a_note_tells_how_much_a_library_is_needed() {
    for (priority, is_needed) in [("required", true), ("recommended", false)] {
        let dir = tempfile::tempdir().unwrap();
        let note = note(dir.path(), priority);
        let flags = ["-include", note.to_str().unwrap()];
        let env = opener(dir.path(), "libsolver.so.3", "", &flags);
        if is_needed { assert_cured(&env) } else { assert_told(&env) }
    }
}

/// What is required counts wherever it is: nowhere, or in several places of which none is meant.
#[test]
fn what_a_note_requires_is_told_where_nothing_can_be_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let note = note(dir.path(), "required");
    let env = opener(dir.path(), "libsolver.so.3", "", &["-include", note.to_str().unwrap()]);
    let lies = env.site.join("vendor/math/lib/libsolver.so.3");
    // Of equal copies one is chosen.
    let other = [fs::read(&lies).unwrap(), b"more".to_vec()].concat();
    fs::write(env.site.join("vendor/math/libsolver.so.3"), other).unwrap();
    let says = |what: &str| {
        assert!(!env.runs("import engine._engine"));
        let before = snapshot(&env.prefix);
        let told = run(dir.path(), &["doctor", "env"]);
        assert!(told.text(1).contains(what), "{told:#?}");
        run(dir.path(), &["fix", "env"]).text(1);
        assert_eq!(snapshot(&env.prefix), before);
    };
    says("choose one");
    fs::remove_dir_all(env.site.join("vendor")).unwrap();
    says("opens libgone.so.9 and does not work without it; it is not found on this system");
}

/// A library that is known not to work without another one, whatever auditwheel called it.
#[test]
fn what_a_known_library_opens_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let (grafted, core) = ("libmkl_rt-2a8836d8.so.2", "libmkl_core.so.2");
    env.library(&format!("lib/{core}"), core, &[], &[]);
    env.distribution("mkl", &[], &[&format!("../../{core}")]);
    env.library(&format!("{site}/random.libs/{grafted}"), grafted, &[], &[]);
    env.module("random_/_random", &[grafted], &["-Wl,-rpath,$ORIGIN/../random.libs"]);
    env.distribution("random", &["numpy"], &["random_/_random.abi3.so"]);
    let opens = format!(
        "import ctypes, os\n\
         import random_._random\n\
         ctypes.CDLL({:?})\n",
        env.site.join("random.libs").join(grafted)
    );
    assert!(env.runs(&opens));
    let told = run(dir.path(), &["doctor", "env"]);
    assert!(told.text(1).contains("does not work without it"), "{told:#?}");
    run(dir.path(), &["fix", "env"]).text(0);
    run(dir.path(), &["verify", "env"]).text(0);
    // Found on the way of a variable, it lacks nothing.
    run(dir.path(), &["revert", "env"]).text(0);
    let lib = env.prefix.join("lib");
    let mut tfpatch = crate::support::command::command(dir.path());
    let output = tfpatch.args(["doctor", "env"]).env("LD_LIBRARY_PATH", &lib).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("error"), "{output:?}");
}

/// Python code that opens a library by its name alone asks for it with the search path of Python's own module, so
/// that where the package has it does not help. A guard, a function, a copy that is opened by its path before, and
/// a variable do.
#[test]
fn a_library_that_code_opens_by_its_name_is_not_found_beside_the_code() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    env.library(&format!("{site}/named/libnamed.so.1"), "libnamed.so.1", &[], &[]);
    let files = ["named/__init__.py", "named/_load.py", "named/libnamed.so.1"];
    env.distribution("named", &[], &files);
    let init = env.site.join("named/__init__.py");
    let opens = "import ctypes\nlibrary = ctypes.CDLL('libnamed.so.1')\n";
    let by_path = "import ctypes, os\n\
                   ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'libnamed.so.1'))\n";
    for (code, load, works) in [
        (opens, "", false),
        ("from . import _load\n", opens, false),
        ("try:\n    from . import _load\nexcept OSError:\n    _load = None\n", opens, true),
        ("def load():\n    from . import _load\n", opens, true),
        (&format!("{by_path}from . import _load\n"), opens, true),
    ] {
        fs::write(&init, code).unwrap();
        fs::write(env.site.join("named/_load.py"), load).unwrap();
        assert_eq!(env.runs("import named"), works, "{code}");
        let told = run(dir.path(), &["doctor", "env"]);
        assert_eq!(told.status, i32::from(!works), "{code}: {told:#?}");
        if works {
            continue;
        }
        assert!(told.out.contains("opens libnamed.so.1 by its name"), "{told:#?}");
        let lies = env.site.join("named");
        let set = format!("→ set LD_LIBRARY_PATH={} before", lies.display());
        assert!(told.out.contains(&set), "{told:#?}");
        let mut tfpatch = crate::support::command::command(dir.path());
        let told = tfpatch.args(["doctor", "env"]).env("LD_LIBRARY_PATH", &lies).output().unwrap();
        assert_eq!(told.status.code(), Some(0), "{told:?}");
    }
}
