//! `tfpatch doctor|fix|verify --probe`: real modules are imported by a real interpreter, and that decides.

use crate::support::command::{Ran, has_store, run, snapshot, words};
use crate::support::environments;
use crate::support::wheels::{self, Env, LinkMode};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

fn environment() -> (tempfile::TempDir, Env) {
    let directory = tempfile::tempdir().unwrap();
    let env = wheels::environment(directory.path(), LinkMode::Copy);
    (directory, env)
}

/// Puts a package there with the native module `_native`, whose code runs when it is imported.
fn package(env: &Env, name: &str, init: &str, native: &str) {
    let package = env.site_packages.join(name);
    fs::create_dir(&package).unwrap();
    fs::write(package.join("__init__.py"), init).unwrap();
    module(&package, native);
}

fn module(package: &Path, code: &str) {
    let said = wheels::python_says(concat!(
        "import sysconfig; ",
        "print(sysconfig.get_path('include'), sysconfig.get_config_var('EXT_SUFFIX'), sep='\\n')",
    ));
    let (include, suffix) = said.split_once('\n').unwrap();
    let source = package.join("native.c");
    let text = format!(
        "#include <Python.h>
        #include <dlfcn.h>
        #include <unistd.h>
        static struct PyModuleDef def = {{PyModuleDef_HEAD_INIT, \"_native\", 0, -1, 0}};
        PyMODINIT_FUNC PyInit__native(void) {{ {code}; return PyModule_Create(&def); }}"
    );
    fs::write(&source, text).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-I", include, "-o"])
        .arg(package.join(format!("_native{suffix}")));
    wheels::run(gcc.arg(&source));
    fs::remove_file(source).unwrap();
}

#[track_caller]
fn probe(dir: &Path, arguments: &[&dyn AsRef<OsStr>], status: i32) -> Value {
    let mut all = words(arguments);
    all.splice(1..1, ["--probe".into(), "--format".into(), "json".into()]);
    let Ran { status: ended, out, err } = run(dir, &all);
    assert_eq!(ended, status, "{out}{err}");
    assert!(err.starts_with("tfpatch: importing "), "{err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

/// Each module with what came of it, in one of the probes of a report.
fn outcomes(report: &Value, probe: usize) -> Vec<(String, String)> {
    let packages = report["probes"][probe]["packages"].as_array().unwrap();
    let modules = packages.iter().flat_map(|package| package["modules"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    modules.map(|module| (text(&module["name"]), text(&module["outcome"]))).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, outcome)| ((*name).to_owned(), (*outcome).to_owned())).collect()
}

#[test]
fn what_is_sound_is_imported_and_nothing_is_changed() {
    let (dir, env) = environment();
    let before = snapshot(&env.prefix);
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 0);
    assert_eq!((&report["schema"], &report["works"]), (&"tfpatch/probe/v1".into(), &true.into()));
    assert_eq!(
        outcomes(&report, 0),
        pairs(&[("broken", "imported"), ("broken._core", "imported")])
    );
    assert!(report["probes"][0]["packages"][0]["processes"].as_u64() > Some(0));
    assert_eq!(snapshot(&env.prefix), before, "not even compiled files");
    let text = run(dir.path(), &words(&[&"verify", &"--probe", &env.prefix]));
    assert_eq!(text.status, 0, "{text:#?}");
    assert!(text.out.ends_with("\nworks  imported 2 of 2 modules from 1 package\n"), "{text:#?}");
}

#[test]
fn what_fails_is_an_error_with_the_interpreters_words_and_is_repaired() {
    let (dir, env) = environment();
    wheels::break_it(&env);
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 1);
    assert_eq!(report["works"], false);
    let core = &report["probes"][0]["packages"][0]["modules"][0];
    let words_of_python = core["words"].as_str().unwrap();
    assert!(words_of_python.starts_with("ImportError: libinner.so.1: cannot open"), "{core:#}");
    assert_eq!(report["probes"][0]["evidence"][0]["evidence"], "confirmed");
    let text = run(dir.path(), &words(&[&"doctor", &"--probe", &env.prefix]));
    assert!(
        text.out.contains("\nfailed  import broken: ImportError: libinner.so.1: "),
        "{text:#?}"
    );
    assert!(text.out.contains("\nfails  imported 0 of 2 modules from 1 package\n"), "{text:#?}");

    let fixed = probe(dir.path(), &[&"fix", &env.prefix], 0);
    assert_eq!((&fixed["verdict"], &fixed["changed"]), (&"works_now".into(), &true.into()));
    assert_eq!(outcomes(&fixed, 1), pairs(&[("broken", "imported"), ("broken._core", "imported")]));
    assert_eq!(fixed["findings"], json!([]));
    assert_eq!(wheels::imports(&env).unwrap(), "42");
    let again = probe(dir.path(), &[&"fix", &env.prefix], 0);
    assert_eq!((&again["verdict"], &again["changed"]), (&"works".into(), &false.into()));
}

#[test]
fn what_files_alone_fear_and_does_not_fail_is_no_error() {
    let (dir, env) = environment();
    wheels::break_it(&env);
    // The package's own code loads the library by a path that neither headers nor constants tell.
    let init = env.site_packages.join("broken/__init__.py");
    let text = fs::read_to_string(&init).unwrap();
    let preloads = "import ctypes, os\n\
        _here = os.path.dirname(os.path.dirname(__file__))\n\
        ctypes.CDLL(os.path.join(_here, 'broken_libs', 'libinner.so.1'[::1]), ctypes.RTLD_GLOBAL)\n";
    fs::write(&init, preloads.to_owned() + &text).unwrap();
    assert_eq!(run(dir.path(), &words(&[&"doctor", &env.prefix])).status, 1, "files alone");
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 0);
    let [evidence] = &report["probes"][0]["evidence"].as_array().unwrap()[..] else {
        panic!("{report:#}")
    };
    assert_eq!(evidence["evidence"], "refuted");
    assert_eq!(report["findings"][0]["severity"], "info");
    // It is left alone as well.
    let before = snapshot(&env.prefix);
    let fixed = probe(dir.path(), &[&"fix", &env.prefix], 0);
    assert_eq!(fixed["changed"], false);
    assert_eq!(snapshot(&env.prefix), before);
}

#[test]
fn a_module_that_ends_the_interpreter_is_said_and_the_others_are_imported() {
    let (dir, env) = environment();
    package(&env, "ender", "", "_exit(3)");
    fs::create_dir(env.site_packages.join("ender/sub")).unwrap();
    fs::write(env.site_packages.join("ender/sub/__init__.py"), "").unwrap();
    module(&env.site_packages.join("ender/sub"), "");
    package(&env, "killer", "", "raise(11)");
    // Such a module may be meant for another process. It is an error if its package cannot be imported.
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 0);
    assert_eq!(report["findings"], json!([]), "files tell nothing of it");
    let all = [
        ("broken", "imported"),
        ("broken._core", "imported"),
        ("ender", "imported"),
        ("ender._native", "ended"),
        ("ender.sub", "imported"),
        ("ender.sub._native", "imported"),
        ("killer", "imported"),
        ("killer._native", "ended"),
    ];
    assert_eq!(outcomes(&report, 0), pairs(&all));
    let text = run(dir.path(), &words(&[&"doctor", &"--probe", &env.prefix]));
    for line in [
        "\nnote  import ender._native: the interpreter exited with status 3\n",
        "\nnote  import killer._native: the interpreter was terminated by signal 11\n",
    ] {
        assert!(text.out.contains(line), "{text:#?}");
    }
    fs::write(env.site_packages.join("killer/__init__.py"), "from . import _native\n").unwrap();
    probe(dir.path(), &[&"doctor", &env.prefix], 1);
    let text = run(dir.path(), &words(&[&"doctor", &"--probe", &env.prefix]));
    let line = "\nfailed  import killer: the interpreter was terminated by signal 11\n";
    assert!(text.out.contains(line), "{text:#?}");
}

