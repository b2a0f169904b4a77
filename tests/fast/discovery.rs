//! Which environment is meant where none is named.

use std::path::{Path, PathBuf};
use tfpatch::app::targets::Reason;
use tfpatch::python::discovery::{self, Ambient, Error, Found, discover};
use tfpatch::python::environment::Kind;
use tfpatch::report::words::targets as words;
use tfpatch::vfs::MemVfs;

const ELF: &[u8] = b"\x7fELF\x02\x01\x01";

/// A tree with an environment of every kind.
fn tree() -> MemVfs {
    let venv = |vfs: MemVfs, prefix: &str| {
        vfs.file(format!("{prefix}/pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.2\n")
            .dir(format!("{prefix}/lib/python3.11/site-packages"))
            // As `uv venv` does; it says nothing of the environment.
            .file(format!("{prefix}/CACHEDIR.TAG"), TAG)
            .symlink(format!("{prefix}/bin/python"), "/usr/bin/python3.11")
            .symlink(format!("{prefix}/bin/python3"), "python")
    };
    let mut vfs = MemVfs::new()
        .file("/usr/bin/python3.11", ELF)
        .symlink("/usr/bin/python3", "python3.11")
        .file("/usr/lib/python3.11/os.py", "")
        .dir("/usr/lib/python3/dist-packages")
        .dir("/project/.venv")
        .dir("/project/deep/down")
        .file("/cache/CACHEDIR.TAG", TAG)
        .file("/receipt/uv-receipt.toml", "")
        .file("/scripts/python3", "#!/bin/sh\nexec python\n")
        .symlink("/links/python3", "/gone/python3")
        .dir("/empty")
        .file("/pyenv/shims/python3", "#!/usr/bin/env bash\n")
        .file("/pyenv/version", "3.9.9\n3.12.1\n")
        .file("/pyenv/versions/3.12.1/bin/python3", ELF)
        .file("/pyenv/versions/3.12.1/lib/python3.12/os.py", "")
        .file("/pinned/.python-version", "# the team's\n3.10.2  # why\n")
        .file("/pyenv/versions/3.10.2/bin/python3", ELF)
        .file("/pyenv/versions/3.10.2/lib/python3.10/os.py", "")
        .file("/unknown/.python-version", "3.8\n")
        .dir("/conda/conda-meta");
    for prefix in ["/active", "/project/.venv", "/own", "/cache/x/env", "/receipt", "/last"] {
        vfs = venv(vfs, prefix);
    }
    for prefix in
        ["/u/archive-v0/Hh1", "/u/builds-v0/.tmp", "/u/uv/tools/black", "/u/pipx/venvs/black"]
    {
        vfs = venv(vfs, prefix);
    }
    vfs
}

const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55";

fn ambient(here: &str, path: &[&str]) -> Ambient {
    Ambient {
        working_directory: here.into(),
        path: path.iter().map(PathBuf::from).collect(),
        own_executable: Some("/own/bin/tfpatch".into()),
        ..Ambient::default()
    }
}

fn prefix_and_reason(found: Result<Found, Error>) -> (String, String) {
    let found = found.unwrap();
    (found.environment.prefix.to_str().unwrap().to_owned(), said(found.reason))
}

/// Why an environment was chosen, as a report says it.
fn said(reason: discovery::Reason) -> String {
    words::reason(&Reason::Found(reason))
}

#[test]
fn variables_come_before_dot_venv_and_path() {
    let vfs = tree();
    let mut ambient = ambient("/project/deep/down", &["/usr/bin"]);
    let expect = |ambient: &Ambient, prefix: &str, reason: &str| {
        let found = prefix_and_reason(discover(&vfs, ambient));
        assert_eq!(found, (prefix.to_owned(), reason.to_owned()));
    };
    expect(&ambient, "/project/.venv", "found in a parent directory");
    ambient.working_directory = "/project".into();
    expect(&ambient, "/project/.venv", "found here");
    ambient.conda_prefix = Some("/conda".into());
    expect(&ambient, "/conda", "from CONDA_PREFIX");
    ambient.virtual_env = Some("../active".into());
    expect(&ambient, "/active", "from VIRTUAL_ENV");
    ambient.virtual_env = Some("/usr/share".into());
    let error = discover(&vfs, &ambient).unwrap_err();
    let path = PathBuf::from("/usr/share");
    assert_eq!(error, Error::NotAnEnvironment { variable: "VIRTUAL_ENV", path });
}

/// `python -m tfpatch` and `ENV/bin/tfpatch` mean that environment, whatever else is active; a tool's own is
/// nobody's, and so is what merely links to it.
#[test]
fn an_environment_whose_tfpatch_is_called_is_meant() {
    let vfs = tree();
    let mut ambient = ambient("/project", &["/usr/bin"]);
    ambient.virtual_env = Some("/active".into());
    for (called, prefix) in [
        ("/own/bin/tfpatch", "/own"),
        ("/last/bin/tfpatch", "/last"),
        ("/u/uv/tools/black/bin/tfpatch", "/active"),
        ("/u/archive-v0/Hh1/bin/tfpatch", "/active"),
        ("/receipt/bin/tfpatch", "/active"),
        ("/usr/bin/tfpatch", "/active"),
        ("/home/me/.local/bin/tfpatch", "/active"),
    ] {
        ambient.called_as = Some(called.into());
        assert_eq!(prefix_and_reason(discover(&vfs, &ambient)).0, prefix, "{called}");
    }
}

/// conda's installer activates its base in each shell: whoever has a `.venv` means that.
#[test]
fn the_base_of_conda_comes_after_dot_venv() {
    let vfs = tree().dir("/base/conda-meta").dir("/base/condabin");
    let mut found = ambient("/project", &["/usr/bin"]);
    found.conda_prefix = Some("/base".into());
    assert_eq!(prefix_and_reason(discover(&vfs, &found)).0, "/project/.venv");
    found.working_directory = "/empty".into();
    let expected = ("/base".to_owned(), "from CONDA_PREFIX".to_owned());
    assert_eq!(prefix_and_reason(discover(&vfs, &found)), expected);
    found.conda_prefix = Some("/conda".into());
    found.working_directory = "/project".into();
    assert_eq!(prefix_and_reason(discover(&vfs, &found)).0, "/conda");
}

/// Nobody who has a `.venv` means another environment, be it an empty volume that is mounted there.
#[test]
fn a_dot_venv_that_is_none_is_an_error() {
    let look = |vfs: &MemVfs| discover(vfs, &ambient("/empty/below", &["/usr/bin"]));
    let vfs = tree().dir("/empty/.venv").dir("/empty/below");
    let error = look(&vfs).unwrap_err();
    assert_eq!(error, Error::NotAVenv { path: "/empty/.venv".into() });
    assert!(error.to_string().starts_with("/empty/.venv is not a virtual environment: pyvenv.cfg"));
    // pipenv and hatch write the name of an environment into a file; conda makes one there.
    let vfs = tree().file("/empty/.venv", "name").dir("/empty/below");
    assert_eq!(prefix_and_reason(look(&vfs)).0, "/usr");
    let vfs = tree().dir("/empty/.venv/conda-meta").dir("/empty/below");
    assert_eq!(prefix_and_reason(look(&vfs)).0, "/empty/.venv");
}

#[test]
fn on_path_tools_and_scripts_are_passed_over() {
    let vfs = tree();
    let path = [
        "/empty",
        "/nothing",
        "/scripts",
        "/links",
        "/own/bin",
        "/u/archive-v0/Hh1/bin",
        "/u/builds-v0/.tmp/bin",
        "/u/uv/tools/black/bin",
        "/u/pipx/venvs/black/bin",
        "/cache/x/env/bin",
        "/receipt/bin",
        "/last/bin",
        "/usr/bin",
    ];
    let found = discover(&vfs, &ambient("/", &path)).unwrap();
    assert_eq!(found.environment.prefix, Path::new("/last"));
    assert_eq!(said(found.reason), "/last/bin/python3 is the first on PATH that is usable");
    let told: Vec<String> = found.passed_over.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "/scripts/python3 is a script",
            "/links/python3 is a dangling link",
            "/own/bin/python3 belongs to the environment of tfpatch",
            "/u/archive-v0/Hh1/bin/python3 is in a cache",
            "/u/builds-v0/.tmp/bin/python3 is in a cache",
            "/u/uv/tools/black/bin/python3 belongs to a tool installed by uv",
            "/u/pipx/venvs/black/bin/python3 belongs to a tool installed by pipx",
            "/cache/x/env/bin/python3 is in a cache",
            "/receipt/bin/python3 belongs to a tool installed by uv",
        ]
    );
    // A tool's environment is nobody's choice, even where it is the only one.
    let error = discover(&vfs, &ambient("/", &["/own/bin"])).unwrap_err();
    assert!(matches!(&error, Error::NoEnvironment { passed_over } if passed_over.len() == 1));
    assert!(
        error
            .to_string()
            .contains("(/own/bin/python3 belongs to the environment of tfpatch); name")
    );
    let error = discover(&vfs, &ambient("/", &[])).unwrap_err();
    assert!(error.to_string().ends_with("on PATH; name the environment as TARGET"), "{error}");
}

