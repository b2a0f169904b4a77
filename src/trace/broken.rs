//! Programs that the loader terminated because of a symbol or a version.

use super::LoaderError;
use super::compare::object_at;
use crate::command_line::CommandLine;
use crate::findings::cure::Cure;
use crate::findings::evidence::Evidence;
use crate::findings::evidence::symbols::Symbols;
use crate::findings::finding::{Cause, Finding, fault};
use crate::vfs::Vfs;
use crate::world::World;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// A finding for each error that terminated a process; the one of the diagnosis if it has it.
#[must_use]
pub fn findings(
    vfs: &dyn Vfs,
    world: &World,
    errors: &[LoaderError],
    diagnosed: &[Finding],
) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for error in errors {
        let path = absolute(world, &error.object);
        let path = object_at(vfs, world, &path).map_or(path, |object| object.path.clone());
        let cause = cause_of(&error.message);
        let known = diagnosed.iter().find(|known| known.object == path && known.cause == cause);
        let new = known.cloned().unwrap_or_else(|| finding(world, cause, &path, &error.message));
        let new = Finding { is_fatal: true, is_optional: false, ..new };
        if !found.contains(&new) {
            found.push(new);
        }
    }
    found
}

/// The findings of the diagnosis about versions that a loader was observed not to find. A program may continue
/// without the object that it opened.
#[must_use]
pub fn without_version<'e>(
    vfs: &dyn Vfs,
    world: &World,
    errors: impl Iterator<Item = &'e LoaderError>,
    diagnosed: &[Finding],
) -> Vec<Finding> {
    let seen = errors.filter_map(|error| {
        let path = absolute(world, error.lacking_object()?);
        let path = object_at(vfs, world, &path).map_or(path, |object| object.path.clone());
        let provider = leaf(&error.object);
        let known = diagnosed.iter().filter(|known| known.cause == Cause::SymbolVersion);
        known.into_iter().find(|known| {
            known.object == path && known.library.as_deref().is_some_and(|it| leaf(it) == provider)
        })
    });
    let mut found: Vec<Finding> = Vec::new();
    for known in seen.cloned() {
        let new = Finding { is_optional: false, ..known };
        if !found.contains(&new) {
            found.push(new);
        }
    }
    found
}

/// The last part of a path.
fn leaf(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

fn finding(world: &World, cause: Cause, object: &Path, message: &[u8]) -> Finding {
    let words = message.strip_suffix(b" (fatal)").unwrap_or(message);
    let said = [object.as_os_str().as_bytes(), b": ", words].concat();
    let place = world.place(object);
    let evidence = Evidence::Symbols(Symbols::EndedProgram { object: place, said: words.to_vec() });
    let explain = CommandLine::new(["explain"]).argument(OsString::from_vec(said));
    fault(cause, object, evidence, Cure::Command(explain))
}

/// Recognised by the texts of `_dl_relocate_object` and `_dl_lookup_symbol_x` in glibc's elf/dl-lookup.c, and
/// of elf/dl-version.c.
fn cause_of(message: &[u8]) -> Cause {
    let has = |part: &[u8]| message.windows(part.len()).any(|window| window == part);
    if has(b"undefined symbol: ") {
        Cause::MissingSymbol
    } else if has(b"version lookup error") {
        Cause::SymbolVersion
    } else {
        Cause::Unreadable
    }
}

fn absolute(world: &World, path: &[u8]) -> PathBuf {
    world.settings.working_directory.join(OsStr::from_bytes(path))
}
