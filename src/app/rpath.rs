//! Edits search paths and other fields that the loader reads, with the same backup and revert as a fix.

use super::carry_out::{Carried, Carrying, Subject, Written};
use super::targets::open_object;
use super::view::View;
use super::wheel::names_directory;
use super::{App, Chosen, Error};
use crate::bytes::Source as _;
use crate::edit::EditSet;
use crate::elf::search_path::RpathKind;
use crate::macho;
use crate::object::Method;
use crate::operation;
use crate::plan::{Kind, Plan};
use crate::python::target::Target;
use crate::repair::plan_builder;
use crate::repair::proposal::Proposal;
use crate::repair::rewrite::{Change, Wish, rewrite};
use crate::vfs::{FileKind, Vfs as _};
use crate::world::World;
use std::path::{Path, PathBuf};

/// The requested change, and how to make it.
#[derive(Debug)]
pub struct Edit {
    /// The change.
    pub change: Change,
    /// The new tag of the search path, if it is to change.
    pub kind: Option<RpathKind>,
    /// The architecture of the slice to edit; all slices if there is none.
    pub arch: Option<String>,
    /// May a signer's signature be replaced with an ad-hoc one?
    pub may_drop_signer: bool,
    /// Are rows of RECORDs updated?
    pub update_records: bool,
    /// How it is carried out.
    pub carrying: Carrying,
}

/// An object that was edited, or would be.
#[derive(Debug)]
pub struct Edited {
    /// The object, as the user named it.
    pub named: PathBuf,
    /// The plan and its result.
    pub carried: Carried,
    /// Does it lose its signer's signature?
    pub drops_signer: bool,
}

impl App {
    /// Edits the search path of an object.
    ///
    /// # Errors
    /// If the target is not an object, cannot be read or written, or is not safely edited.
    pub fn edit(&self, chosen: &Chosen, how: &Edit) -> Result<Edited, Error> {
        self.until_settled(chosen.root(), how.carrying.dry_run, || self.edit_once(chosen, how))
    }

    fn edit_once(&self, chosen: &Chosen, how: &Edit) -> Result<Edited, Error> {
        let Target::File(object) = &chosen.target else {
            return Err(Error::NotOneObject(chosen.path().to_owned()));
        };
        let named = chosen.named.as_deref().unwrap_or(object);
        let files = self.vfs.remembering();
        drop(open_object(&files, object, named)?);
        let world = World::of_edit(&files, object, chosen.environment.clone());
        let world = World { elsewhere: self.is_elsewhere(), ..world };
        let names = world.names_of(object);
        let wish = Wish {
            change: &how.change,
            kind: how.kind,
            arch: how.arch.as_deref(),
            may_drop_signer: how.may_drop_signer,
            repairs_signature: false,
            clears_stack: false,
            keeps_dead: false,
        };
        let rewritten = rewrite(&files, object, &names, wish)?;
        let drops_signer =
            rewritten.patch.method == Method::Macho(macho::edit::Method::SignerDropped);
        let proposal = Proposal::of(rewritten);
        let planned = plan_builder::plan(&files, &world, &proposal, how.update_records);
        self.require_read(chosen)?;
        let plan = planned?;
        let subject = Subject { chosen, view: &View::Files(&files), world: &world };
        let carried = match &how.carrying.repaired {
            Some(output) => self.write_copy(subject, plan, (object, output), &how.carrying)?,
            None => self.carry_out(subject, plan, &how.carrying)?,
        };
        Ok(Edited { named: named.to_owned(), carried, drops_signer })
    }

    /// Is this path, relative to the working directory, a directory?
    #[must_use]
    pub fn is_directory(&self, path: &Path) -> bool {
        let here = self.ambient().map(|ambient| ambient.working_directory.clone());
        let path = here.map_or_else(|_| path.to_owned(), |here| here.join(path));
        self.vfs.metadata(&path).is_ok_and(|found| found.kind == FileKind::Directory)
    }

    /// Writes the edited object to another file or into a directory, completely or not at all.
    fn write_copy(
        &self,
        subject: Subject<'_>,
        plan: Plan,
        (object, output): (&Path, &Path),
        how: &Carrying,
    ) -> Result<Carried, Error> {
        if names_directory(output) && !self.is_directory(output) {
            return Err(Error::NoOutput { output: output.to_owned(), is_for_wheel: false });
        }
        let output = self.ambient()?.working_directory.join(output);
        let name = object.file_name().filter(|_| self.is_directory(&output));
        let output = name.map_or_else(|| output.clone(), |name| output.join(name));
        let old = subject.view.vfs().open(object)?;
        let steps =
            plan.steps.iter().filter(|step| step.kind == Kind::Elf || step.kind == Kind::Macho);
        let edits = steps.map(|step| step.edits.clone()).next();
        let edits = edits.unwrap_or_else(|| EditSet::none(old.len()));
        let written = if how.dry_run {
            Written::Not
        } else {
            operation::write_elsewhere(
                &self.on_disk(object),
                &edits,
                &self.on_disk(&output),
                how.sync,
            )?;
            Written::To(output)
        };
        let plan = Plan { dry_run: how.dry_run, ..plan };
        Ok(Carried { plan, written, follows_others: false, old_bytes: Vec::new() })
    }
}
