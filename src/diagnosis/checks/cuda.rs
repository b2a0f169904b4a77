//! The libraries of CUDA that TensorFlow opens, if neither the environment nor the loader's search
//! paths have them. What it needs is read from the wheel, what the system has is looked up, and the
//! package that contains them is named.

use super::dlopen::{Process, driver_missing};
use super::variables;
use crate::diagnosis::provider::{self, Choice};
use crate::findings::cure::{Cure, Install};
use crate::findings::evidence::opening::{Cuda, Opening, OutOfReach, Unfound};
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::tensorflow::{self, BuildInfo, DRIVER};
use crate::loader::Target;
use crate::python::distribution::Distribution;
use crate::vfs::Vfs;
use crate::world::inventory::Object;
use crate::world::program::Program;
use crate::world::system_libraries::Libraries;
use crate::world::{Place, Question, World};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The findings about each TensorFlow in the target that was built for CUDA. `known` are those about
/// what is only opened: they may already report the driver.
#[must_use]
pub fn findings(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    programs: &[Program<'_>],
    libraries: &Libraries<'_>,
    known: &[Finding],
) -> Vec<Finding> {
    let inventory = &world.inventory;
    let all = inventory.distributions.iter();
    let tensorflows = all.filter(|found| tensorflow::is_tensorflow(&found.normalized));
    let found = tensorflows.filter_map(|distribution| {
        let build = BuildInfo::read(vfs, &distribution.site)?;
        let opener = world.object_at(vfs, &distribution.site.join(tensorflow::OPENER))?;
        let process = Process::of(programs, opener)?;
        let wants = Wants { vfs, world, question, libraries, distribution, build, opener, process };
        Some(wants.findings(known))
    });
    found.flatten().collect()
}

/// A TensorFlow and what it needs.
struct Wants<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    question: &'a Question,
    libraries: &'a Libraries<'a>,
    distribution: &'a Distribution,
    build: BuildInfo,
    opener: &'a Object,
    process: Process<'a>,
}

