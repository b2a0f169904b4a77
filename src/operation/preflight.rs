//! Everything that can be known to be in the way is found before the first write.

use super::changes::change;
use super::digest::{self, Digest};
use super::error::{Error, PathError};
use super::file_source::{FileSource, Identity, open_place, through};
use super::journal::{About, Change, Kept, Link, State, Step};
use super::lease::Lease;
use super::metadata::{Attribute, CAPABILITY, LABEL, Metadata};
use super::owner;
use super::permitted::{self, Listed};
use super::times::Times;
use super::tree::{self, Directory, FileId, Name, Tree};
use super::{Write, write};
use crate::bytes::Source;
use crate::edit::EditSet;
use crate::plan::{Kind, Lock, RelativePath, Seen};
use rustix::fs::{Access, AtFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Free bytes that an operation leaves, its record included.
const SPARE: u64 = 1 << 20;

/// What an operation wants to do to a file.
pub(super) struct Intent {
    /// Relative to the directory that must not be left.
    pub(super) path: RelativePath,
    pub(super) aliases: Vec<RelativePath>,
    pub(super) about: About,
    pub(super) old: Lock,
    pub(super) new: Lock,
    pub(super) way: Way,
    pub(super) replace: bool,
    pub(super) unopened: bool,
    /// The file that the plan was made for, where it is known.
    pub(super) seen: Option<Seen>,
    /// The link to put in the file's place, instead of a file.
    pub(super) link: Option<Link>,
    /// The times that the file is to have afterwards, where they are not those it has.
    pub(super) times: Option<Times>,
    pub(super) reverts: Vec<String>,
}

/// How a file's old bytes become its new ones.
pub(super) enum Way {
    /// By edits that are not turned around yet.
    Edits(EditSet),
    /// By changes that were recorded.
    Changes(Vec<Change>),
}

/// A step that nothing is known to be in the way of.
pub(super) struct Prepared {
    pub(super) step: Step,
    /// What was judged.
    pub(super) judged: Judged,
    /// Can everybody read the file?
    pub(super) is_public: bool,
}

/// A file as it was when nothing was known to be in the way: what is written later is this file, reached
/// by the same way, or none.
pub(super) struct Judged {
    /// The names as they were asked for, relative to the tree.
    pub(super) asked: Vec<RelativePath>,
    /// What was seen on the way to each.
    pub(super) ways: Vec<Vec<tree::Seen>>,
    /// What stands under each name.
    pub(super) names: Vec<FileId>,
    /// The file that the names lead to.
    pub(super) identity: Identity,
    /// The metadata that it is to have.
    pub(super) metadata: Metadata,
    pub(super) in_place: bool,
}

/// The rooms of file systems, each asked once.
#[derive(Default)]
pub(super) struct Room {
    devices: BTreeMap<u64, Needed>,
}

struct Needed {
    path: PathBuf,
    /// Bytes that files grow by, less those that they shrink by.
    needed: i64,
    available: u64,
}

impl Room {
    fn take(&mut self, directory: &Directory, device: u64, bytes: i64) -> Result<(), Error> {
        if let Some(known) = self.devices.get_mut(&device) {
            known.needed = known.needed.saturating_add(bytes);
            return Ok(());
        }
        let path = directory.path().to_path_buf();
        let space = rustix::fs::fstatvfs(directory)
            .map_err(|source| PathError::new("find the free space of", &path, source))?;
        let blocks = if owner::myself() == 0 { space.f_bfree } else { space.f_bavail };
        let available = blocks.saturating_mul(space.f_frsize);
        self.devices.insert(device, Needed { path, needed: bytes, available });
        Ok(())
    }

    /// Fails where the steps need more than there is. Where they take nothing, nothing is asked for: a
    /// revert gives room back.
    fn check(&self) -> Result<(), Error> {
        for Needed { path, needed, available } in self.devices.values() {
            let needed = u64::try_from(*needed).unwrap_or_default();
            if needed > 0 && *available < needed.saturating_add(SPARE) {
                return Err(Error::NoSpace {
                    path: path.clone(),
                    needed: needed.saturating_add(SPARE),
                    available: *available,
                });
            }
        }
        Ok(())
    }
}

/// What steps are prepared in.
pub(super) struct Bench<'a> {
    /// The tree that names must not leave.
    pub(super) tree: &'a Tree,
    /// The directory that the names of a record are relative to.
    pub(super) base: &'a Path,
    pub(super) mode: Write,
    /// Digests of whole files after the operation, by their paths relative to the tree.
    pub(super) digests: &'a BTreeMap<PathBuf, Digest>,
    /// The files of the operation.
    pub(super) listed: &'a Listed<'a>,
}

