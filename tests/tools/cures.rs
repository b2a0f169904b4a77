//! Cures that name what to install, where, and from what.

use crate::support::command::{Ran, command, open_directory, run, words};
use crate::support::environments::empty;
use std::fs;
use std::path::Path;

/// The cure of the first finding.
fn cure(dir: &Path, target: &Path) -> String {
    let report = run(dir, &words(&[&"doctor", &"--format", &"json", &target])).json(1);
    report["findings"][0]["cure"].as_str().unwrap().to_owned()
}

/// The metadata of an object's own distribution say which one has its libraries, although no code imports it. A
/// library of the system stays one, and a copy of a distribution that is not required does not replace it.
#[test]
fn a_required_distribution_of_libraries_is_installed_by_its_name() {
    let dir = open_directory();
    let env = empty(dir.path());
    let below = env.below();
    let lost = env.library("lost.so", "libmadeup7core.so.1", &[], &[]);
    env.library("other.so", "libpulse.so.0", &[], &[]);
    env.module("host/first", &["libmadeup7core.so.1"], &[]);
    env.module("host/second", &["libpulse.so.0"], &[]);
    env.distribution(
        "host",
        &["Host-Madeup7 (>=7.1, <8)", "absent; extra == 'all'"],
        &["host/first.abi3.so", "host/second.abi3.so", "host/__init__.py"],
    );
    for library in ["lost.so", "other.so"] {
        fs::remove_file(env.prefix.join(library)).unwrap();
    }
    let first = env.site.join("host/first.abi3.so");
    let wanted = "pip install 'host-madeup7>=7.1,<8'";
    assert_eq!(cure(dir.path(), &first), wanted);
    let second = cure(dir.path(), &env.site.join("host/second.abi3.so"));
    assert!(second.contains("libpulse0") && !second.contains("pip install"), "{second}");

    let copy = env.library(&format!("{below}/stranger/x.so"), "libmadeup7core.so.1", &[], &[]);
    fs::rename(copy, env.site.join("stranger/libmadeup7core.so.1")).unwrap();
    env.distribution("stranger", &[], &["stranger/libmadeup7core.so.1"]);
    assert_eq!(cure(dir.path(), &env.prefix), wanted, "{}", lost.display());
    assert!(!env.runs("import host.first"));
}

/// What is in a directory of its own is installed there again.
#[test]
fn packages_of_a_directory_are_reinstalled_in_it() {
    let dir = open_directory();
    let env = empty(dir.path());
    let packages = dir.path().join("some packages");
    let module = env.module("one/first", &[], &[]);
    fs::write(&module, "").unwrap();
    env.distribution("one", &[], &["one/first.abi3.so", "one/__init__.py"]);
    fs::rename(&env.site, &packages).unwrap();
    let said = cure(dir.path(), &packages);
    let target = packages.display();
    let wanted =
        format!("pip install --target '{target}' --upgrade --force-reinstall --no-deps 'one==1.0'");
    assert_eq!(said, wanted);
}

/// What was not installed from a package index is not reinstalled from one.
#[test]
fn a_distribution_is_reinstalled_from_its_source() {
    let dir = open_directory();
    let env = empty(dir.path());
    let module = env.module("one/first", &[], &[]);
    fs::write(&module, "").unwrap();
    let info = env.distribution("one", &[], &["one/first.abi3.so", "one/__init__.py"]);
    let source = dir.path().join("a source");
    fs::create_dir(&source).unwrap();
    let (here, gone) = (source.display().to_string(), "/nowhere/one.whl");
    let spelled = here.replace(' ', "%20");
    let again = "pip install --force-reinstall --no-deps";
    for (text, wanted) in [
        (
            "{\"url\": \"https://h/one.git\", \"vcs_info\": {\"vcs\": \"git\", \"commit_id\": \"0a\"}, \"subdirectory\": \"py\"}".to_owned(),
            format!("{again} 'one @ git+https://h/one.git@0a#subdirectory=py'"),
        ),
        (
            "{\"url\": \"https://h/one-1.0.tar.gz\", \"archive_info\": {}}".to_owned(),
            format!("{again} 'one @ https://h/one-1.0.tar.gz'"),
        ),
        (
            format!("{{\"url\": \"file://{spelled}\", \"dir_info\": {{}}}}"),
            format!("{again} '{here}'"),
        ),
        (
            format!("{{\"url\": \"file://{spelled}\", \"dir_info\": {{\"editable\": true}}}}"),
            format!("{again} -e '{here}'"),
        ),
        (
            format!("{{\"url\": \"file://{gone}\", \"archive_info\": {{}}}}"),
            format!("reinstall one 1.0 from its source, which is not at {gone} any more"),
        ),
        // Nothing that a shell would run comes from such a file.
        ("{\"url\": \"https://h/'; rm -r /\"}".to_owned(), format!("{again} 'one==1.0'")),
        ("[".repeat(10_000), format!("{again} 'one==1.0'")),
    ] {
        fs::write(info.join("direct_url.json"), &text).unwrap();
        assert_eq!(cure(dir.path(), &env.prefix), wanted, "{text}");
    }
}

