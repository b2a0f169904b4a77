//! What Python code says of a shared object that does not load: whether it goes on without, what it has
//! imported before, and what it opens. In each case the interpreter says first what is so.

use crate::support::command::{run, snapshot};
use crate::support::environments::{Environment, empty};
use std::fs;
use std::path::Path;

/// A module that needs a library which is nowhere, in a package whose code is given: files and texts.
fn package(dir: &Path, code: &[(&str, &str)]) -> Environment {
    let env = empty(dir);
    let gone = env.library("lib/libgone.so.3", "libgone.so.3", &[], &[]);
    fs::remove_file(gone).unwrap();
    env.module("pkg/_fast", &["libgone.so.3"], &[]);
    let mut files = vec!["pkg/_fast.abi3.so".to_owned()];
    for (file, text) in code {
        let path = env.site.join("pkg").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        files.push(format!("pkg/{file}"));
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    env.distribution("pkg", &[], &files);
    env
}

/// The doctor's status, what it says, and that a repair changes nothing.
fn doctor(env: &Environment) -> (i32, String) {
    let dir = env.prefix.parent().unwrap();
    let before = snapshot(&env.prefix);
    let told = run(dir, &["doctor", "env"]);
    run(dir, &["fix", "env"]);
    assert_eq!(snapshot(&env.prefix), before);
    (told.status, told.out)
}

const GUARDED: &str = "try:\n    from . import _fast\nexcept ImportError:\n    _fast = None\n";

#[test]
fn what_code_goes_on_without_is_only_worth_knowing() {
    for code in [
        &[("__init__.py", GUARDED)][..],
        // By another file, which is imported so itself.
        &[
            ("__init__.py", "try:\n    import pkg.speed\nexcept Exception:\n    pass\n"),
            ("speed.py", "from pkg import _fast\nfrom . import more\n"),
            ("more.py", "from pkg.speed import _fast\n"),
        ],
        &[
            ("__init__.py", ""),
            (
                "lazy.py",
                "def f():\n    try:\n        import pkg._fast as it\n    except ImportError:\n        it = None\n",
            ),
        ],
        // What the package has set to something else.
        &[("__init__.py", GUARDED), ("user.py", "from . import _fast\nfrom pkg import _fast\n")],
        // Tests are nobody's way to a module.
        &[
            ("__init__.py", GUARDED),
            ("tests/__init__.py", ""),
            ("tests/test_fast.py", "import pkg._fast\n"),
        ],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path(), code);
        assert!(env.runs("import pkg") && !env.runs("import pkg._fast"), "{code:?}");
        let (status, told) = doctor(&env);
        assert_eq!(status, 0, "{code:?}: {told}");
        assert!(told.contains("info  libgone.so.3 is not installed"), "{told}");
        assert!(told.contains(" continues without it"), "{told}");
        // Named outright it is judged by itself.
        let module = env.site.join("pkg/_fast.abi3.so");
        assert_eq!(run(dir.path(), &["doctor", module.to_str().unwrap()]).status, 1);
    }
}

/// What only a function imports fails when that is called, and no sooner: of a library that is nowhere that is
/// worth knowing. One that lies out of reach is repaired.
#[test]
fn what_is_imported_when_a_function_is_called_is_no_error_yet() {
    let plain = "def f():\n    from . import _fast\n    return _fast\n";
    let dynamic = "import importlib\n\
        def load(version):\n    name = f'pkg._fast{version}'\n    return importlib.import_module(name)\n\
        def other():\n    name = 1\n";
    for code in [plain, dynamic] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path(), &[("__init__.py", code)]);
        assert!(env.runs("import pkg"));
        let (status, told) = doctor(&env);
        assert_eq!(status, 0, "{code}: {told}");
        assert!(told.contains("pkg/__init__.py:"), "{told}");
        assert!(told.contains(" opens it when a function is called"), "{told}");
        // The library is there after all, where nobody looks.
        let site = env.below();
        env.library(&format!("{site}/pkg/deep/libgone.so.3"), "libgone.so.3", &[], &[]);
        assert!(!env.runs("import pkg._fast"));
        run(dir.path(), &["fix", "env"]).text(0);
        assert!(env.runs("import pkg._fast"), "{code}");
    }
}