#[test]
fn an_installation_with_tfpatch_in_it_is_the_users() {
    let mut ambient = ambient("/", &["/usr/bin"]);
    ambient.own_executable = Some("/usr/bin/tfpatch".into());
    let found = discover(&tree(), &ambient).unwrap();
    assert_eq!(found.environment.prefix, Path::new("/usr"));
    assert_eq!(found.environment.kind, Kind::System);
    assert_eq!(said(found.reason), "/usr/bin/python3 is the first on PATH");
}

#[test]
fn a_shim_of_pyenv_stands_for_the_version_that_its_files_name() {
    let vfs = tree();
    let reason = "/pyenv/shims/python3 is the first on PATH, selected by pyenv".to_owned();
    let found = |here: &str, version: Option<&str>| {
        let mut ambient = ambient(here, &["/pyenv/shims", "/usr/bin"]);
        ambient.pyenv_version = version.map(Into::into);
        prefix_and_reason(discover(&vfs, &ambient))
    };
    assert_eq!(found("/", None), ("/pyenv/versions/3.12.1".into(), reason.clone()));
    assert_eq!(found("/pinned", None), ("/pyenv/versions/3.10.2".into(), reason.clone()));
    assert_eq!(found("/pinned", Some("3.9:3.12.1")), ("/pyenv/versions/3.12.1".into(), reason));
    // 3.8 would be the newest 3.8.x: the next on PATH is taken, and the shim told.
    assert_eq!(found("/unknown", None).0, "/usr");
    assert_eq!(found("/", Some("../../usr")).0, "/usr");
}