/// Looks at one file. Names must stay within the tree; those of the step are relative to the base.
pub(super) fn prepare(
    bench: &Bench<'_>,
    intent: Intent,
    room: &mut Room,
) -> Result<Prepared, Error> {
    let Bench { tree, base, mode, digests, listed } = *bench;
    let place = tree.locate(&intent.path)?;
    let path = place.name.path().to_path_buf();
    let (source, own) = open_place(&place)?;
    let stat = source.stat()?;
    let is_another =
        |seen: &Seen| (seen.id, seen.len, seen.modified) != (stat.id(), stat.len, stat.modified);
    if intent.seen.as_ref().is_some_and(is_another) {
        return Err(Error::Overtaken { path });
    }
    // Taken before the file is read, for that may change the time of the last access.
    let mut metadata = Metadata::of_source(&source)?;
    let link = place.link.clone().map(|target| Link { target, times: Times::from(&own) });
    if link.is_some() {
        // The private copy belongs to whom the link belongs to: the file is somebody's cache.
        (metadata.uid, metadata.gid) = (own.uid, own.gid);
    }
    let mut asked = vec![intent.path.clone()];
    let mut places = vec![place];
    for alias in &intent.aliases {
        let other = tree.locate(alias)?;
        let same = other.name.stat().is_ok_and(|found| found.id() == own.id());
        if !same || other.link.is_some() != link.is_some() {
            let path = other.name.path().to_path_buf();
            let why = "an alias is not a name of the same file";
            return Err(Error::Inconsistent { path, why });
        }
        if places.iter().all(|known| known.name.path() != other.name.path()) {
            asked.push(alias.clone());
            places.push(other);
        }
    }
    let names: Vec<&Name> = places.iter().map(|place| &place.name).collect();
    // Relative entries lead where they were meant to from the directory that they were spelled from.
    let spelled_from = intent.seen.as_ref().and_then(|seen| seen.directory.as_deref());
    let is_there =
        |from: &Path| names.iter().any(|name| name.directory().path() == tree.on_disk(from));
    if link.is_none() && spelled_from.is_some_and(|from| !is_there(from)) {
        return Err(Error::Overtaken { path });
    }
    if link.is_some() && names.len() > 1 {
        let why = "a link that leaves the target cannot have aliases";
        return Err(Error::Inconsistent { path, why });
    }
    refuse_privileged(&path, &source, &metadata)?;
    if let Some(change) = change(&intent.old, &source) {
        return Err(Error::Changed { path, change });
    }
    let is_archive = intent.about.kind == Kind::Wheel;
    let is_new = matches!(intent.way, Way::Edits(_));
    let changes = changes(&path, intent.way, &source, &intent.new, is_archive)?;
    let asked_for = intent.path.as_path();
    if is_new
        && let Err(why) = permitted::check_undo(&intent.about, asked_for, &source, &changes, listed)
    {
        let why = format!("is not edited, for that could not be taken back: {why}");
        return Err(refused(&path, &why));
    }

    let shared = stat.links > names.len() as u64;
    let has_capabilities = metadata.attributes.iter().any(|found| found.name == CAPABILITY);
    let writable = |name: &Name| access(name.directory(), name.name(), Access::WRITE_OK).is_ok();
    let obstacle = if intent.replace {
        Some("its edits are not safe in place")
    } else if link.is_some() || intent.link.is_some() {
        Some("it is a link that leaves the target")
    } else if shared {
        Some("it has hard links outside the target")
    } else if has_capabilities {
        // Writing to it takes them away, and an interruption would leave it without.
        Some("it has capabilities")
    } else if !write::fits_in_place(&changes) {
        Some("its bytes move")
    } else if !names.first().is_some_and(|name| writable(name)) {
        Some("it is not writable")
    } else if (intent.unopened || intent.new.size < intent.old.size)
        && Lease::take(&source.file).is_none()
    {
        Some(write::OPEN_ELSEWHERE)
    } else {
        None
    };
    let in_place = obstacle.is_none() && mode != Write::Replace;
    if let (Some(why), Write::InPlace) = (obstacle, mode) {
        return Err(refused(
            &path,
            &format!("cannot be edited in place: {why}; let it be replaced"),
        ));
    }
    check_permissions(&names, &metadata, in_place)?;
    check_attributes(&path, &metadata, in_place)?;

    let mut directories = Vec::with_capacity(names.len());
    for name in &names {
        let directory = name.directory();
        let stat = directory
            .stat()
            .map_err(|source| PathError::new("read the metadata of", directory.path(), source))?;
        directories.push(Times::from(&stat));
    }
    let mut relative = names.iter().map(|name| {
        let inside = name.path().strip_prefix(base).unwrap_or(name.path());
        RelativePath::new(inside).map_err(|_| Error::Outside {
            path: name.path().to_path_buf(),
            root: base.to_path_buf(),
        })
    });
    let first = relative.next().unwrap_or_else(|| Ok(intent.path.clone()))?;
    let aliases = relative.collect::<Result<Vec<_>, _>>()?;
    let times = intent.times.unwrap_or(metadata.times);
    let (old_len, new_len) = (intent.old.size, intent.new.size);
    // No file is longer than i64 can say.
    let needed = if in_place {
        new_len.cast_signed() - old_len.cast_signed()
    } else {
        old_len.max(new_len).cast_signed()
    };
    if let Some(name) = names.first() {
        room.take(name.directory(), own.device, needed)?;
    }
    let whole = digests.get(intent.path.as_path()).cloned();
    let whole = whole.or_else(|| digest_of(&source, &changes, &intent.new));
    let kept = Kept { times: metadata.times };
    let new = State { metadata: Kept { times }, whole, lock: intent.new, link: intent.link };
    Ok(Prepared {
        is_public: metadata.mode & 0o004 != 0,
        judged: Judged {
            asked,
            ways: places.iter().map(|place| place.seen().to_vec()).collect(),
            names: names.iter().map(|_| own.id()).collect(),
            identity: Identity::of(&stat),
            metadata: Metadata { times, ..metadata },
            in_place,
        },
        step: Step {
            path: first,
            aliases,
            about: intent.about,
            old: State { lock: intent.old, whole: None, metadata: kept, link },
            new,
            changes,
            replace: intent.replace,
            unopened: intent.unopened,
            directories,
            reverts: intent.reverts,
        },
    })
}

