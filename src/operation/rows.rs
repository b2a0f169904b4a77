//! RECORD rows of files that are put back, while others of the same distribution stay edited.

use super::file::{FileSource, through};
use super::journal::About;
use super::preflight::{Intent, Way};
use super::tree::Tree;
use crate::bytes::Source as _;
use crate::edit::EditSet;
use crate::plan::{Kind, Lock, RelativePath};
use crate::python::join_within;
use crate::python::record::{self, Change, Rewritten};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The files that a RECORD lists with a hash, as far as they were asked for, by the row's index.
pub(super) type Listed = BTreeMap<usize, RelativePath>;

/// A RECORD, read into memory.
pub(super) struct Rows {
    name: RelativePath,
    source: FileSource,
    text: Vec<u8>,
    site: PathBuf,
}

impl Rows {
    /// The RECORD with that name in the tree; none where it cannot be read.
    pub(super) fn read(tree: &Tree, name: &RelativePath) -> Option<Self> {
        let place = tree.name(name).ok()?;
        let source = FileSource::open(&place.name).ok()?;
        let text = source.read(0, source.len(), "RECORD").ok()?.into_owned();
        let site = name.as_path().parent()?.parent()?.to_path_buf();
        Some(Self { name: name.clone(), source, text, site })
    }

    /// Those of `files`, names beneath `base`, that have a row with a hash.
    pub(super) fn of<'a>(
        &self,
        tree: &Tree,
        files: impl Iterator<Item = &'a RelativePath>,
    ) -> Listed {
        let path = |name: &RelativePath| Some(tree.name(name).ok()?.name.path().to_path_buf());
        let files: BTreeMap<PathBuf, RelativePath> =
            files.filter_map(|name| Some((path(name)?, name.clone()))).collect();
        let names: BTreeSet<&OsStr> = files.keys().filter_map(|path| path.file_name()).collect();
        let mut listed = Listed::new();
        for (index, row) in record::rows(&self.text).map_while(Result::ok).enumerate() {
            let file = Path::new(OsStr::from_bytes(&row.path));
            // Most rows are of other files: the disk is not asked about them.
            if row.hash.is_none() || !file.file_name().is_some_and(|name| names.contains(name)) {
                continue;
            }
            let Some(file) = join_within(&self.site, file) else { continue };
            let Some(found) = RelativePath::new(&file).ok().and_then(|name| path(&name)) else {
                continue;
            };
            if let Some(file) = files.get(&found) {
                listed.insert(index, file.clone());
            }
        }
        listed
    }

    /// What brings the rows of `listed` up to date with the files as `intents` leave them; none where
    /// a row cannot be renewed, or none has to be.
    pub(super) fn refreshed(
        &self,
        tree: &Tree,
        listed: &Listed,
        intents: &[Intent],
    ) -> Option<Intent> {
        let changes: Vec<Change> = listed
            .iter()
            .map(|(&row, name)| {
                let intent = intents.iter().find(|intent| intent.names().any(|one| one == name))?;
                let source = FileSource::open(&tree.name(name).ok()?.name).ok()?;
                through(&source, &intent.edits(), &mut |file| {
                    let sha256 = record::sha256(file).ok()?;
                    Some(Change { row, sha256, size: file.len() })
                })
            })
            .collect::<Option<_>>()?;
        let Rewritten { edits, before, after } = record::rewrite(&self.text, &changes).ok()?;
        if edits.is_empty() {
            return None;
        }
        let whole = 0..self.source.len();
        let (old, new) = Lock::of_step(&self.source, &edits, std::slice::from_ref(&whole)).ok()?;
        Some(Intent {
            path: self.name.clone(),
            aliases: Vec::new(),
            about: About {
                kind: Kind::Record,
                before,
                after,
                method: "rows".to_owned(),
                reason: "hashes and sizes of the files that were put back".to_owned(),
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
        })
    }
}

impl Intent {
    /// Every name of the file, the path first.
    pub(super) fn names(&self) -> impl Iterator<Item = &RelativePath> {
        std::iter::once(&self.path).chain(&self.aliases)
    }

    /// The edits, one after the other.
    fn edits(&self) -> Vec<&EditSet> {
        match &self.way {
            Way::Edits(edits) => vec![edits],
            Way::Changes(changes) => changes.iter().map(|change| &change.edits).collect(),
        }
    }
}
