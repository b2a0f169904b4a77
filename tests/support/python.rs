//! Python environments: what their files say, against what their interpreters say.

use std::path::Path;
use tfpatch::python::discovery::Ambient;
use tfpatch::python::environment::Environment;
use tfpatch::python::target::{self, Target};
use tfpatch::vfs::OsVfs;

pub(crate) fn ambient(home: &Path) -> Ambient {
    Ambient { working_directory: "/".into(), home: Some(home.to_owned()), ..Ambient::default() }
}

pub(crate) fn at(path: &Path, home: &Path) -> Environment {
    match target::at(&OsVfs::new(), &ambient(home), path).unwrap() {
        Target::Environment(environment) => environment,
        other => panic!("{other:?}"),
    }
}
