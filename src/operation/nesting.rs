//! Finds other stores above a directory, and between a directory and a file in it.

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

/// The directory of a store that a file has closer to it than the one in `directory`: files in it belong to that one.
pub(super) fn between(directory: &Path, file: &Path) -> Option<PathBuf> {
    let around = file.ancestors().skip(1).take_while(|above| *above != directory);
    let is_store =
        |above: &&Path| std::fs::symlink_metadata(above.join(NAME)).is_ok_and(|home| home.is_dir());
    around.filter(|above| above.starts_with(directory)).find(is_store).map(Path::to_path_buf)
}
