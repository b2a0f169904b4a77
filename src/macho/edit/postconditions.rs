//! Postconditions: the edited file is read again, through the edits, before the edits are returned.

use super::headerpad::HeaderPad;
use super::refusal::Refusal;
use super::{Request, SliceRequest};
use crate::bytes::Source as _;
use crate::edit::{EditSet, Patched};
use crate::macho::codesign::Signature;
use crate::macho::commands::{name_offset, without_duplicates};
use crate::macho::fat::Container;
use crate::macho::image::{Command, Image, is_needed};
use crate::macho::names::Names;
use goblin::mach::load_command as lc;
use std::ops::Range;

/// Does every slice have the wanted search path, the wanted names and a matching signature, and is everything else unchanged?
///
/// # Errors
/// [`Refusal::Inconsistent`] with the first postcondition that is violated.
pub(in crate::macho) fn verify(
    file: &Container<'_>,
    edits: &EditSet,
    request: &Request<'_>,
) -> Result<(), Refusal> {
    let Some(source) = file.slices.first().map(crate::macho::Slice::file) else { return Ok(()) };
    require(edits.keeps_offsets(), "bytes that stay keep their offsets")?;
    let patched = Patched::new(source, edits);
    let new = Container::parse(&patched).map_err(|_| broken("its slices can be read again"))?;
    require(new.slices.len() == file.slices.len(), "it has the same slices")?;
    let mut allowed = Vec::new();
    for (index, (old, new)) in file.slices.iter().zip(&new.slices).enumerate() {
        require(
            old.arch() == new.arch() && old.range().start == new.range().start,
            "its slices are where they were",
        )?;
        let old = Image::parse(old.clone()).map_err(|_| broken("its old slices can be read"))?;
        let new = Image::parse(new.clone()).map_err(|_| broken("it can be read again"))?;
        if let Some(wanted) = request.slices.iter().find(|wanted| wanted.slice == index) {
            allowed.extend(slice(&old, &new, wanted, request.repairs_signature)?);
        }
    }
    let is_allowed = |range: &Range<u64>| {
        allowed.iter().any(|allowed| allowed.start <= range.start && range.end <= allowed.end)
    };
    let outside = edits.in_write_order().iter().any(|edit| !is_allowed(&edit.range));
    require(!outside, "only load commands and hashes change")
}

/// Checks one slice, and returns the ranges of the old file in which it may have changed.
fn slice(
    old: &Image<'_>,
    new: &Image<'_>,
    wanted: &SliceRequest,
    repairs_signature: bool,
) -> Result<Vec<Range<u64>>, Refusal> {
    if old.commands() == new.commands() && !repairs_signature {
        let entries = old.rpaths().map_err(|_| broken("its old search path can be read"))?;
        let is_wanted = entries == wanted.entries || entries == without_duplicates(&wanted.entries);
        require(is_wanted, "its search path is the wanted one")?;
        has_names(new, wanted.names.as_ref())?;
        return Ok(Vec::new());
    }
    let rpaths = new.rpaths().map_err(|_| broken("its search path can be read"))?;
    let keeps_path = old.rpaths().is_ok_and(|old| old == wanted.entries);
    let unique = without_duplicates(&wanted.entries);
    let is_wanted = rpaths == if keeps_path { wanted.entries.clone() } else { unique };
    require(is_wanted, "its search path is the wanted one")?;
    has_names(new, wanted.names.as_ref())?;
    let pad = HeaderPad::of(new).map_err(|_| broken("its load commands fit"))?;
    let read =
        |image: &Image<'_>| Signature::read(image).map_err(|_| broken("its signature can be read"));
    let (old_signature, new_signature) = (read(old)?, read(new)?);
    let is_signed_now = old_signature.is_none() && new_signature.is_some();
    others(old, new, is_signed_now, wanted.names.is_some())?;
    let touched = old.commands_end().max(pad.start);
    let padding = new.slice().get(pad.start..touched).unwrap_or_default();
    require(padding.iter().all(|&byte| byte == 0), "what the load commands leave is zeros")?;
    let base = |range: Range<u64>| old.slice().in_file(range.start)..old.slice().in_file(range.end);
    let mut allowed = vec![base(16..24), base(old.header_size()..touched)];
    if let Some(signature) = &new_signature {
        // A new signature may differ completely, an old one in the hashes of the changed pages.
        let is_new = is_signed_now || old_signature.as_ref().is_some_and(Signature::has_signer);
        let end = if is_new || repairs_signature { u64::MAX } else { touched };
        let bad = signature
            .first_bad_page(new.slice(), end)
            .map_err(|_| broken("its pages can be hashed"))?;
        require(bad.is_none(), "its pages match their hashes")?;
        for directory in &signature.directories {
            allowed.push(base(directory.slots(directory.pages_below(end))));
        }
        if is_new {
            require(!signature.has_signer(), "its new signature is ad hoc")?;
            let end = old_signature.map_or(old.slice().len(), |signature| signature.range.end);
            allowed.push(base(signature.range.start.min(old.slice().len())..end));
        }
        if let (true, Some(entry)) = (is_signed_now, old.slice().entry()) {
            allowed.push(entry + 8..entry + 24);
        }
    } else {
        require(old_signature.is_none(), "it still has its signature")?;
    }
    Ok(allowed)
}

