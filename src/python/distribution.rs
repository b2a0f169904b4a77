//! Installed distributions: `*.dist-info/METADATA` and `*.egg-info/PKG-INFO` (PEP 376, the core
//! metadata specification, PEP 503, PEP 508).

use super::direct_url::{self, Source};
use super::{read_start, read_whole, record, too_long};
use crate::vfs::{FileKind, Vfs};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The headers of METADATA are read up to this length; the longest known have some ten kilobytes.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// An INSTALLER contains one word.
const MAX_INSTALLER_BYTES: u64 = 256;
/// A top_level.txt contains a few names.
const MAX_TOP_LEVEL_BYTES: u64 = 1 << 20;

/// A distribution as it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The name in its metadata.
    pub name: String,
    /// The name by which distributions are compared: see [`normalized`].
    pub normalized: String,
    /// The version in its metadata; empty if they have none.
    pub version: String,
    /// Its `.dist-info` or `.egg-info` directory; the file itself where `.egg-info` is a file.
    pub location: PathBuf,
    /// The site-packages directory in which it is installed.
    pub site: PathBuf,
    /// The `Requires-Dist` lines, in order, those of extras included.
    pub requires: Vec<Requirement>,
    /// Does a PyPI classifier state that it computes on an NVIDIA GPU?
    pub is_for_cuda: bool,
    /// Where it was installed from; `None` for a package index.
    pub source: Option<Source>,
}

/// The form for sentences: the name by which distributions are compared, and the version.
impl fmt::Display for Distribution {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.normalized, self.version)
    }
}

/// What a distribution requires: a line of PEP 508.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The name, [`normalized`].
    pub name: String,
    /// The extras of that distribution, [`normalized`].
    pub extras: Vec<String>,
    /// The version specifier or the URL as written, without parentheses; empty where there is none.
    pub specifier: String,
    /// The environment marker as written, such as `extra == "gpu"`; not evaluated.
    pub marker: Option<String>,
}

/// The beginning of the classifiers of distributions that compute on an NVIDIA GPU
/// (<https://pypi.org/classifiers/>).
const CUDA_CLASSIFIER: &str = "Environment :: GPU :: NVIDIA CUDA";

/// A distribution that could not be read, or is not one.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file or directory cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The metadata have no name.
    #[error("{path} has no Name: the package is only partially installed", path = path.display())]
    Nameless {
        /// The METADATA or PKG-INFO file.
        path: PathBuf,
    },
    /// A directory that pip renamed for an interrupted upgrade, such as `~umpy-1.0.dist-info`.
    #[error("{path} is left over from an upgrade that pip did not finish; remove it", path = path.display())]
    LeftOver {
        /// The directory.
        path: PathBuf,
    },
    /// The RECORD is malformed; the rows before the error are known.
    #[error("{path}: {source}", path = path.display())]
    MalformedRecord {
        /// The RECORD.
        path: PathBuf,
        /// What is wrong, and where.
        source: crate::bytes::Error,
    },
}

impl Distribution {
    /// The path of its RECORD, whether it exists or not. A distribution without one (`.egg-info`,
    /// Debian's packages) has no list of its files.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.location.join("RECORD")
    }

    /// The program that installed it, in lower case, as `INSTALLER` says (PEP 376): `pip`, `uv`, `conda`.
    #[must_use]
    pub fn installer(&self, vfs: &dyn Vfs) -> String {
        let text = read_start(vfs, &self.location.join("INSTALLER"), MAX_INSTALLER_BYTES);
        String::from_utf8_lossy(&text.unwrap_or_default()).trim().to_ascii_lowercase()
    }

    /// Does its RECORD have the actual sizes and hashes of its files? Packagers of systems strip objects
    /// and rename scripts afterwards, and conda writes its prefix into files; none of them updates
    /// RECORD. Fedora's packages name `rpm` as the installer, those of Arch and Nix `installer`, the
    /// library (PyPI); Debian's remove the name, and are in `dist-packages`.
    #[must_use]
    pub fn keeps_record(&self, vfs: &dyn Vfs) -> bool {
        match self.installer(vfs).as_str() {
            "" => self.site.file_name().is_none_or(|name| name != "dist-packages"),
            installer => !["conda", "rpm", "installer"].contains(&installer),
        }
    }

    /// The bytes of its RECORD; `None` if it has none, or it cannot be read.
    #[must_use]
    pub fn read_record(&self, vfs: &dyn Vfs) -> Option<Vec<u8>> {
        read_whole(vfs, &self.record(), record::MAX_BYTES).ok()
    }

    /// The files that its RECORD lists, absolute; `None` if it has none, or it cannot be read.
    #[must_use]
    pub fn listed_files(&self, vfs: &dyn Vfs) -> Option<Vec<PathBuf>> {
        let record = self.read_record(vfs)?;
        let rows = record::rows(&record).map_while(Result::ok);
        Some(rows.map(|row| self.path_of(&row)).collect())
    }

    /// A path in a row of its RECORD, made absolute.
    #[must_use]
    pub fn path_of(&self, row: &record::Row<'_>) -> PathBuf {
        super::join_lexically(&self.site, Path::new(OsStr::from_bytes(&row.path)))
    }

    /// The names in site-packages that are its own: packages and modules, as RECORD lists them, or
    /// as `top_level.txt` lists them if there is no RECORD.
    #[must_use]
    pub fn top_level(&self, vfs: &dyn Vfs) -> BTreeSet<Vec<u8>> {
        let info = self.location.file_name().map(OsStr::as_bytes);
        if let Ok(record) = read_whole(vfs, &self.record(), record::MAX_BYTES) {
            record::rows(&record)
                .map_while(Result::ok)
                .filter_map(|row| row.path.split(|&byte| byte == b'/').next().map(<[u8]>::to_vec))
                .filter(|first| !first.is_empty() && first != b"..")
                .filter(|first| Some(first.as_slice()) != info && first != b"__pycache__")
                .collect()
        } else {
            let names = read_whole(vfs, &self.location.join("top_level.txt"), MAX_TOP_LEVEL_BYTES);
            let names = names.unwrap_or_default();
            let lines = names.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
            lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
        }
    }
}