/// A package that refuses to be imported by itself is there for another one, and is imported by way of that.
#[test]
fn what_is_there_for_another_package_is_imported_behind_it() {
    let (dir, env) = environment();
    let refuses =
        "import sys\nif 'outer' not in sys.modules:\n    raise ImportError('import outer first')\n";
    package(&env, "inner_binary", refuses, "");
    let file = fs::read_dir(env.site_packages.join("inner_binary")).unwrap();
    let file = file.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let file = file.into_iter().find(|name| name.ends_with(".so")).unwrap();
    fs::create_dir(env.site_packages.join("outer")).unwrap();
    fs::write(env.site_packages.join("outer/__init__.py"), "").unwrap();
    let install = |name: &str, requires: &str, files: &str| {
        let info = env.site_packages.join(format!("{name}-1.0.dist-info"));
        fs::create_dir(&info).unwrap();
        fs::write(info.join("METADATA"), format!("Name: {name}\nVersion: 1.0\n{requires}"))
            .unwrap();
        fs::write(info.join("RECORD"), files).unwrap();
    };
    let files = format!("inner_binary/__init__.py,,\ninner_binary/{file},,\n");
    install("inner_binary", "", &files);
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 1);
    assert!(report.to_string().contains("import outer first"), "{report:#}");
    install("outer", "Requires-Dist: inner-binary ; extra == 'binary'\n", "outer/__init__.py,,\n");
    probe(dir.path(), &[&"doctor", &env.prefix], 0);
}

