//! Files that installers create in every environment.

use std::ffi::OsStr;

/// `.pth` files whose code adds no directory to the search path of modules: the one of setuptools replaces
/// distutils (`distutils-precedence.pth`), and the one of virtualenv and uv patches it (`_virtualenv.py`).
const PTH: &[&str] = &["distutils-precedence.pth", "_virtualenv.pth"];

/// The suffixes of files that setuptools writes for a namespace package (`setuptools/namespaces.py`). Their
/// code adds the directory of the package beside them, where modules are searched anyway.
const NAMESPACE: &str = "-nspkg.pth";

/// Does the code of a `.pth` file with this name add no directory?
#[must_use]
pub fn adds_no_directory(name: &OsStr) -> bool {
    PTH.iter().any(|known| name == *known)
        || name.as_encoded_bytes().ends_with(NAMESPACE.as_bytes())
}