/// A package that opens its own library by a path which a function puts together from a name.
#[test]
fn a_library_whose_name_is_handed_to_a_function_is_taken_for_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path(), &[]);
    let site = env.below();
    env.library(&format!("{site}/pkg/deep/libgone.so.3"), "libgone.so.3", &[], &[]);
    let code = |name: &str| {
        let text = format!(
            "import ctypes, os\n\
             def load(name):\n    \
             path = os.path.join(os.path.dirname(__file__), 'deep', name + '.so.3')\n    \
             ctypes.CDLL(path, ctypes.RTLD_GLOBAL)\n\
             load({name})\n\
             from . import _fast\n"
        );
        fs::write(env.site.join("pkg/__init__.py"), text).unwrap();
    };
    env.distribution(
        "pkg",
        &[],
        &["pkg/__init__.py", "pkg/_fast.abi3.so", "pkg/deep/libgone.so.3"],
    );
    code("'libgone'");
    assert!(env.runs("import pkg"));
    let (status, told) = doctor(&env);
    assert_eq!(status, 0, "{told}");
    assert!(told.contains("load_order"), "{told}");
    code("'libother'");
    assert!(!env.runs("import pkg"));
    assert_eq!(run(dir.path(), &["doctor", "env"]).status, 1);
}

/// What a package opens before it imports a module is loaded then: by a path that constants tell, alone or in
/// a loop, or with all files of a directory.
#[test]
fn what_code_opens_before_is_loaded_then() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path(), &[]);
    let site = env.below();
    env.library(&format!("{site}/pkg/deep/libgone.so.3"), "libgone.so.3", &[], &[]);
    env.library(&format!("{site}/pkg/deep/libmore.so.3"), "libmore.so.3", &[], &[]);
    let listed = ["deep/libgone.so.3", "deep/libmore.so.3", "__init__.py", "_fast.abi3.so"];
    let listed: Vec<String> = listed.iter().map(|file| format!("pkg/{file}")).collect();
    env.distribution("pkg", &[], &listed.iter().map(String::as_str).collect::<Vec<_>>());
    let here = "import ctypes, glob, os\nhere = os.path.dirname(__file__)\n";
    let each = "    ctypes.CDLL(os.path.join(here, 'deep', name))\n";
    for (code, works) in [
        ("ctypes.CDLL(os.path.join(here, 'deep', 'libgone.so.3'))\n".to_owned(), true),
        (format!("for name in ['libmore.so.3', 'libgone.so.3']:\n{each}"), true),
        (
            format!("def load():\n  for name in ('libmore.so.3', 'libgone.so.3'):\n{each}load()\n"),
            true,
        ),
        ("for path in glob.glob(here + '/deep/*.so*'):\n    ctypes.CDLL(path)\n".to_owned(), true),
        (format!("for name in ['libmore.so.3']:\n{each}"), false),
        ("[ctypes.CDLL(path) for path in glob.glob(here + '/deep/*.so*')]\n".to_owned(), true),
        (
            "for name in os.listdir(here + '/deep'):\n    \
             if name.endswith('.so.3'):\n        ctypes.CDLL(here + '/deep/' + name)\n"
                .to_owned(),
            true,
        ),
        // Elsewhere, under another name, for another system, or for nothing.
        ("for path in glob.glob(here + '/deep/*.dll'):\n    ctypes.CDLL(path)\n".to_owned(), false),
        ("for path in glob.glob(here + '/else/*.so*'):\n    ctypes.CDLL(path)\n".to_owned(), false),
        (
            "import sys\nif sys.platform == 'win32':\n    \
             ctypes.CDLL(os.path.join(here, 'deep', 'libgone.so.3'))\n"
                .to_owned(),
            false,
        ),
        (
            "try:\n    ctypes.CDLL(os.path.join(here, 'else', 'libgone.so.3'))\nexcept OSError:\n    pass\n"
                .to_owned(),
            false,
        ),
        ("try:\n    ctypes.CDLL('libgone.so.3')\nexcept OSError:\n    pass\n".to_owned(), false),
    ] {
        fs::write(env.site.join("pkg/__init__.py"), format!("{here}{code}from . import _fast\n"))
            .unwrap();
        assert_eq!(env.runs("import pkg"), works, "{code}");
        let told = run(dir.path(), &["doctor", "env"]);
        assert_eq!(told.status == 0, works, "{code} {told:#?}");
    }
    // Behind the import it comes too late.
    let call = "ctypes.CDLL(os.path.join(here, 'deep', 'libgone.so.3'))\n";
    for late in [
        format!("from . import _fast\n{call}"),
        format!("def f():\n    {call}from . import _fast\nf()\n"),
    ] {
        fs::write(env.site.join("pkg/__init__.py"), format!("{here}{late}")).unwrap();
        assert!(!env.runs("import pkg"));
        assert_eq!(run(dir.path(), &["doctor", "env"]).status, 1, "{late}");
    }
}

