//! Where a library is that the target does not have under the requested name: without its link, in
//! a directory of the system that is not searched, in another version, or missing.
//!
//! A library is identified by its `DT_SONAME`, its class and its machine. Its file may have another name
//! because of a link or a copy.

use super::checks::variables;
use super::load_report::Missing;
use super::{provider, unmet};
use crate::elf::Summary;
use crate::findings::cure::{Cure, Install, Reinstall, Search};
use crate::findings::evidence::need::{Lacking, Supply};
use crate::findings::evidence::variable::Blame;
use crate::findings::finding::{Cause, Finding};
use crate::loader::{Libc, Rule, SearchStep, StepOutcome, Target};
use crate::vfs::Vfs;
use crate::world::inventory::Object;
use crate::world::object_names::is_renamed;
use crate::world::system_libraries::Libraries;
use crate::world::unreadable::{Why, flattened_link};
use crate::world::{Place, Question, World};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A library of which the target has no copy under the requested name.
pub(super) struct Absent<'a> {
    pub(super) vfs: &'a dyn Vfs,
    pub(super) world: &'a World,
    pub(super) question: &'a Question,
    pub(super) libraries: &'a Libraries<'a>,
    pub(super) missing: &'a Missing,
}

impl Absent<'_> {
    /// Where it is, the most likely place first.
    pub(super) fn finding(&self) -> Finding {
        self.refused()
            .or_else(|| self.forbidden())
            .or_else(|| self.for_elsewhere())
            .or_else(|| self.without_link())
            .or_else(|| self.outside())
            .or_else(|| self.without_version())
            .unwrap_or_else(|| self.in_another_version())
    }

    fn name(&self) -> &[u8] {
        &self.missing.dependency.name
    }

    fn lacking(&self, cause: Cause, lacking: Lacking, cure: Cure) -> Finding {
        self.missing.finding(self.world, cause, Supply::Lacking(lacking), cure)
    }

    /// A file of the name is there, and the loader ends its search at it.
    fn refused(&self) -> Option<Finding> {
        let fatal = self.missing.dependency.fatal.as_ref()?;
        let file = self.world.place(&fatal.path);
        if let Some(named) = flattened_link(self.vfs, &fatal.path) {
            let cure = Cure::Search(Search::Link {
                named: named.clone(),
                link: fatal.path.clone(),
                replaces: true,
                then_fix: None,
            });
            let lacking = Lacking::FlattenedLink { file, named };
            return Some(self.lacking(Cause::DroppedLink, lacking, cure));
        }
        let lacking = Lacking::Refused { file, said: fatal.message.clone() };
        let is_it = |step: &SearchStep| step.path == fatal.path && step.rule == Rule::LdLibraryPath;
        if self.missing.dependency.tried.steps().any(|step| is_it(&step)) {
            let directory = fatal.path.parent().unwrap_or(&fatal.path);
            let blame = Blame { variables: vec!["LD_LIBRARY_PATH"], is_any: false };
            let cure = variables::taken_out(self.world, directory, blame);
            let found = self.lacking(Cause::EnvOverride, lacking, cure);
            return Some(Finding { is_fatal: true, ..found });
        }
        Some(self.lacking(Cause::Unreadable, lacking, self.reinstall_owner(&fatal.path)))
    }

    /// A file of the name, or a directory that is searched, is not readable for this user, who sees no library in it.
    fn forbidden(&self) -> Option<Finding> {
        let tried = || self.missing.dependency.tried.steps();
        let is_it = |path: &Path| {
            path.file_name().is_some_and(|name| name.as_bytes() == self.name())
                || tried().any(|step| step.path.starts_with(path))
        };
        let unreadable = self.world.inventory.unreadable.iter();
        let mut denied = unreadable.filter(
            |it| matches!(&it.why, Why::Io(error) if error.kind == ErrorKind::PermissionDenied),
        );
        let own = denied.find(|it| is_it(&it.path)).map(|it| it.path.clone());
        // A link that leads back to itself is not readable for anybody.
        let is_denied = |file: &Path| {
            self.vfs.open(file).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
        };
        let refused = || {
            let mut unreadable = tried().filter(|step| step.outcome == StepOutcome::Unreadable);
            unreadable.find(|step| is_denied(&step.path))
        };
        let path = own.or_else(|| Some(refused()?.path))?;
        let lacking = Lacking::Forbidden { file: self.world.place(&path) };
        Some(self.lacking(Cause::Unreadable, lacking, Cure::RunAsReader))
    }

    /// A file of the target has the name and is where the loader looks, but was built for another architecture.
    fn for_elsewhere(&self) -> Option<Finding> {
        let is_passed_over = |step: &SearchStep| {
            matches!(step.outcome, StepOutcome::WrongMachine | StepOutcome::WrongClass)
                && self.world.reaches(self.vfs, &step.path)
        };
        let step = self.missing.dependency.tried.steps().find(is_passed_over)?;
        let lacking = Lacking::ForElsewhere { file: self.world.place(&step.path) };
        Some(self.lacking(Cause::WrongArch, lacking, self.reinstall_owner(&step.path)))
    }

    /// Reinstalls the distribution that a file belongs to, by its name if it is known.
    fn reinstall_owner(&self, file: &Path) -> Cure {
        Cure::reinstall_owner(self.world, file, Reinstall::Owner)
    }

    /// A library of the target with that soname, whose file has another name: the link with this name
    /// is missing.
    fn without_link(&self) -> Option<Finding> {
        let is_it = |object: &&Object| {
            object.elf().and_then(|elf| elf.soname.as_deref()) == Some(self.name())
        };
        let found = self.of_this_machine().find(is_it)?;
        let lacking = Lacking::LinkGone { file: self.world.place(&found.path) };
        Some(self.to_be_linked(&found.path, lacking))
    }

    /// The finding about a link to be created beside a file.
    fn to_be_linked(&self, file: &Path, lacking: Lacking) -> Finding {
        let directory = file.parent().unwrap_or(file);
        let real = self.vfs.canonicalize(directory).ok();
        let is_searched = self.missing.dependency.tried.steps().any(|step| {
            step.path.parent().and_then(|tried| self.vfs.canonicalize(tried).ok()) == real
        });
        let cure = Cure::Search(Search::Link {
            named: PathBuf::from(file.file_name().unwrap_or_default()),
            link: directory.join(OsStr::from_bytes(self.name())),
            replaces: false,
            then_fix: (!is_searched).then(|| self.world.as_named().to_owned()),
        });
        let found = self.lacking(Cause::DroppedLink, lacking, cure);
        Finding { lies_in: vec![directory.to_owned()], ..found }
    }

    /// A library of the system: in a directory of ldconfig, whose cache does not have it, or in a
    /// directory that no loader searches by default.
    fn outside(&self) -> Option<Finding> {
        let machine = self.machine()?;
        // The directories of ldconfig are glibc's, and so are the libraries in them.
        if self.missing.asking.elf().and_then(Libc::of) == Some(Libc::Musl) {
            return None;
        }
        let copy = self.libraries.copies(self.name(), machine).into_iter().next();
        let path = copy.clone().or_else(|| self.libraries.by_soname(self.name(), machine))?;
        let directory = path.parent().unwrap_or(&path).to_owned();
        let file = Place::on_disk(&path);
        let asking = self.missing.asking.elf();
        if self.libraries.are_ldconfigs(&directory) && asking.is_some_and(Summary::has_nodeflib) {
            let (supply, cure) = (Lacking::NoDefaults { file }, Cure::fix_with_absolute());
            let found = self.lacking(Cause::PathMissing, supply, cure);
            return Some(Finding { fixable: true, lies_in: vec![directory], ..found });
        }
        if self.libraries.are_ldconfigs(&directory) {
            let lacking = Lacking::NotInCache { file };
            let found = self.lacking(Cause::StaleCache, lacking, Cure::Search(Search::Ldconfig));
            return Some(Finding { lies_in: vec![directory], ..found });
        }
        if copy.is_none() {
            return Some(self.to_be_linked(&path, Lacking::LinkGone { file }));
        }
        let supply =
            Supply::OutOfReach { directory: Place::on_disk(&directory), is_required: true };
        let (cause, cure) = (Cause::PathMissing, Cure::fix_with_absolute());
        let found = self.missing.finding(self.world, cause, supply, cure);
        Some(Finding { fixable: true, lies_in: vec![directory], ..found })
    }

    /// The requested name has no version, and the existing file has one. The name without a version is
    /// only in packages for developers.
    fn without_version(&self) -> Option<Finding> {
        let stem = self.name().strip_suffix(b".so").map(|_| [self.name(), b"."].concat())?;
        let own = self.of_this_machine().find(|object| object.name().starts_with(&stem));
        let file = own.map(|object| object.path.clone());
        let file = file.or_else(|| self.libraries.versioned(&stem, self.machine()?))?;
        let lacking = Lacking::OnlyVersioned { file: self.world.place(&file) };
        Some(self.to_be_linked(&file, lacking))
    }

    fn in_another_version(&self) -> Finding {
        let (name, asking) = (self.name(), &self.missing.asking);
        let absent = variables::names_of_nothing(self.vfs, self.world, self.question, name);
        let own = provider::other_version(&self.world.inventory, asking, name);
        let is_own = own.is_some();
        let other = own.map(|other| other.path.clone()).or_else(|| {
            let machine = self.machine();
            machine.and_then(|it| self.libraries.other_version(name, it))
        });
        let wanted = unmet::requirement(self.world, asking, name).map(Install::Wanted);
        // No package but the wheel contains a library that was renamed for it.
        let cure = match wanted {
            None if is_renamed(name) => match self.world.inventory.distribution_of(asking) {
                Some(own) => Cure::reinstall(own),
                None => self.reinstall_owner(&asking.path),
            },
            wanted => Cure::Install(wanted.unwrap_or_else(|| Install::WhatShips(name.to_vec()))),
        };
        let parts = other.as_deref().and_then(|other| Some((other.file_name()?, other.parent()?)));
        let Some((there, directory)) = parts else {
            return self.lacking(Cause::NotInstalled, Lacking::Nowhere { absent }, cure);
        };
        let lacking = Lacking::OtherVersion {
            is_own,
            name: there.as_bytes().to_vec(),
            directory: self.world.place(directory),
            absent,
        };
        let found = self.lacking(Cause::SonameMismatch, lacking, cure);
        Finding { lies_in: vec![directory.to_owned()], ..found }
    }

    fn machine(&self) -> Option<Target> {
        self.missing.asking.elf().map(Target::of)
    }

    /// The objects of the target that the process of the requesting object could load.
    fn of_this_machine(&self) -> impl Iterator<Item = &Object> {
        let machine = self.machine();
        let objects = self.world.inventory.objects.iter();
        objects.filter(move |object| object.elf().map(Target::of) == machine)
    }
}
