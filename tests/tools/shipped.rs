//! What a distribution ships and what it requires, where a part of that is somewhere else, is another, or is
//! gone. In each case the interpreter says first what is so.

use crate::support::command::{Ran, command, run};
use crate::support::environments::{Environment, empty};
use crate::support::wheels;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULE: &str = "pkg/_fast.abi3.so";
const GUARDED: &str = "try:\n    from . import _fast\nexcept ImportError:\n    _fast = None\n";

fn doctor(env: &Environment) -> Ran {
    run(env.prefix.parent().unwrap(), &["doctor", "env"])
}

/// An environment whose package has a module that finds its library in `pkg/libs`.
fn package(dir: &Path) -> Environment {
    let env = empty(dir);
    library(&env, "libs/libown.so.1", &[]);
    env.module("pkg/_fast", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN/libs"]);
    env.distribution("pkg", &[], &["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1"]);
    env
}

/// A build of the package's library, at a path in the package.
fn library(env: &Environment, path: &str, flags: &[&str]) {
    let site = env.below();
    env.library(&format!("{site}/pkg/{path}"), "libown.so.1", &[], flags);
}

/// The copy that is there has the name and nothing that is bound to it: leading there cures nothing.
#[test]
fn a_copy_without_the_symbols_is_none_to_lead_to() {
    for in_reach in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path());
        fs::remove_file(env.site.join("pkg/libs/libown.so.1")).unwrap();
        let directory = if in_reach { "libs" } else { "other" };
        library(&env, &format!("{directory}/libown.so.1"), &["-fvisibility=hidden"]);
        let listed = ["pkg/__init__.py", MODULE, "pkg/other/libown.so.1"];
        env.distribution("pkg", &[], &listed);
        assert!(!env.runs("import pkg._fast"));
        let told = doctor(&env);
        assert!(told.text(1).contains("missing_symbol"), "{told:#?}");
        let fixed = run(dir.path(), &["fix", "env"]);
        assert!(fixed.text(1).contains("nothing to repair"), "{fixed:#?}");
    }
}

/// A guard is there for what others may not have installed: what the distribution itself brought is meant to
/// be loaded, and is repaired.
#[test]
fn a_guard_does_not_excuse_what_the_distribution_ships() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    fs::write(env.site.join("pkg/__init__.py"), GUARDED).unwrap();
    assert!(env.runs("import pkg._fast") && doctor(&env).status == 0);
    fs::rename(env.site.join("pkg/libs"), env.site.join("pkg/moved")).unwrap();
    assert!(env.runs("import pkg") && !env.runs("import pkg._fast"));
    assert!(doctor(&env).text(1).contains("path_missing"));
    run(dir.path(), &["fix", "env"]).text(0);
    assert!(env.runs("import pkg._fast"));
}

/// The loader ends its search at a file that is no library; another distribution's copy does not help.
#[test]
fn a_flattened_link_is_told_where_others_ship_the_library() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let site = env.below();
    env.library(&format!("{site}/more/libown.so.1"), "libown.so.1", &[], &[]);
    env.module("more/_more", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    env.distribution("more", &[], &["more/__init__.py", "more/_more.abi3.so", "more/libown.so.1"]);
    let libs = env.site.join("pkg/libs");
    fs::rename(libs.join("libown.so.1"), libs.join("libown.so.1.2")).unwrap();
    fs::write(libs.join("libown.so.1"), "libown.so.1.2").unwrap();
    assert!(!env.runs("import pkg._fast"));
    assert!(doctor(&env).text(1).contains("dropped_link"));
    // Gone altogether, it is not what another package may have loaded before.
    fs::remove_file(libs.join("libown.so.1")).unwrap();
    fs::remove_file(libs.join("libown.so.1.2")).unwrap();
    assert!(!env.runs("import pkg._fast"));
    assert_eq!(doctor(&env).status, 1);
}

/// That something of a distribution is gone hides nothing of what a module needs besides.
#[test]
fn what_is_gone_does_not_hide_what_is_out_of_reach() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let inner = "libinner.so.1";
    let site = env.below();
    env.library(&format!("{site}/pkg/moved/{inner}"), inner, &[], &[]);
    env.library(&format!("{site}/pkg/libs/libown.so.1"), "libown.so.1", &[inner], &[]);
    let gone = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1", "pkg/libs/libgone.so.1"];
    env.distribution("pkg", &[], &gone);
    assert!(!env.runs("import pkg._fast"));
    let told = doctor(&env);
    assert!(told.text(1).contains("partial_install"), "{told:#?}");
    assert!(told.out.contains("libinner.so.1 is not found by the loader"), "{told:#?}");
    run(dir.path(), &["fix", "env"]);
    assert!(env.runs("import pkg._fast"));
}

