//! Detects everything that would prevent an operation before the first write.

use super::changes::change;
use super::digest::{self, Digest};
use super::error::{Contradiction, Error, PathError};
use super::file_source::{FileSource, Identity, open_place, through};
use super::free_space::FreeSpace;
use super::intent::{Intent, Way};
use super::journal::{Change, Kept, Link, State, Step};
use super::lease::Lease;
use super::metadata::{CAPABILITY, Metadata};
use super::permitted::{self, Listed, Names};
use super::refusal::{Obstacle, Refusal};
use super::rights;
use super::times::Times;
use super::tree::{self, FileId, Name, Place, Stat, Tree};
use super::{Write, write};
use crate::bytes::{Piecewise, Source};
use crate::plan::{Kind, Lock, RelativePath, Seen};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A step without known obstacles.
pub(super) struct Prepared {
    pub(super) step: Step,
    /// The state of the file.
    pub(super) judged: Judged,
    /// Is the file readable by everybody?
    pub(super) is_public: bool,
}

/// The state of a file when no obstacle was found. Only this file, reached by the same path, is written
/// later.
pub(super) struct Judged {
    /// The requested names, relative to the tree.
    pub(super) asked: Vec<RelativePath>,
    /// The directories and links on the path of each name.
    pub(super) ways: Vec<Vec<tree::Seen>>,
    /// The file at each name; a link is not followed.
    pub(super) names: Vec<FileId>,
    /// The file that the names refer to.
    pub(super) identity: Identity,
    /// The metadata that it gets.
    pub(super) metadata: Metadata,
    pub(super) in_place: bool,
}

/// The context in which steps are prepared.
pub(super) struct Bench<'a> {
    /// The tree that paths must not leave.
    pub(super) tree: &'a Tree,
    /// The directory that the names in a record are relative to.
    pub(super) base: &'a Path,
    pub(super) mode: Write,
    /// The digests of whole files after the operation, by their paths relative to the tree.
    pub(super) digests: &'a BTreeMap<PathBuf, Digest>,
    /// The files of the operation.
    pub(super) listed: &'a Listed<'a>,
}

/// Examines one file. Its names must stay within the tree; those in the step are relative to the base. All questions
/// are about the same few tables, which are read once here. Before its first byte changes, the file is read again.
pub(super) fn prepare(
    bench: &Bench<'_>,
    intent: Intent,
    space: &mut FreeSpace,
) -> Result<Prepared, Error> {
    let file = Found::open(bench.tree, &intent)?;
    let pieces = Piecewise::new(&file.source);
    file.check(bench.tree, &intent, &pieces)?;
    file.require_undo(&intent, bench.listed, &pieces)?;
    let changes = changes(&file, intent.way, &pieces, &intent.new, intent.about.kind)?;
    let names = file.names();
    let is_link = file.link.is_some() || intent.link.is_some();
    let must_be_unopened = intent.unopened || intent.new.size < intent.old.size;
    let obstacle = match intent.replace {
        true => Some(Obstacle::Unsafe),
        false if is_link => Some(Obstacle::LeavingLink),
        false => file.obstacle(&changes, must_be_unopened),
    };
    let in_place = is_in_place(bench.mode, obstacle, &file.path)?;
    rights::check(bench.tree, &names, &file.metadata, in_place)?;
    if let Some(name) = names.first() {
        space.take(
            name.directory(),
            file.own.device,
            needed(&intent.old, &intent.new, in_place),
        )?;
    }
    let directories = times_of_directories(&names)?;
    let mut relative = file.relative_to(bench.base)?.into_iter();
    let whole = bench.digests.get(intent.path.as_path()).cloned();
    let whole = whole.or_else(|| digest_of(&pieces, &changes, &intent.new));
    let metadata = file.metadata;
    let times = intent.times.unwrap_or(metadata.times);
    let kept = Kept { times: metadata.times };
    let new = State { metadata: Kept { times }, whole, lock: intent.new, link: intent.link };
    Ok(Prepared {
        is_public: metadata.mode & 0o004 != 0,
        step: Step {
            path: relative.next().unwrap_or(intent.path),
            aliases: relative.collect(),
            about: intent.about,
            old: State { lock: intent.old, whole: None, metadata: kept, link: file.link },
            new,
            changes,
            replace: intent.replace,
            unopened: intent.unopened,
            directories,
            reverts: intent.reverts,
        },
        judged: Judged {
            ways: file.places.iter().map(|place| place.seen().to_vec()).collect(),
            names: file.places.iter().map(|_| file.own.id()).collect(),
            asked: file.asked,
            identity: Identity::of(&file.stat),
            metadata: Metadata { times, ..metadata },
            in_place,
        },
    })
}