#[test]
fn what_is_for_another_case_is_no_error_unless_the_package_itself_fails() {
    let (dir, env) = environment();
    // One asks for what is not installed, one refuses by itself, one is no module and is loaded all the same.
    package(&env, "extra", "", "return PyImport_ImportModule(\"no_such_module\")");
    package(&env, "refuses", "", "PyErr_SetString(PyExc_RuntimeError, \"not here\"); return NULL");
    let plain = env.site_packages.join("plain");
    fs::create_dir(&plain).unwrap();
    fs::write(plain.join("__init__.py"), "").unwrap();
    module(&plain, "");
    let name = fs::read_dir(&plain).unwrap().map(|entry| entry.unwrap().file_name());
    let name = name.map(|name| name.into_string().unwrap()).find(|name| name.ends_with(".so"));
    let name = name.unwrap();
    fs::rename(plain.join(&name), plain.join(name.replace("_native", "_other"))).unwrap();
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 0);
    let failed = outcomes(&report, 0).into_iter().filter(|(_, outcome)| outcome == "raised");
    let failed: Vec<String> = failed.map(|(name, _)| name).collect();
    assert_eq!(failed, ["extra._native", "plain._other", "refuses._native"], "{report:#}");

    fs::write(env.site_packages.join("refuses/__init__.py"), "raise RuntimeError('never')")
        .unwrap();
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 1);
    let text = report.to_string();
    assert!(text.contains("RuntimeError: never"), "{report:#}");
}

#[test]
fn a_repair_by_which_a_module_fails_is_taken_back() {
    let (dir, env) = environment();
    wheels::break_it(&env);
    let touchy = "try:\n    import broken\nexcept ImportError:\n    pass\n\
                  else:\n    raise RuntimeError('it cannot be here')\n";
    package(&env, "touchy", touchy, "");
    let before = snapshot(&env.prefix);
    let fixed = probe(dir.path(), &[&"fix", &env.prefix], 1);
    assert_eq!((&fixed["verdict"], &fixed["changed"]), (&"taken_back".into(), &false.into()));
    let touchy =
        |probe| outcomes(&fixed, probe).into_iter().find(|(name, _)| name == "touchy").unwrap().1;
    assert_eq!([touchy(0), touchy(1), touchy(2)], ["imported", "raised", "imported"]);
    assert_eq!(snapshot(&env.prefix), before);
    // A trial imports once and edits nothing.
    let dry = probe(dir.path(), &[&"fix", &env.prefix, &"--dry-run"], 1);
    assert_eq!((dry["probes"].as_array().unwrap().len(), &dry["changed"]), (1, &false.into()));
    assert_eq!(dry["plan"]["steps"].as_array().unwrap().len(), 2);
}