/// A library of the same name that another distribution installed is another one: what is gone was not moved there.
#[test]
fn what_another_distribution_installed_is_not_what_is_gone() {
    for is_same in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path());
        let (own, other) = (env.site.join("pkg/libs/libown.so.1"), env.site.join("other/lib"));
        let size = fs::metadata(&own).unwrap().len();
        let site = env.below();
        let copy = format!("{site}/other/lib/libown.so.1");
        let flags: &[&str] = if is_same { &[] } else { &["-Wl,-z,max-page-size=0x10000"] };
        env.library(&copy, "libown.so.1", &[], flags);
        let size_there = fs::metadata(other.join("libown.so.1")).unwrap().len();
        assert_eq!(size == size_there, is_same);
        let info = env.distribution("pkg", &[], &[]);
        let rows = format!("pkg/__init__.py,,\n{MODULE},,\npkg/libs/libown.so.1,,{size}\n");
        fs::write(info.join("RECORD"), rows).unwrap();
        let info = env.distribution("other", &[], &[]);
        let rows = format!("other/lib/libown.so.1,,{size_there}\n");
        fs::write(info.join("RECORD"), rows).unwrap();
        assert!(env.runs("import pkg._fast") && doctor(&env).status == 0);
        fs::remove_file(own).unwrap();
        assert!(!env.runs("import pkg._fast"));
        let told = doctor(&env);
        assert_eq!(told.text(1).contains("partial_install"), !is_same, "{told:#?}");
        assert_eq!(told.out.contains("error  libown.so.1"), is_same, "{told:#?}");
        // Nor does it help that metadata tell of other requirements.
        let record = fs::read(env.site.join("pkg-1.0.dist-info/RECORD")).unwrap();
        let info = env.distribution("pkg", &["third; extra == 'more'"], &[]);
        fs::write(info.join("RECORD"), record).unwrap();
        assert_eq!(doctor(&env).status, 1, "{is_same}");
    }
}

/// What is required and not installed counts where the code imports it whatever happens.
#[test]
fn what_is_imported_and_not_installed_is_an_error() {
    let imports = "from . import first\n";
    for (first, works) in [
        ("import absent_one\n", false),
        ("from absent_one.part import x\n", false),
        ("try:\n    import absent_one\nexcept ImportError:\n    pass\n", true),
        ("def f():\n    import absent_one\n", true),
        // What the file calls is run, as far as it does not return before.
        ("def f():\n    import absent_one\nf()\n", false),
        (
            "import importlib\ndef f():\n    for name, least in [('os', 1), ('absent_one', 2)]:\n        \
             importlib.import_module(name)\nf()\n",
            false,
        ),
        ("def f():\n    if print:\n        return\n    import absent_one\nf()\n", true),
        ("def f():\n    import absent_one\n    yield\nf()\n", true),
        ("def f():\n    import absent_one\ntry:\n    f()\nexcept ImportError:\n    pass\n", true),
        ("class C:\n    def f(self):\n        import absent_one\nC()\n", true),
        (
            "try:\n    import absent_one\nexcept ModuleNotFoundError:\n    x = print\n    x()\n",
            true,
        ),
        (
            "import contextlib\nwith contextlib.suppress(ImportError):\n    import absent_one\n",
            true,
        ),
        ("try:\n    import absent_one\nexcept ImportError:\n    raise RuntimeError('no')\n", false),
        ("x = 1\n", true),
        // What nobody calls changes nothing, nor do names for what is the package's own.
        ("def f():\n    import sys\n    sys.path.append('x')\nimport absent_one\n", false),
        ("import sys\nsys.modules[__name__ + '.x'] = sys\nimport absent_one\n", false),
        ("import sys\nsys.modules.update({'pkg.x': sys})\nimport absent_one\n", false),
        ("import sys, types\nsys.modules['absent_one'] = types\nimport absent_one\n", true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path());
        fs::write(env.site.join("pkg/__init__.py"), imports).unwrap();
        fs::write(env.site.join("pkg/first.py"), first).unwrap();
        let files = ["pkg/__init__.py", "pkg/first.py", MODULE, "pkg/libs/libown.so.1"];
        env.distribution("pkg", &["absent-one (>=2)", "another ; extra == 'more'"], &files);
        assert_eq!(env.runs("import pkg"), works, "{first}");
        let told = doctor(&env);
        assert_eq!(told.status == 0, works, "{first} {told:#?}");
        let says = "pkg 1.0 requires absent-one, which is not installed";
        assert_eq!(told.out.contains(says), !works, "{first} {told:#?}");
        // What an extra asks for is nothing that the distribution requires.
        env.distribution("pkg", &["absent-one (>=2) ; extra == 'more'"], &files);
        assert_eq!(doctor(&env).status, 0, "{first}");
        env.distribution("pkg", &["absent-one (>=2)", "another ; extra == 'more'"], &files);
        // What looks elsewhere for modules may find it there.
        let elsewhere = format!("import sys\nsys.path.append('/nowhere')\n{first}");
        fs::write(env.site.join("pkg/first.py"), elsewhere).unwrap();
        assert_eq!(doctor(&env).status, 0, "{first}");
        fs::write(env.site.join("pkg/first.py"), first).unwrap();
        // So may the code of a .pth file.
        fs::write(env.site.join("more.pth"), "import site; site.addsitedir('/nowhere')\n").unwrap();
        assert_eq!(doctor(&env).status, 0, "{first}");
        fs::remove_file(env.site.join("more.pth")).unwrap();
        // That of setuptools for a namespace package adds none.
        let namespace = env.site.join("other-1.0-py3.11-nspkg.pth");
        fs::write(&namespace, "import sys, types; sys.modules.setdefault('other', types)\n")
            .unwrap();
        assert_eq!(doctor(&env).status == 0, works, "{first}");
        fs::remove_file(namespace).unwrap();
        // A module of that name does, whoever has put it there.
        fs::write(env.site.join("absent_one.py"), "").unwrap();
        assert_eq!(doctor(&env).status, 0, "{first}");
    }
}

