//! Everything that can be known to be in the way is found before the first write.

use super::disk::Times;
use super::error::{Error, PathError};
use super::file::{
    Attribute, CAPABILITY, FileSource, Identity, LABEL, Metadata, change, through, times_of,
};
use super::journal::{About, Change, Link, State, Step};
use super::lease::Lease;
use super::store::canonical;
use super::{Write, write};
use crate::bytes::Source;
use crate::edit::{Content, EditSet};
use crate::plan::{Kind, Lock, RelativePath};
use rustix::fs::{Access, AtFlags, CWD};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// As many links in a row are followed as Linux follows.
const MAX_LINKS: usize = 40;

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
    /// The names, absolute and without links on the way; the path first.
    pub(super) names: Vec<PathBuf>,
    pub(super) identity: Identity,
    pub(super) in_place: bool,
    /// Bytes that the step takes on the file system.
    needed: u64,
}

/// Where a path leads to.
struct Place {
    path: PathBuf,
    /// Where the link points, if the path is one that leaves the tree.
    link: Option<PathBuf>,
}

/// Follows `relative` as long as it stays within `root`: to a file, or to the last link, which
/// leaves.
fn locate(root: &Path, relative: &RelativePath) -> Result<Place, Error> {
    let mut name = root.join(relative);
    let mut leaves: Option<Place> = None;
    for _ in 0..MAX_LINKS {
        let parent = canonical(name.parent().unwrap_or(root));
        if !parent.as_ref().is_ok_and(|parent| parent.starts_with(root)) {
            let outside = Error::Outside { path: root.join(relative), root: root.to_path_buf() };
            return match (leaves, parent) {
                (Some(place), _) => Ok(place),
                (None, Err(error)) => Err(error.into()),
                (None, Ok(_)) => Err(outside),
            };
        }
        let (Ok(parent), Some(last)) = (parent, name.file_name()) else { break };
        let path = parent.join(last);
        let metadata = std::fs::symlink_metadata(&path);
        if !metadata.map_err(|source| PathError::new("find", &path, source))?.is_symlink() {
            return Ok(Place { path, link: None });
        }
        let target = std::fs::read_link(&path)
            .map_err(|source| PathError::new("read the link", &path, source))?;
        name = parent.join(&target);
        leaves = Some(Place { path, link: Some(target) });
    }
    Err(refused(&root.join(relative), "is a link that leads to no file; repair the link"))
}

/// The path of a name of a record: its directory must lie within `base`; the name itself may be a
/// link.
pub(super) fn within(base: &Path, relative: &RelativePath) -> Result<PathBuf, Error> {
    let path = base.join(relative);
    let parent = canonical(path.parent().unwrap_or(base))?;
    match path.file_name() {
        Some(name) if parent.starts_with(base) => Ok(parent.join(name)),
        _ => Err(Error::Outside { path, root: base.to_path_buf() }),
    }
}

