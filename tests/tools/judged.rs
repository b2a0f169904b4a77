//! What is an error and what is none: a package with all that makes sound environments look broken.

use crate::support::wheels::{self, LinkMode, fixture, python_says, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An environment with the package `broken`, whose extension module finds `libinner.so.1` along a
/// search path with `..` in it, beside plugins.
struct Package {
    _dir: tempfile::TempDir,
    prefix: PathBuf,
    package: PathBuf,
}

fn gcc(directory: &Path, arguments: &[&str]) {
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O1", "-Wl,--no-as-needed"]).args(arguments);
    run(gcc.current_dir(directory));
}

impl Package {
    /// With `inner_lacks`, `libinner.so.1` needs a library that is nowhere.
    fn new(inner_lacks: bool) -> Self {
        Self::built(inner_lacks, false)
    }

    /// With `has_both`, a plugin needs a library that nobody loads, besides one that the package loads
    /// itself.
    fn built(inner_lacks: bool, has_both: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        let package = tree.join("broken");
        fs::create_dir_all(package.join("libs")).unwrap();
        fs::create_dir_all(package.join("plugins")).unwrap();
        let empty = "-xc /dev/null -xnone".split(' ').collect::<Vec<_>>();
        gcc(dir.path(), &[&empty[..], &["-Wl,-soname,libgone.so.9", "-o", "gone.so"]].concat());
        let gone = dir.path().join("gone.so").display().to_string();

        let inner = fixture("broken/inner.c").display().to_string();
        let mut arguments = vec![&*inner, "-Wl,-soname,libinner.so.1", "-o", "libs/libinner.so.1"];
        if inner_lacks {
            arguments.push(&gone);
        }
        gcc(&package, &arguments);
        let said = python_says(concat!(
            "import sysconfig; ",
            "print(sysconfig.get_path('include'), sysconfig.get_config_var('EXT_SUFFIX'), sep='\\n')",
        ));
        let (include, suffix) = said.split_once('\n').unwrap();
        let core = fixture("broken/core.c").display().to_string();
        let link = "-Wl,-rpath,$ORIGIN/../broken/libs,--allow-shlib-undefined";
        let name = format!("_core{suffix}");
        gcc(&package, &[&core, "-I", include, link, "libs/libinner.so.1", "-o", &name]);
        // A plugin for a library that is not installed, called as a module might be.
        gcc(&package, &[&empty[..], &[&gone, "-o", "plugins/provider.so"]].concat());
        // A plugin of a program that consists of libinner.so.1 among others.
        let inner = "libs/libinner.so.1";
        gcc(&package, &[&empty[..], &[inner, "-o", "plugins/libhosted.so"]].concat());
        if has_both {
            fs::create_dir_all(package.join("more")).unwrap();
            let named = ["-Wl,-soname,libunloaded.so.1", "-o", "more/libunloaded.so.1"];
            gcc(&package, &[&empty[..], &named].concat());
            let needs = [inner, "more/libunloaded.so.1", "-o", "plugins/libboth.so"];
            gcc(&package, &[&empty[..], &needs].concat());
        }
        fs::copy(fixture("broken/__init__.py"), package.join("__init__.py")).unwrap();

        let prefix = dir.path().join(".venv");
        wheels::empty_environment(&prefix, LinkMode::Hardlink);
        let wheel = wheels::wheel(dir.path(), "broken", "1.0", &tree, &[]);
        wheels::install(&prefix, &dir.path().join("cache"), LinkMode::Hardlink, &[&wheel]);
        let code = "import sysconfig; print(sysconfig.get_path('platlib'))";
        let site = run(Command::new(prefix.join("bin/python")).args(["-c", code]));
        let package = Path::new(site.trim()).join("broken");
        // What Debian's packages leave behind where a library is not built.
        std::os::unix::fs::symlink("nowhere.so", package.join("libleft.so")).unwrap();
        Self { _dir: dir, prefix, package }
    }

    fn imports(&self) -> bool {
        let mut python = Command::new(self.prefix.join("bin/python"));
        python.args(["-B", "-c", "import broken; print(broken.value())"]);
        python.output().unwrap().status.success()
    }

    /// What a command without variables says of the environment.
    fn said(&self, command: &[&str]) -> String {
        let mut tfpatch = Command::new(env!("CARGO_BIN_EXE_tfpatch"));
        let output = tfpatch.args(command).arg("--no-env").arg(&self.prefix).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The findings: cause, object below the package, library.
    fn findings(&self) -> BTreeSet<(String, String, String)> {
        let said: Value =
            serde_json::from_str(&self.said(&["doctor", "--format", "json"])).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = said["findings"].as_array().unwrap().iter();
        findings
            .map(|finding| {
                let object = text(&finding["object"]);
                let object = Path::new(&object).strip_prefix(&self.package).unwrap();
                (text(&finding["cause"]), object.display().to_string(), text(&finding["library"]))
            })
            .collect()
    }
}

fn finding(cause: &str, object: &str, library: &str) -> (String, String, String) {
    (cause.to_owned(), object.to_owned(), library.to_owned())
}

/// Plugins for what is not installed, and links that lead nowhere, are asked for by nobody: what they lack
/// is only worth knowing.
#[test]
fn what_nobody_asks_for_is_no_error() {
    let package = Package::new(false);
    assert!(package.imports());
    let plugin = finding("load_order", "plugins/libhosted.so", "libinner.so.1");
    let unmet = finding("not_installed", "plugins/provider.so", "libgone.so.9");
    assert_eq!(package.findings(), BTreeSet::from([plugin, unmet]));
    // And still it is not said that everything resolves.
    let doctor = package.said(&["doctor"]);
    assert!(doctor.contains("; plugins or programs lack 1 library\n"), "{doctor}");
    let unmet = "info  libgone.so.9 is not installed";
    assert!(doctor.contains(unmet), "{doctor}");
    assert!(doctor.contains("  broken/plugins/provider.so needs libgone.so.9, which"), "{doctor}");
    assert!(package.said(&["verify"]).ends_with("imports resolve\n"));
}

/// The loader calls the library `broken/../broken/libs/libinner.so.1`; what it lacks is the error.
#[test]
fn what_a_private_library_lacks_is_an_error() {
    let package = Package::new(true);
    assert!(!package.imports());
    let missing = finding("not_installed", "libs/libinner.so.1", "libgone.so.9");
    let found = package.findings();
    assert!(found.contains(&missing), "{found:?}");
}

/// An object that is given an entry for one of its libraries is given those of all: half of them within
/// reach is worse than none, where its package looks for what does not load and loads it first.
#[test]
fn an_object_that_is_edited_loads_by_itself() {
    let package = Package::built(false, true);
    let plugin = package.package.join("plugins/libboth.so");
    let opens = || {
        let code = format!("import ctypes; ctypes.CDLL({plugin:?})");
        let mut python = Command::new(package.prefix.join("bin/python"));
        python.args(["-B", "-c", &code]).output().unwrap().status.success()
    };
    assert!(!opens());
    let found = package.findings();
    assert!(found.contains(&finding("load_order", "plugins/libboth.so", "libinner.so.1")));
    assert!(found.contains(&finding("path_missing", "plugins/libboth.so", "libunloaded.so.1")));
    package.said(&["fix"]);
    assert!(opens(), "{}", package.said(&["doctor", "-v"]));
    // What no repair touches stays as it is.
    let hosted = finding("load_order", "plugins/libhosted.so", "libinner.so.1");
    let unmet = finding("not_installed", "plugins/provider.so", "libgone.so.9");
    assert_eq!(package.findings(), BTreeSet::from([hosted, unmet]));
}