/// A package that nothing imports is imported with each extension module in it.
#[test]
fn what_is_imported_around_a_module_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    fs::create_dir(env.site.join("pkg/sub")).unwrap();
    fs::create_dir(env.site.join("pkg/pure")).unwrap();
    for around in ["sub", "pure"] {
        fs::write(env.site.join(format!("pkg/{around}/__init__.py")), "import absent_one\n")
            .unwrap();
    }
    let mut files = vec!["pkg/__init__.py", "pkg/sub/__init__.py", "pkg/pure/__init__.py", MODULE];
    files.push("pkg/libs/libown.so.1");
    env.distribution("pkg", &["absent-one"], &files);
    assert!(env.runs("import pkg"));
    assert_eq!(doctor(&env).status, 0);
    env.module("pkg/sub/_more", &[], &[]);
    fs::write(env.site.join("pkg/sub/__init__.py"), "from . import first\n").unwrap();
    fs::write(env.site.join("pkg/sub/first.py"), "import absent_one\n").unwrap();
    files.extend(["pkg/sub/first.py", "pkg/sub/_more.abi3.so"]);
    env.distribution("pkg", &["absent-one"], &files);
    assert!(!env.runs("import pkg.sub._more"));
    let told = doctor(&env);
    assert!(told.text(1).contains("pkg/sub/first.py:1 imports absent_one"), "{told:#?}");
}

/// What a distribution with native code requires is imported with it, and has requirements too.
#[test]
fn what_a_requirement_imports_is_found_too() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    for name in ["pure", "other"] {
        fs::create_dir(env.site.join(name)).unwrap();
        fs::write(env.site.join(format!("{name}/__init__.py")), "import absent_one\n").unwrap();
        env.distribution(name, &["absent-one"], &[&format!("{name}/__init__.py")]);
    }
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1"];
    env.distribution("pkg", &["between"], &files);
    env.distribution("between", &[], &[]);
    assert_eq!(doctor(&env).status, 0);
    env.distribution("between", &["pure"], &[]);
    assert!(!env.runs("import pure"));
    let told = doctor(&env);
    assert!(told.text(1).contains("pure/__init__.py:1 imports absent_one"), "{told:#?}");
    assert!(!told.out.contains("other/__init__.py"), "{told:#?}");
}

/// The name of a distribution has small letters, and its module may have others.
#[test]
fn what_is_imported_under_a_name_with_capitals_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let init = env.site.join("pkg/__init__.py");
    fs::write(&init, "import absentOne.part\n").unwrap();
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1"];
    env.distribution("pkg", &["absentone"], &files);
    assert!(!env.runs("import pkg"));
    assert!(doctor(&env).text(1).contains("pkg/__init__.py:1 imports absentOne"));
    fs::create_dir(env.site.join("absentOne")).unwrap();
    fs::write(env.site.join("absentOne/part.py"), "").unwrap();
    assert!(env.runs("import pkg"));
    assert_eq!(doctor(&env).status, 0);
}

/// So it does where native code imports it, of a module without which the package fails.
#[test]
fn what_native_code_imports_and_is_not_installed_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module_that_imports("pkg/_fast", "_cffi_backend");
    env.distribution("pkg", &["cffi (>=1.12)"], &["pkg/__init__.py", MODULE]);
    for (init, works) in [("from . import _fast\n", false), (GUARDED, true)] {
        fs::write(env.site.join("pkg/__init__.py"), init).unwrap();
        assert_eq!(env.runs("import pkg"), works, "{init}");
        let told = doctor(&env);
        assert_eq!(told.status == 0, works, "{init} {told:#?}");
        let says = "pkg 1.0 requires cffi, which is not installed";
        assert_eq!(told.out.contains(says), !works, "{init} {told:#?}");
    }
    fs::write(env.site.join("pkg/__init__.py"), "from . import _fast\n").unwrap();
    // What is required on another system is not missed on this one.
    let elsewhere =
        "cffi>=2; platform_python_implementation == 'CPython' and sys_platform == 'win32'";
    env.distribution("pkg", &[elsewhere], &["pkg/__init__.py", MODULE]);
    assert_eq!(doctor(&env).status, 0);
    env.distribution("pkg", &["cffi (>=1.12)"], &["pkg/__init__.py", MODULE]);
    fs::write(env.site.join("_cffi_backend.py"), "").unwrap();
    assert!(env.runs("import pkg"));
    assert_eq!(doctor(&env).status, 0);
    // A distribution that is native code alone is there for others, whatever these do without it.
    fs::remove_file(env.site.join("_cffi_backend.py")).unwrap();
    env.distribution("pkg", &["cffi (>=1.12)"], &[MODULE]);
    assert!(!env.runs("import pkg._fast"));
    assert_eq!(doctor(&env).status, 1);
}

