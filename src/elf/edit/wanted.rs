//! The wanted state of one object: what a request changes, without what the object already has.
//!
//! Edits are computed from this alone. Therefore two states of an object determine the edit between them,
//! whichever changes were requested.

use super::refusal::Refusal;
use super::request::{Change, Failure, Request};
use super::version_needs;
use crate::bytes;
use crate::elf::image::Image;
use crate::elf::search_path::{RpathKind, SearchPath, current};
use goblin::elf::dynamic;
use goblin::elf::header::EI_OSABI;
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK};

/// The highest value of `EI_OSABI` for an operating system (gABI; higher values are for processors).
const MAX_OSABI: u8 = 18;

/// The properties of an object that are to change; `None` is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::elf) struct Wanted {
    /// The search path; `Some(None)` removes it.
    pub(in crate::elf) path: Option<Option<SearchPath>>,
    pub(in crate::elf) soname: Option<Vec<u8>>,
    /// All names of `DT_NEEDED`, in order.
    pub(in crate::elf) needed: Option<Vec<Vec<u8>>>,
    /// The file of each record of version needs, or `None` if the record is removed.
    pub(in crate::elf) version_files: Option<Vec<Option<Vec<u8>>>>,
    pub(in crate::elf) interpreter: Option<Vec<u8>>,
    /// `p_flags` of `PT_GNU_STACK`.
    pub(in crate::elf) stack: Option<u32>,
    /// `DT_FLAGS_1`.
    pub(in crate::elf) flags_1: Option<u64>,
    /// Is `DT_DEBUG` added?
    pub(in crate::elf) debug: bool,
    pub(in crate::elf) osabi: Option<u8>,
}

impl Wanted {
    /// The changes that a request makes to `image`.
    ///
    /// # Errors
    /// If the property to change cannot be read, or does not exist.
    pub(in crate::elf) fn of(image: &Image<'_>, request: &Request) -> Result<Self, Failure> {
        let mut wanted = Self::default();
        for change in &request.changes {
            wanted.take(image, change)?;
        }
        wanted.forget_what_is_there(image)?;
        Ok(wanted)
    }

    fn take(&mut self, image: &Image<'_>, change: &Change) -> Result<(), Failure> {
        match change {
            Change::SearchPath { entries, kind } => {
                let old = current(image)?;
                let usual = old.as_ref().map(|old| old.kind).unwrap_or(RpathKind::Runpath);
                let kind = kind.unwrap_or(usual);
                let path = SearchPath { kind, entries: entries.clone() };
                self.path = Some((!entries.is_empty()).then_some(path));
            }
            Change::Soname(name) => self.soname = Some(name.clone()),
            Change::AddNeeded { name, first } => {
                let needed = self.needed(image)?;
                if !needed.contains(name) {
                    let at = if *first { 0 } else { needed.len() };
                    needed.insert(at, name.clone());
                }
            }
            Change::RemoveNeeded(name) => {
                self.needed(image)?.retain(|needed| needed != name);
                for file in self.version_files(image)?.iter_mut() {
                    if file.as_ref() == Some(name) {
                        *file = None;
                    }
                }
            }
            Change::ReplaceNeeded { old, new } => {
                let needed = self.needed(image)?;
                if needed.contains(old) {
                    needed.iter_mut().filter(|name| *name == old).for_each(|it| it.clone_from(new));
                    let files = self.version_files(image)?.iter_mut().flatten();
                    files.filter(|file| *file == old).for_each(|file| file.clone_from(new));
                }
            }
            Change::Interpreter(path) => {
                if image.interpreter()?.is_none() {
                    return Err(Refusal::NoInterpreter.into());
                }
                self.interpreter = Some(path.clone());
            }
            Change::ExecutableStack(is_wanted) => {
                let old = image.segment(PT_GNU_STACK).map_or(PF_R | PF_W, |stack| stack.p_flags);
                self.stack = Some(if *is_wanted { old | PF_X } else { old & !PF_X });
            }
            Change::NoDefaultLibraries => {
                let old = image.value(dynamic::DT_FLAGS_1).unwrap_or(0);
                self.flags_1 = Some(old | dynamic::DF_1_NODEFLIB);
            }
            Change::DebugTag => self.debug = true,
            Change::OsAbi(osabi) => self.osabi = Some(*osabi),
        }
        Ok(())
    }

    fn needed(&mut self, image: &Image<'_>) -> Result<&mut Vec<Vec<u8>>, bytes::Error> {
        let old = if self.needed.is_none() { image.needed()? } else { Vec::new() };
        Ok(self.needed.get_or_insert(old))
    }