/// A distribution's name as PEP 503 normalizes it: lower case, and `-` for each run of `-`, `_` and
/// `.`.
#[must_use]
pub fn normalized(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    for character in name.chars() {
        if !matches!(character, '-' | '_' | '.') {
            normalized.extend(character.to_lowercase());
        } else if !normalized.ends_with('-') {
            normalized.push('-');
        }
    }
    normalized
}

/// The distributions that are installed in `site`, by the names of their directories, and what
/// could not be read. If two have the same name, both are included.
#[must_use]
pub fn distributions(vfs: &dyn Vfs, site: &Path) -> (Vec<Distribution>, Vec<Problem>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let entries = match vfs.read_dir(site) {
        Ok(entries) => entries,
        Err(source) => {
            problems.push(Problem::Unreadable { path: site.to_owned(), source });
            return (found, problems);
        }
    };
    for entry in entries {
        let name = entry.name.as_bytes();
        let location = site.join(&entry.name);
        let metadata = if name.ends_with(b".dist-info") {
            location.join("METADATA")
        } else if !name.ends_with(b".egg-info") {
            continue;
        } else if entry.kind == FileKind::File {
            location.clone()
        } else {
            location.join("PKG-INFO")
        };
        if name.starts_with(b"~") {
            problems.push(Problem::LeftOver { path: location });
            continue;
        }
        match read_headers(vfs, &metadata) {
            Err(source) => problems.push(Problem::Unreadable { path: metadata, source }),
            Ok(headers) => match from_headers(&headers, &location, site) {
                Some(distribution) => {
                    let source = direct_url::read(vfs, &location);
                    found.push(Distribution { source, ..distribution });
                }
                None => problems.push(Problem::Nameless { path: metadata }),
            },
        }
    }
    (found, problems)
}

/// The headers of a METADATA, which a description of any length may follow.
fn read_headers(vfs: &dyn Vfs, path: &Path) -> io::Result<Vec<(String, String)>> {
    let text = read_start(vfs, path, MAX_HEADER_BYTES)?;
    if (text.len() as u64) < MAX_HEADER_BYTES {
        return Ok(headers(&text).0);
    }
    // The last line may be incomplete.
    let lines = memchr::memrchr(b'\n', &text).and_then(|end| text.get(..end)).unwrap_or_default();
    match headers(lines) {
        (headers, true) => Ok(headers),
        (_, false) => Err(too_long(MAX_HEADER_BYTES)),
    }
}

fn from_headers(
    headers: &[(String, String)],
    location: &Path,
    site: &Path,
) -> Option<Distribution> {
    let all = |wanted: &'static str| {
        headers.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value)
    };
    let name = word(all("name").next()?, "._-");
    // A name that begins with a hyphen would be an option of pip.
    let name = name.trim_matches(['.', '_', '-']).to_owned();
    if name.is_empty() {
        return None;
    }
    Some(Distribution {
        normalized: normalized(&name),
        version: all("version").next().map(|version| word(version, "._-+!~*")).unwrap_or_default(),
        requires: all("requires-dist").filter_map(|line| requirement(line)).collect(),
        is_for_cuda: all("classifier").any(|line| line.starts_with(CUDA_CLASSIFIER)),
        name,
        location: location.to_owned(),
        site: site.to_owned(),
        source: None,
    })
}