/// Its name may stand among others without an end. Where Python code mentions it, that says what is done without.
#[test]
fn a_name_that_is_packed_with_others_is_imported_where_nobody_else_mentions_it() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module_that_imports_packed("pkg/_fast", "absent_one");
    env.distribution("pkg", &["absent-one"], &["pkg/__init__.py", MODULE]);
    fs::write(env.site.join("pkg/__init__.py"), "from . import _fast\n").unwrap();
    assert!(!env.runs("import pkg"));
    let told = doctor(&env);
    assert!(told.text(1).contains("the native code of pkg/_fast.abi3.so names absent_one"));
    env.module("pkg/_fast", &[], &[]);
    for mention in ["", "def later():\n    import absent_one\n"] {
        fs::write(env.site.join("pkg/__init__.py"), format!("from . import _fast\n{mention}"))
            .unwrap();
        assert!(env.runs("import pkg"));
        assert_eq!(doctor(&env).status, 0, "{mention}");
    }
    env.module_that_imports_packed("pkg/_fast", "absent_one");
    let guarded = "try:\n    from . import _fast\nexcept ImportError:\n    _fast = None\n";
    fs::write(env.site.join("pkg/__init__.py"), guarded).unwrap();
    assert!(env.runs("import pkg"));
    assert_eq!(doctor(&env).status, 0);
}

/// A library that another one opens beside itself was moved with it; Python code looks where it was.
#[test]
fn what_was_moved_with_a_library_that_is_needed_is_not_gone() {
    for (code, works) in [
        ("", true),
        (
            "import ctypes, os\nctypes.CDLL(os.path.dirname(__file__) + '/lib/libpart.so.9')\n",
            false,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let env = empty(dir.path());
        let site = env.below();
        let path = "-Wl,-rpath,$ORIGIN/../vendor/lib:$ORIGIN/../vendor/moved";
        env.library(&format!("{site}/vendor/lib/libpart.so.9"), "libpart.so.9", &[], &[]);
        env.library(&format!("{site}/vendor/lib/libvendor.so.9"), "libvendor.so.9", &[], &[]);
        env.module("pkg/_fast", &["libvendor.so.9"], &[path]);
        env.distribution("pkg", &[], &["pkg/__init__.py", MODULE]);
        fs::write(env.site.join("vendor/__init__.py"), code).unwrap();
        let info = env.distribution("vendor", &[], &[]);
        let rows = format!(
            "vendor/__init__.py,,{}\nvendor/lib/libpart.so.9,,\nvendor/lib/libvendor.so.9,,\n",
            code.len()
        );
        fs::write(info.join("RECORD"), rows).unwrap();
        assert!(env.runs("import pkg._fast, vendor"));
        fs::rename(env.site.join("vendor/lib"), env.site.join("vendor/moved")).unwrap();
        assert_eq!(env.runs("import pkg._fast, vendor"), works);
        let told = doctor(&env);
        assert_eq!(told.status == 0, works, "{told:#?}");
    }
}

/// A library that code opens by its path is gone from there, wherever it lies now.
#[test]
fn a_library_that_is_opened_by_its_path_is_where_it_was_put_or_gone() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let site = env.below();
    env.library(&format!("{site}/pkg/data/libdata.so"), "libdata.so", &[], &[]);
    let opens = "import ctypes, os\n\
        ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'data', 'libdata.so'))\n";
    fs::write(env.site.join("pkg/__init__.py"), opens).unwrap();
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1", "pkg/data/libdata.so"];
    env.distribution("pkg", &[], &files);
    assert!(env.runs("import pkg") && doctor(&env).status == 0);
    fs::create_dir(env.site.join("pkg/data/moved")).unwrap();
    let moved = env.site.join("pkg/data/moved/libdata.so");
    fs::rename(env.site.join("pkg/data/libdata.so"), moved).unwrap();
    assert!(!env.runs("import pkg"));
    assert!(doctor(&env).text(1).contains("partial_install"));
}

/// Of two TensorFlows the first on `sys.path` is imported, and what the other one requires is no matter.
#[test]
fn a_tensorflow_behind_another_one_requires_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let release = |site: &Path, name: &str, version: &str, requires: &str| {
        let info = site.join(format!("{name}-{version}.dist-info"));
        fs::create_dir_all(&info).unwrap();
        let text = format!("Name: {name}\nVersion: {version}\n{requires}");
        fs::write(info.join("METADATA"), text).unwrap();
    };
    release(&env.site, "numpy", "2.4.6", "");
    release(&env.site, "tensorflow", "2.20.0", "Requires-Dist: numpy>=1.26.0\n");
    assert_eq!(doctor(&env).status, 0);
    let second = dir.path().join("second");
    release(&second, "tensorflow_cpu", "2.16.2", "Requires-Dist: numpy<2.0.0,>=1.23.5\n");
    fs::write(env.site.join("second.pth"), format!("{}\n", second.display())).unwrap();
    assert_eq!(doctor(&env).status, 0);
    // By PYTHONPATH it comes first.
    fs::remove_file(env.site.join("second.pth")).unwrap();
    let variable = format!("PYTHONPATH={}", second.display());
    let told = run(dir.path(), &["doctor", "env", "--env", &variable]);
    assert!(told.text(1).contains("version_mismatch"), "{told:#?}");
}

