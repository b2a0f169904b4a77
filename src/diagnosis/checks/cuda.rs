//! The libraries of CUDA that TensorFlow opens by itself, where neither the environment nor the
//! loader's search paths have them: what it wants stands in the wheel, what the system has is looked
//! up, and what would bring it is said.

use super::dlopen::{Process, driver_missing};
use super::variables;
use crate::bytes::{printable, shown};
use crate::diagnosis::provider::{self, Choice};
use crate::findings::finding::fault;
use crate::findings::finding::{Cause, Finding};
use crate::knowledge::tensorflow::{self, BuildInfo, DRIVER};
use crate::loader::Target;
use crate::python::distribution::Distribution;
use crate::vfs::Vfs;
use crate::world::inventory::Object;
use crate::world::program::Program;
use crate::world::system_libraries::Libraries;
use crate::world::{Question, World};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The findings about each TensorFlow in the target that was built for CUDA. `known` are those about
/// what is only opened: they may tell of the driver already.
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

/// A TensorFlow and what it wants.
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

    /// Libraries that the environment has, whatever metadata require them, and to which no search path of
    /// the opener leads: one finding for each directory that is not told of already.
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
        let object = world.shown(&self.opener.path);
        let new = by_directory.into_iter().filter(|(directory, _)| !is_told(directory));
        let found = new.map(|(directory, name)| {
            let message = format!(
                "{object} opens {name}; it lies in {}, and no search path leads there, so it uses no GPU",
                world.shown(&directory)
            );
            let found = self.finding(Cause::DlopenPathMissing, name, message, "tfpatch fix");
            Finding { fixable: true, lies_in: vec![directory], ..found }
        });
        found.collect()
    }

    /// Libraries that the system has where no search path leads: one finding for each directory.
    fn elsewhere(&self, missing: &[&String]) -> Vec<Finding> {
        let Some(machine) = self.opener.elf().map(Target::of) else { return Vec::new() };
        let mut by_directory: BTreeMap<PathBuf, &String> = BTreeMap::new();
        for name in missing {
            let copies = self.libraries.copies(name.as_bytes(), machine);
            if let Some(directory) = copies.first().and_then(|copy| copy.parent()) {
                by_directory.entry(directory.to_owned()).or_insert(name);
            }
        }
        let object = self.world.shown(&self.opener.path);
        by_directory
            .into_iter()
            .map(|(directory, name)| {
                let message = format!(
                    "{object} opens {name}; it lies in {}, and no search path leads there",
                    shown(&directory)
                );
                let cure = "tfpatch fix --allow-absolute";
                let found = self.finding(Cause::DlopenPathMissing, name, message, cure);
                Finding { fixable: true, lies_in: vec![directory], ..found }
            })
            .collect()
    }

    fn another_release(&self, name: &str, other: &Path) -> Finding {
        let directory = other.parent().unwrap_or(other).to_owned();
        let there = other.file_name().map_or_else(String::new, |it| printable(it.as_bytes()));
        let message = format!(
            "{} opens {name} of {}; the system has {there} in {}, so it uses no GPU",
            self.name(),
            self.build.releases(),
            shown(&directory)
        );
        let found = self.finding(Cause::SonameMismatch, name, message, &self.cure());
        Finding { lies_in: vec![directory], ..found }
    }

    fn nowhere(&self, first: &str, missing: &[&String]) -> Finding {
        let names: Vec<&str> = missing.iter().map(|name| name.as_str()).collect();
        let hint =
            variables::names_of_nothing(self.vfs, self.world, self.question, first.as_bytes());
        let message = format!(
            "{} opens libraries of {} that are nowhere: {}; without them it uses no GPU{hint}",
            self.name(),
            self.build.releases(),
            names.join(", ")
        );
        self.finding(Cause::NotInstalled, first, message, &self.cure())
    }

    fn name(&self) -> String {
        format!("{} {}", self.distribution.name, self.distribution.version)
    }

    /// What brings the libraries: the extra of the wheel where it has one, else a release of CUDA.
    fn cure(&self) -> String {
        let Distribution { name, version, requires, .. } = self.distribution;
        let has_extra = requires.iter().any(|required| {
            required.marker.as_deref().is_some_and(|marker| marker.contains("and-cuda"))
        });
        if has_extra {
            format!("pip install '{name}[and-cuda]=={version}'")
        } else {
            format!("install {}, as NVIDIA or conda-forge have them", self.build.releases())
        }
    }

    fn finding(&self, cause: Cause, library: &str, message: String, cure: &str) -> Finding {
        let answer = self.process.open(library.as_bytes());
        let tried = answer.map(|answer| answer.root.tried.steps().collect());
        Finding {
            library: Some(library.as_bytes().to_vec()),
            tried: tried.unwrap_or_default(),
            ..fault(cause, &self.opener.path, message, cure)
        }
    }
}
