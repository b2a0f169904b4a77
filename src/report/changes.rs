//! The changes of a plan, for people: a summary, or a diff of search paths and bytes.

use super::findings::Detail;
use super::path_text::without_dots;
use super::style::{DIM, GONE, GOOD, WARNING, counted, paint};
use crate::bytes::{Source, printable};
use crate::edit::{Content, EditSet};
use crate::plan::field::{Field, FieldChange};
use crate::plan::{Kind, Method, Plan, RelativePath, Step};
use crate::world::World;
use similar::{ChangeTag, TextDiff};
use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;

/// Files that get the same new directories.
struct Group<'a> {
    directories: Vec<String>,
    steps: Vec<&'a Step>,
}

/// Writes a summary of the changes: which directories will be searched additionally, by how many files. With
/// full detail, each file is listed with its entries and bytes.
///
/// # Errors
/// If the output cannot be written.
pub fn write_summary(
    out: &mut dyn Write,
    world: &World,
    plan: &Plan,
    detail: Detail,
) -> io::Result<()> {
    let steps = || plan.steps.iter().filter(|step| step.kind != Kind::Record);
    let object = |step: &Step| world.shown(&world.root.join(&step.path));
    for Group { directories, steps } in groups(world, steps()) {
        let (what, is_one) = match steps.as_slice() {
            [step] => (object(step), true),
            steps => (counted(steps.len(), "file"), false),
        };
        let verb = match (plan.dry_run, is_one) {
            (true, _) => "would also search",
            (false, true) => "now also searches",
            (false, false) => "now also search",
        };
        if !directories.is_empty() {
            writeln!(out, "  {what} {verb} {}", paint(GOOD, directories.join(", ")))?;
        }
        for step in steps.iter().filter(|_| detail == Detail::Verbose) {
            let new = step.after.iter().filter(|entry| !step.before.contains(entry));
            let new = new.map(|entry| paint(GOOD, format!("+ {}  ", printable(entry.as_bytes()))));
            let how = paint(DIM, format!("({})", in_words(step)));
            writeln!(out, "    {}  {}{how}", object(step), new.collect::<String>())?;
        }
    }
    for (kind, what) in [(Kind::Macho, "a new ad-hoc signature"), (Kind::Elf, "another tag")] {
        let is_same = |step: &&Step| step.before == step.after && step.fields.is_empty();
        let same = steps().filter(|step| step.kind == kind).filter(is_same).count();
        if same > 0 {
            let verb = if plan.dry_run { "would get" } else { "got" };
            writeln!(out, "  {} {verb} {what}", counted(same, "file"))?;
        }
    }
    write_cleared(out, &steps().filter(clears_stack).collect::<Vec<_>>(), plan.dry_run, object)?;
    write_removed(out, plan)?;
    for (step, warning) in steps().filter_map(|step| Some((step, warning(step)?))) {
        writeln!(out, "  {}: {}: {warning}", paint(WARNING, "warning"), object(step))?;
    }
    Ok(())
}

/// Writes how many entries are removed, and before anything is changed also why: an entry that is added takes their
/// space in the file.
///
/// # Errors
/// If the output cannot be written.
pub fn write_removed(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    let steps = || plan.steps.iter().filter(|step| step.kind != Kind::Record);
    let all: usize = steps().map(removed).sum();
    if all == 0 {
        return Ok(());
    }
    let makes_space = |step: &Step| {
        let adds = step.after.iter().any(|entry| !step.before.contains(entry));
        adds && step.edits.bytes_appended() == 0
    };
    let is_for_space = steps().filter(|step| removed(step) > 0).all(makes_space);
    let were = match (plan.dry_run, all) {
        (true, _) => "would be",
        (false, 1) => "was",
        (false, _) => "were",
    };
    let why = if plan.dry_run && is_for_space { " to make space for new ones" } else { "" };
    let entries = counted(all, "unused or duplicate search path entry");
    writeln!(out, "  {}", paint(DIM, format!("{entries} {were} removed{why}")))
}

/// Does a step clear an executable stack?
fn clears_stack(step: &&Step) -> bool {
    step.fields.iter().any(|change| change.field == Field::ExecutableStack)
}