#[test]
fn what_code_cannot_do_without_is_an_error() {
    let raises = "try:\n    from . import _fast\nexcept ImportError as e:\n    raise ImportError('no') from e\n";
    let exits =
        "import sys\ntry:\n    from . import _fast\nexcept ImportError:\n    sys.exit('no')\n";
    let deep = format!("{GUARDED}x = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000));
    for (code, imports) in [
        (&[("__init__.py", "from . import _fast\n")][..], "import pkg"),
        (&[("__init__.py", raises)], "import pkg"),
        (&[("__init__.py", exits)], "import pkg"),
        (
            &[("__init__.py", "try:\n    from . import _fast\nexcept OSError:\n    pass\n")],
            "import pkg",
        ),
        // In one place with a guard, in another without.
        (&[("__init__.py", GUARDED), ("other.py", "import pkg._fast\n")], "import pkg.other"),
        (
            &[
                ("__init__.py", GUARDED),
                ("sub/__init__.py", ""),
                ("sub/a.py", "from .._fast import it\n"),
            ],
            "import pkg.sub.a",
        ),
        // What is not read tells nothing: a file that no interpreter reads either.
        (&[("__init__.py", &deep)], "import pkg"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path(), code);
        assert!(!env.runs(imports), "{code:?}");
        let (status, told) = doctor(&env);
        assert_eq!(status, 1, "{imports}: {told}");
        assert!(told.contains("error  libgone.so.3 is not installed"), "{told}");
    }
}

/// A library that Python code opens by its path: as much needed as what it imports.
#[test]
fn what_code_opens_counts_as_what_it_imports() {
    let open = "ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'libengine.so'))\n";
    let guarded = format!("import ctypes, os\ntry:\n    {open}except OSError:\n    pass\n");
    let other_error = format!("import ctypes, os\ntry:\n    {open}except ImportError:\n    pass\n");
    for (code, is_needed) in [
        (format!("import ctypes, os\n{open}"), true),
        (
            "import ctypes, pathlib\nhere = pathlib.Path(__file__).parent\n\
             ctypes.CDLL(str(here / 'libengine.so'))\n"
                .to_owned(),
            true,
        ),
        (other_error, true),
        (guarded, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path(), &[("__init__.py", ""), ("_fast.py", "")]);
        fs::remove_file(env.site.join("pkg/_fast.abi3.so")).unwrap();
        let site = env.below();
        let engine = format!("{site}/engine/libengine.so");
        env.library(&engine, "libengine.so", &["libgone.so.3"], &[]);
        // Another library beside it, so that it is not the only native code.
        env.library(&format!("{site}/engine/libidle.so"), "libidle.so", &[], &[]);
        fs::write(env.site.join("engine/__init__.py"), &code).unwrap();
        let files = ["engine/__init__.py", "engine/libengine.so", "engine/libidle.so"];
        env.distribution("engine", &[], &files);
        env.distribution("pkg", &[], &["pkg/__init__.py"]);
        assert_eq!(env.runs("import engine"), !is_needed, "{code}");
        let (status, told) = doctor(&env);
        assert_eq!(status, i32::from(is_needed), "{code}: {told}");
        assert!(told.contains("libgone.so.3 is not installed"), "{told}");
    }
}

/// Two distributions load a library, and the metadata of a third name neither: its code imports one of them
/// before its own module.
#[test]
fn what_code_imports_before_is_loaded_then() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let soname = "libhost_core.so.1";
    for host in ["host", "other"] {
        env.library(&format!("{site}/{host}/lib/{soname}"), soname, &[], &[]);
        env.module(&format!("{host}/_{host}"), &[soname], &["-Wl,-rpath,$ORIGIN/lib"]);
        fs::write(env.site.join(host).join("__init__.py"), format!("from . import _{host}\n"))
            .unwrap();
        let files = ["__init__.py", &format!("_{host}.abi3.so"), &format!("lib/{soname}")];
        let files = files.map(|file| format!("{host}/{file}"));
        env.distribution(host, &[], &files.each_ref().map(String::as_str));
    }
    env.module("scatter/_scatter", &[soname], &[]);
    env.distribution("scatter", &["numpy"], &["scatter/__init__.py", "scatter/_scatter.abi3.so"]);
    let code = env.site.join("scatter/__init__.py");
    fs::write(&code, "import host\nfrom . import _scatter\n").unwrap();
    assert!(env.runs("import scatter"));
    let (status, told) = doctor(&env);
    assert_eq!(status, 0, "{told}");
    assert!(told.contains("load_order"), "{told}");
    for code_of_it in
        ["from . import _scatter\n", "def f():\n    import host\nfrom . import _scatter\n"]
    {
        fs::write(&code, code_of_it).unwrap();
        assert!(!env.runs("import scatter"));
        let ran = run(dir.path(), &["doctor", "env"]);
        assert_eq!(ran.status, 1, "{ran:#?}");
    }
}

