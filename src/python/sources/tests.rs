use super::{Opened, Source, Unread, When, read};
use std::path::PathBuf;

fn one(text: &str) -> Source {
    read(&[text.as_bytes()]).remove(0).unwrap()
}

fn refused(text: &[u8]) -> Unread {
    read(&[text]).remove(0).unwrap_err()
}

#[test]
fn a_try_around_an_import_guards_it() {
    let caught = |text: &str| one(text).imports.first().unwrap().standing.catches_import_error;
    assert!(caught("try:\n    import a\nexcept ImportError:\n    a = None\n"));
    assert!(caught("try:\n    import a\nexcept (OSError, ImportError) as e:\n    pass\n"));
    assert!(caught("try:\n    import a\nexcept:\n    pass\n"));
    assert!(caught("try:\n    if x:\n        import a\nexcept Exception:\n    pass\n"));
    assert!(caught("with contextlib.suppress(ImportError):\n    import a\n"));
    assert!(!caught("try:\n    import a\nexcept OSError:\n    pass\n"));
    assert!(!caught(
        "try:\n    import a\nexcept ImportError as e:\n    raise ImportError('x') from e\n"
    ));
    assert!(!caught("try:\n    import a\nexcept ImportError:\n    sys.exit('x')\n"));
    assert!(!caught("try:\n    import a\nfinally:\n    pass\n"));
    // The first matching handler catches it.
    assert!(!caught(
        "try:\n    import a\nexcept ImportError:\n    raise\nexcept Exception:\n    pass\n"
    ));
    // Code in a handler is not guarded by it.
    assert!(!caught("try:\n    pass\nexcept ImportError:\n    import a\n"));
    // A function is called by other code.
    assert!(!caught("try:\n    def f():\n        import a\nexcept ImportError:\n    pass\n"));
}

#[test]
fn a_guard_holds_as_far_as_the_file_goes_on() {
    let caught = |text: &str| one(text).imports.first().unwrap().standing.catches_import_error;
    assert!(caught("E = (ImportError, OSError)\ntry:\n    import a\nexcept E:\n    a = None\n"));
    assert!(!caught("E = (ValueError, OSError)\ntry:\n    import a\nexcept E:\n    a = None\n"));
    // Raised if a variable is set that requests it.
    assert!(caught(
        "try:\n    import a\nexcept ImportError:\n    if os.environ.get('X'):\n        raise\n    a = None\n"
    ));
    assert!(!caught(
        "try:\n    import a\nexcept ImportError:\n    if x:\n        raise\n    a = None\n"
    ));
    // A name without a value is required later.
    let later = "try:\n    import a\nexcept ImportError:\n    a = None\n";
    assert!(!caught(&format!("{later}if a is None:\n    raise ImportError('a')\n")));
    assert!(!caught(&format!("{later}if x:\n    if not a:\n        raise ImportError('a')\n")));
    assert!(caught(&format!("{later}if b is None:\n    raise ImportError('b')\n")));
    assert!(caught(&format!("{later}if a is None:\n    b = 1\n")));
    assert!(caught(&format!(
        "{later}def f():\n    if a is None:\n        raise ImportError('a')\n"
    )));
    // By any statement that raises an error.
    let flag = "try:\n    import a\n    has = True\nexcept ImportError:\n    has = False\n";
    assert!(caught(flag));
    assert!(!caught(&format!("{flag}assert has\n")));
    assert!(!caught(&format!("{flag}def f():\n    if not has:\n        raise ImportError\nf()\n")));
    let listed = "e = []\ntry:\n    import a\nexcept ImportError as x:\n    e.append(x)\n";
    assert!(caught(listed));
    assert!(!caught(&format!("{listed}if e:\n    raise e[0]\n")));
    assert!(!caught(&format!("{listed}for x in e:\n    raise x\n")));
    // A name with the value None is still used.
    assert!(!caught(&format!("{later}b = a.c\n")));
    assert!(!caught(&format!("{later}class C(a.B):\n    pass\n")));
    assert!(!caught(&format!("{later}a()\n")));
    assert!(caught(&format!("{later}b = a\n")));
    assert!(caught(&format!("{later}b = a.c if a else None\n")));
    assert!(caught(&format!("{later}b = a and a.c\n")));
    assert!(caught(&format!("{later}if a:\n    b = a.c\n")));
    let passed = "try:\n    from . import a\nexcept ImportError:\n    pass\n";
    assert!(caught(passed));
    assert!(!caught(&format!("{passed}b = a\n")));
    assert!(caught(&format!("a = None\n{passed}b = a\n")));
    // A variable that is not set counts as its default.
    for test in ["not os.environ.get('X')", "os.environ.get('X', '1') == '1'"] {
        assert!(!caught(&format!(
            "try:\n    import a\nexcept ImportError:\n    if {test}:\n        raise\n    a = None\n"
        )));
    }
    // Another error is raised instead, which is not caught.
    assert!(!caught(
        "try:\n    try:\n        import a\n    except ImportError:\n        raise RuntimeError\nexcept ImportError:\n    pass\n"
    ));
    let opened = "lib = None\ntry:\n    lib = CDLL('a.so')\nexcept OSError:\n    pass\n";
    let caught = |text: &str| one(text).openings.first().unwrap().standing.catches_os_error;
    assert!(caught(opened));
    assert!(!caught(&format!("{opened}if lib is None:\n    raise ImportError('a')\n")));
}