/// The reason why a file may not be edited, whatever is changed in it; `None` if there is none, or the file
/// cannot be examined.
pub(super) fn protection(tree: &Tree, file: &RelativePath) -> Option<Refusal> {
    let place = tree.locate(file).ok()?;
    let (source, own) = open_place(&place).ok()?;
    let mut metadata = Metadata::of_source(&source).ok()?;
    if place.link.is_some() {
        (metadata.uid, metadata.gid) = (own.uid, own.gid);
    }
    let path = place.name.path();
    let allowed = rights::refuse_privileged(path, &source, &metadata)
        .and_then(|()| rights::check(tree, &[&place.name], &metadata, true));
    match allowed {
        Err(Error::Refused { why, .. }) => Some(why),
        _ => None,
    }
}

/// Is the file edited in place? If that was requested and is impossible, the file is refused.
fn is_in_place(mode: Write, obstacle: Option<Obstacle>, path: &Path) -> Result<bool, Error> {
    match (mode, obstacle) {
        (Write::InPlace, Some(obstacle)) => {
            Err(Error::refused(path, Refusal::NotInPlace { obstacle }))
        }
        (Write::Replace, _) => Ok(false),
        (Write::Auto | Write::InPlace, obstacle) => Ok(obstacle.is_none()),
    }
}

/// The bytes that a file uses or frees. A new file exists beside the old one for a while.
fn needed(old: &Lock, new: &Lock, in_place: bool) -> i64 {
    // No file is too long for an i64.
    let (old, new) = (old.size.cast_signed(), new.size.cast_signed());
    if in_place { new - old } else { old.max(new) }
}

/// An existing file under all its names.
struct Found {
    /// The first name, for messages.
    path: PathBuf,
    /// The requested names.
    asked: Vec<RelativePath>,
    places: Vec<Place>,
    /// What each name is: the file, or a link that leads to it.
    own: Stat,
    source: FileSource,
    stat: Stat,
    /// The metadata that the file gets.
    metadata: Metadata,
    /// The link at this name, which leads outside the target.
    link: Option<Link>,
}

impl Found {
    /// Opens the file of an intent, and finds its other names.
    fn open(tree: &Tree, intent: &Intent) -> Result<Self, Error> {
        let place = tree.locate(&intent.path)?;
        let path = place.name.path().to_path_buf();
        let (source, own) = open_place(&place)?;
        let stat = source.stat()?;
        // Read the metadata first, because reading the file may change its access time.
        let mut metadata = Metadata::of_source(&source)?;
        let link = place.link.clone().map(|target| Link { target, times: Times::from(&own) });
        if link.is_some() {
            // The private copy belongs to the owner of the link: the linked file is part of somebody's cache.
            (metadata.uid, metadata.gid) = (own.uid, own.gid);
        }
        let (mut asked, mut places) = (vec![intent.path.clone()], vec![place]);
        for alias in &intent.aliases {
            let other = tree.locate(alias)?;
            let same = other.name.stat().is_ok_and(|found| found.id() == own.id());
            if !same || other.link.is_some() != link.is_some() {
                let path = other.name.path().to_path_buf();
                let why = Contradiction::Alias;
                return Err(Error::Inconsistent { path, why });
            }
            if places.iter().all(|known| known.name.path() != other.name.path()) {
                asked.push(alias.clone());
                places.push(other);
            }
        }
        Ok(Self { path, asked, places, own, source, stat, metadata, link })
    }

    fn names(&self) -> Vec<&Name> {
        self.places.iter().map(|place| &place.name).collect()
    }

    /// Is it the file that the intent was made for, and may it be edited?
    fn check(&self, tree: &Tree, intent: &Intent, bytes: &dyn Source) -> Result<(), Error> {
        let Self { path, stat, places, link, .. } = self;
        let is_another = |seen: &Seen| {
            (seen.id, seen.len, seen.modified) != (stat.id(), stat.len, stat.modified)
        };
        // Relative entries are only correct from the directory that they were computed for.
        let spelled_from = intent.seen.as_ref().and_then(|seen| seen.directory.as_deref());
        let is_there = |from: &Path| {
            places.iter().any(|place| place.name.directory().path() == tree.on_disk(from))
        };
        let is_elsewhere = link.is_none() && spelled_from.is_some_and(|from| !is_there(from));
        if intent.seen.as_ref().is_some_and(is_another) || is_elsewhere {
            return Err(Error::Overtaken { path: path.clone() });
        }
        if link.is_some() && places.len() > 1 {
            let why = Contradiction::LinkWithAliases;
            return Err(Error::Inconsistent { path: path.clone(), why });
        }
        rights::refuse_privileged(path, &self.source, &self.metadata)?;
        match change(&intent.old, bytes) {
            Some(change) => Err(Error::Changed { path: path.clone(), change }),
            None => Ok(()),
        }
    }

