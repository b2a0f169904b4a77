//! The RECORD rows of restored files, while other files of the same distribution stay edited.

use super::error::Error;
use super::file_source::{FileSource, through};
use super::intent::{Intent, Way};
use super::journal::About;
use super::tree::{Tree, is_gone};
use crate::bytes::Source as _;
use crate::edit::EditSet;
use crate::plan::{Kind, Lock, Method, RelativePath};
use crate::python::join_within;
use crate::python::record::{self, Change, Rewritten};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The requested files that a RECORD lists with a hash, by the index of the row.
pub(super) type Listed = BTreeMap<usize, RelativePath>;

/// A RECORD, read into memory.
pub(super) struct Rows {
    name: RelativePath,
    source: FileSource,
    text: Vec<u8>,
    site: PathBuf,
}

impl Rows {
    /// Reads the RECORD with this name in the tree; `None` if it does not exist or is too long.
    pub(super) fn read(tree: &Tree, name: &RelativePath) -> Result<Option<Self>, Error> {
        let source = open(tree, name)?.filter(|source| source.len() <= record::MAX_BYTES);
        let Some(source) = source else { return Ok(None) };
        let text = source.read(0, source.len(), "RECORD").ok().map(|text| text.into_owned());
        source.require_read()?;
        let site = name.as_path().parent().and_then(Path::parent).map(Path::to_path_buf);
        Ok(text.zip(site).map(|(text, site)| Self { name: name.clone(), source, text, site }))
    }

    /// Those of `files`, which are names below `base`, that have a row with a hash.
    pub(super) fn of<'a>(
        &self,
        tree: &Tree,
        files: impl Iterator<Item = &'a RelativePath>,
    ) -> Result<Listed, Error> {
        let path = |name: &RelativePath| {
            Ok::<_, Error>(tree.find(name)?.map(|place| place.name.path().to_path_buf()))
        };
        let found = files.map(|name| Ok(path(name)?.map(|path| (path, name.clone()))));
        let files: BTreeMap<PathBuf, RelativePath> =
            found.filter_map(Result::transpose).collect::<Result<_, Error>>()?;
        let names: BTreeSet<&OsStr> = files.keys().filter_map(|path| path.file_name()).collect();
        let mut listed = Listed::new();
        for (index, row) in record::rows(&self.text).map_while(Result::ok).enumerate() {
            let file = Path::new(OsStr::from_bytes(&row.path));
            // Most rows are for other files, so compare the file name before accessing the disk.
            if row.hash.is_none() || !file.file_name().is_some_and(|name| names.contains(name)) {
                continue;
            }
            let Some(file) = join_within(&self.site, file) else { continue };
            let Ok(name) = RelativePath::new(&file) else { continue };
            let Some(found) = path(&name)? else { continue };
            if let Some(file) = files.get(&found) {
                listed.insert(index, file.clone());
            }
        }
        Ok(listed)
    }

    /// The change that updates the rows of `listed` for the files that `intents` produce; `None` if a row
    /// cannot be updated, or none has to be.
    pub(super) fn refreshed(
        &self,
        tree: &Tree,
        listed: &Listed,
        intents: &[Intent],
    ) -> Result<Option<Intent>, Error> {
        let mut changes = Vec::with_capacity(listed.len());
        for (&row, name) in listed {
            let intent = intents.iter().find(|intent| intent.names().any(|one| one == name));
            let (Some(intent), Some(source)) = (intent, open(tree, name)?) else { return Ok(None) };
            let change = through(&source, &intent.edits(), &mut |file| {
                let sha256 = record::sha256(file).ok()?;
                Some(Change { row, sha256, size: file.len() })
            });
            source.require_read()?;
            let Some(change) = change else { return Ok(None) };
            changes.push(change);
        }
        let Ok(Rewritten { edits, before, after }) = record::rewrite(&self.text, &changes) else {
            return Ok(None);
        };
        if edits.is_empty() {
            return Ok(None);
        }
        let whole = 0..self.source.len();
        let locks = Lock::of_step(&self.source, &edits, std::slice::from_ref(&whole));
        self.source.require_read()?;
        let Ok((old, new)) = locks else { return Ok(None) };
        Ok(Some(Intent {
            path: self.name.clone(),
            aliases: Vec::new(),
            about: About {
                kind: Kind::Record,
                before,
                after,
                fields: Vec::new(),
                method: Method::Rows,
                reason: "hashes and sizes of the restored files".to_owned(),
            },
            old,
            new,
            way: Way::Edits(edits),
            replace: true,
            unopened: false,
            seen: None,
            link: None,
            times: None,
            reverts: Vec::new(),
        }))
    }
}

/// Opens a file by its name; `None` if it does not exist.
fn open(tree: &Tree, name: &RelativePath) -> Result<Option<FileSource>, Error> {
    let Some(place) = tree.find(name)? else { return Ok(None) };
    match FileSource::open(&place.name) {
        Err(error)
            if is_gone(&error.source) || error.source.kind() == io::ErrorKind::InvalidInput =>
        {
            Ok(None)
        }
        result => Ok(Some(result?)),
    }
}

impl Intent {
    /// All names of the file, the path first.
    pub(super) fn names(&self) -> impl Iterator<Item = &RelativePath> {
        std::iter::once(&self.path).chain(&self.aliases)
    }

    /// The edits, in order.
    fn edits(&self) -> Vec<&EditSet> {
        match &self.way {
            Way::Edits(edits) => vec![edits],
            Way::Changes(changes) => changes.iter().map(|change| &change.edits).collect(),
        }
    }
}
