//! Modules whose libraries are all found, and that the loader refuses. Each time the interpreter says it first.

use crate::support::command::{Ran, command, run};
use crate::support::environments::{Environment, empty};
use crate::support::wheels;
use std::fs;
use std::path::Path;
use std::process::Command;

fn doctor(env: &Environment) -> Ran {
    run(env.prefix.parent().unwrap(), &["doctor", "env"])
}

#[track_caller]
fn assert_sound(env: &Environment) {
    let said = doctor(env);
    assert!(said.text(0).contains("all dependencies resolve"), "{said:#?}");
}

/// The error of the interpreter when it runs a line of code.
#[track_caller]
fn error(env: &Environment, code: &str) -> String {
    let ran = Command::new(env.prefix.join("bin/python")).args(["-c", code]).output().unwrap();
    assert!(!ran.status.success(), "{code} works");
    String::from_utf8(ran.stderr).unwrap()
}

/// The report has the words of the loader about the module.
#[track_caller]
fn assert_refused(env: &Environment, words: &str) {
    let said = error(env, "import here._here");
    assert!(said.contains(words), "{said}");
    let report = doctor(env);
    let text = report.text(1);
    assert!(text.contains("here/_here.abi3.so cannot be loaded"), "{report:#?}");
    assert!(text.contains(&format!("the loader refuses it: {words}")), "{report:#?}");
}

#[test]
fn a_module_that_is_refused_by_its_header_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let module = env.module("here/_here", &[], &[]);
    assert!(env.runs("import here._here"));
    assert_sound(&env);
    let whole = fs::read(&module).unwrap();
    // The operating system, its version, the version of the format, and two other types of objects.
    for (at, byte, words) in [
        (7, 9, "ELF file OS ABI invalid"),
        (8, 5, "ELF file ABI version invalid"),
        (20, 2, "ELF file version does not match current one"),
        (16, 1, "only ET_DYN and ET_EXEC can be loaded"),
        (16, 2, "cannot dynamically load executable"),
    ] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        fs::write(&module, bytes).unwrap();
        assert_refused(&env, words);
    }
}