/// Writes which files no longer request an executable stack.
fn write_cleared(
    out: &mut dyn Write,
    cleared: &[&Step],
    dry_run: bool,
    shown: impl Fn(&Step) -> String,
) -> io::Result<()> {
    let (what, is_one) = match cleared {
        [] => return Ok(()),
        [step] => (shown(step), true),
        steps => (counted(steps.len(), "file"), false),
    };
    let verb = match (dry_run, is_one) {
        (true, _) => "would no longer request",
        (false, true) => "no longer requests",
        (false, false) => "no longer request",
    };
    writeln!(out, "  {what} {verb} an executable stack")
}

/// The steps, grouped by the directories that they add.
fn groups<'a>(world: &World, steps: impl Iterator<Item = &'a Step>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for step in steps {
        let new = step.after.iter().filter(|entry| !step.before.contains(entry));
        let directories: Vec<String> =
            new.map(|entry| directory(world, &step.path, entry)).collect();
        match groups.iter_mut().find(|group| group.directories == directories) {
            Some(group) => group.steps.push(step),
            None => groups.push(Group { directories, steps: vec![step] }),
        }
    }
    groups
}

/// The directory of an entry, as shown to people.
fn directory(world: &World, object: &RelativePath, entry: &str) -> String {
    let object = world.root.join(object);
    // An entry is for the name by which the file is imported.
    let is_in_site = |name: &PathBuf| world.inventory.sites.iter().any(|it| name.starts_with(it));
    let imported = || world.names_of(&object).into_iter().find(is_in_site);
    let object = if is_in_site(&object) { object } else { imported().unwrap_or(object) };
    let below = ["$ORIGIN", "${ORIGIN}", "@loader_path"]
        .iter()
        .find_map(|start| entry.strip_prefix(start))
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (below, object.parent()) {
        (Some(below), Some(parent)) => {
            let path = parent.join(below.trim_start_matches('/'));
            world.shown(&without_dots(&path))
        }
        _ => printable(entry.as_bytes()),
    }
}

/// The number of entries that a step removes from a search path.
fn removed(step: &Step) -> usize {
    let new = step.after.iter().filter(|entry| !step.before.contains(entry)).count();
    (step.before.len() + new).saturating_sub(step.after.len())
}

/// Additional notes about a step.
#[must_use]
pub fn warning(step: &Step) -> Option<&'static str> {
    (step.method == Method::NewSegmentWithHeaders).then_some(
        "its program headers were moved; GNU strip and objcopy would corrupt the file without an error message",
    )
}

fn in_words(step: &Step) -> String {
    match step.edits.bytes_appended() {
        0 if step.kind == Kind::Macho => format!("{} bytes", step.edits.bytes_changed()),
        0 => format!("fits in place, {} bytes", step.edits.bytes_changed()),
        grown => format!("grows by {grown} bytes"),
    }
}

/// Writes a diff of the entries of one step: of a search path, or of RECORD rows.
///
/// # Errors
/// If the output cannot be written.
pub fn write_diff(out: &mut dyn Write, step: &Step) -> io::Result<()> {
    write_entries(out, &step.path, &step.before, &step.after)?;
    write_fields(out, &step.fields)
}

/// Writes the changes of an object in addition to its search path, as lines of a diff.
///
/// # Errors
/// If the output cannot be written.
pub fn write_fields(out: &mut dyn Write, fields: &[FieldChange]) -> io::Result<()> {
    for FieldChange { field, before, after } in fields {
        let name = field.name();
        let is_moved = before.iter().all(|it| after.contains(it)) && before.len() == after.len();
        for value in before.iter().filter(|value| is_moved || !after.contains(value)) {
            let line = format!("-{name}: {}", printable(value.as_bytes()));
            writeln!(out, "{}", paint(GONE, line))?;
        }
        for value in after.iter().filter(|value| is_moved || !before.contains(value)) {
            let line = format!("+{name}: {}", printable(value.as_bytes()));
            writeln!(out, "{}", paint(GOOD, line))?;
        }
    }
    Ok(())
}

