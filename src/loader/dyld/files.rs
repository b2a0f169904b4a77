//! The files that a search finds: does the file exist, and does dyld accept it? Every file is
//! examined once for all searches.

use super::version::Version;
use crate::bytes::Source;
use crate::hashing::QuickMap;
use crate::loader::files::memoised;
use crate::loader::{FileId, StepOutcome};
use crate::macho::codesign::Signature;
use crate::macho::{Arch, Container, Image, Kind, Summary};
use crate::vfs::{FileKind, Vfs};
use goblin::mach::load_command::LC_CODE_SIGNATURE;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// `PLATFORM_MACOS`.
const MACOS: u32 = 1;

/// A file that dyld accepts.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The path with every link resolved, by which dyld identifies the image.
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) summary: Arc<Summary>,
}

/// The result for one path.
#[derive(Debug, Clone)]
pub(super) enum Probe {
    /// Nothing is there.
    Absent,
    /// Something that is not a regular file.
    NotAFile,
    /// A file that dyld does not accept, and the message.
    Refused(StepOutcome, String),
    /// The image.
    Found(Arc<Candidate>),
}

/// What a file's content is to dyld; or why it is not accepted, in dyld's words.
type Verdict = Result<Arc<Summary>, (StepOutcome, String)>;

/// Everything that was examined so far.
pub(super) struct Files<'a> {
    pub(super) vfs: &'a dyn Vfs,
    arch: Arch,
    version: Version,
    probes: RwLock<QuickMap<PathBuf, Probe>>,
    /// dyld's judgement of a file's content.
    contents: RwLock<QuickMap<FileId, Verdict>>,
}

impl<'a> Files<'a> {
    pub(super) fn new(vfs: &'a dyn Vfs, version: Version, arch: Arch) -> Self {
        let (probes, contents) = (RwLock::default(), RwLock::default());
        Self { vfs, arch, version, probes, contents }
    }

    /// Tries an absolute path.
    pub(super) fn probe(&self, path: &Path) -> Probe {
        memoised(&self.probes, path, |path| self.look_at(path))
    }

    fn look_at(&self, path: &Path) -> Probe {
        let metadata = match self.vfs.metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Probe::Refused(StepOutcome::Unreadable, "errno=13".into());
            }
            Err(_) => return Probe::Absent,
        };
        if metadata.kind != FileKind::File {
            return Probe::NotAFile;
        }
        let source = match self.vfs.open(path) {
            Ok(source) => source,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                let words = format!("open() failed with errno={errno}");
                return Probe::Refused(StepOutcome::Unreadable, words);
            }
        };
        let content = memoised(&self.contents, &metadata.id, |_| self.judge(source.as_ref()));
        match content {
            Err((outcome, words)) => Probe::Refused(outcome, words),
            Ok(summary) => {
                let path = self.vfs.canonicalize(path).unwrap_or_else(|_| path.to_owned());
                Probe::Found(Arc::new(Candidate { path, id: metadata.id, summary }))
            }
        }
    }

    /// The checks of `MachOFile::compatibleSlice` and of the kernel.
    fn judge(&self, source: &dyn Source) -> Verdict {
        let malformed = |words: String| (StepOutcome::NotALibrary, words);
        let container = Container::parse(source)
            .map_err(|_| malformed("slice is not valid mach-o file".into()))?;
        let Some(slice) = container.slices.iter().find(|slice| self.takes(slice.arch())) else {
            return Err((StepOutcome::WrongMachine, self.other_architecture(&container)));
        };
        let read = Image::parse(slice.clone()).and_then(|image| {
            let is_signed = image.commands_of(LC_CODE_SIGNATURE).next().is_some();
            let is_intact = Signature::read(&image).ok().flatten().is_none_or(|signature| {
                let bad = signature.first_bad_page(image.slice(), image.commands_end());
                bad.is_ok_and(|bad| bad.is_none())
            });
            Ok((image.summary()?, is_signed, is_intact))
        });
        let (summary, is_signed, is_intact) = read.map_err(|error| malformed(error.to_string()))?;
        if summary.build_version().is_some_and(|built| built.platform != MACOS) {
            let words = "mach-o file, but is an incompatible platform".to_owned();
            return Err((StepOutcome::WrongMachine, words));
        }
        if summary.kind == Kind::Other {
            return Err(malformed("not a dylib or a bundle".into()));
        }
        if let Some(entry) = self.duplicate_rpath(&summary) {
            let entry = String::from_utf8_lossy(entry);
            return Err(malformed(format!("duplicate LC_RPATH '{entry}'")));
        }
        if !is_signed && summary.arch.must_be_signed() {
            let words = "code signature missing: mapped file has no cdhash, completely unsigned? \
                         Code has to be at least ad-hoc signed.";
            return Err((StepOutcome::BadSignature, words.into()));
        }
        // The kernel stops the process when it touches such a page; the load commands' pages are
        // touched first, and edits by other tools end there.
        if !is_intact && summary.arch.must_be_signed() {
            let words = "code signature invalid: its load commands do not match their page hashes";
            return Err((StepOutcome::BadSignature, words.into()));
        }
        Ok(Arc::new(summary))
    }

    /// What the message says about a file without a slice for the process.
    fn other_architecture(&self, container: &Container<'_>) -> String {
        let have: Vec<&str> = container.slices.iter().map(|slice| slice.arch().name()).collect();
        let (have, need) = (have.join(","), self.arch.name());
        let what = match container.is_universal() {
            false => "mach-o file, but is an incompatible architecture",
            true => "fat file, but missing compatible architecture",
        };
        if self.version.is_dyld_960() {
            format!("{what} (have ({have}), need ({need}))")
        } else {
            format!("{what} (have '{have}', need '{need}')")
        }
    }

    /// Does a process for [`Self::arch`] load code for `arch`? An x86_64 process loads what is for
    /// Haswell too.
    pub(super) fn takes(&self, arch: Arch) -> bool {
        let (has, wants) = (arch.name(), self.arch.name());
        has == wants || (has, wants) == ("x86_64h", "x86_64")
    }

    /// The first duplicate entry, if this dyld refuses such an image. It compares the first 64.
    fn duplicate_rpath<'s>(&self, summary: &'s Summary) -> Option<&'s Vec<u8>> {
        let mut seen = HashSet::new();
        let refuses = self.version.refuses_duplicate_rpaths(sdk_of(summary));
        summary
            .rpaths
            .iter()
            .take(64)
            .find(|entry| !seen.insert(entry.as_slice()))
            .filter(|_| refuses)
    }
}

/// The SDK that an image was built with; 0.0 if it is not known.
pub(super) fn sdk_of(summary: &Summary) -> Version {
    summary.build_version().map_or(Version::new(0, 0), |built| Version::of(built.sdk))
}
