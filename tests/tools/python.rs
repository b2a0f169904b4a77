//! Python environments: what their files say, against what their interpreters say.

use crate::support::python::{ambient, at};
use crate::support::wheels::{self, LINK_MODES, LinkMode};
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tfpatch::python::distribution;
use tfpatch::python::environment::{Environment, Kind, Scope};
use tfpatch::python::interpreter::Program;
use tfpatch::python::target::{self, Target};
use tfpatch::vfs::OsVfs;

/// The wheel that the tests of the whole build on installs, imports, and stops importing.
#[test]
fn a_broken_package_is_broken_in_every_link_mode() {
    for mode in LINK_MODES {
        let dir = tempfile::tempdir().unwrap();
        let env = wheels::environment(dir.path(), mode);
        assert_eq!(wheels::imports(&env), Ok("42".to_owned()), "{mode:?}");
        let (before, cache) = (wheels::digests(&env.prefix), wheels::digests(&env.cache));
        wheels::break_it(&env);
        let error = wheels::imports(&env).unwrap_err();
        assert!(error.contains("ImportError: libinner.so.1: cannot open"), "{mode:?}: {error}");
        assert_ne!(wheels::digests(&env.prefix), before);
        assert_eq!(wheels::digests(&env.cache), cache);
        assert!(env.site_packages.join(env.extension()).starts_with(&env.prefix));
    }
}

/// What an interpreter says of itself.
#[derive(Debug, serde::Deserialize)]
struct Said {
    prefix: PathBuf,
    executable: PathBuf,
    version: (u8, u8),
    suffixes: Vec<String>,
    /// The directories of packages on sys.path, in its order.
    sites: Vec<PathBuf>,
    /// What .pth files added.
    others: Vec<PathBuf>,
}

fn said(python: &Path, home: &Path) -> Said {
    let code = "import importlib.machinery, json, os, sys
real = os.path.realpath
stdlib = real(os.path.dirname(os.__file__))
packages = ('site-packages', 'dist-packages')
rest = [real(p) for p in sys.path if p and not p.endswith(packages)]
print(json.dumps({
    'prefix': sys.prefix, 'executable': real(sys.executable), 'version': sys.version_info[:2],
    'suffixes': importlib.machinery.EXTENSION_SUFFIXES,
    'sites': [real(p) for p in sys.path if p.endswith(packages)],
    'others': [p for p in rest if os.path.exists(p) and not p.startswith(stdlib)]}))";
    let mut command = Command::new(python);
    command.args(["-c", code]).env("HOME", home).env_remove("PYTHONUSERBASE");
    serde_json::from_str(&wheels::run(&mut command)).unwrap()
}

fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap()
}

/// Holds the environment against its interpreter's own words.
fn check(environment: &Environment, python: &Path, home: &Path) -> Said {
    let said = said(python, home);
    assert_eq!(real(&environment.prefix), real(&said.prefix));
    let interpreters = environment.interpreters.iter();
    let main = interpreters
        .clone()
        .find(|found| (found.version.major, found.version.minor) == said.version)
        .unwrap_or_else(|| panic!("{environment:?}"));
    assert_eq!(main.program, Program::Found(said.executable.clone()));
    assert_eq!(main.extension_suffixes, said.suffixes);
    let sites = environment.site_packages.iter().filter(|site| site.version == main.version);
    let sites: Vec<_> = sites.map(|site| real(&site.path)).collect();
    assert_eq!(sites, said.sites);
    let named = environment.python_paths.iter().chain(&environment.archives);
    let others: BTreeSet<_> = named.map(|path| real(path)).collect();
    assert_eq!(others, said.others.iter().cloned().collect());
    said
}