#[test]
fn a_module_that_waits_has_no_terminal_no_input_and_a_time_limit() {
    let (dir, env) = environment();
    let init = "import sys\n\
        assert sys.stdin.read() == ''\n\
        try:\n    open('/dev/tty')\nexcept OSError:\n    pass\nelse:\n    raise RuntimeError('a terminal')\n";
    package(&env, "asks", init, "");
    package(&env, "waits", "", "sleep(1000)");
    let report = probe(dir.path(), &[&"doctor", &env.prefix, &"--timeout", &"2"], 1);
    let all = outcomes(&report, 0);
    let of = |name: &str| all.iter().find(|(module, _)| module == name).unwrap().1.as_str();
    assert_eq!([of("asks"), of("asks._native"), of("waits")], ["imported"; 3], "{report:#}");
    assert_eq!(of("waits._native"), "timed_out");
    // Nothing is an error, and not everything is known.
    assert_eq!((&report["findings"], &report["works"]), (&json!([]), &false.into()));
}

#[test]
fn what_has_no_interpreter_is_refused() {
    let (dir, env) = environment();
    let wheel = wheels::broken_wheel(dir.path());
    let bare = dir.path().join("bare");
    fs::create_dir(&bare).unwrap();
    fs::copy(env.site_packages.join(env.extension()), bare.join("x.so")).unwrap();
    for (arguments, why) in [
        (words(&[&"doctor", &"--probe", &wheel]), "cannot run in a wheel"),
        (words(&[&"verify", &"--probe", &bare]), "no interpreter"),
        (words(&[&"fix", &"--probe", &"--root", &"/", &env.prefix]), "another root"),
        (words(&[&"fix", &"--probe", &env.prefix, &env.prefix]), "name one"),
    ] {
        let ran = run(dir.path(), &arguments);
        assert!(ran.status == 2 && ran.err.contains(why), "{ran:#?}");
    }
    let both = run(dir.path(), &words(&[&"fix", &"--probe", &env.prefix, &"--", &"true"]));
    assert!(both.status == 2 && both.err.contains("cannot be used with"), "{both:#?}");
    assert!(!has_store(&env.prefix));
}

/// A package whose code opens its libraries has no module to import but itself.
#[test]
fn a_package_with_libraries_alone_is_imported() {
    let dir = tempfile::tempdir().unwrap();
    let env = environments::empty(dir.path());
    let library = format!("{}/opens/libopens.so", env.below());
    env.library(&library, "libopens.so", &[], &[]);
    env.distribution("opens", &[], &["opens/__init__.py", "opens/libopens.so"]);
    let opens = |name: &str| {
        let code =
            "import ctypes, os\nctypes.CDLL(os.path.join(__path__[0], ''.join(['lib', NAME])))\n";
        let code = code.replace("NAME", &format!("'{name}'"));
        fs::write(env.site.join("opens/__init__.py"), code).unwrap();
    };
    opens("opens.so");
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 0);
    assert_eq!(outcomes(&report, 0), pairs(&[("opens", "imported")]));
    opens("other.so");
    assert!(!env.runs("import opens"));
    let report = probe(dir.path(), &[&"doctor", &env.prefix], 1);
    assert_eq!(outcomes(&report, 0), pairs(&[("opens", "raised")]));
}

/// The loader ends a process that binds a missing symbol when it calls it: the report has its message.
#[test]
fn what_the_loader_ended_is_an_error_with_its_words() {
    let (dir, env) = environment();
    let package_dir = env.site_packages.join("lazy");
    let library = package_dir.join("liblazy.so");
    let call = format!(
        "void *h = dlopen(\"{}\", RTLD_LAZY); ((int (*)(void)) dlsym(h, \"call\"))()",
        library.display()
    );
    package(&env, "lazy", "", &call);
    let source = dir.path().join("lazy.c");
    fs::write(&source, "int absent(void); int call(void) { return absent(); }").unwrap();
    wheels::run(Command::new("gcc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source));
    let text = run(dir.path(), &words(&[&"doctor", &"--probe", &env.prefix]));
    assert_eq!(text.status, 1, "{text:#?}");
    let line = format!(
        "\nfailed  import lazy._native: the loader terminated the interpreter: symbol lookup error: {}: undefined \
         symbol: absent\n",
        library.display()
    );
    assert!(text.out.contains(&line) && !text.out.contains("other than the loader"), "{text:#?}");
}
