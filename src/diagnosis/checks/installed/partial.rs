//! Distributions of which a part is missing: what their RECORDs list, compared with what exists.
//!
//! A file is checked with one `stat`, and never read. Files that people remove to make an image
//! smaller, or edit by hand, are not faults: every import still works.

use super::plugins::{Plugins, is_object};
use crate::diagnosis::load_report::Seen;
use crate::findings::cure::Cure;
use crate::findings::evidence::installed::Installed;
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::python::distribution::Distribution;
use crate::python::environment::Environment;
use crate::python::modules::is_regular_package;
use crate::python::record;
use crate::vfs::{FileKind, Metadata, Vfs};
use crate::world::inventory::{Object, Role};
use crate::world::object_names::{is_named_as_object, stem};
use crate::world::{self, Question, World};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Directories that are removed from images, and without which all imports work.
const THINNED_OUT: &[&str] = &["tests", "test"];
/// The same, as long as no object is missing in them.
const OF_DATA: &[&str] = &["include", "docs", "doc", "examples", "share"];
/// Endings of files without which all imports work.
const DISPENSABLE: &[&str] =
    &["pyc", "pyi", "h", "hpp", "a", "md", "rst", "txt", "pxd", "pyx", "c"];

/// The most missing files that are named.
const MAX_NAMED: usize = 4;

/// What is missing of each incomplete distribution. `needed` are the libraries that the headers of objects name,
/// each with these objects.
pub(super) fn damages(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    seen: &Seen,
    needed: &HashMap<&[u8], Vec<&Object>>,
) -> Vec<Damage> {
    let reported: HashSet<&Path> =
        world.inventory.unreadable.iter().map(|unreadable| unreadable.path.as_path()).collect();
    let search = question.search.as_slice();
    let found = seen.bindings.always_found();
    let moved = Moved { vfs, world, search, found, needed };
    let distributions = (0..world.inventory.distributions.len()).into_par_iter();
    distributions.filter_map(|index| Damage::of(&moved, index, &reported)).collect()
}

/// What shows whether a file that is not where its RECORD lists it was moved.
struct Moved<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    search: &'a [PathBuf],
    /// The libraries that are found by all objects that need them.
    found: HashSet<&'a [u8]>,
    /// The libraries that the headers of objects name.
    needed: &'a HashMap<&'a [u8], Vec<&'a Object>>,
}

