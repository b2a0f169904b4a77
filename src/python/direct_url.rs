//! Where a distribution was installed from, if not from a package index: `direct_url.json` (PEP 610).

use super::read_whole;
use crate::vfs::Vfs;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The file has one URL and a hash.
const MAX_BYTES: u64 = 64 << 10;

/// The source of a distribution. Its URL is part of commands to paste, and has only characters of URLs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A URL as `pip` takes it after `NAME @`, with the commit of a repository.
    Url(String),
    /// A directory or an archive on this machine.
    Local {
        /// Its path.
        path: PathBuf,
        /// Is it imported from there, rather than copied?
        is_editable: bool,
    },
    /// A file or directory that does not exist here.
    Gone(PathBuf),
}

#[derive(Deserialize)]
struct DirectUrl {
    url: String,
    subdirectory: Option<String>,
    vcs_info: Option<Vcs>,
    dir_info: Option<Directory>,
}

#[derive(Deserialize)]
struct Vcs {
    vcs: String,
    commit_id: String,
}

#[derive(Deserialize)]
struct Directory {
    #[serde(default)]
    editable: bool,
}

/// The source of the distribution with this `.dist-info` directory; `None` for one from an index.
pub(super) fn read(vfs: &dyn Vfs, location: &Path) -> Option<Source> {
    let text = read_whole(vfs, &location.join("direct_url.json"), MAX_BYTES).ok()?;
    let DirectUrl { url, subdirectory, vcs_info, dir_info } = serde_json::from_slice(&text).ok()?;
    let part = subdirectory.map(|part| format!("#subdirectory={part}")).unwrap_or_default();
    let url = match &vcs_info {
        Some(Vcs { vcs, commit_id }) => format!("{vcs}+{url}@{commit_id}{part}"),
        None => format!("{url}{part}"),
    };
    let is_of_url = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&()*+,;=%".contains(c);
    if !url.chars().all(is_of_url) || url.starts_with('-') {
        return None;
    }
    let Some(path) = url.strip_prefix("file://").filter(|_| part.is_empty()) else {
        return Some(Source::Url(url));
    };
    let path = PathBuf::from(decoded(path)?);
    let is_editable = dir_info.is_some_and(|directory| directory.editable);
    Some(match vfs.metadata(&path) {
        Ok(_) => Source::Local { path, is_editable },
        Err(_) => Source::Gone(path),
    })
}

/// The path of a `file` URL, whose bytes may be written as `%20`.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(2..)?;
    }
    let path = String::from_utf8(bytes).ok()?;
    (path.starts_with('/') && !path.chars().any(char::is_control)).then_some(path)
}
