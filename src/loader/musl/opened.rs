//! The result of a path that musl opens. The first file that opens ends the search, whether it is a
//! library or not (`path_open` and `map_library` in ldso/dynlink.c).

use super::super::files::{Candidate, Fatal, Files, Names, directory_of, memoised};
use super::super::{FileId, StepOutcome, Target};
use crate::bytes::Source;
use crate::elf::{Image, Kind, Summary, hash};
use crate::hashing::QuickMap;
use crate::vfs::FileKind;
use goblin::elf::header;
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// The result for one path.
#[derive(Debug, Clone)]
pub(super) enum Opened {
    /// It is mapped.
    Taken(Arc<Candidate>),
    /// It does not open: the next directory.
    Passed(StepOutcome),
    /// The search is over.
    Fatal(StepOutcome, Fatal),
}

/// musl's judgement of a file's bytes.
#[derive(Debug, Clone)]
enum Content {
    Object(Arc<Summary>),
    Refused(StepOutcome, &'static str),
}

/// Everything that was opened so far.
#[derive(Default)]
pub(super) struct Memo {
    paths: RwLock<QuickMap<PathBuf, Opened>>,
    contents: RwLock<QuickMap<FileId, Content>>,
    libc: RwLock<QuickMap<FileId, bool>>,
}

impl Memo {
    pub(super) fn look_at(&self, files: &Files<'_>, target: Target, path: &Path) -> Opened {
        memoised(&self.paths, path, |path| {
            self.open(files, target, path).unwrap_or_else(|error| of_error(path, &error))
        })
    }

    fn open(&self, files: &Files<'_>, target: Target, path: &Path) -> io::Result<Opened> {
        let metadata = files.vfs.metadata(path)?;
        let content = match metadata.kind {
            FileKind::Directory => Content::Refused(StepOutcome::NotALibrary, "Is a directory"),
            FileKind::File => {
                // Permissions may differ by path, though not by content.
                let source = files.vfs.open(path)?;
                memoised(&self.contents, &metadata.id, |_| judge(source.as_ref(), target))
            }
            _ => NOT_EXECUTABLE,
        };
        Ok(match content {
            Content::Object(summary) => Opened::Taken(Arc::new(Candidate {
                path: path.into(),
                real: files.vfs.canonicalize(path).map_or_else(|_| path.into(), Into::into),
                directory: directory_of(path).into(),
                id: metadata.id,
                mode: metadata.mode,
                names: Arc::new(Names::of(&summary)),
                summary,
            })),
            Content::Refused(outcome, message) => Opened::Fatal(outcome, Fatal::new(path, message)),
        })
    }

    /// Is an object a C library, musl or another? By these two symbols musl recognises a second
    /// one, does not load it, and uses itself instead.
    pub(super) fn is_libc(&self, files: &Files<'_>, candidate: &Candidate) -> bool {
        memoised(&self.libc, &candidate.id, |_| {
            let Ok(source) = files.vfs.open(&candidate.path) else { return false };
            let Ok(image) = Image::parse(source.as_ref()) else { return false };
            let exports = |name: &[u8]| hash::exports(&image, name).unwrap_or(false);
            exports(b"__libc_start_main") && exports(b"stdin")
        })
    }
}

/// `ENOEXEC` in musl's words.
const NOT_EXECUTABLE: Content = Content::Refused(StepOutcome::NotALibrary, "Exec format error");

/// What `map_library` makes of a file. It looks at `e_type` and for `PT_DYNAMIC`, and neither at the
/// class nor at the machine: an object of the other class is misread, and not accepted; one for
/// another machine is mapped, and cannot be relocated later.
fn judge(source: &dyn Source, target: Target) -> Content {
    let Ok(image) = Image::parse(source) else { return NOT_EXECUTABLE };
    let e_type = image.header().e_type;
    if image.kind() == Kind::NotDynamic || ![header::ET_DYN, header::ET_EXEC].contains(&e_type) {
        return NOT_EXECUTABLE;
    }
    let Ok(summary) = image.summary() else { return NOT_EXECUTABLE };
    if summary.class != target.class {
        return Content::Refused(StepOutcome::WrongClass, "Exec format error");
    }
    if summary.endian != target.endian {
        return NOT_EXECUTABLE;
    }
    Content::Object(Arc::new(summary))
}

/// `path_open` continues after four errors, and gives up after any other.
fn of_error(path: &Path, error: &io::Error) -> Opened {
    let fatal = |message: String| Opened::Fatal(StepOutcome::Unreadable, Fatal::new(path, message));
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) => {
            Opened::Passed(StepOutcome::Absent)
        }
        Some(Errno::ACCESS) => Opened::Passed(StepOutcome::Unreadable),
        Some(Errno::LOOP) => fatal("Symbolic link loop".into()),
        _ => fatal(error.to_string()),
    }
}