/// The default directories have the library, and the object was linked so that they are not searched for it.
#[test]
fn an_object_without_default_directories_is_not_blamed_on_the_cache() {
    let dir = open_directory();
    let env = empty(dir.path());
    let module = env.module("one/first", &[], &["-Wl,-z,nodefaultlib", "-lresolv"]);
    let said = run(dir.path(), &words(&[&"doctor", &module]));
    assert!(said.text(1).contains("linked with -z nodefaultlib"), "{said:#?}");
    assert!(!said.out.contains("ldconfig"), "{said:#?}");
    run(dir.path(), &words(&[&"fix", &"--allow-absolute", &module])).text(0);
    assert!(env.runs("import one.first"));
}

/// A version that a library lacks is reported by a trace, although the library was found and the program continues.
#[test]
fn a_trace_reports_a_version_that_is_not_found() {
    let dir = open_directory();
    let env = empty(dir.path());
    let script = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        format!("-Wl,--version-script,{}", path.display())
    };
    let new = script("new", "V_1 { global: *; }; V_2 { global: libneeded; };");
    let old = script("old", "V_1 { global: libneeded; };");
    env.library("new.so", "libneeded.so.1", &[], &[&new]);
    env.module("one/first", &["libneeded.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    let path = format!("{}/one/libneeded.so.1", env.below());
    env.library(&path, "libneeded.so.1", &[], &[&old]);
    let python = env.prefix.join("bin/python");
    let code = "import contextlib\nwith contextlib.suppress(ImportError): import one.first";
    let traced = run(dir.path(), &words(&[&"trace", &"--", &python, &"-c", &code]));
    let said = traced.err.clone() + &traced.out;
    assert!(said.contains("needs V_2, which"), "{said}");
    assert!(!said.contains("doctor reports it as not found"), "{said}");
}

/// A command names the target as the user did, and works where it is pasted.
#[test]
fn a_command_names_the_target() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = empty(dir);
    let site = env.below();
    for (folder, build) in [("one", "0x01"), ("two", "0x02")] {
        let (path, flag) =
            (format!("{site}/{folder}/libown.so.1"), format!("-Wl,--build-id={build}"));
        env.library(&path, "libown.so.1", &[], &[&flag]);
    }
    env.module("pkg/_fast", &["libown.so.1"], &[]);
    assert!(!env.runs("import pkg._fast"));
    let told = run(dir, &["doctor", "env"]);
    assert!(told.text(1).contains("→ choose one: tfpatch fix --search DIR env\n"), "{told:#?}");
    let chosen = env.site.join("one");
    run(dir, &["fix", "--search", chosen.to_str().unwrap(), "env"]).text(0);
    assert!(env.runs("import pkg._fast"));
    // Without a name it is detected again.
    run(dir, &["revert", "env"]).text(0);
    let mut command = command(dir);
    let told = Ran::of(&command.arg("doctor").env("VIRTUAL_ENV", &env.prefix).output().unwrap());
    assert!(told.text(1).contains("→ choose one: tfpatch fix --search DIR\n"), "{told:#?}");
}

/// What is to be removed from a variable is what its value contains.
#[test]
fn an_entry_of_a_variable_is_shown_as_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = empty(dir);
    let site = env.below();
    env.library(&format!("{site}/libs/libown.so.1"), "libown.so.1", &[], &[]);
    env.module("pkg/_fast", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN/../libs"]);
    assert!(env.runs("import pkg._fast"));
    let other = env.library("other/libempty.so", "libempty.so", &[], &[]);
    for lib in ["lib/x86_64-linux-gnu", "lib64"] {
        fs::create_dir_all(dir.join("old").join(lib)).unwrap();
        fs::copy(&other, dir.join("old").join(lib).join("libown.so.1")).unwrap();
    }
    let entry = format!("{}/old/${{LIB}}", dir.display());
    let mut command = command(dir);
    let command = command.args(["doctor", "env"]).env("LD_LIBRARY_PATH", &entry);
    let told = Ran::of(&command.output().unwrap());
    assert!(
        told.text(1).contains(&format!("→ remove {entry} from LD_LIBRARY_PATH\n")),
        "{told:#?}"
    );
}

/// A dry run says that entries make space for a new one, with the diff of the entries too.
#[test]
fn entries_that_make_space_are_announced() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = empty(dir);
    let site = env.below();
    env.library(&format!("{site}/libs/libown.so.1"), "libown.so.1", &[], &[]);
    env.module("pkg/_fast", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN/../gone:/opt/nothing/there"]);
    for option in ["-v", "--diff"] {
        let told = run(dir, &["fix", "env", "--dry-run", option]);
        let line =
            "2 unused or duplicate search path entries would be removed to make space for new ones";
        assert!(told.text(0).contains(line), "{told:#?}");
    }
    let done = run(dir, &["fix", "env"]);
    assert!(
        done.text(0).contains("2 unused or duplicate search path entries were removed\n"),
        "{done:#?}"
    );
    assert!(env.runs("import pkg._fast"));
}

/// It is searched now, and not where the variable is not set.
#[test]
fn what_only_a_variable_leads_to_is_said_to_depend_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let below = env.below();
    let library = env.library(&format!("{below}/libs/libhere.so.1"), "libhere.so.1", &[], &[]);
    for module in ["here/_first", "here/_second"] {
        env.module(module, &["libhere.so.1"], &[]);
    }
    let mut under = command(dir.path());
    let said = under.args(["doctor", "env"]).env("LD_LIBRARY_PATH", library.parent().unwrap());
    let said = String::from_utf8(said.output().unwrap().stdout).unwrap();
    assert!(said.contains("found only through LD_LIBRARY_PATH"), "{said}");
    assert!(!said.contains("which is not searched"), "{said}");
}