/// The digest of the whole file as it will be, where that is soon had and the lock does not cover the
/// file anyhow.
fn digest_of(source: &FileSource, changes: &[Change], new: &Lock) -> Option<Digest> {
    let is_covered = new.ranges.len() == 1 && new.ranges.first() == Some(&(0..new.size));
    if is_covered || source.len().max(new.size) > digest::MAX_BYTES {
        return None;
    }
    let edits: Vec<_> = changes.iter().map(|change| &change.edits).collect();
    through(source, &edits, &mut |patched| Digest::of(patched))
}

/// Looks at all steps together: no file twice, room for all, a store that can be written.
pub(super) fn check_together(steps: &[Prepared], room: &Room, store: &Path) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for step in steps {
        for name in step.step.names() {
            if !seen.insert(name) {
                return Err(Error::Inconsistent {
                    path: name.as_path().to_path_buf(),
                    why: "two steps edit the same file",
                });
            }
        }
    }
    room.check()?;
    let tree = Tree::open(Path::new("/"), store)?;
    match tree.root().enter(OsStr::new(super::home::NAME)) {
        Ok(home) => writable_directory(&home),
        Err(_) => writable_directory(tree.root()),
    }
}

/// The changes of a file, turned around where they are not yet. The old bytes of an archive are many:
/// they are not read for that.
fn changes(
    path: &Path,
    way: Way,
    source: &FileSource,
    new: &Lock,
    is_archive: bool,
) -> Result<Vec<Change>, Error> {
    let inconsistent = |why| Error::Inconsistent { path: path.to_path_buf(), why };
    let changes = match way {
        Way::Changes(changes) => changes,
        Way::Edits(edits) => {
            let undo = if is_archive {
                let old: Arc<dyn Source> = Arc::new(source.again()?);
                edits.invert_in(&old)
            } else {
                edits.invert(source)
            };
            let undo =
                undo.map_err(|_| inconsistent("its edits are for a file of another length"))?;
            vec![Change { edits, undo }]
        }
    };
    let mut len = source.len();
    for change in &changes {
        if change.edits.old_len() != len {
            return Err(inconsistent("its edits are for a file of another length"));
        }
        len = change.edits.new_len();
    }
    let edits: Vec<_> = changes.iter().map(|change| &change.edits).collect();
    if !through(source, &edits, &mut |patched| new.matches(patched)) {
        return Err(inconsistent("its edits do not lead to the file that it says it leaves"));
    }
    Ok(changes)
}

