//! Files that installers leave in every environment, as a table.

use std::ffi::OsStr;

/// `.pth` files whose code adds no directory to where modules are looked for: that of setuptools puts its own
/// distutils in the place of the standard library's (`distutils-precedence.pth`), that of virtualenv and uv mends
/// distutils (`_virtualenv.py`).
const PTH: &[&str] = &["distutils-precedence.pth", "_virtualenv.pth"];

/// How the names of those end that setuptools writes for a namespace package (`setuptools/namespaces.py`): their code
/// gives the package a directory beside them, where modules are looked for anyway.
const NAMESPACE: &str = "-nspkg.pth";

/// Does the code of a `.pth` file of that name add no directory?
#[must_use]
pub fn adds_no_directory(name: &OsStr) -> bool {
    PTH.iter().any(|known| name == *known)
        || name.as_encoded_bytes().ends_with(NAMESPACE.as_bytes())
}