/// A distribution with a library, and one whose module needs it and whose code is given.
fn requiring(dir: &Path, code: &str) -> Environment {
    let env = empty(dir);
    let library = format!("{}/vendor/lib/libvendor.so.1", env.below());
    env.library(&library, "libvendor.so.1", &[], &[]);
    env.distribution("vendor", &[], &["vendor/lib/libvendor.so.1"]);
    env.module("pkg/_fast", &["libvendor.so.1"], &[]);
    fs::write(env.site.join("pkg/__init__.py"), "from .loader import *\n").unwrap();
    fs::write(env.site.join("pkg/loader.py"), code).unwrap();
    let own = ["pkg/__init__.py", "pkg/loader.py", "pkg/_fast.abi3.so"];
    env.distribution("pkg", &["vendor"], &own);
    env
}

const OF_A_LIST: &str = "\
import ctypes, json, os
from importlib.metadata import distribution

def preload(target):
    for file in distribution(target['package']).files:
        if file.name == target['library']:
            ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)

with open(os.path.join(os.path.dirname(__file__), 'preload.json')) as names:
    for target in json.load(names):
        if os.getenv('WITHOUT_' + target['package']):
            continue
        preload(target)
from ._fast import *
";

/// The names of the libraries stand in a file that is no code.
#[test]
fn what_a_list_names_of_a_requirement_may_be_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let env = requiring(dir.path(), OF_A_LIST);
    let names = r#"[{"package": "vendor", "library": "libvendor.so.1"}]"#;
    fs::write(env.site.join("pkg/preload.json"), names).unwrap();
    assert!(env.runs("import pkg"));
    let (status, said) = doctor(&env);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("must be loaded first"), "{said}");
    // The list may lead to where it was, and to nothing else.
    let vendor = env.site.join("vendor");
    fs::rename(vendor.join("lib"), vendor.join("lib64")).unwrap();
    assert!(!env.runs("import pkg"));
    let said = run(dir.path(), &["doctor", "env"]);
    assert!(said.text(1).contains("libvendor.so.1 is not found"), "{said:#?}");
}