/// Where the system has a library that code looks for there too, the distribution's own is not needed.
#[test]
fn what_code_finds_on_the_system_instead_is_only_worth_knowing() {
    for (name, works) in [("libz.so", true), ("libown.so", false)] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path());
        let stem = name.trim_start_matches("lib").trim_end_matches(".so");
        let opens = format!(
            "import ctypes.util, os\nname = os.path.join(os.path.dirname(__file__), '{name}')\n\
             if not os.path.exists(name):\n    name = ctypes.util.find_library('{stem}') or name\n\
             ctypes.CDLL(name)\n"
        );
        fs::write(env.site.join("pkg/__init__.py"), opens).unwrap();
        let own = format!("pkg/{name}");
        env.distribution("pkg", &[], &["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1", &own]);
        assert_eq!(env.runs("import pkg"), works, "{name}");
        let told = doctor(&env);
        assert_eq!(told.status == 0, works, "{name}: {told:#?}");
        assert!(told.out.contains("partial_install"), "{name}: {told:#?}");
    }
}

/// Images are made smaller with strip(1), after RECORDs were written; what was exchanged for another build is told
/// by its symbols.
#[test]
fn stripped_objects_are_sound_and_others_are_told_by_their_symbols() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1"];
    let listed = files.map(|file| env.site.join(file));
    let info = env.distribution("pkg", &[], &files);
    let rows = |changed: u64| {
        let row = |(name, path): (&str, &PathBuf)| {
            format!("{name},,{}\n", fs::metadata(path).unwrap().len() + changed)
        };
        files.into_iter().zip(&listed).map(row).collect::<String>()
    };
    fs::write(info.join("RECORD"), rows(0)).unwrap();
    assert_eq!(doctor(&env).status, 0);
    wheels::run(Command::new("strip").args(&listed[1..]));
    assert!(env.runs("import pkg._fast"));
    let told = doctor(&env);
    assert_eq!(told.status, 0, "{told:#?}");
    assert!(told.out.contains("partial_install"), "{told:#?}");
    run(dir.path(), &["verify", "env"]).text(0);
    library(&env, "libs/libown.so.1", &["-fvisibility=hidden"]);
    fs::write(info.join("RECORD"), rows(8)).unwrap();
    assert!(!env.runs("import pkg._fast"));
    assert!(doctor(&env).text(1).contains("missing_symbol"));
}

/// A module is imported by its place: one that lies elsewhere is gone, unless its package was moved with it to
/// another directory of packages, or it is there under another ending.
#[test]
fn a_module_that_lies_elsewhere_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    fs::write(env.site.join("pkg/__init__.py"), "from . import _fast\n").unwrap();
    assert!(env.runs("import pkg") && doctor(&env).status == 0);
    let (module, away) = (env.site.join(MODULE), env.site.join("pkg/old"));
    fs::create_dir(&away).unwrap();
    fs::rename(&module, away.join("_fast.abi3.so")).unwrap();
    assert!(!env.runs("import pkg"));
    assert!(doctor(&env).text(1).contains("pkg/_fast.abi3.so is missing"));
    fs::rename(away.join("_fast.abi3.so"), env.site.join("pkg/_fast.so")).unwrap();
    assert!(env.runs("import pkg"));
    assert_eq!(doctor(&env).status, 0);
    fs::rename(env.site.join("pkg/_fast.so"), &module).unwrap();
    let second = dir.path().join("second");
    fs::create_dir(&second).unwrap();
    fs::rename(env.site.join("pkg"), second.join("pkg")).unwrap();
    fs::write(env.site.join("second.pth"), format!("{}\n", second.display())).unwrap();
    assert!(env.runs("import pkg"));
    let told = doctor(&env);
    assert_eq!(told.status, 0, "{told:#?}");
}

/// Nothing fails without a module that the code goes on without.
#[test]
fn a_module_that_is_gone_and_guarded_is_only_worth_knowing() {
    for (init, status) in [(GUARDED, 0), ("from . import _fast\n", 1)] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path());
        fs::write(env.site.join("pkg/__init__.py"), init).unwrap();
        fs::remove_file(env.site.join(MODULE)).unwrap();
        assert_eq!(env.runs("import pkg"), status == 0);
        assert!(doctor(&env).text(status).contains("partial_install"), "{init}");
    }
}

/// A library that code opens by a name that it puts together is no plugin of what lies beside it under another name;
/// nor is one in a directory of data.
#[test]
fn a_library_of_python_code_is_no_plugin() {
    for directory in ["data", "share"] {
        let dir = tempfile::tempdir().unwrap();
        let env = empty(dir.path());
        let site = env.below();
        let name = format!("pkg/{directory}/libsound_x86_64.so");
        env.library(&format!("{site}/{name}"), "libsound.so.1", &[], &[]);
        let opens = format!(
            "import ctypes, os, platform\nname = 'libsound_%s.so' % platform.machine()\n\
             ctypes.CDLL(os.path.join(os.path.dirname(__file__), '{directory}', name))\n"
        );
        fs::write(env.site.join("pkg/__init__.py"), opens).unwrap();
        env.distribution("pkg", &[], &["pkg/__init__.py", &name]);
        assert!(env.runs("import pkg") && doctor(&env).status == 0);
        let file = env.site.join(&name);
        fs::rename(&file, file.with_file_name("libsound.so.1")).unwrap();
        assert!(!env.runs("import pkg"));
        assert!(doctor(&env).text(1).contains("partial_install"), "{directory}");
    }
}