/// A home directory with a user site for the Python on `PATH` and for the system's.
fn home(dir: &Path) -> PathBuf {
    let home = dir.join("home");
    for python in ["python3", "/usr/bin/python3"] {
        let code = "import sys; print('python%d.%d' % sys.version_info[:2])";
        let name = wheels::run(Command::new(python).args(["-c", code]));
        let site = home.join(".local/lib").join(name.trim()).join("site-packages");
        std::fs::create_dir_all(site).unwrap();
    }
    home
}

#[test]
fn virtual_environments_are_as_their_interpreters_say() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    for (name, arguments) in [
        ("venv", &["python3", "-m", "venv", "--without-pip"][..]),
        ("copies", &["/usr/bin/python3", "-m", "venv", "--without-pip", "--copies"]),
        ("system", &["/usr/bin/python3", "-m", "venv", "--without-pip", "--system-site-packages"]),
        ("base", &["python3", "-m", "venv", "--without-pip", "--system-site-packages"]),
        ("uv", &["uv", "--no-config", "--offline", "venv", "--quiet"]),
    ] {
        let prefix = dir.path().join(name);
        wheels::run(Command::new(arguments[0]).args(&arguments[1..]).arg(&prefix));
        let python = prefix.join("bin/python");
        let environment = at(&prefix, &home);
        assert_eq!(environment.kind, Kind::Venv, "{name}");
        assert_eq!(environment.interpreters.len(), 1, "{name}");
        assert_eq!(environment.interpreters[0].path, python);
        check(&environment, &python, &home);
        // By its interpreters and by its directory of packages it is the same.
        for interpreter in ["bin/python", "bin/python3"] {
            assert_eq!(at(&prefix.join(interpreter), &home), environment, "{name}");
        }
        let own = environment.site_packages.iter().find(|site| site.scope == Scope::Own).unwrap();
        let named = target::at(&OsVfs::new(), &ambient(&home), &own.path).unwrap();
        let expected =
            Target::SitePackages { path: own.path.clone(), environment: Some(environment.clone()) };
        assert_eq!(named, expected, "{name}");
        let of_base = environment.site_packages.iter().any(|site| site.scope == Scope::Base);
        assert_eq!(of_base, matches!(name, "system" | "base"));
        // Where the file says nothing of the base's directories, they count.
        let cfg = prefix.join("pyvenv.cfg");
        let text = std::fs::read_to_string(&cfg).unwrap();
        let rest = text.lines().filter(|line| !line.starts_with("include-system-site-packages"));
        std::fs::write(cfg, rest.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        check(&at(&prefix, &home), &python, &home);
    }
}

#[test]
fn installations_are_as_their_interpreters_say() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    for python in ["/usr/bin/python3", "/bin/python3"].map(Path::new) {
        let environment = at(python, &home);
        assert_eq!((environment.kind, &*environment.prefix), (Kind::System, Path::new("/usr")));
        check(&environment, python, &home);
        let packages = Path::new("/usr/lib/python3/dist-packages");
        let named = target::at(&OsVfs::new(), &ambient(&home), packages).unwrap();
        let expected =
            Target::SitePackages { path: packages.into(), environment: Some(environment) };
        assert_eq!(named, expected);
    }
    // The base that the tests' environments are made from.
    let base = wheels::python_says("import sys; print(sys.executable)");
    check(&at(Path::new(&base), &home), Path::new(&base), &home);
    // No interpreter lies in the root, nor in a home that merely has a user site.
    for path in [Path::new("/"), &home.join(".local")] {
        let found = target::at(&OsVfs::new(), &ambient(&home), path).unwrap();
        assert_eq!(found, Target::Directory(path.into()));
    }
}