#[test]
fn it_is_known_when_an_import_is_reached() {
    let when = |text: &str| one(text).imports.first().unwrap().standing.when;
    assert_eq!(when("import a\n"), When::Always);
    assert_eq!(when("class C:\n    import a\n"), When::Always);
    assert_eq!(when("if x:\n    import a\n"), When::Conditionally);
    assert_eq!(when("if x:\n    pass\nelse:\n    import a\n"), When::Conditionally);
    assert_eq!(when("def f():\n    if x:\n        import a\n"), When::Called);
    assert_eq!(when("if typing.TYPE_CHECKING:\n    import a\n"), When::Never);
    assert_eq!(when("if not TYPE_CHECKING:\n    import a\n"), When::Always);
    for test in ["sys.platform == 'win32'", "os.name == 'nt'", "platform.system() == 'Windows'"] {
        assert_eq!(when(&format!("if {test}:\n    import a\n")), When::Never);
        assert_eq!(when(&format!("if {test}:\n    pass\nelse:\n    import a\n")), When::Always);
    }
    assert_eq!(when("if sys.platform.startswith('linux'):\n    import a\n"), When::Always);
    assert_eq!(when("if os.name != 'nt':\n    import a\n"), When::Always);
    let imports =
        one("\n\nfrom ..b import c, d\nimportlib.import_module('.e', __name__)\n").imports;
    let [from, called] = imports.as_slice() else { panic!("{imports:?}") };
    assert_eq!((from.level, from.module.as_str(), from.standing.line), (2, "b", 3));
    assert_eq!(from.names, ["c", "d"]);
    assert_eq!((called.level, called.module.as_str()), (1, "e"));
}