/// Looks at one file. Names must stay within `root`; those of the step are relative to `base`.
pub(super) fn prepare(
    root: &Path,
    base: &Path,
    intent: Intent,
    mode: Write,
) -> Result<Prepared, Error> {
    let place = locate(root, &intent.path)?;
    let path = place.path;
    let source = FileSource::open(&path)?;
    let stat = source.stat()?;
    if !stat.is_file() {
        return Err(refused(&path, "is no regular file"));
    }
    // Taken before the file is read, for that may change the time of the last access.
    let mut metadata = source.metadata()?;
    let link = place.link.map(|target| link_at(&path, target)).transpose()?;
    if let Some(link) = &link {
        // The private copy belongs to whom the link belongs to: the file is somebody's cache.
        (metadata.uid, metadata.gid) = (link.uid, link.gid);
    }
    let mut names = vec![path.clone()];
    for alias in &intent.aliases {
        let alias = locate(root, alias)?;
        let same = std::fs::metadata(&alias.path)
            .is_ok_and(|other| Identity::of(&other).file() == Identity::of(&stat).file());
        if !same || alias.link.is_some() != link.is_some() {
            let why = "an alias is not a name of the same file";
            return Err(Error::Inconsistent { path: alias.path, why });
        }
        if !names.contains(&alias.path) {
            names.push(alias.path);
        }
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
    let changes = changes(&path, intent.way, &source, &intent.new, is_archive)?;

    let shared = stat.nlink() > names.len() as u64;
    let obstacle = if intent.replace {
        Some("its edits are not safe in place")
    } else if link.is_some() || intent.link.is_some() {
        Some("it is a link that leaves the target")
    } else if shared {
        Some("it has hard links outside the target")
    } else if !write::fits_in_place(&changes) {
        Some("its bytes move")
    } else if access(&path, Access::WRITE_OK).is_err() {
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
        let directory = name.parent().unwrap_or(root);
        let stat = std::fs::metadata(directory)
            .map_err(|source| PathError::new("read the metadata of", directory, source))?;
        directories.push(times_of(&stat));
    }
    let mut relative = names.iter().map(|name| {
        let inside = name.strip_prefix(base).unwrap_or(name);
        RelativePath::new(inside)
            .map_err(|_| Error::Outside { path: name.clone(), root: base.to_path_buf() })
    });
    let first = relative.next().unwrap_or_else(|| Ok(intent.path.clone()))?;
    let aliases = relative.collect::<Result<Vec<_>, _>>()?;
    let times = intent.times.unwrap_or(metadata.times);
    let new = State {
        metadata: Metadata { times, ..metadata.clone() },
        lock: intent.new,
        link: intent.link,
    };
    let (old_len, new_len) = (intent.old.size, new.lock.size);
    Ok(Prepared {
        needed: if in_place { new_len.saturating_sub(old_len) } else { old_len.max(new_len) },
        identity: Identity::of(&stat),
        in_place,
        names,
        step: Step {
            path: first,
            aliases,
            about: intent.about,
            old: State { lock: intent.old, metadata, link },
            new,
            changes,
            replace: intent.replace,
            unopened: intent.unopened,
            directories,
            reverts: intent.reverts,
        },
    })
}

/// Looks at all steps together: no file twice, room for all, a store that can be written.
pub(super) fn check_together(steps: &[Prepared], store: &Path) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    let mut needed: std::collections::BTreeMap<u64, (u64, &Path)> = Default::default();
    for step in steps {
        for name in &step.names {
            if !seen.insert(name) {
                return Err(Error::Inconsistent {
                    path: name.clone(),
                    why: "two steps edit the same file",
                });
            }
        }
        let Some(directory) = step.names.first().and_then(|name| name.parent()) else { continue };
        let device = std::fs::metadata(directory)
            .map_err(|source| PathError::new("read the metadata of", directory, source))?
            .dev();
        needed.entry(device).or_insert((SPARE, directory)).0 += step.needed;
    }
    for (needed, path) in needed.into_values() {
        let space = rustix::fs::statvfs(path)
            .map_err(|source| PathError::new("find the free space of", path, source))?;
        let root = rustix::process::geteuid().is_root();
        let blocks = if root { space.f_bfree } else { space.f_bavail };
        let available = blocks.saturating_mul(space.f_frsize);
        if available < needed {
            return Err(Error::NoSpace { path: path.to_path_buf(), needed, available });
        }
    }
    let home = store.join(super::store::NAME);
    let place = if std::fs::symlink_metadata(&home).is_ok() { home } else { store.to_path_buf() };
    writable_directory(&place)
}

fn link_at(path: &Path, target: PathBuf) -> Result<Link, Error> {
    let stat = std::fs::symlink_metadata(path)
        .map_err(|source| PathError::new("read the metadata of", path, source))?;
    Ok(Link { target, uid: stat.uid(), gid: stat.gid(), times: times_of(&stat) })
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
                let old: Arc<dyn Source> = Arc::new(FileSource::open(path)?);
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

fn check_permissions(names: &[PathBuf], metadata: &Metadata, in_place: bool) -> Result<(), Error> {
    let Some(path) = names.first() else { return Ok(()) };
    let me = rustix::process::geteuid();
    if !me.is_root() && me.as_raw() != metadata.uid {
        let why = format!(
            "belongs to user {}, and its owner and times could not be kept; run tfpatch as that \
             user or as root",
            metadata.uid
        );
        return Err(refused(path, &why));
    }
    if in_place {
        return Ok(());
    }
    if !me.is_root() && rustix::process::getegid().as_raw() != metadata.gid {
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
    names.iter().filter_map(|name| name.parent()).try_for_each(writable_directory)
}

/// An edit in place drops the capabilities of a file, and a new file has no attributes at all; only
/// root can set those that concern security, but for SELinux's label, which its policy sets.
fn check_attributes(path: &Path, metadata: &Metadata, in_place: bool) -> Result<(), Error> {
    let is_lost = |name: &str| {
        name == CAPABILITY || (!in_place && name.starts_with("security.") && name != LABEL)
    };
    let lost = metadata.attributes.iter().find(|attribute| is_lost(&attribute.name));
    match lost {
        Some(Attribute { name, .. }) if !rustix::process::geteuid().is_root() => {
            let why = format!("has the attribute {name}, which an edit drops; run tfpatch as root");
            Err(refused(path, &why))
        }
        _ => Ok(()),
    }
}

pub(super) fn writable_directory(path: &Path) -> Result<(), Error> {
    access(path, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|source| PathError::new("write in the directory", path, source).into())
}

/// May the user on whose behalf the process runs do that? Asks the kernel, which also knows of
/// access control lists and of file systems that are mounted read-only.
fn access(path: &Path, access: Access) -> rustix::io::Result<()> {
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS)
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Refused { path: path.to_path_buf(), why: why.to_owned() }
}

/// Do the new bytes of `edits` stand where an edit still reads from?
pub(super) fn reads_what_it_writes(edits: &EditSet) -> bool {
    let edits = edits.in_write_order();
    edits.iter().any(|edit| match &edit.new {
        Content::Bytes(_) | Content::Kept(_) => false,
        Content::CopyOf(from) => {
            edits.iter().any(|other| other.range.start < from.end && from.start < other.range.end)
        }
    })
}