/// A library where the loader looks that is for another processor is there, and is not one to install.
#[test]
fn a_library_for_another_processor_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let file = env.site.join("pkg/libs/libown.so.1");
    let mut bytes = fs::read(&file).unwrap();
    bytes[18..20].copy_from_slice(&183_u16.to_le_bytes());
    fs::write(&file, bytes).unwrap();
    assert!(!env.runs("import pkg._fast"));
    let told = doctor(&env);
    assert!(
        told.text(1).contains("error  libown.so.1 is built for another architecture"),
        "{told:#?}"
    );
    assert!(
        told.out.contains("pkg/libs/libown.so.1 is built for another architecture"),
        "{told:#?}"
    );
    assert!(told.out.contains("reinstall"), "{told:#?}");
}

/// A library that a wheel puts beside the packages is one of its files.
#[test]
fn a_library_beside_the_packages_is_told_where_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let opens = "import ctypes, sys\nctypes.CDLL(sys.prefix + '/lib/libbeside.so.1')\n";
    fs::write(env.site.join("pkg/__init__.py"), opens).unwrap();
    let file = env.library("lib/libbeside.so.1", "libbeside.so.1", &[], &[]);
    let beside = ["../../libbeside.so.1", "../../../share/man/man1/pkg.1"];
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1", beside[0], beside[1]];
    env.distribution("pkg", &[], &files);
    // A manual page is in another place after `pip install --target`, and nothing needs it.
    assert!(env.runs("import pkg") && doctor(&env).status == 0);
    fs::remove_file(file).unwrap();
    assert!(!env.runs("import pkg"));
    assert!(doctor(&env).text(1).contains("lib/libbeside.so.1 is missing"));
}

/// Of all that is gone, what a module needs itself is named first.
#[test]
fn what_a_module_needs_is_named_first_of_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libinner.so.1", "pkg/libs/libown.so.1"];
    env.distribution("pkg", &[], &files);
    fs::remove_dir_all(env.site.join("pkg/libs")).unwrap();
    let told = doctor(&env);
    assert!(
        told.text(1).contains("2 are missing (pkg/libs/libown.so.1, pkg/libs/libinner.so.1)"),
        "{told:#?}"
    );
    assert!(told.out.contains("error  pkg/libs/libown.so.1 is missing"), "{told:#?}");
}

/// Nothing fails without a plugin that no code mentions and nothing needs.
#[test]
fn a_plugin_that_is_gone_is_only_worth_knowing() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let site = env.below();
    let mut files: Vec<String> =
        ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1"].map(str::to_owned).into();
    for name in ["libone.so", "libother.so"] {
        env.library(&format!("{site}/pkg/plugins/{name}"), name, &[], &[]);
        files.push(format!("pkg/plugins/{name}"));
    }
    env.distribution("pkg", &[], &files.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(doctor(&env).status, 0);
    fs::remove_file(env.site.join("pkg/plugins/libother.so")).unwrap();
    assert!(env.runs("import pkg._fast"));
    let told = doctor(&env);
    assert_eq!(told.status, 0, "{told:#?}");
    assert!(told.out.contains("partial_install"), "{told:#?}");
    // The package's own code may open it.
    let init = env.site.join("pkg/__init__.py");
    fs::write(&init, "KNOWN = ['other']\n").unwrap();
    assert_eq!(doctor(&env).status, 1);
    // It does not if it only asks whether the file exists.
    let asks =
        "import os\nif os.path.exists(os.path.join(__path__[0], 'libother.so')):\n    KNOWN = 1\n";
    fs::write(&init, asks).unwrap();
    assert!(env.runs("import pkg._fast"));
    assert_eq!(doctor(&env).status, 0);
    fs::write(&init, format!("{asks}else:\n    raise ImportError\n")).unwrap();
    assert!(!env.runs("import pkg._fast"));
    assert_eq!(doctor(&env).status, 1);
    // It may be called as it was before a tool for wheels gave it a digest.
    let digested = "pkg/plugins/libother-0a1b2c3d.so";
    env.distribution("pkg", &[], &["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1", digested]);
    assert_eq!(doctor(&env).status, 1);
    // A library that is needed is no plugin.
    fs::write(env.site.join("pkg/__init__.py"), "").unwrap();
    fs::remove_file(env.site.join("pkg/libs/libown.so.1")).unwrap();
    assert_eq!(doctor(&env).status, 1);
}