impl Moved<'_> {
    /// The old and new directories of the moved files that the headers of objects name.
    fn together<'f>(&self, files: impl Iterator<Item = &'f PathBuf>) -> Together {
        let names = files.filter_map(|path| Some((path.parent()?, path.file_name()?.as_bytes())));
        let needed = names.filter(|(_, name)| self.needed.contains_key(*name));
        let moved = needed.flat_map(|(from, name)| {
            let copies = self.world.inventory.named(name);
            copies.map(move |copy| (from.to_owned(), copy.directory().to_owned()))
        });
        moved.collect()
    }

    /// A file that RECORD lists and that does not exist, unless it is a module that is there compiled alone, or is
    /// imported from elsewhere.
    fn not_there(&self, own: &Distribution, path: PathBuf, row: &record::Row<'_>) -> Option<Gone> {
        let is_module = path.extension().is_some_and(|ending| ending == "py");
        let is_compiled = is_module && self.vfs.metadata(&path.with_extension("pyc")).is_ok();
        if is_compiled
            || self.is_an_empty_beginning(&path, row)
            || self.is_imported(&own.site, &path)
        {
            return None;
        }
        let content = content_of(&path, row);
        Some(Gone { path, size: row.size, content })
    }

    /// Is it an empty `__init__.py` whose directory exists? That is imported as a namespace package then
    /// (PEP 420), with the same content.
    fn is_an_empty_beginning(&self, path: &Path, row: &record::Row<'_>) -> bool {
        row.size == Some(0)
            && path.file_name().is_some_and(|name| name == "__init__.py")
            && path.parent().is_some_and(|directory| self.vfs.metadata(directory).is_ok())
    }

    /// Is a file still imported: from another directory of packages, to which its whole package was moved, or as a
    /// module beside it whose name has another ending?
    fn is_imported(&self, site: &Path, path: &Path) -> bool {
        let (Ok(inside), Some(name)) = (path.strip_prefix(site), path.file_name()) else {
            return false;
        };
        let others = self.world.environment.iter().flat_map(Environment::import_path);
        let is_moved = self.is_without_package(site, path) || self.is_a_remainder(site, inside);
        let is_there = |other: &Path| self.vfs.metadata(&other.join(inside)).is_ok();
        let is_it = |object: &Object| {
            object.role == Role::ExtensionModule && stem(object.name()) == stem(name.as_bytes())
        };
        let mut beside = self.world.inventory.in_directory(path.parent().unwrap_or(path));
        is_moved && others.filter(|other| *other != site).any(is_there) || beside.any(is_it)
    }

    /// Is what is left of the package of a file not imported, because another directory has the package itself?
    /// One without an `__init__.py` comes after all others, wherever it is (PEP 420).
    fn is_a_remainder(&self, site: &Path, inside: &Path) -> bool {
        let mut parts = inside.components();
        let (Some(top), Some(_)) = (parts.next(), parts.next()) else { return false };
        let is_package = |site: &Path| is_regular_package(self.vfs, &site.join(top));
        let mut others = self.world.environment.iter().flat_map(Environment::import_path);
        !is_package(site) && others.any(|other| other != site && is_package(other))
    }

    /// Is the whole package gone that contained a file?
    fn is_without_package(&self, site: &Path, path: &Path) -> bool {
        let top = path.strip_prefix(site).ok().and_then(|inside| inside.components().next());
        top.is_some_and(|top| self.vfs.metadata(&site.join(top)).is_err())
    }

    /// Are whole packages gone, and does code that runs at the start of Python add directories to its search path?
    fn may_be_added(&self, site: &Path, gone: &[Gone]) -> bool {
        self.world.environment.as_ref().is_some_and(|environment| environment.reorders)
            && gone.iter().all(|it| self.is_without_package(site, &it.path))
    }

    /// Does an object exist in another directory: in the target, in a directory of `--search`, or where everything
    /// finds it? Then it only matters whether it is found. A library that nothing needs is opened by its path, and
    /// is missing there, unless it was moved together with a library that is needed, which opens it beside itself.
    /// A file that another distribution installed, with another size, was not moved.
    fn is_elsewhere(&self, path: &Path, size: Option<u64>, together: &Together) -> bool {
        let Some(name) = path.file_name().filter(|_| is_object(path)) else { return false };
        let is_searched = || self.search.iter().any(|it| self.vfs.metadata(&it.join(name)).is_ok());
        let is_another = |copy: &Object| {
            let owners = self.world.owners.of(&copy.path);
            !owners.is_empty()
                && size.is_some()
                && owners.iter().all(|owner| owner.size.is_some() && owner.size != size)
        };
        let mut copies =
            self.world.inventory.named(name.as_bytes()).filter(|copy| !is_another(copy));
        let is_needed = self.needed.contains_key(name.as_bytes());
        let is_moved_with_another = |copy: &Object| {
            let from = path.parent().unwrap_or(path).to_owned();
            together.contains(&(from, copy.directory().to_owned()))
        };
        copies.any(|copy| is_needed || is_moved_with_another(copy))
            || self.found.contains(name.as_bytes())
            || is_searched()
    }
}

/// The old and new directories of moved libraries that are needed.
type Together = HashSet<(PathBuf, PathBuf)>;

