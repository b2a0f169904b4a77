//! Writes a file elsewhere than where its old bytes are, so that there is nothing to undo.

use super::error::{Contradiction, Error, PathError};
use super::file_source::FileSource;
use super::owner;
use super::refusal::Refusal;
use crate::bytes::{self, Source};
use crate::edit::{EditSet, Patched};
use rustix::fs::{Access, AtFlags, CWD};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

/// Files are compared and copied in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// A file without a name, for bytes that are too large to be held in memory until they are written.
pub struct Scratch {
    file: File,
    path: std::path::PathBuf,
}

impl Scratch {
    /// A file on the file system of `directory`, where the result will be written.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn in_directory(directory: &Path) -> Result<Self, PathError> {
        let file = tempfile::tempfile_in(directory)
            .map_err(|source| PathError::new("write in the directory", directory, source))?;
        Ok(Self { file, path: directory.to_path_buf() })
    }

    /// A directory that is removed with this file, for temporary data.
    ///
    /// # Errors
    /// If none can be created.
    pub fn directory() -> io::Result<tempfile::TempDir> {
        tempfile::tempdir()
    }

    /// The bytes that were written.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn into_source(self) -> Result<Arc<dyn Source>, PathError> {
        Ok(Arc::new(FileSource::of(self.file, &self.path)?))
    }
}

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Creates a directory for backups and its parents, unless they exist.
///
/// # Errors
/// The error of the operating system.
pub fn make_directory(directory: &Path) -> Result<(), PathError> {
    std::fs::create_dir_all(directory)
        .map_err(|source| PathError::new("create the directory", directory, source))
}

/// Creates a symbolic link, unless it exists. Nothing else of that name is replaced.
///
/// # Errors
/// The error of the operating system, also if the name exists and is something else.
pub fn make_link(target: &Path, link: &Path) -> Result<(), PathError> {
    if std::fs::read_link(link).is_ok_and(|found| found == target) {
        return Ok(());
    }
    std::os::unix::fs::symlink(target, link)
        .map_err(|source| PathError::new("create the link", link, source))
}

/// Fails if no file can be created in `directory`, without creating anything.
///
/// # Errors
/// If that is not possible.
pub fn require_writable(directory: &Path) -> Result<(), Error> {
    // The kernel checks the permission, which also considers access control lists and file systems that are
    // mounted read-only.
    let access = Access::WRITE_OK | Access::EXEC_OK;
    owner::as_owner_of(directory, true, || {
        rustix::fs::accessat(CWD, directory, access, AtFlags::EACCESS)
            .map_err(|source| PathError::new("write in the directory", directory, source).into())
    })
}

/// Writes the file at `old` with `edits` to `new`, completely or not at all, with the mode of the old file.
/// `new` must not exist yet, or have exactly the resulting bytes; then the result is false.
///
/// # Errors
/// If something else exists, or cannot be read or written.
pub fn write_elsewhere(old: &Path, edits: &EditSet, new: &Path, sync: bool) -> Result<bool, Error> {
    let source = FileSource::open_named(old)?;
    if edits.old_len() != source.len() {
        let why = Contradiction::OtherLength;
        return Err(Error::Inconsistent { path: old.to_path_buf(), why });
    }
    let directory = match new.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    owner::as_owner_of(directory, true, || write_new(&source, edits, new, directory, sync))
}

/// Writes the file at `old` with `edits` to `new`, even if that exists, completely or not at all, with the
/// mode of the old file. If `new` is not a regular file, the bytes are written into it.
///
/// # Errors
/// If something cannot be read or written.
pub fn write_over(old: &Path, edits: &EditSet, new: &Path, sync: bool) -> Result<(), Error> {
    let source = FileSource::open_named(old)?;
    let patched = Patched::new(&source as &dyn Source, edits);
    let directory = match new.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |source: io::Error| PathError::new("write", new, source);
    if std::fs::metadata(new).is_ok_and(|found| !found.is_file()) {
        let mut file = File::options().write(true).open(new).map_err(failed)?;
        return Ok(write_all(&patched, &mut file).map_err(failed)?);
    }
    let new = std::fs::canonicalize(new).unwrap_or_else(|_| new.to_owned());
    let file = temporary(&source, &patched, &new, directory, sync)?;
    file.persist(&new).map_err(|error| PathError::new("write", &new, error.error))?;
    Ok(())
}

fn write_new(
    source: &FileSource,
    edits: &EditSet,
    new: &Path,
    directory: &Path,
    sync: bool,
) -> Result<bool, Error> {
    let patched = Patched::new(source as &dyn Source, edits);
    if std::fs::symlink_metadata(new).is_ok() {
        let other = FileSource::open_named(new)?;
        let len = patched.len();
        if other.len() == len && bytes::is_same(&patched, 0, &other, 0, len) {
            return Ok(false);
        }
        return Err(Error::refused(new, Refusal::NameTaken));
    }
    let failed = |source: io::Error| PathError::new("write", new, source);
    let file = temporary(source, &patched, new, directory, sync)?;
    // Fails if another process has created the name in the meantime.
    file.persist_noclobber(new).map_err(|error| failed(error.error))?;
    if sync {
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    }
    Ok(true)
}

/// A temporary file in `directory` with the bytes of `new`, and the mode of `source`.
fn temporary(
    source: &FileSource,
    patched: &dyn Source,
    new: &Path,
    directory: &Path,
    sync: bool,
) -> Result<tempfile::NamedTempFile, Error> {
    let failed = |source: io::Error| PathError::new("write", new, source);
    let mut file = tempfile::NamedTempFile::new_in(directory)
        .map_err(|source| PathError::new("write in the directory", directory, source))?;
    write_all(patched, &mut file).map_err(failed)?;
    let mode = source.stat()?.mode & 0o777;
    let permissions = std::fs::Permissions::from_mode(mode);
    file.as_file().set_permissions(permissions).map_err(failed)?;
    if sync {
        file.as_file().sync_all().map_err(failed)?;
    }
    Ok(file)
}

/// Writes all bytes of a source.
fn write_all(source: &dyn Source, to: &mut dyn Write) -> io::Result<()> {
    let mut at = 0;
    while at < source.len() {
        let piece = source.read(at, PIECE.min(source.len() - at), "the edited file");
        let piece = piece.map_err(io::Error::other)?;
        to.write_all(&piece)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// Writes a text to a file that the user named, completely or not at all. The text is written into a pipe, a
/// terminal or the target of a link.
///
/// # Errors
/// The error of the operating system.
pub fn write_text(file: &Path, text: &[u8]) -> io::Result<()> {
    let is_other = std::fs::symlink_metadata(file).is_ok_and(|found| !found.is_file());
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    if is_other {
        return std::fs::write(file, text);
    }
    let readable = std::fs::Permissions::from_mode(0o666);
    let mut new = tempfile::Builder::new()
        .permissions(readable)
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    new.write_all(text)?;
    new.persist(file)?;
    Ok(())
}
