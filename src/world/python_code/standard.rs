//! The code of Python's own library.

use crate::python::read_start;
use crate::python::sources::{self, When};
use crate::vfs::Vfs;
use std::path::Path;

/// Does the library in a directory continue without one of its extension modules? The module that people import has
/// the same name without the underscore, and imports it only in a `try`, as `uuid.py` does with `_uuid`.
#[must_use]
pub fn goes_on_without(vfs: &dyn Vfs, library: &Path, module: &str) -> bool {
    let Some(public) = module.strip_prefix('_') else { return false };
    let file = library.join(format!("{public}.py"));
    let Ok(text) = read_start(vfs, &file, sources::MAX_FILE_BYTES) else { return false };
    let Some(Ok(source)) = sources::read(&[&text]).into_iter().next() else { return false };
    let imports = source.imports.iter().filter(|it| it.level == 0 && it.module == module);
    let reached: Vec<_> =
        imports.filter(|it| !matches!(it.standing.when, When::Never | When::Called)).collect();
    !reached.is_empty() && reached.iter().all(|it| it.standing.catches_import_error)
}