#[test]
fn what_is_opened_follows_from_constants() {
    let opened = |text: &str| one(text).openings.pop().unwrap().what;
    let beside = |path: &str| Opened::Beside(PathBuf::from(path));
    assert_eq!(opened("ctypes.CDLL('liba.so.1')"), Opened::Name("liba.so.1".to_owned()));
    assert_eq!(opened("cdll.LoadLibrary('/opt/liba.so')"), Opened::Path("/opt/liba.so".into()));
    assert_eq!(
        opened("CDLL(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib', 'a.so'))"),
        beside("lib/a.so")
    );
    assert_eq!(
        opened("here = Path(__file__).parent.parent\nCDLL(str(here / 'a.so'))"),
        beside("../a.so")
    );
    assert_eq!(
        opened("name = 'a'\nCDLL(f'{os.path.dirname(__file__)}/{name}.so')"),
        beside("a.so")
    );
    assert_eq!(
        opened("torch.ops.load_library(os.path.join(where(), 'a.so'))"),
        Opened::Somewhere("a.so".to_owned())
    );
    assert_eq!(
        opened("np.ctypeslib.load_library('liba', os.path.dirname(__file__))"),
        Opened::Somewhere("liba.so".to_owned())
    );
    let each =
        one("for name in ('a', 'b'):\n    CDLL(os.path.join(here, name + '.so'))\n").openings;
    let each: Vec<_> = each.iter().filter_map(|opening| opening.what.file_name()).collect();
    assert_eq!(each, ["a.so", "b.so"]);
    // Nested loops are not followed without limit.
    let mut nested = String::new();
    for depth in 0..40 {
        nested += &format!("{}for x in ['a', 'b', 'c']:\n", " ".repeat(depth));
    }
    nested += &format!("{}CDLL('a.so')\n", " ".repeat(40));
    assert!(one(&nested).openings.len() < 300);
    assert_eq!(opened("ffi.dlopen(find_library('a'))"), Opened::Found("a".to_owned()));
    assert_eq!(opened("CDLL(name)"), Opened::Unknown);
    assert_eq!(opened("x = 'a.so'\nx = 'b.so'\nCDLL(x)"), Opened::Unknown);
    assert_eq!(opened("def f(x):\n    CDLL(x)\nx = 'a.so'\n"), Opened::Unknown);
    assert_eq!(opened("x = x\nCDLL(x)"), Opened::Unknown);
    // Names of different functions are different names.
    assert_eq!(
        opened("def f():\n    x = 'b.so'\ndef g():\n    x = 'a.so'\n    CDLL(x)\n"),
        Opened::Name("a.so".to_owned())
    );
    // Each doubles the one before.
    let doubled: String = (1..200).map(|n| format!("x{n} = x{} + x{}\n", n - 1, n - 1)).collect();
    assert_eq!(opened(&format!("x0 = 'a.so'\n{doubled}CDLL(x199)")), Opened::Unknown);
}

#[test]
fn encodings_are_kept_to() {
    assert_eq!(one("\u{feff}import a\n").imports.len(), 1);
    let latin = [&b"# -*- coding: latin-1 -*-\nimport a # \xe9\n"[..]];
    assert_eq!(read(&latin).remove(0).unwrap().imports.len(), 1);
    assert_eq!(refused(b"import a # \xe9\n"), Unread::Encoding);
    assert_eq!(refused(b"#!/usr/bin/python\n# vim: set fileencoding=euc-jp :\n"), Unread::Encoding);
    assert_eq!(refused(b"print 'a'\n"), Unread::Syntax);
}

/// Everything that opens a level: brackets, operators, keywords, blocks, calls.
#[test]
fn deep_nesting_is_refused_and_overflows_no_stack() {
    for (opens, closes) in [
        ("(", ")"),
        ("[", "]"),
        ("{1:", "}"),
        ("-", ""),
        ("not ", ""),
        ("lambda:", ""),
        ("lambda a,:", ""),
        ("await ", ""),
        ("1+", ""),
        ("1**", ""),
        ("a.", ""),
        ("a if b else ", ""),
        ("yield ", ""),
        ("a=", ""),
        ("f'{", "}'"),
        ("f(", ")"),
        ("*", ""),
        ("(yield ", ")"),
        ("if a:", ""),
        ("class a:", ""),
        ("a,lambda:", ""),
        ("a:=", ""),
    ] {
        for times in [150, 190, 990, 20_000, 200_000] {
            let text = format!("{}1{}\n", opens.repeat(times), closes.repeat(times));
            // The result does not matter, but there must be one.
            let outcome = read(&[text.as_bytes()]).remove(0);
            assert!(times < 20_000 || outcome.is_err(), "{opens}");
        }
    }
    assert_eq!(refused(format!("f{}\n", "()".repeat(100_000)).as_bytes()), Unread::TooDeep);
    assert_eq!(refused(format!("a{}\n", "[0]".repeat(100_000)).as_bytes()), Unread::TooDeep);
    let blocks: String = (0..120).map(|depth| format!("{}if a:\n", " ".repeat(depth))).collect();
    assert_eq!(refused(format!("{blocks}{}b\n", " ".repeat(120)).as_bytes()), Unread::TooDeep);
    // Long and flat is not deep.
    let table = format!("x = [{}]\n", "f(-1, 'a' + 'b'),".repeat(50_000));
    assert!(read(&[table.as_bytes()]).remove(0).is_ok());
}