/// What is wrong with the files of a distribution.
#[derive(Default)]
pub(super) struct Damage {
    /// The index of the distribution.
    distribution: usize,
    listed: usize,
    gone: Vec<PathBuf>,
    pub(super) of_another_size: Vec<PathBuf>,
    /// Objects that were written after their RECORD, though nothing else was.
    pub(super) changed: Vec<PathBuf>,
    /// May everything that is missing be imported from a directory that is not known?
    may_be_elsewhere: bool,
    /// Does each missing file have a copy of the same content in its directory, under another name? Code may open
    /// either.
    has_copies: bool,
}

/// When the files of a distribution were written: before its RECORD, which installers write last, or after it.
struct Dates {
    record: Option<(i64, u32)>,
    newer_objects: Vec<PathBuf>,
    has_newer: bool,
    has_older: bool,
}

impl Dates {
    fn of(vfs: &dyn Vfs, distribution: &Distribution) -> Self {
        let record = vfs.metadata(&distribution.record()).ok().map(|record| record.modified);
        Self { record, newer_objects: Vec::new(), has_newer: false, has_older: false }
    }

    fn see(&mut self, path: &Path, metadata: &Metadata) {
        let is_newer = self.record.is_some_and(|time| metadata.modified > time);
        match (is_object(path), is_newer) {
            (true, true) => self.newer_objects.push(path.to_owned()),
            (true, false) => {}
            (false, true) => self.has_newer = true,
            (false, false) => self.has_older = true,
        }
    }

    /// The objects that were changed. In a copy, all files were written in any order.
    fn changed(self) -> Vec<PathBuf> {
        if self.has_newer || !self.has_older { Vec::new() } else { self.newer_objects }
    }
}

/// A file that is not where RECORD lists it.
struct Gone {
    path: PathBuf,
    size: Option<u64>,
    content: Option<(PathBuf, Vec<u8>)>,
}

/// The directory and the digest of a file in RECORD.
fn content_of(path: &Path, row: &record::Row<'_>) -> Option<(PathBuf, Vec<u8>)> {
    Some((path.parent()?.to_owned(), row.hash.as_ref()?.value.to_vec()))
}

impl Damage {
    /// `None` where nothing is wrong. Files that are reported as unreadable are left out.
    fn of(moved: &Moved<'_>, index: usize, reported: &HashSet<&Path>) -> Option<Self> {
        let Moved { vfs, world, .. } = *moved;
        let distribution = world.inventory.distributions.get(index)?;
        if !distribution.keeps_record(vfs) {
            return None;
        }
        let record = distribution.read_record(vfs)?;
        let place = Place::of(distribution);
        let mut judged: HashSet<PathBuf> = HashSet::new();
        let mut damage = Self { distribution: index, ..Self::default() };
        let mut dates = Dates::of(vfs, distribution);
        let (mut has_code, mut not_there) = (false, Vec::new());
        let mut copies: HashSet<(PathBuf, Vec<u8>)> = HashSet::new();
        for row in record::rows(&record).map_while(Result::ok) {
            has_code |= row.is_code();
            // Most rows are of such files, and are dropped by their endings before they become paths.
            if is_dispensable(&row.path) {
                continue;
            }
            let path = distribution.path_of(&row);
            let is_reported = || !reported.is_empty() && reported.contains(path.as_path());
            if !place.is_needed(&path) || is_reported() {
                continue;
            }
            damage.listed += 1;
            match vfs.metadata(&path) {
                Ok(metadata) if metadata.kind == FileKind::File => {
                    dates.see(&path, &metadata);
                    // Many rows of one file would each look at all rows of that file.
                    if row.size.is_some_and(|size| is_damaged(&path, metadata.len, size))
                        && judged.insert(path.clone())
                        && !is_of_another(world, index, &path, metadata.len)
                    {
                        damage.of_another_size.push(path);
                    } else if is_object(&path) {
                        copies.extend(content_of(&path, &row));
                    }
                }
                // It is not known whether a file exists that may not be accessed.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {}
                // What is mounted into a container and does not exist becomes a directory.
                Ok(it) if it.kind != FileKind::Directory || !is_object(&path) => {}
                Ok(_) | Err(_) => not_there.extend(moved.not_there(distribution, path, &row)),
            }
        }
        // Python code opens a library by its path, wherever other files of its directory were
        // moved.
        let together = if has_code {
            Together::new()
        } else {
            moved.together(not_there.iter().map(|it| &it.path))
        };
        not_there.retain(|it| !moved.is_elsewhere(&it.path, it.size, &together));
        let has_copy = |it: &Gone| it.content.as_ref().is_some_and(|it| copies.contains(it));
        damage.may_be_elsewhere = moved.may_be_added(&distribution.site, &not_there);
        damage.has_copies = not_there.iter().all(has_copy);
        damage.gone.extend(not_there.into_iter().map(|it| it.path));
        damage.changed = dates.changed();
        (damage.is_seen() || !damage.changed.is_empty()).then_some(damage)
    }