/// An entry leads to its library, and it is not loaded all the same.
#[test]
fn what_must_not_be_opened_is_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.library(&format!("{}/libs/libhere.so.1", env.below()), "libhere.so.1", &[], &[]);
    let module = env.module("here/_here", &["libhere.so.1"], &["-Wl,-z,nodlopen"]);
    env.distribution("here", &[], &["here/__init__.py", "here/_here.abi3.so", "libs/libhere.so.1"]);
    assert_refused(&env, "shared object cannot be dlopen()ed");
    let before = fs::read(&module).unwrap();
    let fixed = run(dir.path(), &["fix", "env"]);
    assert!(fixed.text(1).contains("shared object cannot be dlopen()ed"), "{fixed:#?}");
    assert_eq!(fs::read(&module).unwrap(), before);
    // A library that is needed is not opened either.
    let library = env.library(
        &format!("{}/here/libhere.so.1", env.below()),
        "libhere.so.1",
        &[],
        &["-Wl,-z,nodlopen"],
    );
    env.module("here/_here", &["libhere.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    assert!(error(&env, "import here._here").contains("cannot be dlopen()ed"));
    let said = doctor(&env);
    assert!(said.text(1).contains("libhere.so.1 cannot be loaded"), "{said:#?}");
    assert!(fs::metadata(library).is_ok());
}

/// The loader takes it for a fault of its own, and ends the process.
#[test]
fn a_version_of_a_library_that_is_not_needed_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let script = dir.path().join("versions");
    fs::write(&script, "HERE_1 { libhere; };").unwrap();
    let at = format!("{}/here/libhere.so.1", env.below());
    let versions = format!("-Wl,--version-script={}", script.display());
    env.library(&at, "libhere.so.1", &[], &[&versions]);
    let module = env.module("here/_here", &["libhere.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    assert!(env.runs("import here._here"));
    assert_sound(&env);
    wheels::run(Command::new("patchelf").args(["--remove-needed", "libhere.so.1"]).arg(&module));
    assert_refused(&env, "Assertion `needed != NULL' failed!");
}

#[test]
fn a_symbol_that_nothing_defines_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module_that_calls("here/_here", "libelsewhere");
    assert!(error(&env, "import here._here").contains("undefined symbol: libelsewhere"));
    let said = doctor(&env);
    let text = said.text(1);
    assert!(text.contains("here/_here.abi3.so has undefined symbols"), "{said:#?}");
    assert!(text.contains("(libelsewhere)"), "{said:#?}");
    let message = error(&env, "import here._here");
    let explained = run(dir.path(), &["explain", &message, "env"]);
    assert!(explained.out.contains("libelsewhere"), "{explained:#?}");
    // A library of the target that defines it may be loaded before, for all to see.
    let library = format!("{}/here/libelsewhere.so", env.below());
    let library = env.library(&library, "libelsewhere.so", &[], &[]);
    let code = format!("import ctypes; ctypes.CDLL({:?}, ctypes.RTLD_GLOBAL)", shown(&library));
    // The module says that it does not start where the function returns something.
    let said = error(&env, &format!("{code}; import here._here"));
    assert!(!said.contains("undefined symbol"), "{said}");
    assert_sound(&env);
}

/// Nothing but the times of the files shows that a module was changed.
#[test]
fn a_module_that_was_changed_after_its_installation_is_examined() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let library = format!("{}/here/libhere.so.1", env.below());
    env.library(&library, "libhere.so.1", &[], &[]);
    let module = env.module("here/_here", &["libhere.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    let init = env.site.join("here/__init__.py");
    fs::write(&init, "").unwrap();
    let files = ["here/__init__.py", "here/_here.abi3.so", "here/libhere.so.1"];
    env.distribution("here", &[], &files);
    assert!(env.runs("import here._here"));
    assert_sound(&env);
    wheels::run(Command::new("patchelf").args(["--remove-needed", "libhere.so.1"]).arg(&module));
    // The size is what it was, as for most files.
    let record = env.distribution("here", &[], &files).join("RECORD");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let date =
        |path: &Path| fs::File::options().append(true).open(path).unwrap().set_modified(long_ago);
    for path in [&init, &record] {
        date(path).unwrap();
    }
    let message = error(&env, "import here._here");
    assert!(message.contains("undefined symbol"), "{message}");
    let told = "here/_here.abi3.so has undefined symbols";
    let said = doctor(&env);
    assert!(said.text(1).contains(told), "{said:#?}");
    // In a copy all files are new. One that is named, or that an error names, is examined.
    fs::write(&init, "").unwrap();
    assert_sound(&env);
    let named = format!("env/{}/here/_here.abi3.so", env.below());
    let said = run(dir.path(), &["doctor", &named]);
    assert!(said.text(1).contains("has undefined symbols"), "{said:#?}");
    let said = run(dir.path(), &["explain", &message, "env"]);
    assert!(said.out.contains("that no library which it loads defines"), "{said:#?}");
}

/// All modules of a distribution lack the same. Each is judged where it was named, or is in an error.
#[test]
fn each_module_that_lacks_symbols_is_an_error_where_it_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let library = format!("{}/here/libhere.so.1", env.below());
    let library = env.library(&library, "libhere.so.1", &[], &[]);
    for module in ["here/_first", "here/_second"] {
        env.module(module, &["libhere.so.1"], &["-Wl,-rpath,$ORIGIN", "-Wl,--enable-new-dtags"]);
    }
    fs::write(env.site.join("here/__init__.py"), "").unwrap();
    let files = ["here/_first.abi3.so", "here/_second.abi3.so", "here/libhere.so.1"];
    env.distribution("here", &[], &files);
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    let stub = other.join("libhere.so.1");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-x", "c", "/dev/null", "-Wl,-soname,libhere.so.1", "-o"]).arg(&stub);
    wheels::run(&mut gcc);
    // A variable that leads to the other one is all that is wrong.
    let mut under = command(dir.path());
    let said = under.args(["doctor", "env"]).env("LD_LIBRARY_PATH", &other).output();
    let said = String::from_utf8(said.unwrap().stdout).unwrap();
    assert!(said.contains("env_override") && !said.contains("missing_symbol"), "{said}");
    fs::copy(&stub, &library).unwrap();
    let message = error(&env, "import here._second");
    assert!(message.contains("undefined symbol: libhere"), "{message}");
    assert_eq!(doctor(&env).status, 1);
    let named = format!("env/{}/here/_second.abi3.so", env.below());
    let said = run(dir.path(), &["doctor", &named]);
    assert!(said.text(1).contains("_second.abi3.so"), "{said:#?}");
    let said = run(dir.path(), &["explain", &message]);
    assert!(said.out.contains("_second.abi3.so needs 1 symbol"), "{said:#?}");
}

/// What is mounted into a container and does not exist becomes a directory.
#[test]
fn a_directory_in_place_of_a_module_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let module = env.module("here/_here", &[], &[]);
    fs::write(env.site.join("here/__init__.py"), "").unwrap();
    env.distribution("here", &[], &["here/__init__.py", "here/_here.abi3.so"]);
    assert_sound(&env);
    fs::remove_file(&module).unwrap();
    fs::create_dir(&module).unwrap();
    let message = error(&env, "import here._here");
    assert!(message.contains("No module named 'here._here'"), "{message}");
    let said = doctor(&env);
    assert!(said.text(1).contains("here/_here.abi3.so is missing"), "{said:#?}");
    let said = run(dir.path(), &["explain", &message, "env"]);
    assert!(!said.out.contains("is installed in this environment"), "{said:#?}");
}

/// A link that leads back to itself is not a matter of rights.
#[test]
fn a_link_to_itself_is_readable_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let library = format!("{}/here/libhere.so.1", env.below());
    let library = env.library(&library, "libhere.so.1", &[], &[]);
    env.module("here/_here", &["libhere.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    fs::remove_file(&library).unwrap();
    std::os::unix::fs::symlink("libhere.so.1", &library).unwrap();
    assert!(!env.runs("import here._here"));
    let said = doctor(&env);
    assert!(!said.text(1).contains("as a user who can read it"), "{said:#?}");
}

/// What a package loads for all to see need not lie in the target.
#[test]
fn a_symbol_of_a_library_that_the_package_opens_before_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module_that_calls("here/_here", "zlibVersion");
    let package = env.site.join("here/__init__.py");
    fs::write(&package, "from . import _here\n").unwrap();
    assert!(error(&env, "import here").contains("undefined symbol: zlibVersion"));
    assert!(doctor(&env).text(1).contains("(zlibVersion)"));
    let code = "import ctypes\nctypes.CDLL('libz.so.1', ctypes.RTLD_GLOBAL)\nfrom . import _here\n";
    fs::write(&package, code).unwrap();
    assert!(!error(&env, "import here").contains("undefined symbol"));
    assert_sound(&env);
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}
