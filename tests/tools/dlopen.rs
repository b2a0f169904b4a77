//! Libraries that are only opened at run time, in TensorFlow's layout in small: `libbig_framework`
//! opens them, `libbig_cc` asks it to, and Python says which could be opened.

use crate::support::wheels::{self, LinkMode, fixture, python_says, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The libraries that the frame opens: `libalpha.so.1` and so on.
const LIBRARIES: [&str; 3] = ["alpha", "beta", "gamma"];

/// What the frame is made like.
struct Layout {
    /// The directory of all providers, and the start of their distributions' names.
    vendor: &'static str,
    /// The directory and the distribution of each library.
    providers: [&'static str; 3],
    /// Those that the distribution requires.
    required: usize,
    /// Those that are installed.
    installed: usize,
    /// Is `libgamma.so.1` a dependency of `libbig_cc`?
    cc_needs_gamma: bool,
    /// Is the directory of `libgamma.so.1` named by the extension module instead of `libbig_cc`?
    core_names_gamma: bool,
    /// Is there another library that opens others, and does not lead to `libbig_framework`?
    second_opener: bool,
}

const LAYOUT: Layout = Layout {
    vendor: "acme",
    providers: ["one", "two", "three"],
    required: 3,
    installed: 3,
    cc_needs_gamma: false,
    core_names_gamma: false,
    second_opener: false,
};

/// An environment with the frame and its providers.
struct Frame {
    _dir: tempfile::TempDir,
    prefix: PathBuf,
}

impl Frame {
    fn new(layout: &Layout) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scratch = dir.path();
        let wheels = [frame_wheel(scratch, layout)]
            .into_iter()
            .chain((0..layout.installed).map(|index| provider_wheel(scratch, layout, index)))
            .collect::<Vec<_>>();
        let prefix = scratch.join(".venv");
        wheels::empty_environment(&prefix, LinkMode::Hardlink);
        let wheels: Vec<&Path> = wheels.iter().map(PathBuf::as_path).collect();
        wheels::install(&prefix, &scratch.join("cache"), LinkMode::Hardlink, &wheels);
        Self { _dir: dir, prefix }
    }

    /// The libraries that a real Python opens, a bit for each.
    fn opened(&self) -> String {
        let code = "import bigframe._core; print(bigframe._core.start())";
        let python = self.prefix.join("bin/python");
        run(Command::new(python).args(["-B", "-c", code])).trim().to_owned()
    }

    fn tfpatch(&self, arguments: &[&str]) -> (bool, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tfpatch"));
        command.args(arguments).args(["--format", "json"]).arg(&self.prefix);
        command.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
        let output = command.output().unwrap();
        let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{command:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
        });
        (output.status.success(), said)
    }

    /// The findings that matter, as cause, object and library.
    fn findings(&self, arguments: &[&str]) -> Vec<(String, String, String)> {
        let (_, said) = self.tfpatch(&[&["doctor"], arguments].concat());
        let findings = said["findings"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        findings
            .filter(|finding| finding["severity"] != "info")
            .map(|finding| {
                let object = text(&finding["object"]);
                let name = object.rsplit('/').next().unwrap().to_owned();
                (text(&finding["cause"]), name, text(&finding["library"]))
            })
            .collect()
    }

    /// What is planned for objects: path, entries before and after.
    fn plan(&self) -> Vec<(String, Value, Value)> {
        let (_, said) = self.tfpatch(&["fix", "--dry-run"]);
        let steps = said["steps"].as_array().unwrap().iter();
        steps
            .filter(|step| step["kind"] == "elf")
            .map(|step| {
                let path = step["path"].as_str().unwrap().to_owned();
                (path, step["before"].clone(), step["after"].clone())
            })
            .collect()
    }

    #[track_caller]
    fn is_left_alone(&self) {
        assert_eq!(self.findings(&[]), []);
        assert_eq!(self.plan(), []);
    }
}

fn gcc(directory: &Path, arguments: &[&str]) {
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O1", "-L."]).args(arguments);
    run(gcc.current_dir(directory));
}

/// The linker's option for a search path.
fn runpath(entries: &[String]) -> String {
    format!("-Wl,--enable-new-dtags,-rpath,{}", entries.join(":"))
}

fn provider_wheel(dir: &Path, layout: &Layout, index: usize) -> PathBuf {
    let provider = layout.providers[index];
    let tree = dir.join(format!("provider-{index}"));
    let lib = tree.join(layout.vendor).join(provider).join("lib");
    fs::create_dir_all(&lib).unwrap();
    compile_library(&lib, LIBRARIES[index]);
    wheels::wheel(dir, &format!("{}_{provider}", layout.vendor), "1.0", &tree, &[])
}

fn compile_library(directory: &Path, name: &str) {
    let file = format!("lib{name}.so.1");
    fs::write(directory.join("library.c"), format!("int {name}(void) {{ return 1; }}\n")).unwrap();
    gcc(directory, &["library.c", &format!("-Wl,-soname,{file}"), "-o", &file]);
    fs::remove_file(directory.join("library.c")).unwrap();
}

fn frame_wheel(dir: &Path, layout: &Layout) -> PathBuf {
    let tree = dir.join("frame");
    let package = tree.join("bigframe");
    fs::create_dir_all(&package).unwrap();
    fs::write(package.join("__init__.py"), "").unwrap();
    // As in TensorFlow's wheels each directory is there twice, and one of the entries leads nowhere.
    let names = |indices: &[usize]| -> Vec<String> {
        let entry = |up: &str, index: usize| {
            format!("$ORIGIN/{up}/{}/{}/lib", layout.vendor, layout.providers[index])
        };
        indices.iter().flat_map(|&index| [entry("../..", index), entry("..", index)]).collect()
    };
    let origin = vec!["$ORIGIN".to_owned()];
    let (cc_names, core_names) =
        if layout.core_names_gamma { (vec![], names(&[2])) } else { (names(&[2]), vec![]) };

    let source = |name: &str| fixture("bigframe").join(name).display().to_string();
    let (framework, other) = ("libbig_framework.so.2", "libbig_other.so.2");
    let opener = |name: &str, function: &str, indices: &[usize]| {
        let soname = format!("-Wl,-soname,{name}");
        let function = format!("-DNAME={function}");
        let path = runpath(&names(indices));
        gcc(&package, &[&function, &source("framework.c"), &soname, &path, "-o", name]);
    };
    opener(framework, "big_open", &[0, 1]);
    let mut cc_links = vec![framework];
    let scratch = dir.join("link");
    fs::create_dir_all(&scratch).unwrap();
    compile_library(&scratch, "gamma");
    let gamma = scratch.join("libgamma.so.1").display().to_string();
    if layout.cc_needs_gamma {
        cc_links.extend(["-Wl,--no-as-needed", &gamma]);
    }
    let (cc, cc_source) = ("libbig_cc.so.2", source("cc.c"));
    let path = runpath(&[origin.clone(), cc_names].concat());
    let options = [&cc_source, "-Wl,-soname,libbig_cc.so.2", &path, "-o", cc];
    gcc(&package, &[&options[..], &cc_links].concat());

    let said = python_says(concat!(
        "import sysconfig; ",
        "print(sysconfig.get_path('include'), sysconfig.get_config_var('EXT_SUFFIX'), sep='\\n')",
    ));
    let (include, suffix) = said.split_once('\n').unwrap();
    let (core, core_source) = (format!("_core{suffix}"), source("core.c"));
    let path = runpath(&[origin, core_names].concat());
    let mut arguments =
        vec![&*core_source, "-I", include, &path, "-o", &core, cc, framework, "-Wl,--no-as-needed"];
    if layout.second_opener {
        opener(other, "other_open", &[0]);
        arguments.push(other);
    }
    gcc(&package, &arguments);

    let requires: Vec<String> = layout.providers[..layout.required]
        .iter()
        .map(|provider| format!("Requires-Dist: {}-{provider}; extra == \"gpu\"", layout.vendor))
        .collect();
    let mut headers = vec!["Provides-Extra: gpu"];
    headers.extend(requires.iter().map(String::as_str));
    wheels::wheel(dir, "bigframe", "2.0", &tree, &headers)
}

/// The directory that only `libbig_cc` names was meant for the object that opens libraries for it.
#[test]
fn what_is_opened_at_run_time_is_found_after_a_repair() {
    let frame = Frame::new(&LAYOUT);
    assert_eq!(frame.opened(), "3");
    let finding = ["dlopen_path_missing", "libbig_framework.so.2", "libgamma.so.1"];
    assert_eq!(frame.findings(&[]), [finding.map(str::to_owned).into()]);
    let plan = frame.plan();
    let [(path, before, after)] = plan.as_slice() else { panic!("{plan:?}") };
    assert!(path.ends_with("/bigframe/libbig_framework.so.2"), "{path}");
    assert_eq!(before.as_array().unwrap().len(), 4);
    // The two that lead nowhere make room for the new one.
    let entry = |provider| format!("$ORIGIN/../acme/{provider}/lib");
    assert_eq!(after, &Value::from(vec![entry("one"), entry("two"), entry("three")]));

    assert!(frame.tfpatch(&["fix"]).0);
    assert_eq!(frame.opened(), "7");
    frame.is_left_alone();
    assert!(frame.tfpatch(&["revert"]).0);
    assert_eq!(frame.opened(), "3");
}

/// Nothing hangs on how distributions and directories are called.
#[test]
fn renaming_every_provider_gives_the_same_plan() {
    let renamed = Layout { vendor: "zenith", providers: ["uno", "due", "tre"], ..LAYOUT };
    let (first, second) = (Frame::new(&LAYOUT), Frame::new(&renamed));
    let names = [("acme", "zenith"), ("/one/", "/uno/"), ("/two/", "/due/"), ("/three/", "/tre/")];
    let translate = |value: &Value| {
        let text = value.to_string();
        names.iter().fold(text, |text, (old, new)| text.replace(old, new))
    };
    let expected: Vec<_> = first
        .plan()
        .iter()
        .map(|(path, before, after)| (path.clone(), translate(before), translate(after)))
        .collect();
    let plan = second.plan();
    assert_eq!(plan.len(), 1);
    let plan: Vec<_> = plan
        .iter()
        .map(|(path, before, after)| (path.clone(), before.to_string(), after.to_string()))
        .collect();
    assert_eq!(plan, expected);
    assert!(second.tfpatch(&["fix"]).0);
    assert_eq!(second.opened(), "7");
}

#[test]
fn a_directory_that_is_named_for_a_dependency_is_not_missed() {
    let frame = Frame::new(&Layout { cc_needs_gamma: true, ..LAYOUT });
    // The dependency is loaded already when it is asked for.
    assert_eq!(frame.opened(), "7");
    frame.is_left_alone();
}

#[test]
fn of_two_openers_nothing_says_which_is_meant() {
    Frame::new(&Layout { second_opener: true, ..LAYOUT }).is_left_alone();
}

#[test]
fn a_provider_that_is_not_installed_is_not_missed() {
    let frame = Frame::new(&Layout { installed: 2, ..LAYOUT });
    assert_eq!(frame.opened(), "3");
    frame.is_left_alone();
}

#[test]
fn a_provider_that_nothing_requires_is_not_missed() {
    let frame = Frame::new(&Layout { required: 2, ..LAYOUT });
    assert_eq!(frame.opened(), "3");
    frame.is_left_alone();
}

/// An extension module that opens nothing itself names directories without meaning.
#[test]
fn a_leftover_of_a_link_is_not_missed() {
    Frame::new(&Layout { core_names_gamma: true, ..LAYOUT }).is_left_alone();
}

/// Where a variable leads to the library, the program finds it.
#[test]
fn what_a_variable_leads_to_is_not_out_of_reach() {
    let frame = Frame::new(&LAYOUT);
    let code = "import sysconfig; print(sysconfig.get_path('platlib'))";
    let site = run(Command::new(frame.prefix.join("bin/python")).args(["-c", code]));
    let directory = format!("{}/acme/three/lib", site.trim());
    let variable = format!("LD_LIBRARY_PATH={directory}");
    assert_eq!(frame.findings(&["--env", &variable]), []);
    assert_eq!(frame.findings(&[]).len(), 1);
}

#[test]
fn with_musl_no_entry_of_the_object_that_calls_would_help() {
    let frame = Frame::new(&LAYOUT);
    let (_, doctor) = frame.tfpatch(&["doctor", "--loader", "musl"]);
    let findings = doctor["findings"].as_array().unwrap();
    let opened: Vec<&Value> =
        findings.iter().filter(|found| found["cause"] == "dlopen_path_missing").collect();
    assert!(!opened.is_empty(), "{findings:#?}");
    for found in opened {
        assert_eq!(found["fixable"], false);
        assert!(found["cure"].as_str().unwrap().starts_with("set LD_LIBRARY_PATH="), "{found}");
    }
    let (_, with_glibc) = frame.tfpatch(&["doctor"]);
    assert_eq!(with_glibc["findings"][0]["fixable"], true);
}