/// Refuses what an edit would take away: signatures of the file system, and what only root can put
/// back.
fn refuse_privileged(path: &Path, source: &FileSource, metadata: &Metadata) -> Result<(), Error> {
    if metadata.mode & 0o6000 != 0 {
        let why = "is setuid or setgid: the loader drops search paths of such programs, and \
                   tfpatch does not change them";
        return Err(refused(path, why));
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{StatxAttributes, StatxFlags};
        // A kernel without statx (before 4.11) has no fs-verity either.
        if let Ok(stat) =
            rustix::fs::statx(&source.file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        {
            let attributes = stat.stx_attributes & stat.stx_attributes_mask;
            if attributes.contains(StatxAttributes::VERITY) {
                return Err(refused(
                    path,
                    "is protected by fs-verity; patch it before it is sealed",
                ));
            }
            if attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
                return Err(refused(path, "is immutable or append-only; see chattr(1)"));
            }
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = source;
    Ok(())
}

fn check_permissions(names: &[&Name], metadata: &Metadata, in_place: bool) -> Result<(), Error> {
    let Some(path) = names.first().map(|name| name.path()) else { return Ok(()) };
    let me = owner::myself();
    if me != 0 && me != metadata.uid {
        let why = format!(
            "belongs to user {}, and user {me}, with whose rights tfpatch works on this tree, could \
             not keep its owner and times; give it the owner of the tree, or run tfpatch as its own",
            metadata.uid
        );
        return Err(refused(path, &why));
    }
    if in_place {
        return Ok(());
    }
    if me != 0 && rustix::process::getegid().as_raw() != metadata.gid {
        let groups = rustix::process::getgroups()
            .map_err(|source| PathError::new("find the groups for", path, source))?;
        if !groups.iter().any(|group| group.as_raw() == metadata.gid) {
            let why = format!(
                "belongs to group {}, which could not be kept; run tfpatch as a member of it or \
                 as root",
                metadata.gid
            );
            return Err(refused(path, &why));
        }
    }
    names.iter().try_for_each(|name| writable_directory(name.directory()))
}

/// An edit in place drops the capabilities of a file, and a new file has no attributes at all; only
/// root can set those that concern security, but for SELinux's label, which its policy sets.
fn check_attributes(path: &Path, metadata: &Metadata, in_place: bool) -> Result<(), Error> {
    let is_lost = |name: &str| {
        name == CAPABILITY || (!in_place && name.starts_with("security.") && name != LABEL)
    };
    let lost = metadata.attributes.iter().find(|attribute| is_lost(&attribute.name));
    match lost {
        Some(Attribute { name, .. }) if owner::myself() != 0 => {
            let why = format!("has the attribute {name}, which an edit drops; run tfpatch as root");
            Err(refused(path, &why))
        }
        _ => Ok(()),
    }
}

fn writable_directory(directory: &Directory) -> Result<(), Error> {
    access(directory, OsStr::new("."), Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|source| PathError::new("write in the directory", directory.path(), source).into())
}

/// May the user on whose behalf the thread runs do that? Asks the kernel, which also knows of
/// access control lists and of file systems that are mounted read-only.
fn access(directory: &Directory, name: &OsStr, access: Access) -> rustix::io::Result<()> {
    rustix::fs::accessat(directory, name, access, AtFlags::EACCESS)
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Refused { path: path.to_path_buf(), why: why.to_owned() }
}