#[test]
fn what_the_file_itself_calls_is_reached_when_it_is_imported() {
    let when = |text: &str| one(text).imports.first().unwrap().standing.when;
    assert_eq!(when("def f():\n    import a\nx = f()\n"), When::Conditionally);
    assert_eq!(when("def f():\n    import a\ndef g():\n    f()\ng()\n"), When::Conditionally);
    assert_eq!(when("def f(x):\n    import a\n@f\ndef g(): pass\n"), When::Conditionally);
    assert_eq!(
        when("class C:\n    def __init__(self):\n        import a\nC()\n"),
        When::Conditionally
    );
    assert_eq!(when("def f():\n    import a\ndef g():\n    f()\n"), When::Called);
    assert_eq!(when("def f():\n    import a\nif __name__ == '__main__':\n    f()\n"), When::Called);
}

#[test]
fn a_condition_that_always_holds_where_a_file_is_imported_is_none() {
    let when = |test: &str| {
        let text = format!("if {test}:\n    import a\n");
        one(&text).imports.first().unwrap().standing.when
    };
    for holds in ["__name__ == 'a.b'", "__name__ != '__main__'", "sys.version_info >= (3, 6)"] {
        assert_eq!(when(holds), When::Always, "{holds}");
        assert_eq!(when(&format!("{holds} and sys.platform == 'linux'")), When::Always);
        assert_eq!(when(&format!("{holds} and sys.platform == 'win32'")), When::Never);
        assert_eq!(when(&format!("{holds} or x")), When::Always);
        assert_eq!(when(&format!("{holds} and x")), When::Conditionally);
    }
    for never in ["__name__ == '__main__'", "sys.version_info < (3, 8)", "os.name == 'nt'"] {
        assert_eq!(when(never), When::Never, "{never}");
        assert_eq!(when(&format!("{never} and x")), When::Never);
        assert_eq!(when(&format!("{never} or x")), When::Conditionally);
    }
    for perhaps in ["sys.version_info >= (3, 12)", "sys.version_info < (3, 9)", "__name__"] {
        assert_eq!(when(perhaps), When::Conditionally, "{perhaps}");
    }
}

#[test]
fn a_handler_that_calls_what_is_not_known_guards_nothing() {
    let caught = |handler: &str| {
        let text = format!("try:\n    import a\nexcept ImportError as e:\n    {handler}\n");
        one(&text).imports.first().unwrap().standing.catches_import_error
    };
    assert!(caught("a = None"));
    assert!(caught("logging.getLogger(__name__).warning('no %s', e)"));
    assert!(caught("warnings.warn(str(e))"));
    assert!(!caught("raise_build_error(e)"));
    assert!(!caught("assert False"));
    assert!(!caught("quit(1)"));
}

#[test]
fn a_file_that_a_condition_asks_for_is_optional() {
    let optional = |text: &str| one(text).optional;
    let name = "'libx.so'";
    for test in [
        format!("os.path.exists(os.path.join(here, {name}))"),
        format!("a and (os.path.isfile({name}) or b)"),
        format!("(Path(here) / {name}).exists()"),
    ] {
        assert_eq!(optional(&format!("if {test}:\n    a = 1\n")), ["libx.so"], "{test}");
        let refusing = format!("if {test}:\n    a = 1\nelse:\n    raise ImportError\n");
        assert_eq!(optional(&refusing), [""; 0], "{test}");
        assert_eq!(optional(&format!("if not ({test}):\n    raise ImportError\n")), [""; 0]);
    }
    assert_eq!(optional(&format!("if a == {name}:\n    a = 1\n")), [""; 0]);
}
