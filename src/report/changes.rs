//! What a plan changes, for people: a line for each file, or a diff of search paths and bytes.

use super::findings::Detail;
use super::style::{DIM, GONE, GOOD, WARNING, paint};
use crate::bytes::{Source, printable};
use crate::edit::{Content, EditSet};
use crate::plan::{Kind, Method, Plan, RelativePath, Step};
use crate::world::World;
use similar::{ChangeTag, TextDiff};
use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;

/// How many files are listed before the rest is counted.
const LISTED: usize = 8;

/// Writes a line for each file that a plan edits: what is new in its search path, and how it fits.
///
/// # Errors
/// Where the output cannot be written.
pub fn write_summary(
    out: &mut dyn Write,
    world: &World,
    plan: &Plan,
    detail: Detail,
) -> io::Result<()> {
    let objects: Vec<&Step> = plan.steps.iter().filter(|step| step.kind != Kind::Record).collect();
    let listed = if detail == Detail::Verbose { objects.len() } else { LISTED };
    for step in objects.iter().take(listed) {
        let new = step.after.iter().filter(|entry| !step.before.contains(entry));
        let gone = step.before.iter().filter(|entry| !step.after.contains(entry)).count();
        let mut words: Vec<String> =
            new.map(|entry| paint(GOOD, format!("+ {}", printable(entry.as_bytes())))).collect();
        if gone > 0 {
            words.push(paint(GONE, format!("- {gone} entries")));
        }
        let how = paint(DIM, format!("({})", in_words(step)));
        let object = world.shown(&world.root.join(&step.path));
        writeln!(out, "  {object}  {} {how}", words.join("  "))?;
        if let Some(warning) = warning(step) {
            writeln!(out, "    {}: {warning}", paint(WARNING, "warning"))?;
        }
    }
    if objects.len() > listed {
        let rest = objects.len() - listed;
        writeln!(out, "  {}", paint(DIM, format!("and {rest} more; -v lists them")))?;
    }
    Ok(())
}

/// What the reader of a step has to know besides.
#[must_use]
pub fn warning(step: &Step) -> Option<&'static str> {
    (step.method == Method::NewSegmentWithHeaders).then_some(
        "its program headers had to move: GNU strip and objcopy would break it, and report success",
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
/// Where the output cannot be written.
pub fn write_diff(out: &mut dyn Write, step: &Step) -> io::Result<()> {
    write_entries(out, &step.path, &step.before, &step.after)
}

/// Writes a diff of two lists of entries of one file.
///
/// # Errors
/// Where the output cannot be written.
pub fn write_entries(
    out: &mut dyn Write,
    path: &RelativePath,
    before: &[String],
    after: &[String],
) -> io::Result<()> {
    writeln!(out, "{}", paint(GONE, format!("--- {path}")))?;
    writeln!(out, "{}", paint(GOOD, format!("+++ {path}")))?;
    // Hundreds of repetitions that go would hide the one entry that comes.
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
        let line = format!("- {repeated} repetitions of entries that stand there already");
        writeln!(out, "{}", paint(GONE, line))?;
    }
    Ok(())
}

/// The entries before, without those repetitions that `after` does not have either, and how many
/// those are.
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

/// Bytes of one edit that are shown; the rest is counted.
pub const SHOWN: u64 = 128;

/// Writes the bytes that edits change, as file offsets and hexadecimal digits. `old` has those that each
/// edit replaces, by offset, as far as they are shown.
///
/// # Errors
/// Where the output cannot be written.
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

/// Rows of sixteen bytes, as `hexdump -C` has them.
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