    /// Is a file missing or of another size?
    fn is_seen(&self) -> bool {
        !self.gone.is_empty() || !self.of_another_size.is_empty()
    }

    /// Is it of a distribution whose modules no import reaches?
    pub(super) fn is_shadowed(&self, world: &World) -> bool {
        world.distribution_shadowed_by(self.distribution).is_some()
    }

    /// The objects of another size, each with the distribution that installed it.
    pub(super) fn replaced(&self, world: &World) -> Vec<(PathBuf, Release)> {
        let distribution = world.inventory.distributions.get(self.distribution);
        let release = distribution.map(Release::of);
        let objects = self.of_another_size.iter().filter(|path| is_object(path));
        objects.filter_map(|path| Some((path.clone(), release.clone()?))).collect()
    }

    /// The names of the missing files.
    pub(super) fn names_gone(&self) -> impl Iterator<Item = Vec<u8>> {
        self.gone.iter().filter_map(|path| Some(path.file_name()?.as_bytes().to_vec()))
    }

    /// The objects of the distribution that need a missing file, each with its name.
    pub(super) fn bereft(&self, world: &World) -> Vec<(PathBuf, Vec<u8>)> {
        let gone: HashSet<Vec<u8>> = self.names_gone().collect();
        let objects = world.inventory.objects.iter();
        let own = objects.filter(|it| it.distribution == Some(self.distribution));
        let needing = own.flat_map(|object| {
            let needed = object.elf().into_iter().flat_map(|summary| &summary.needed);
            let needed = needed.filter(|needed| gone.contains(*needed));
            needed.map(|needed| (object.path.clone(), needed.clone()))
        });
        needing.collect()
    }

    /// The libraries of the distribution that exist, if others are missing, and that no module loads: the
    /// file that loaded them seems to be missing.
    pub(super) fn libraries<'a>(
        &'a self,
        world: &'a World,
        seen: &'a Seen,
    ) -> impl Iterator<Item = PathBuf> + 'a {
        let objects = world.inventory.objects.iter().filter(|object| {
            !self.gone.is_empty()
                && object.distribution == Some(self.distribution)
                && seen.may_be_plugin(object)
        });
        objects.map(|object| object.path.clone())
    }

    /// One finding for all of it. If only plugins are damaged, it is only worth knowing; so is another size of
    /// objects that are sound as far as the loader reads them: they may have been stripped.
    pub(super) fn finding(&self, plugins: &Plugins<'_>) -> Option<Finding> {
        let world = plugins.world;
        let distribution =
            world.inventory.distributions.get(self.distribution).filter(|_| self.is_seen())?;
        // A file that exists is never named as the one that is missing, so that the missing ones come first.
        // Modules cannot be imported without the libraries that they need themselves.
        let by_need = |files: &'_ [PathBuf]| {
            let mut files = files.to_vec();
            files.sort_by_cached_key(|path| {
                (!is_object(path), !plugins.is_needed_by_a_module(path))
            });
            files
        };
        let files = [by_need(&self.gone), by_need(&self.of_another_size)].concat();
        let first: Vec<&PathBuf> = files.iter().take(MAX_NAMED).collect();
        let object = first.first().map_or(distribution.location.as_path(), |path| path.as_path());
        let evidence = Evidence::Installed(Installed::InPart {
            release: Release::of(distribution),
            listed: self.listed,
            gone: self.gone.len(),
            of_another_size: self.of_another_size.len(),
            first: first.iter().map(|file| world.place(file)).collect(),
        });
        let lost = plugins.among(self.distribution, &self.gone);
        let is_sound = |file: &Path| {
            let object = world.object_at(plugins.vfs, file);
            object.is_some_and(|object| object.elf().is_some())
        };
        let is_optional = self.gone.iter().all(|file| lost.is_of_a_plugin(file))
            && self.of_another_size.iter().all(|file| is_sound(file) || lost.is_plugin(file));
        let instead = world.distribution_shadowed_by(self.distribution);
        let cure = match instead {
            Some(instead) => Cure::Shadowed(world::Place::on_disk(instead)),
            None => Cure::reinstall(distribution),
        };
        let found = fault(Cause::PartialInstall, object, evidence, cure);
        let are_named =
            || self.gone.iter().any(|file| plugins.is_named_whole(self.distribution, file));
        let is_doubtful = self.of_another_size.is_empty()
            && (self.may_be_elsewhere || self.has_copies && !are_named());
        Some(Finding { is_optional: is_optional || instead.is_some(), is_doubtful, ..found })
    }
}