    fn version_files(
        &mut self,
        image: &Image<'_>,
    ) -> Result<&mut Vec<Option<Vec<u8>>>, bytes::Error> {
        let old = match self.version_files {
            None => files(image)?.into_iter().map(Some).collect(),
            Some(_) => Vec::new(),
        };
        Ok(self.version_files.get_or_insert(old))
    }

    /// Removes everything that the object already has.
    fn forget_what_is_there(&mut self, image: &Image<'_>) -> Result<(), bytes::Error> {
        if self.path.is_some() && self.path.as_ref() == Some(&current(image)?) {
            self.path = None;
        }
        if self.soname.is_some() && self.soname == soname(image)? {
            self.soname = None;
        }
        if self.needed.is_some() && self.needed == Some(image.needed()?) {
            self.needed = None;
        }
        let stays = |files: &Vec<Option<Vec<u8>>>, old: Vec<Vec<u8>>| {
            old.into_iter().map(Some).eq(files.iter().cloned())
        };
        if let Some(wanted) = &self.version_files
            && stays(wanted, files(image)?)
        {
            self.version_files = None;
        }
        if self.interpreter.is_some() && self.interpreter == image.interpreter()? {
            self.interpreter = None;
        }
        if self.stack == image.segment(PT_GNU_STACK).map(|stack| stack.p_flags) {
            self.stack = None;
        }
        if self.flags_1 == image.value(dynamic::DT_FLAGS_1) {
            self.flags_1 = None;
        }
        self.debug &= image.entry(dynamic::DT_DEBUG).is_none();
        if self.osabi.as_ref() == image.header().e_ident.get(EI_OSABI) {
            self.osabi = None;
        }
        Ok(())
    }

    /// Does nothing change?
    pub(in crate::elf) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Does only the search path change?
    pub(in crate::elf) fn is_search_path(&self) -> bool {
        self.path.is_some() && Self { path: None, ..self.clone() }.is_nothing()
    }

    /// Do only the flags of the stack change?
    pub(in crate::elf) fn is_stack(&self) -> bool {
        self.stack.is_some() && Self { stack: None, ..self.clone() }.is_nothing()
    }

    /// The properties of `then` that differ in `now`, among those that an edit can change. Properties that
    /// cannot be read in either state are not part of an edit.
    ///
    /// # Errors
    /// If the search path cannot be read.
    pub(in crate::elf) fn towards(now: &Image<'_>, then: &Image<'_>) -> Result<Self, bytes::Error> {
        let mut wanted = Self {
            path: Some(current(then)?),
            soname: soname(then).ok().flatten(),
            needed: then.needed().ok(),
            version_files: version_needs::renamed(now, then),
            interpreter: then.interpreter().ok().flatten(),
            stack: stack_towards(now, then),
            flags_1: flags_towards(now, then),
            debug: then.entry(dynamic::DT_DEBUG).is_some(),
            osabi: osabi(then).filter(|_| osabi(now).is_some()),
        };
        if now.needed().is_err() {
            wanted.needed = None;
        }
        if soname(now).is_err() {
            wanted.soname = None;
        }
        if !now.interpreter().is_ok_and(|interpreter| interpreter.is_some()) {
            wanted.interpreter = None;
        }
        wanted.forget_what_is_there(now)?;
        Ok(wanted)
    }
}

/// The flags of the stack, if they differ in a way that an edit produces.
fn stack_towards(now: &Image<'_>, then: &Image<'_>) -> Option<u32> {
    let flags = |image: &Image<'_>| Some(image.segment(PT_GNU_STACK)?.p_flags);
    let new = flags(then)?;
    let old = flags(now).unwrap_or(PF_R | PF_W);
    (old ^ new == PF_X || flags(now).is_none()).then_some(new)
}

/// `EI_OSABI`, if it is for an operating system.
fn osabi(image: &Image<'_>) -> Option<u8> {
    image.header().e_ident.get(EI_OSABI).copied().filter(|&osabi| osabi <= MAX_OSABI)
}

/// `DT_FLAGS_1`, if it has the flag that an edit adds.
fn flags_towards(now: &Image<'_>, then: &Image<'_>) -> Option<u64> {
    let new = then.value(dynamic::DT_FLAGS_1)?;
    let old = now.value(dynamic::DT_FLAGS_1).unwrap_or(0);
    (old | dynamic::DF_1_NODEFLIB == new).then_some(new)
}

fn soname(image: &Image<'_>) -> Result<Option<Vec<u8>>, bytes::Error> {
    image.string_of(dynamic::DT_SONAME, "DT_SONAME")
}

/// The files of the version needs, in order.
fn files(image: &Image<'_>) -> Result<Vec<Vec<u8>>, bytes::Error> {
    Ok(image.version_needs()?.into_iter().map(|need| need.file).collect())
}
