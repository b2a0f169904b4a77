//! Distributions that are installed twice, or over one another.

use crate::findings::cure::{Cure, Reinstall};
use crate::findings::evidence::installed::{Installed, Twice};
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::python::distribution::Distribution;
use crate::python::owners::Owner;
use crate::vfs::Vfs;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

pub(super) fn findings(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let mut found = over_one_another(vfs, world);
    found.extend(of_one_name(world));
    found.extend(leftovers(vfs, world));
    found.extend(of_several_cudas(world));
    found
}

/// The most distributions that share a file and are compared with one another. If there are more, the
/// site-packages directory is broken, and the first ones show enough.
const MAX_OWNERS: usize = 16;

/// A file that two distributions install, and the one whose file is present.
type Shared<'a> = (&'a Path, Option<usize>);

/// Distributions that install the same objects with different contents. The one that was installed
/// last has overwritten the others, and removing either removes the files of both.
fn over_one_another(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let distributions = &world.inventory.distributions;
    // For two distributions, by their numbers: a file that both install, and whose file is present.
    let mut shared: BTreeMap<(usize, usize), Vec<Shared<'_>>> = BTreeMap::new();
    for (path, owners) in world.owners.shared() {
        // One RECORD may list a file many times; its rows are next to each other.
        let rows = owners.chunk_by(|one, other| one.distribution == other.distribution);
        let owners: Vec<&Owner> = rows.filter_map(<[_]>::first).take(MAX_OWNERS).collect();
        for (number, one) in owners.iter().copied().enumerate() {
            for other in owners.iter().copied().skip(number + 1) {
                let differs = one.size.zip(other.size).is_some_and(|(one, other)| one != other);
                if differs {
                    let len = vfs.metadata(path).ok().map(|metadata| metadata.len);
                    let theirs = [one, other].into_iter().find(|owner| owner.size == len);
                    let pair = (one.distribution, other.distribution);
                    let there = theirs.map(|owner| owner.distribution);
                    shared.entry(pair).or_default().push((path, there));
                }
            }
        }
    }
    let pairs = shared.into_iter().filter_map(|((one, other), files)| {
        let (first, second) = (distributions.get(one)?, distributions.get(other)?);
        // Two of one name are reported as such.
        if first.normalized == second.normalized {
            return None;
        }
        let (object, there) = files.first()?;
        let owner = there.and_then(|index| distributions.get(index));
        let evidence = twice(Twice::OverOneAnother {
            first: Release::of(first),
            second: Release::of(second),
            objects: files.len(),
            object: world.place(object),
            there: owner.map(Release::of),
        });
        let names = [first.normalized.clone(), second.normalized.clone()];
        let cure = Cure::Reinstall(Reinstall::OneOfBoth {
            names,
            kept: Release::of(owner.unwrap_or(first)),
        });
        Some(fault(Cause::DuplicateInstall, object, evidence, cure))
    });
    pairs.collect()
}

/// Two versions of one distribution in one directory: the older has not been removed.
fn of_one_name(world: &World) -> Vec<Finding> {
    let mut by_name: BTreeMap<(&Path, &str), Vec<&Distribution>> = BTreeMap::new();
    for distribution in &world.inventory.distributions {
        // An egg-info beside a dist-info is what older tools left, and Debian's packages have both.
        if distribution.location.extension().is_some_and(|ending| ending == "dist-info") {
            let key = (distribution.site.as_path(), distribution.normalized.as_str());
            by_name.entry(key).or_default().push(distribution);
        }
    }
    let several = by_name.into_iter().filter(|(_, of_name)| of_name.len() > 1);
    several
        .filter_map(|((_, name), of_name)| {
            let versions: BTreeSet<&str> = of_name.iter().map(|one| one.version.as_str()).collect();
            let last = of_name.last()?;
            let evidence = twice(Twice::SeveralTimes {
                name: name.to_owned(),
                times: of_name.len(),
                versions: versions.into_iter().map(str::to_owned).collect(),
            });
            let cure = Cure::Reinstall(Reinstall::AfterUninstalling(name.to_owned()));
            Some(fault(Cause::DuplicateInstall, &last.location, evidence, cure))
        })
        .collect()
}