const FALLING_BACK: &str = "\
import ctypes, glob, os, sys

def preload(folder, pattern):
    found = None
    for path in sys.path:
        files = glob.glob(os.path.join(path, folder, 'lib', pattern))
        if files and not found:
            found = files[0]
    if found:
        ctypes.CDLL(found)

def load():
    try:
        ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'libdeps.so'))
    except OSError:
        for folder, pattern in {LIBRARIES}.items():
            preload(folder, pattern)

if not os.getenv('WITHOUT_LIBRARIES'):
    load()
from ._fast import *
";

/// PyTorch opens the libraries of its requirements where its own search paths do not lead to them.
#[test]
fn what_a_package_falls_back_to_may_be_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let of = |libraries: &str| FALLING_BACK.replace("{LIBRARIES}", libraries);
    let env = requiring(dir.path(), "");
    let write = |libraries| fs::write(env.site.join("pkg/__init__.py"), of(libraries)).unwrap();
    write("{'vendor': 'libvendor.so.*[0-9]'}");
    // A second package of the same distribution imports the first one.
    env.module("more/_more", &["libvendor.so.1"], &[]);
    fs::write(env.site.join("more/__init__.py"), "import pkg\n").unwrap();
    let own = ["pkg/__init__.py", "pkg/loader.py", "pkg/_fast.abi3.so"];
    let more = ["more/__init__.py", "more/_more.abi3.so"];
    env.distribution("pkg", &["vendor"], &[&own[..], &more].concat());
    assert!(env.runs("import pkg") && env.runs("import more._more"));
    let (status, said) = doctor(&env);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("must be loaded first"), "{said}");
    // A list of others does not load it.
    write("{'a': 'liba.so.*', 'b': 'libb.so.*', 'c': 'libc_.so.*'}");
    assert!(!env.runs("import pkg"));
    assert_eq!(run(dir.path(), &["doctor", "env"]).status, 1);
}

/// The library was where its search path leads when it was installed, and there is no module.
#[test]
fn what_was_found_when_it_was_installed_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let needed = format!("{site}/pkg.libs/libinner-0123abcd.so.1");
    env.library(&needed, "libinner-0123abcd.so.1", &[], &[]);
    let flags = ["-Wl,-rpath,$ORIGIN/../../pkg.libs"];
    let engine = format!("{site}/pkg/lib/libengine.so");
    env.library(&engine, "libengine.so", &["libinner-0123abcd.so.1"], &flags);
    let code = "\
import ctypes, os
here = os.path.dirname(__file__)
names = [os.path.join(here, 'lib', 'lib%s.so' % name) for name in ('engine', 'other')]
ctypes.CDLL([name for name in names if os.path.exists(name)][0])
";
    fs::write(env.site.join("pkg/__init__.py"), code).unwrap();
    let files = ["pkg/__init__.py", "pkg/lib/libengine.so", "pkg.libs/libinner-0123abcd.so.1"];
    env.distribution("pkg", &[], &files);
    assert!(env.runs("import pkg"));
    assert_eq!(doctor(&env).0, 0);
    fs::rename(env.site.join("pkg.libs"), env.site.join("moved")).unwrap();
    assert!(!env.runs("import pkg"));
    let said = run(dir.path(), &["doctor", "env"]);
    assert!(said.text(1).contains("libinner-0123abcd.so.1 is not found"), "{said:#?}");
    run(dir.path(), &["fix", "env"]).text(0);
    assert!(env.runs("import pkg"));
}

/// A package of NVIDIA finds the libraries of the others, and is asked when a module is.
#[test]
fn what_cuda_pathfinder_opens_may_be_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let code = "\
import importlib
from cuda import pathfinder
def __getattr__(name):
    if name == '_fast':
        pathfinder.load_nvidia_dynamic_lib('vendor')
        return importlib.import_module('pkg._fast')
    raise AttributeError(name)
