//! Finds other stores above and below a directory.

use super::error::{Error, PathError};
use super::home::{LOOSE, NAME};
use super::owner;
use super::tree::is_gone;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The directory of the store that is responsible for `path`: `path` itself or one of its ancestors. The
/// first `passed` of these are skipped.
pub(super) fn found_above(path: &Path, passed: usize) -> Result<Option<PathBuf>, Error> {
    let failed = |source| PathError::new("find", path, source);
    let target = std::fs::metadata(path).map_err(failed)?;
    let me = owner::myself();
    for above in path.ancestors().skip(passed) {
        let home = match std::fs::symlink_metadata(above.join(NAME)) {
            Ok(home) => home,
            Err(error) if is_gone(&error) || error.kind() == ErrorKind::PermissionDenied => {
                continue;
            }
            // If the disk fails temporarily, an existing store must not be ignored.
            Err(error) => return Err(failed(error).into()),
        };
        if above == path {
            return Ok(Some(above.to_path_buf()));
        }
        let Ok(around) = std::fs::metadata(above) else { continue };
        let is_anothers = ![target.uid(), me, 0].contains(&around.uid());
        let is_open = around.mode() & LOOSE != 0;
        let ours = if me == 0 { [0, around.uid()] } else { [0, me] };
        if is_anothers || (is_open && !(home.is_dir() && ours.contains(&home.uid()))) {
            continue;
        }
        return Ok(Some(above.to_path_buf()));
    }
    Ok(None)
}

/// The directory of a store below `directory`. Directories that cannot be read are skipped.
pub(super) fn beneath(directory: &Path) -> Option<PathBuf> {
    let walk = walkdir::WalkDir::new(directory).min_depth(2).sort_by_file_name();
    let store = walk
        .into_iter()
        .filter_map(Result::ok)
        .find(|entry| entry.file_name() == NAME && entry.file_type().is_dir())?;
    store.path().parent().map(Path::to_path_buf)
}