/// Leftovers of an upgrade that are named.
const MAX_NAMES: usize = 3;

/// What pip renames during an upgrade, and leaves behind if the upgrade is interrupted.
fn leftovers(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let sites: BTreeSet<&Path> =
        world.inventory.distributions.iter().map(|found| found.site.as_path()).collect();
    let mut left: BTreeMap<&Path, BTreeSet<PathBuf>> = BTreeMap::new();
    for site in sites {
        for entry in vfs.read_dir(site).unwrap_or_default() {
            if entry.name.as_bytes().starts_with(b"~") {
                left.entry(site).or_default().insert(site.join(&entry.name));
            }
        }
    }
    let left = left.into_iter().filter_map(|(site, left)| {
        let first = left.first()?;
        let names = left.iter().filter_map(|path| path.file_name());
        let evidence = twice(Twice::Leftovers {
            names: names.take(MAX_NAMES).map(|name| name.as_bytes().to_vec()).collect(),
            all: left.len(),
            site: world.place(site),
        });
        Some(fault(
            Cause::DuplicateInstall,
            first,
            evidence,
            Cure::Reinstall(Reinstall::AfterCleaning),
        ))
    });
    left.collect()
}

/// NVIDIA's libraries for two major versions of CUDA, if nothing that is installed needs one of
/// them: `nvidia-cudnn-cu11` beside `nvidia-cudnn-cu12`. They are in the same directories.
fn of_several_cudas(world: &World) -> Vec<Finding> {
    let distributions = &world.inventory.distributions;
    let mut by_library: BTreeMap<&str, BTreeMap<&str, &Distribution>> = BTreeMap::new();
    for distribution in distributions {
        if let Some((library, cuda)) = distribution.normalized.rsplit_once("-cu")
            && library.starts_with("nvidia-")
            && !cuda.is_empty()
            && cuda.bytes().all(|byte| byte.is_ascii_digit())
        {
            by_library.entry(library).or_default().insert(cuda, distribution);
        }
    }
    let is_wanted = |distribution: &Distribution| {
        let others = distributions.iter().filter(|other| {
            // NVIDIA's own require one another.
            !other.normalized.starts_with("nvidia-")
        });
        others.flat_map(|other| &other.requires).any(|need| need.name == distribution.normalized)
    };
    let mut unwanted: BTreeMap<(&str, &str), Vec<&Distribution>> = BTreeMap::new();
    for versions in by_library.values().filter(|versions| versions.len() > 1) {
        let newest = versions.keys().next_back().copied().unwrap_or_default();
        let none = versions.values().all(|distribution| !is_wanted(distribution));
        for (cuda, distribution) in versions {
            let is_other = if none { *cuda != newest } else { !is_wanted(distribution) };
            let beside = versions.keys().rev().find(|other| *other != cuda);
            if is_other && let Some(beside) = beside {
                unwanted.entry((cuda, beside)).or_default().push(distribution);
            }
        }
    }
    let unwanted = unwanted.into_iter().filter_map(|((cuda, beside), of_cuda)| {
        let distributions: Vec<String> = of_cuda.iter().map(|one| one.normalized.clone()).collect();
        let first = of_cuda.first()?;
        let cure = Cure::Reinstall(Reinstall::ForOneCuda {
            distributions: distributions.clone(),
            beside: beside.to_owned(),
        });
        let evidence = twice(Twice::OtherCuda {
            cuda: cuda.to_owned(),
            beside: beside.to_owned(),
            distributions,
        });
        Some(fault(Cause::DuplicateInstall, &first.location, evidence, cure))
    });
    unwanted.collect()
}

fn twice(what: Twice) -> Evidence {
    Evidence::Installed(Installed::Twice(what))
}
