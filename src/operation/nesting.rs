//! Where other stores lie: above a directory, and beneath it.

use super::error::{Error, PathError};
use super::home::{LOOSE, NAME};
use super::owner;
use super::tree::is_gone;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The directory whose store is responsible for `path`: itself, or one above; the first `passed` of
/// these are not asked.
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
            // A disk that fails for a moment: what was done here must not be forgotten for it.
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

/// The directory of a store somewhere beneath `directory`. What cannot be read cannot hold one.
pub(super) fn beneath(directory: &Path) -> Option<PathBuf> {
    let walk = walkdir::WalkDir::new(directory).min_depth(2).sort_by_file_name();
    let store = walk
        .into_iter()
        .filter_map(Result::ok)
        .find(|entry| entry.file_name() == NAME && entry.file_type().is_dir())?;
    store.path().parent().map(Path::to_path_buf)
}
