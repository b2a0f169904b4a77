//! The versions of symbols that objects need, compared with those that their libraries define
//! (`_dl_check_map_versions` of elf/dl-version.c).

use crate::bytes::printable;
use crate::hashing::QuickSet;
use crate::loader::files::Fatal;
use crate::loader::link_map::LinkMap;
use crate::loader::{LoadedObject, System};
use std::cell::LazyCell;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The version that objects with `DT_RELR` have to need of libc.
const ABI_DT_RELR: &[u8] = b"GLIBC_ABI_DT_RELR";

/// A version that an object needs and its library does not define.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionProblem {
    /// The library as the object names it (`vn_file`).
    pub library: Vec<u8>,
    /// The library that was found for the name, and lacks the version.
    pub provider: PathBuf,
    /// The version, such as `GLIBCXX_3.4.30`.
    pub version: Vec<u8>,
}

impl VersionProblem {
    /// What ld.so says about it, if the object at `path` is the one that needs the version.
    #[must_use]
    pub fn words(&self, path: &Path) -> String {
        let named = |path: &Path| printable(path.as_os_str().as_bytes());
        let (provider, version) = (named(&self.provider), printable(&self.version));
        format!("{provider}: version `{version}' not found (required by {})", named(path))
    }
}

/// Checks the new objects, and returns what else makes the loader fail. A library that defines no
/// versions satisfies every need.
pub(in crate::loader) fn check(map: &mut LinkMap<'_>, system: &System) -> Vec<Fatal> {
    let mut refused = Vec::new();
    // Nearly every library that versions are needed of is found.
    let missing = LazyCell::new(|| {
        let needed = map.objects().flat_map(|object| &object.needed);
        needed.filter(|it| it.found.is_none()).map(|it| &*it.name).collect::<QuickSet<_>>()
    });
    let mut all = Vec::with_capacity(map.own.len());
    for object in &map.own {
        let (problems, reason) = of_object(map, &missing, object);
        let reason = reason.or_else(|| lacks_relr_need(object, system));
        refused.extend(reason.map(|message| Fatal::new(&object.path, message)));
        all.push(problems);
    }
    for (object, problems) in map.own.iter_mut().zip(all) {
        object.version_problems = problems;
    }
    refused
}

fn of_object<'m>(
    map: &LinkMap<'_>,
    missing: &LazyCell<QuickSet<&'m [u8]>, impl FnOnce() -> QuickSet<&'m [u8]>>,
    object: &LoadedObject,
) -> (Vec<VersionProblem>, Option<&'static str>) {
    let mut problems = Vec::new();
    let satisfied = object.names.satisfied.iter();
    for (need, satisfied) in object.summary.version_needs.iter().zip(satisfied) {
        let Some(provider) = map.named(&need.file) else {
            // A missing library is reported elsewhere.
            if missing.contains(need.file.as_slice()) {
                continue;
            }
            return (problems, Some("Assertion `needed != NULL' failed!"));
        };
        let Some(defined) = &provider.names.versions else { continue };
        // The same library is found nearly every time.
        if satisfied.get() == Some(&provider.id) {
            continue;
        }
        let mut lacking = need
            .versions
            .iter()
            .filter(|version| !version.weak && !defined.contains(version.name.as_slice()))
            .peekable();
        if lacking.peek().is_none() {
            // Another thread may have found another one first.
            let _ = satisfied.set(provider.id);
        }
        problems.extend(lacking.map(|version| VersionProblem {
            library: need.file.clone(),
            provider: provider.path.to_path_buf(),
            version: version.name.clone(),
        }));
    }
    (problems, None)
}

/// Since 2.36 packed relocations are accepted only if they are required from libc.
fn lacks_relr_need(object: &LoadedObject, system: &System) -> Option<&'static str> {
    let summary = &object.summary;
    let needs = &summary.version_needs;
    let lacks = system.is_at_least((2, 36))
        && summary.has_relr
        && !needs.is_empty()
        && summary.needed.iter().any(|name| name.starts_with(b"libc.so."))
        && !needs.iter().flat_map(|need| &need.versions).any(|one| one.name == ABI_DT_RELR);
    lacks.then_some("DT_RELR without GLIBC_ABI_DT_RELR dependency")
}