/// A name or a version with a hyphen for each run of characters that are not allowed, as setuptools
/// writes them: they are used in sentences, and in commands to paste.
fn word(text: &str, marks: &str) -> String {
    let mut word = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || marks.contains(character) {
            word.push(character);
        } else if !word.ends_with('-') {
            word.push('-');
        }
    }
    word
}

/// The headers before the first blank line, names in lower case, folded lines joined by a space. As
/// in Python's `email.parser`, a line that is not a header ends them. Was there such a line?
fn headers(text: &[u8]) -> (Vec<(String, String)>, bool) {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        // A line of spaces continues a header, as in licences that some put there; only an empty
        // line ends them, and has no colon.
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some((_, folded)) = found.last_mut() {
                folded.push(' ');
                folded.push_str(text.trim());
            }
            continue;
        }
        let Some((name, value)) = text.split_once(':') else { return (found, true) };
        found.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    (found, false)
}

/// A line of PEP 508; `None` if it does not start with a name.
#[must_use]
pub fn requirement(line: &str) -> Option<Requirement> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let line = line.trim();
    let (name, rest) = line.split_at(line.find(|c| !is_name(c)).unwrap_or(line.len()));
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = rest.trim_start();
    let (extras, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((extras, rest)) => (extras, rest.trim_start()),
        None => ("", rest),
    };
    // A URL may contain a semicolon; the one before its marker follows a space.
    let (specifier, marker) = match rest.strip_prefix('@') {
        Some(url) => url.split_once(" ;").map_or((url, None), |(url, marker)| (url, Some(marker))),
        None => rest.split_once(';').map_or((rest, None), |(spec, marker)| (spec, Some(marker))),
    };
    let specifier = specifier.trim();
    let inner = specifier.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    let extras = extras.split(',').map(str::trim).filter(|extra| !extra.is_empty());
    Some(Requirement {
        name: normalized(name),
        extras: extras.map(normalized).collect(),
        specifier: inner.unwrap_or(specifier).trim().to_owned(),
        marker: marker.map(|marker| marker.trim().to_owned()).filter(|marker| !marker.is_empty()),
    })
}

/// The nearest directory above an object that distributions are installed into, as `pip install
/// --target` makes one without an environment around it.
#[must_use]
pub fn packages_around<'p>(vfs: &dyn Vfs, object: &'p Path) -> Option<&'p Path> {
    object.ancestors().skip(1).find(|directory| {
        vfs.read_dir(directory).is_ok_and(|entries| {
            entries.iter().any(|entry| {
                entry.kind == FileKind::Directory && entry.name.as_bytes().ends_with(b".dist-info")
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{headers, normalized, requirement};

    #[test]
    fn names_are_compared_as_pep_503_says() {
        assert_eq!(normalized("Friendly.-_.Bard"), "friendly-bard");
        assert_eq!(normalized("nvidia_cusolver_cu12"), "nvidia-cusolver-cu12");
    }

    #[test]
    fn headers_are_folded_and_end_at_a_blank_line() {
        let text = b"Name: a\r\nSummary: one\r\n  \r\n  two\r\nVERSION : \xff\r\n\r\nName: b\r\n";
        let (found, have_ended) = headers(text);
        assert!(have_ended);
        assert_eq!(found[0], ("name".into(), "a".into()));
        assert_eq!(found[1], ("summary".into(), "one  two".into()));
        assert_eq!(found.len(), 3);
        assert_eq!(headers(b"Name: a\nno header\nVersion: 1\n").0.len(), 1);
    }

    #[test]
    fn a_requirement_has_name_extras_specifier_and_marker() {
        let read = |line| {
            let found = requirement(line).unwrap();
            (found.name, found.extras.join(","), found.specifier, found.marker)
        };
        let owned = str::to_owned;
        assert_eq!(
            read("Inner_Runtime [CUDA, x.y] (>=1.0,<2) ; extra == \"gpu\""),
            (
                "inner-runtime".into(),
                "cuda,x-y".into(),
                ">=1.0,<2".into(),
                Some(owned("extra == \"gpu\""))
            )
        );
        assert_eq!(
            read("a @ https://h/a;b.whl ; python_version>'3'"),
            (
                "a".into(),
                String::new(),
                "https://h/a;b.whl".into(),
                Some(owned("python_version>'3'"))
            )
        );
        assert_eq!(read("numpy"), ("numpy".into(), String::new(), String::new(), None));
        assert_eq!(requirement("; marker"), None);
    }
}