/// Writes a diff of two lists of entries of one file.
///
/// # Errors
/// If the output cannot be written.
pub fn write_entries(
    out: &mut dyn Write,
    path: &RelativePath,
    before: &[String],
    after: &[String],
) -> io::Result<()> {
    writeln!(out, "{}", paint(GONE, format!("--- {path}")))?;
    writeln!(out, "{}", paint(GOOD, format!("+++ {path}")))?;
    // Hundreds of removed duplicates would hide the one added entry.
    let (unique, repeated) = without_repetitions(before, after);
    let lines = |entries: &mut dyn Iterator<Item = &String>| -> String {
        entries.map(|entry| printable(entry.as_bytes()) + "\n").collect()
    };
    let (before, after) = (lines(&mut unique.into_iter()), lines(&mut after.iter()));
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
        writeln!(out, "{}", paint(DIM, hunk.header()))?;
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            match change.tag() {
                ChangeTag::Delete => writeln!(out, "{}", paint(GONE, format!("-{line}")))?,
                ChangeTag::Insert => writeln!(out, "{}", paint(GOOD, format!("+{line}")))?,
                ChangeTag::Equal => writeln!(out, " {line}")?,
            }
        }
    }
    if repeated > 0 {
        let line = format!("- {repeated} duplicate entries");
        writeln!(out, "{}", paint(GONE, line))?;
    }
    Ok(())
}

/// The old entries without duplicates that `after` does not have either, and the number of these duplicates.
fn without_repetitions<'a>(before: &'a [String], after: &[String]) -> (Vec<&'a String>, usize) {
    let mut stays: HashMap<&str, usize> = HashMap::new();
    for entry in after {
        *stays.entry(entry).or_default() += 1;
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let unique: Vec<&String> = before
        .iter()
        .filter(|entry| {
            let times = seen.entry(entry).or_default();
            *times += 1;
            *times <= stays.get(entry.as_str()).copied().unwrap_or(1)
        })
        .collect();
    let repeated = before.len() - unique.len();
    (unique, repeated)
}

/// The number of bytes of one edit that are shown; the rest is counted.
pub const SHOWN: u64 = 128;

/// Writes the bytes that edits change, with file offsets and hexadecimal digits. `old` contains the bytes
/// that each edit replaces, by offset, as far as they are shown.
///
/// # Errors
/// If the output cannot be written.
pub fn write_bytes(out: &mut dyn Write, old: &[Vec<u8>], edits: &EditSet) -> io::Result<()> {
    for (edit, replaced) in edits.by_offset().into_iter().zip(old) {
        let Range { start, end } = edit.range.clone();
        writeln!(out, "{}", paint(DIM, format!("@@ bytes {start:#x}..{end:#x} @@")))?;
        write_rows(out, '-', start, replaced, end - start)?;
        match &edit.new {
            Content::Bytes(bytes) => {
                let len = edit.new.len();
                let shown = Source::get(bytes, 0..len.min(SHOWN)).unwrap_or_default();
                write_rows(out, '+', start, &shown, len)?;
            }
            Content::Kept(kept) => {
                let len = kept.len();
                let shown = kept.get(0..len.min(SHOWN)).unwrap_or_default();
                write_rows(out, '+', start, &shown, len)?;
            }
            Content::CopyOf(Range { start: from, end: to }) => {
                let copy = format!("+{start:08x}  a copy of {from:#x}..{to:#x}");
                writeln!(out, "{}", paint(GOOD, copy))?;
            }
        }
    }
    Ok(())
}

/// Rows of sixteen bytes, as in `hexdump -C`.
fn write_rows(
    out: &mut dyn Write,
    sign: char,
    start: u64,
    bytes: &[u8],
    len: u64,
) -> io::Result<()> {
    let style = if sign == '-' { GONE } else { GOOD };
    for (row, at) in bytes.chunks(16).zip((start..).step_by(16)) {
        let digits: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = row
            .iter()
            .map(|&byte| if matches!(byte, 0x20..=0x7e) { char::from(byte) } else { '.' })
            .collect();
        let line = format!("{sign}{at:08x}  {:<47}  |{text}|", digits.join(" "));
        writeln!(out, "{}", paint(style, line))?;
    }
    match len.saturating_sub(bytes.len() as u64) {
        0 => Ok(()),
        rest => writeln!(out, "{}", paint(style, format!("{sign}… {rest} more bytes"))),
    }
}