/// auditwheel gives modules a copy of a library under another name, and leaves the library where the build had put it.
#[test]
fn a_library_of_which_modules_have_a_copy_is_only_worth_knowing() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let (site, copy) = (env.below(), "libown-0a1b2c3d.so.1");
    env.library(&format!("{site}/pkg.libs/{copy}"), copy, &[], &[]);
    env.module("pkg/_fast", &[copy], &["-Wl,-rpath,$ORIGIN/../pkg.libs"]);
    let copied = format!("pkg.libs/{copy}");
    let distribution = |gone: &str| {
        env.distribution("pkg", &[], &["pkg/__init__.py", MODULE, &copied, gone]);
    };
    assert!(env.runs("import pkg._fast"));
    distribution("pkg/libown.so.1");
    doctor(&env).text(0);
    // Of another library it is not known what needs it.
    distribution("pkg/libother.so.1");
    doctor(&env).text(1);
    distribution("pkg/libown.so.1");
    fs::write(env.site.join("pkg/__init__.py"), "NAME = 'libown.so.1'\n").unwrap();
    doctor(&env).text(1);
}

/// Of several plugins beside a module, which nothing names, each may be gone; what a constant names is no plugin.
#[test]
fn one_of_a_family_of_plugins_is_only_worth_knowing() {
    for (constant, status) in [("libown_solver_", 0), ("libown_solver_one.so", 1)] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path());
        let site = env.below();
        env.module_that_opens("pkg/_opens", constant, &[]);
        let names = ["libown_solver_one.so", "libown_solver_other.so"];
        for name in names {
            env.library(&format!("{site}/pkg/{name}"), name, &[], &[]);
        }
        let plugins = names.map(|name| format!("pkg/{name}"));
        // Code that is too long to be parsed mentions none of them.
        let long = env.site.join("pkg/long.py");
        fs::write(long, "# A long line of which there are many.\n".repeat(60_000)).unwrap();
        let files = [
            "pkg/_opens.abi3.so",
            MODULE,
            "pkg/libs/libown.so.1",
            "pkg/long.py",
            &plugins[0],
            &plugins[1],
        ];
        env.distribution("pkg", &[], &files);
        assert_eq!(doctor(&env).status, 0);
        fs::remove_file(env.site.join(&plugins[0])).unwrap();
        let told = doctor(&env);
        assert!(told.text(status).contains("partial_install"), "{told:#?}");
        // A directory of which nothing is left is one that a program lists, unless a name of it is known.
        let listed = format!("pkg/listed/{}", names[0]);
        let gone = [&listed, "pkg/listed/data/icon.png"];
        env.distribution("pkg", &[], &[&files[..4], &gone].concat());
        assert_eq!(doctor(&env).status, status);
        env.distribution("pkg", &[], &files);
        // Without another one beside it, it is not one of several.
        fs::remove_file(env.site.join(&plugins[1])).unwrap();
        assert_eq!(doctor(&env).status, 1);
    }
}

/// A library to which a module will lead once its directory is searched is no plugin, nor is what it needs: without
/// that nothing is repaired.
#[test]
fn what_is_gone_behind_a_library_that_was_moved_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let libs = format!("{site}/pkg.libs");
    env.library(&format!("{libs}/libthird.so.1"), "libthird.so.1", &[], &[]);
    let beside = "-Wl,-rpath,$ORIGIN";
    env.library(&format!("{libs}/libnext.so.1"), "libnext.so.1", &["libthird.so.1"], &[beside]);
    env.library(&format!("{libs}/libown.so.1"), "libown.so.1", &["libnext.so.1"], &[beside]);
    env.module("pkg/_fast", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN/../pkg.libs"]);
    fs::write(env.site.join("pkg/__init__.py"), "from . import _fast\n").unwrap();
    let names = ["libown.so.1", "libnext.so.1", "libthird.so.1"];
    let all = names.map(|name| format!("pkg.libs/{name}"));
    env.distribution("pkg", &[], &["pkg/__init__.py", MODULE, &all[0], &all[1], &all[2]]);
    assert!(env.runs("import pkg"));
    fs::rename(env.site.join("pkg.libs"), env.site.join("moved")).unwrap();
    fs::remove_file(env.site.join("moved/libthird.so.1")).unwrap();
    let told = doctor(&env);
    assert!(told.text(1).contains("error  pkg.libs/libthird.so.1 is missing"), "{told:#?}");
    let fixed = run(dir.path(), &["fix", "env"]);
    assert_eq!(fixed.status, 1, "{fixed:#?}");
    assert!(!env.runs("import pkg"));
}

/// Nor does anything without a library that such plugins alone need.
#[test]
fn what_plugins_alone_need_is_worth_knowing_where_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let site = env.below();
    let init = env.site.join("pkg/__init__.py");
    env.library(&format!("{site}/pkg/libs/libpart.so.1"), "libpart.so.1", &[], &[]);
    let flags = ["-Wl,-rpath,$ORIGIN/../libs"];
    let plugin = env.library(
        &format!("{site}/pkg/plugins/libthird.so"),
        "libthird.so",
        &["libpart.so.1"],
        &flags,
    );
    let files = ["libs/libown.so.1", "libs/libpart.so.1", "plugins/libthird.so"]
        .map(|it| format!("pkg/{it}"));
    let files: Vec<&str> =
        ["pkg/__init__.py", MODULE].into_iter().chain(files.iter().map(String::as_str)).collect();
    env.distribution("pkg", &[], &files);
    assert_eq!(doctor(&env).status, 0);
    fs::remove_file(env.site.join("pkg/libs/libpart.so.1")).unwrap();
    assert!(env.runs("import pkg._fast"));
    let told = doctor(&env);
    assert!(told.text(0).contains("partial_install"), "{told:#?}");
    // The package's own code opens the plugin.
    let opens = format!("import ctypes\nctypes.CDLL({:?})\n", plugin);
    fs::write(init, opens).unwrap();
    assert!(!env.runs("import pkg"));
    assert!(doctor(&env).text(1).contains("partial_install"));
}