    /// Refuses edits that an undo would not be permitted to revert; the rules are the same in both
    /// directions. A wheel is packed again, and compared before it is restored.
    fn require_undo(
        &self,
        intent: &Intent,
        listed: &Listed<'_>,
        pieces: &Piecewise<'_>,
    ) -> Result<(), Error> {
        let Way::Edits(edits) = &intent.way else { return Ok(()) };
        if intent.about.kind == Kind::Wheel {
            return Ok(());
        }
        let names = Names::new(&intent.path, &intent.aliases);
        let checked = permitted::check_piecewise(&intent.about, &names, pieces, &[edits], listed);
        checked.map_err(|change| Error::refused(&self.path, Refusal::NoWayBack { change }))
    }

    /// The obstacle to writing the changes into the file itself, if there is one.
    fn obstacle(&self, changes: &[Change], must_be_unopened: bool) -> Option<Obstacle> {
        let has_capabilities =
            self.metadata.attributes.iter().any(|found| found.name == CAPABILITY);
        let is_writable = |place: &Place| rights::is_writable(&place.name);
        if self.stat.links > self.places.len() as u64 {
            Some(Obstacle::HardLinks)
        } else if has_capabilities {
            Some(Obstacle::Capabilities)
        } else if !write::fits_in_place(changes) {
            Some(Obstacle::Moves)
        } else if !self.places.first().is_some_and(is_writable) {
            Some(Obstacle::NotWritable)
        } else if must_be_unopened && Lease::take(&self.source.file).is_none() {
            Some(Obstacle::OpenElsewhere)
        } else {
            None
        }
    }

    /// Its names, relative to the directory that the names in a record are relative to.
    fn relative_to(&self, base: &Path) -> Result<Vec<RelativePath>, Error> {
        let relative = self.places.iter().map(|place| {
            let path = place.name.path();
            let inside = path.strip_prefix(base).unwrap_or(path);
            RelativePath::new(inside)
                .map_err(|_| Error::Outside { path: path.to_path_buf(), root: base.to_path_buf() })
        });
        relative.collect()
    }
}

/// The times of the directory of each name.
fn times_of_directories(names: &[&Name]) -> Result<Vec<Times>, Error> {
    let times = names.iter().map(|name| {
        let directory = name.directory();
        let failed = |source| PathError::new("read the metadata of", directory.path(), source);
        Ok(Times::from(&directory.stat().map_err(failed)?))
    });
    times.collect()
}

/// The digest of the whole file after the operation, if it is cheap to compute and the lock does not cover
/// the whole file anyway.
fn digest_of(source: &dyn Source, changes: &[Change], new: &Lock) -> Option<Digest> {
    let is_covered = new.ranges.len() == 1 && new.ranges.first() == Some(&(0..new.size));
    if is_covered || source.len().max(new.size) > digest::MAX_BYTES {
        return None;
    }
    let edits: Vec<_> = changes.iter().map(|change| &change.edits).collect();
    through(source, &edits, &mut |patched| Digest::of(patched))
}

/// Checks all steps together: no file occurs twice, there is enough space, and the store is writable.
pub(super) fn check_together(
    steps: &[Prepared],
    space: &FreeSpace,
    (tree, store): (&Tree, &Path),
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for step in steps {
        for name in step.step.names() {
            if !seen.insert(name) {
                return Err(Error::Inconsistent {
                    path: name.as_path().to_path_buf(),
                    why: Contradiction::EditedTwice,
                });
            }
        }
    }
    space.check()?;
    // Usually the store is at the root of the tree, which is open.
    let around = match tree.root().path() == store {
        true => Arc::clone(tree.root()),
        false => Arc::clone(Tree::open(Path::new("/"), store)?.root()),
    };
    match around.enter(OsStr::new(super::home::NAME)) {
        Ok(home) => rights::require_writable(&home),
        Err(_) => rights::require_writable(&around),
    }
}

/// The changes of a file with their inverses. The old bytes of an archive may be large, so they are not read
/// for this.
fn changes(
    file: &Found,
    way: Way,
    bytes: &dyn Source,
    new: &Lock,
    kind: Kind,
) -> Result<Vec<Change>, Error> {
    let inconsistent = |why| Error::Inconsistent { path: file.path.clone(), why };
    let changes = match way {
        Way::Changes(changes) => changes,
        Way::Edits(edits) => {
            let undo = if kind == Kind::Wheel {
                let old: Arc<dyn Source> = Arc::new(file.source.again()?);
                edits.invert_in(&old)
            } else {
                edits.invert(bytes)
            };
            let undo = undo.map_err(|_| inconsistent(Contradiction::OtherLength))?;
            vec![Change { edits, undo }]
        }
    };
    let mut len = bytes.len();
    for change in &changes {
        if change.edits.old_len() != len {
            return Err(inconsistent(Contradiction::OtherLength));
        }
        len = change.edits.new_len();
    }
    let edits: Vec<_> = changes.iter().map(|change| &change.edits).collect();
    if !through(bytes, &edits, &mut |patched| new.matches(patched)) {
        return Err(inconsistent(Contradiction::OtherOutcome));
    }
    Ok(changes)
}