/// Where the files of a distribution are, in one spelling: each of its rows is compared with it.
struct Place {
    /// The directory of packages.
    site: PathBuf,
    /// That of the metadata.
    location: PathBuf,
}

impl Place {
    fn of(distribution: &Distribution) -> Self {
        let plain = |path: &Path| path.components().collect();
        Self { site: plain(&distribution.site), location: plain(&distribution.location) }
    }

    /// Does something depend on a file? Its path is in one spelling too.
    fn is_needed(&self, path: &Path) -> bool {
        // Beside the packages, wheels have libraries in the environment's `lib`, and manual pages in `share`,
        // whose names end with a number.
        let Some(inside) = below(path, &self.site) else {
            return path.file_name().is_some_and(|name| is_named_as_object(name.as_bytes()));
        };
        let is_metadata = below(path, &self.location).is_some();
        let thinned_out = inside.split(|&byte| byte == b'/').any(|name| {
            let is_among = |names: &[&str]| names.iter().any(|other| other.as_bytes() == name);
            is_among(THINNED_OUT) || is_among(OF_DATA) && !is_object(path)
        });
        !is_metadata && !thinned_out && !is_dispensable(path.as_os_str().as_bytes())
    }
}

/// Has the file at a path an ending without which all imports work? None of these is that of an object.
fn is_dispensable(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0);
    let ending = dot.and_then(|dot| name.get(dot + 1..));
    ending.is_some_and(|ending| DISPENSABLE.iter().any(|other| other.as_bytes() == ending))
}

/// The part of a path below a directory, both without superfluous slashes and dots; empty for the directory.
fn below<'p>(path: &'p Path, directory: &Path) -> Option<&'p [u8]> {
    let directory = directory.as_os_str().as_bytes();
    let rest = path.as_os_str().as_bytes().strip_prefix(directory)?;
    match rest {
        [] => Some(rest),
        [b'/', inside @ ..] => Some(inside),
        _ => directory.ends_with(b"/").then_some(rest),
    }
}

/// Is a file of this length the result of an interrupted installation? A module or a data file that
/// is not empty may have been edited by hand; objects are not edited in this way.
fn is_damaged(path: &Path, len: u64, recorded: u64) -> bool {
    len != recorded && (len == 0 || is_object(path))
}

/// Is it the file of another distribution, which lists it too? Then two installations conflict.
fn is_of_another(world: &World, index: usize, path: &Path, len: u64) -> bool {
    world.owners.of(path).iter().any(|owner| owner.distribution != index && owner.size == Some(len))
}