/// What was a distribution of its own once is a module of Python's today.
#[test]
fn a_module_of_the_standard_library_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    fs::write(env.site.join("pkg/__init__.py"), "import argparse, dataclasses, math\n").unwrap();
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1"];
    env.distribution("pkg", &["argparse", "dataclasses", "math"], &files);
    assert!(env.runs("import pkg"));
    assert_eq!(doctor(&env).status, 0);
}

/// A directory inside of the environment that a `.pth` file names is one of packages as any other.
#[test]
fn a_named_directory_inside_is_one_of_packages() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let site = env.below();
    // A plugin that a program of the package opens once the library is loaded.
    env.library(&format!("{site}/pkg/plugins/plugin.so"), "plugin.so", &["libown.so.1"], &[]);
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1", "pkg/plugins/plugin.so"];
    env.distribution("pkg", &[], &files);
    assert_eq!(doctor(&env).status, 0);
    let other = env.prefix.join("share/site");
    fs::create_dir_all(&other).unwrap();
    for name in ["pkg", "pkg-1.0.dist-info"] {
        fs::rename(env.site.join(name), other.join(name)).unwrap();
    }
    fs::write(env.site.join("more.pth"), format!("{}\n", other.display())).unwrap();
    assert!(env.runs("import pkg._fast"));
    let told = doctor(&env);
    assert_eq!(told.status, 0, "{told:#?}");
}

/// Installers give copies of one file one name in several packages: it matters to nobody which is loaded.
#[test]
fn another_copy_of_the_same_file_serves() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let (common, moved, third) = ("libcommon-1a.so.1", "libmoved.so.1", "libthird.so.1");
    let beside = ["-Wl,-rpath,$ORIGIN"];
    let library = |path: &str, soname: &str, needs: &[&str]| {
        env.library(&format!("{site}/{path}/{soname}"), soname, needs, &beside)
    };
    library("one/libs", common, &[]);
    library("one/libs", third, &[common]);
    library("two/libs", moved, &[common]);
    // What was moved is loaded before the third one, and brings the copy beside it along.
    library("one/libs", "libouter.so.1", &[moved, third]);
    env.module("one/_one", &["libouter.so.1"], &["-Wl,-rpath,$ORIGIN/libs"]);
    let files = ["one/__init__.py", "one/_one.abi3.so", "one/libs/libouter.so.1"];
    env.distribution("one", &[], &files);
    fs::create_dir_all(env.site.join("two/libs")).unwrap();
    let copy = env.site.join("two/libs").join(common);
    fs::copy(env.site.join("one/libs").join(common), &copy).unwrap();
    assert!(!env.runs("import one._one"));
    run(dir.path(), &["fix", "env"]).text(0);
    assert!(env.runs("import one._one"));
}

/// A variable can spoil what Python itself is made of, wherever the environment was made from.
#[test]
fn a_variable_spoils_modules_of_the_base_installation() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    let map = dir.path().join("versions.map");
    fs::write(&map, "OLD_0.1 { global: *; };").unwrap();
    let versions = format!("-Wl,--version-script={}", map.display());
    env.library("made/libcrypto.so.3", "libcrypto.so.3", &[], &[&versions]);
    fs::rename(env.prefix.join("made/libcrypto.so.3"), other.join("libcrypto.so.3")).unwrap();
    let imports = |module: &str, with: bool| {
        let mut python = Command::new(env.prefix.join("bin/python"));
        if with {
            python.env("LD_LIBRARY_PATH", &other);
        }
        python.args(["-c", &format!("import {module}")]).output().unwrap().status.success()
    };
    assert!(imports("ssl", false) && !imports("ssl", true));
    // What is imported in a `try` alone is not needed.
    assert!(!imports("_hashlib", true) && imports("hashlib", true));
    let doctor = |value: &Path| {
        let mut doctor = command(dir.path());
        Ran::of(&doctor.args(["doctor", "env"]).env("LD_LIBRARY_PATH", value).output().unwrap())
    };
    let told = doctor(&other);
    assert!(told.text(1).contains("from LD_LIBRARY_PATH"), "{told:#?}");
    assert!(told.out.contains("lib-dynload/_hashlib"), "{told:#?}");
    doctor(dir.path()).text(0);
    let uuid = dir.path().join("uuid");
    fs::create_dir(&uuid).unwrap();
    env.library("made/libuuid.so.1", "libuuid.so.1", &[], &[&versions]);
    fs::rename(env.prefix.join("made/libuuid.so.1"), uuid.join("libuuid.so.1")).unwrap();
    doctor(&uuid).text(0);
}