impl Wants<'_> {
    fn findings(&self, known: &[Finding]) -> Vec<Finding> {
        let wanted = self.build.libraries(&self.distribution.version);
        // What the environment has is a matter of search paths alone.
        let is_here = |name: &&String| self.world.inventory.named(name.as_bytes()).next().is_some();
        let (here, missing): (Vec<&String>, Vec<&String>) =
            wanted.iter().filter(|name| !self.finds(name)).partition(is_here);
        let has_driver = self.finds(DRIVER);
        let mut found = Vec::new();
        if missing.is_empty() {
            found.extend(self.out_of_reach(&here, known));
        } else {
            found.extend(self.elsewhere(&missing));
        }
        if let Some(first) = missing.first()
            && found.is_empty()
        {
            let machine = self.opener.elf().map(Target::of);
            let other = missing.iter().find_map(|name| {
                Some((name, self.libraries.other_version(name.as_bytes(), machine?)?))
            });
            if let Some((name, other)) = other {
                found.push(self.another_release(name, &other));
            } else if has_driver || missing.len() < wanted.len() {
                found.push(self.nowhere(first, &missing));
            }
        }
        let is_said = known
            .iter()
            .any(|it| it.cause == Cause::DriverMissing && it.object == self.opener.path);
        if !is_said {
            found.extend(driver_missing(self.world, &self.process));
        }
        found
    }

    fn finds(&self, name: &str) -> bool {
        self.process.open(name.as_bytes()).is_some_and(|answer| answer.root.found.is_some())
    }

    /// Libraries that the environment has, whatever metadata require them, in directories that the opener
    /// does not search: one finding for each directory that is not reported already.
    fn out_of_reach(&self, here: &[&String], known: &[Finding]) -> Vec<Finding> {
        let (world, search) = (self.world, &self.question.search);
        let mut by_directory: BTreeMap<PathBuf, &String> = BTreeMap::new();
        for name in here {
            let choice = provider::choose(self.vfs, world, search, self.opener, name.as_bytes());
            if let Choice::One(provider) = choice {
                by_directory.entry(provider.directory().to_owned()).or_insert(name);
            }
        }
        let is_told = |directory: &Path| {
            let mut about = known.iter().filter(|found| found.object == self.opener.path);
            about.any(|found| found.lies_in.iter().any(|it| it == directory))
        };
        let new = by_directory.into_iter().filter(|(directory, _)| !is_told(directory));
        let found = new.map(|(directory, name)| {
            let opening = self.out_of_reach_in(name, world.place(&directory), true);
            let found = self.finding(Cause::DlopenPathMissing, name, opening, Cure::fix());
            Finding { fixable: true, lies_in: vec![directory], ..found }
        });
        found.collect()
    }

    /// Libraries that the system has in directories that are not searched: one finding for each
    /// directory.
    fn elsewhere(&self, missing: &[&String]) -> Vec<Finding> {
        let Some(machine) = self.opener.elf().map(Target::of) else { return Vec::new() };
        let mut by_directory: BTreeMap<PathBuf, &String> = BTreeMap::new();
        for name in missing {
            let copies = self.libraries.copies(name.as_bytes(), machine);
            if let Some(directory) = copies.first().and_then(|copy| copy.parent()) {
                by_directory.entry(directory.to_owned()).or_insert(name);
            }
        }
        by_directory
            .into_iter()
            .map(|(directory, name)| {
                let opening = self.out_of_reach_in(name, Place::on_disk(&directory), false);
                let cure = Cure::fix_with_absolute();
                let found = self.finding(Cause::DlopenPathMissing, name, opening, cure);
                Finding { fixable: true, lies_in: vec![directory], ..found }
            })
            .collect()
    }

    fn out_of_reach_in(&self, name: &str, directory: Place, leaves_no_gpu: bool) -> Opening {
        let (opener, library) = (self.world.place(&self.opener.path), name.as_bytes().to_vec());
        let found = OutOfReach { opener, library, directory };
        Opening::OutOfReach(found, Unfound::NoSearchPath { leaves_no_gpu })
    }

    fn another_release(&self, name: &str, other: &Path) -> Finding {
        let directory = other.parent().unwrap_or(other).to_owned();
        let opening = Opening::OtherRelease {
            tensorflow: Release::as_written(self.distribution),
            cuda: self.built_with(),
            library: name.as_bytes().to_vec(),
            there: other.file_name().unwrap_or_default().as_bytes().to_vec(),
            directory: Place::on_disk(&directory),
        };
        let found = self.finding(Cause::SonameMismatch, name, opening, self.cure());
        Finding { lies_in: vec![directory], ..found }
    }

    fn nowhere(&self, first: &str, missing: &[&String]) -> Finding {
        let absent =
            variables::names_of_nothing(self.vfs, self.world, self.question, first.as_bytes());
        let opening = Opening::Nowhere {
            tensorflow: Release::as_written(self.distribution),
            cuda: self.built_with(),
            libraries: missing.iter().copied().cloned().collect(),
            absent,
        };
        self.finding(Cause::NotInstalled, first, opening, self.cure())
    }

    fn built_with(&self) -> Cuda {
        let BuildInfo { cuda, cudnn } = &self.build;
        Cuda { cuda: cuda.clone(), cudnn: cudnn.clone() }
    }

    /// The package that contains the libraries: the extra of the wheel if it has one, else a
    /// release of CUDA.
    fn cure(&self) -> Cure {
        let has_extra = self.distribution.requires.iter().any(|required| {
            required.marker.as_deref().is_some_and(|marker| marker.contains("and-cuda"))
        });
        match has_extra {
            true => Cure::Install(Install::WithCuda(Release::as_written(self.distribution))),
            false => Cure::Install(Install::Cuda(self.built_with())),
        }
    }

    fn finding(&self, cause: Cause, library: &str, opening: Opening, cure: Cure) -> Finding {
        let answer = self.process.open(library.as_bytes());
        let tried = answer.map(|answer| answer.root.tried.steps().collect());
        Finding {
            library: Some(library.as_bytes().to_vec()),
            tried: tried.unwrap_or_default(),
            ..fault(cause, &self.opener.path, Evidence::Opening(opening), cure)
        }
    }
}