";
    let env = requiring(dir.path(), code);
    fs::write(env.site.join("pkg/__init__.py"), code).unwrap();
    fs::create_dir_all(env.site.join("cuda/pathfinder")).unwrap();
    let opens = "\
import ctypes, pathlib
def load_nvidia_dynamic_lib(name):
    site = pathlib.Path(__file__).parents[2]
    ctypes.CDLL(str(site / name / 'lib' / f'lib{name}.so.1'))
";
    fs::write(env.site.join("cuda/pathfinder/__init__.py"), opens).unwrap();
    assert!(env.runs("from pkg import _fast"));
    let (status, said) = doctor(&env);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("must be loaded first"), "{said}");
}

/// The library is one of another package, which the metadata do not mention, and nothing but users imports the module.
#[test]
fn what_a_package_offers_besides_is_only_worth_knowing() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let gone = env.library("lib/libnccl.so.2", "libnccl.so.2", &[], &[]);
    fs::remove_file(gone).unwrap();
    env.module("pkg/_more", &["libnccl.so.2"], &[]);
    env.module("other/_other", &[], &[]);
    env.distribution("other", &[], &["other/__init__.py", "other/_other.abi3.so"]);
    let write = |init: &str| {
        fs::write(env.site.join("pkg/__init__.py"), init).unwrap();
        fs::write(env.site.join("pkg/more.py"), "from pkg._more import *\n").unwrap();
    };
    let own = ["pkg/__init__.py", "pkg/more.py", "pkg/_more.abi3.so"];
    let says = |requires: &[&str]| {
        write("");
        env.distribution("pkg", requires, &own);
        doctor(&env)
    };
    let (status, said) = says(&["other"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("info  libnccl.so.2 is not installed"), "{said}");
    assert!(env.runs("import pkg") && !env.runs("import pkg.more"));
    // One that says nothing may need it, and so does one that mentions it.
    for requires in [&[][..], &["other", "nvidia-nccl-cu12; extra == \"gpu\""]] {
        let (status, said) = says(requires);
        assert_eq!(status, 1, "{said}");
    }
    let (status, _) = says(&["other", "bundle[nccl]; extra == \"gpu\""]);
    assert_eq!(status, 1);
    env.distribution("pkg", &["other"], &own);
    write("from . import more\n");
    assert!(!env.runs("import pkg"));
    assert_eq!(doctor(&env).0, 1);
}

/// Python code that looks for a library of the system on import, and raises an error without it, as wrappers with
/// ctypes do. The files do not show what it does then, so that it is a warning.
#[test]
fn what_code_looks_for_and_does_not_find_is_a_warning() {
    let at_once =
        "path = find_library('nosuchthing')\nif path is None: raise OSError('not found')\n";
    let in_function = format!("def load():\n    {}", at_once.replace('\n', "\n    "));
    let guarded =
        format!("try:\n    {}\nexcept OSError:\n    pass\n", at_once.replace('\n', "\n    "));
    let goes_on = "path = find_library('nosuchthing')\n";
    let there = at_once.replace("nosuchthing", "c");
    for (code, is_told) in [
        (at_once, true),
        (&in_function, false),
        (&guarded, false),
        (goes_on, false),
        (&there, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let env = empty(dir);
        let text = format!("from ctypes.util import find_library\n{code}");
        fs::create_dir(env.site.join("wrapper")).unwrap();
        fs::write(env.site.join("wrapper/__init__.py"), "from . import native\n").unwrap();
        fs::write(env.site.join("wrapper/native.py"), text).unwrap();
        env.distribution("wrapper", &[], &["wrapper/__init__.py", "wrapper/native.py"]);
        assert_eq!(env.runs("import wrapper"), !is_told, "{code}");
        let told = doctor(&env);
        assert_eq!(told.0, 0);
        let line = "wrapper/native.py:2 looks for nosuchthing on import";
        assert_eq!(
            told.1.contains("warning  libnosuchthing.so is not installed"),
            is_told,
            "{told:?}"
        );
        assert_eq!(told.1.contains(line), is_told, "{told:?}");
    }
}