#[test]
fn pth_files_name_directories_as_site_py_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let prefix = dir.path().join("env");
    wheels::empty_environment(&prefix, LinkMode::Pip);
    let site = at(&prefix, &home).site_packages[0].path.clone();
    for directory in ["relative", "twice", "not a comment # here"] {
        std::fs::create_dir(site.join(directory)).unwrap();
    }
    let editable = dir.path().join("src");
    std::fs::create_dir(&editable).unwrap();
    std::fs::write(dir.path().join("archive.zip"), "PK\x05\x06").unwrap();
    let lines = format!(
        "# twice\n\nrelative  \r\n{}\nimport sys\nnowhere\ntwice\n../site-packages/twice\n\
         {}\nnot a comment # here\n",
        editable.display(),
        dir.path().join("archive.zip").display(),
    );
    std::fs::write(site.join("b.pth"), lines).unwrap();
    std::fs::write(site.join("a.pth"), "relative").unwrap();
    std::fs::write(site.join("not.pth.txt"), "../..").unwrap();
    let environment = at(&prefix, &home);
    let said = check(&environment, &prefix.join("bin/python"), &home);
    assert_eq!(said.others.len(), 5, "{said:?}");
    assert_eq!(environment.archives, [dir.path().join("archive.zip")]);
    assert_eq!(environment.pth_with_code, [site.join("b.pth")]);
    assert_eq!(environment.python_paths[..2], [site.join("relative"), editable]);
}

#[test]
fn a_venv_whose_base_is_gone_is_an_environment_with_a_missing_interpreter() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("env");
    wheels::empty_environment(&prefix, LinkMode::Copy);
    let python = prefix.join("bin/python");
    let whole = at(&prefix, dir.path());
    let gone = dir.path().join("gone/bin/python3.11");
    std::fs::remove_file(&python).unwrap();
    symlink(&gone, &python).unwrap();
    for named in [&prefix, &python] {
        let broken = at(named, dir.path());
        assert_eq!(broken.interpreters[0].program, Program::Missing { wanted: gone.clone() });
        assert_eq!(broken.interpreters[0].version, whole.interpreters[0].version);
        assert_eq!(broken.interpreters[0].main_program(), None);
        assert_eq!(broken.site_packages, whole.site_packages);
    }
}

/// importlib.metadata finds the same distributions, with the same requirements.
#[test]
fn distributions_are_as_importlib_says() {
    let mut sites = vec![PathBuf::from("/usr/lib/python3/dist-packages")];
    sites
        .push(wheels::python_says("import sysconfig; print(sysconfig.get_path('purelib'))").into());
    let code = "import importlib.metadata as m, json, sys
print(json.dumps([[d.metadata['Name'], d.version, len(d.metadata.get_all('Requires-Dist') or [])]
                  for d in m.distributions(path=[sys.argv[1]])]))";
    for site in sites {
        let json = wheels::run(wheels::python3().args(["-c", code]).arg(&site));
        let mut expected: Vec<(String, String, usize)> = serde_json::from_str(&json).unwrap();
        let (found, problems) = distribution::distributions(&OsVfs::new(), &site);
        assert!(problems.is_empty(), "{problems:?}");
        let mut found: Vec<_> = found
            .into_iter()
            .map(|found| (found.name, found.version, found.requires.len()))
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{}", site.display());
        assert!(!found.is_empty());
    }
}

#[test]
fn a_distribution_tells_what_it_is_and_requires() {
    let dir = tempfile::tempdir().unwrap();
    let env = wheels::environment(dir.path(), LinkMode::Clone);
    let vfs = OsVfs::new();
    let (found, problems) = distribution::distributions(&vfs, &env.site_packages);
    assert!(problems.is_empty(), "{problems:?}");
    let [broken] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*broken.name, &*broken.version), ("broken", "1.0"));
    assert_eq!(broken.location, env.site_packages.join("broken-1.0.dist-info"));
    let [requires] = &broken.requires[..] else { panic!("{broken:?}") };
    assert_eq!(
        (&*requires.name, &requires.extras[..]),
        ("inner-runtime", &["cuda".to_owned()][..])
    );
    assert_eq!(requires.marker.as_deref(), Some("extra == \"gpu\""));
    assert_eq!(broken.top_level(&vfs), BTreeSet::from([b"broken".to_vec()]));
}