/// Does a slice have the wanted names?
fn has_names(new: &Image<'_>, wanted: Option<&Names>) -> Result<(), Refusal> {
    let Some(wanted) = wanted else { return Ok(()) };
    let names = Names::of(new).map_err(|_| broken("its names can be read"))?;
    require(names == *wanted, "its names are the wanted ones")
}

/// Every command except `LC_RPATH` is present in the same order; `LC_SOURCE_VERSION` may be missing, and with
/// `has_names` the names of libraries may differ. The command of a new signature is the last one, and
/// `__LINKEDIT` extends to the end of that signature.
fn others(
    old: &Image<'_>,
    new: &Image<'_>,
    is_signed_now: bool,
    has_names: bool,
) -> Result<(), Refusal> {
    let keeps_version = new.commands_of(lc::LC_SOURCE_VERSION).next().is_some();
    let is_other = |command: &&Command| {
        command.cmd != lc::LC_RPATH && (keeps_version || command.cmd != lc::LC_SOURCE_VERSION)
    };
    let is_linkedit = |command: &Command| {
        command.cmd == lc::LC_SEGMENT_64
            && command.bytes.get(8..24).is_some_and(|name| name.starts_with(b"__LINKEDIT\0"))
    };
    let mut before: Vec<&Command> = old.commands().iter().filter(is_other).collect();
    let mut after: Vec<&Command> = new.commands().iter().filter(is_other).collect();
    if is_signed_now {
        let last = after.pop().map(|command| command.cmd);
        require(last == Some(lc::LC_CODE_SIGNATURE), "the command of its signature is last")?;
        let segments = new.segments().map_err(|_| broken("its segments can be read"))?;
        let end = segments
            .iter()
            .find(|segment| segment.is("__LINKEDIT"))
            .and_then(|segment| segment.fileoff.checked_add(segment.filesize));
        require(end == Some(new.slice().len()), "__LINKEDIT ends with the slice")?;
        before.retain(|command| !is_linkedit(command));
        after.retain(|command| !is_linkedit(command));
    }
    let contents = |commands: &[&Command]| -> Vec<(u32, Vec<u8>)> {
        let content = |command: &Command| match has_names && is_named(command.cmd) {
            true => without_name(&command.bytes),
            false => command.bytes.clone(),
        };
        commands.iter().map(|command| (command.cmd, content(command))).collect()
    };
    require(contents(&before) == contents(&after), "its other load commands are the same")
}

/// Does a command name a library?
fn is_named(cmd: u32) -> bool {
    cmd == lc::LC_ID_DYLIB || is_needed(cmd)
}

/// What a command has in front of its name, except its size.
fn without_name(command: &[u8]) -> Vec<u8> {
    let fixed = name_offset(command).and_then(|at| command.get(..at)).unwrap_or(command);
    let around_size = [fixed.get(..4), fixed.get(8..)];
    around_size.into_iter().flatten().flatten().copied().collect()
}

fn require(holds: bool, what: &'static str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(broken(what)) }
}

fn broken(what: &'static str) -> Refusal {
    Refusal::Inconsistent { what }
}
