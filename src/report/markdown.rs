//! Reports for pasting into an issue: the findings of a target as a table, and any other report in a code
//! block, without the names of home directories.

use super::findings::{Group, count, groups, outcome_in_words, rule_in_words, title};
use super::lines::Lines;
use super::style::counted;
use super::words::findings as words;
use crate::bytes::{printable, shown};
use crate::command_line::CommandLine;
use crate::findings::finding::{Finding, Severity};
use crate::world::World;
use crate::world::linked_directories::Linked;
use std::io::{self, Write};

/// The maximum number of objects and locations that are listed for one finding.
const MAX_LISTED: usize = 30;

/// The facts about a target in addition to its findings.
pub struct Summary<'a> {
    /// The target, and the facts about it.
    pub heading: &'a str,
    /// The number of examined objects.
    pub objects: usize,
    /// The number of dependencies that the loader does not find.
    pub unresolved: usize,
    /// The command that repairs what can be repaired.
    pub fix: &'a CommandLine,
}

/// Writes the findings of one target.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    world: &World,
    findings: &[Finding],
    summary: &Summary<'_>,
) -> io::Result<()> {
    let groups = groups(findings);
    let count = |severity| count(&groups, severity);
    let (errors, warnings, infos) =
        (count(Severity::Error), count(Severity::Warning), count(Severity::Info));
    let counts =
        format!("{}, {}, {infos} info", counted(errors, "error"), counted(warnings, "warning"));
    writeln!(out, "### tfpatch doctor: {counts}\n")?;
    writeln!(out, "- {}", cell(summary.heading))?;
    let (objects, unresolved) = (counted(summary.objects, "object"), summary.unresolved);
    writeln!(out, "- {objects}, {unresolved} unresolved; tfpatch {}\n", env!("CARGO_PKG_VERSION"))?;
    let links: Vec<_> = world.not_followed().collect();
    for Linked { path, target } in links.iter().take(MAX_LISTED) {
        let (path, target) = (cell(&world.shown(path)), cell(&shown(target)));
        writeln!(out, "- not followed: {path}, a link to {target}, outside the target")?;
    }
    if links.len() > MAX_LISTED {
        writeln!(out, "- not followed: {} more links", links.len() - MAX_LISTED)?;
    }
    if !links.is_empty() {
        writeln!(out)?;
    }
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "| | cause | finding | fix |\n|---|---|---|---|")?;
    for group in &groups {
        let first = group.first;
        let what = match group.all.len() {
            1 => cell(&words::message(first)),
            count => format!("{} ({count} objects)", cell(&title(world, first))),
        };
        let cure =
            if first.fixable { code(&summary.fix.to_string()) } else { cell(&words::cure(first)) };
        writeln!(out, "| {} | {} | {what} | {cure} |", first.severity(), code(first.cause.name()))?;
    }
    writeln!(out)?;
    for group in groups.iter().filter(|group| group.first.severity() != Severity::Info) {
        write_evidence(out, world, group)?;
    }
    Ok(())
}

/// The objects, the searched locations and the symbols, folded.
fn write_evidence(out: &mut dyn Write, world: &World, group: &Group<'_>) -> io::Result<()> {
    let first = group.first;
    let mut lines: Vec<String> = Vec::new();
    if group.all.len() > 1 {
        lines.extend(group.all.iter().map(|finding| world.shown(&finding.object)));
    }
    lines.extend(first.tried.iter().map(|step| {
        let (outcome, rule) = (outcome_in_words(step.outcome), rule_in_words(step.rule));
        format!("{}  {outcome}  ({rule})", shown(&step.path))
    }));
    lines.extend(first.symbols.iter().map(|symbol| printable(symbol)));
    if lines.is_empty() {
        return Ok(());
    }
    let left = lines.len().saturating_sub(MAX_LISTED);
    lines.truncate(MAX_LISTED);
    if left > 0 {
        lines.push(format!("and {left} more"));
    }
    writeln!(out, "<details><summary>{}</summary>\n", html(&title(world, first)))?;
    write_fenced(out, (lines.join("\n") + "\n").as_bytes())?;
    writeln!(out, "</details>\n")
}

/// Writes a text as a code block, with fences longer than any sequence of backticks in it.
///
/// # Errors
/// If the output cannot be written.
pub fn write_fenced(out: &mut dyn Write, text: &[u8]) -> io::Result<()> {
    let fence = "`".repeat(longest_row(text).max(2) + 1);
    writeln!(out, "{fence}text")?;
    out.write_all(text)?;
    writeln!(out, "{fence}")
}

/// The length of the longest sequence of backticks.
fn longest_row(text: &[u8]) -> usize {
    text.split(|&byte| byte != b'`').map(<[u8]>::len).max().unwrap_or_default()
}

/// An output that quotes a report for people: each flush is one code block.
pub struct Fenced {
    inner: Box<dyn Write>,
    text: Vec<u8>,
}

impl Fenced {
    /// An output.
    #[must_use]
    pub fn new(inner: Box<dyn Write>) -> Self {
        Self { inner, text: Vec::new() }
    }
}

impl Write for Fenced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            write_fenced(&mut *self.inner, &text)?;
        }
        self.inner.flush()
    }
}

/// A text as a cell of a table, or as a line, with markup escaped.
#[must_use]
pub fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in printable(text.as_bytes()).chars() {
        if MARKUP.contains(character) {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// Characters that may begin or end markup. An entity may become any character.
const MARKUP: &str = r"|*_`[]<>\#~&";

/// A text as code in a line or in a cell of a table, which a bar would end.
#[must_use]
pub fn code(text: &str) -> String {
    let text = printable(text.as_bytes());
    let fence = "`".repeat(longest_row(text.as_bytes()) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", text.replace('|', r"\|"))
}

fn html(text: &str) -> String {
    printable(text.as_bytes()).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An output that replaces home directories with `~`: that of the user, and those that are recognised by
/// their path, `/home/NAME` and `/Users/NAME`, for messages from other machines.
pub struct WithoutHomes<W: Write> {
    inner: W,
    home: Option<Vec<u8>>,
    lines: Lines,
}

impl<W: Write> WithoutHomes<W> {
    /// An output; `home` is the user's home directory.
    pub fn new(inner: W, home: Option<&[u8]>) -> Self {
        let home =
            home.map(|home| home.trim_ascii()).map(|home| home.strip_suffix(b"/").unwrap_or(home));
        let home = home.filter(|home| home.starts_with(b"/")).map(<[u8]>::to_vec);
        Self { inner, home, lines: Lines::default() }
    }
}

impl<W: Write> Write for WithoutHomes<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { inner, home, lines } = self;
        lines.take(bytes, |line| inner.write_all(&without_homes(line, home.as_deref())))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self { inner, home, lines } = self;
        lines.end(|line| inner.write_all(&without_homes(line, home.as_deref())))?;
        self.inner.flush()
    }
}

/// A line with home directories replaced by `~`.
fn without_homes(line: &[u8], home: Option<&[u8]>) -> Vec<u8> {
    let mut shown = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(b'/', rest) {
        let (before, path) = rest.split_at(at);
        shown.extend_from_slice(before);
        // A slash after a name is inside a path.
        let begins = !shown.last().is_some_and(|&byte| is_name(byte) || byte == b'~');
        let length = if begins { home_length(path, home) } else { None };
        match length {
            Some(length) => {
                shown.push(b'~');
                rest = path.get(length..).unwrap_or_default();
            }
            None => {
                shown.push(b'/');
                rest = path.get(1..).unwrap_or_default();
            }
        }
    }
    shown.extend_from_slice(rest);
    shown
}

/// The length of the home directory at the start of a path.
fn home_length(path: &[u8], home: Option<&[u8]>) -> Option<usize> {
    let ends = |length: usize| path.get(length).is_none_or(|&byte| !is_name(byte));
    if let Some(home) = home
        && path.starts_with(home)
        && ends(home.len())
    {
        return Some(home.len());
    }
    let name = path.strip_prefix(b"/home/").or_else(|| path.strip_prefix(b"/Users/"))?;
    let above = path.len() - name.len();
    let length = name.iter().position(|&byte| !is_name(byte)).unwrap_or(name.len());
    (length > 0).then_some(above + length)
}

/// May this byte be part of the name of a file in a message?
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-+@".contains(&byte) || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, home: &str) -> String {
        let mut out = WithoutHomes::new(Vec::new(), Some(home.as_bytes()));
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
        String::from_utf8(out.inner).unwrap()
    }

    #[test]
    fn home_directories_are_not_shown() {
        assert_eq!(
            shown("a /data/me/x, '/data/me' /data/menu\n", "/data/me"),
            "a ~/x, '~' /data/menu\n"
        );
        assert_eq!(shown("/home/jane/.venv and /Users/j.doe/x", "/root"), "~/.venv and ~/x");
        assert_eq!(shown("/mnt/home/jane/x /home /root/y", "/root"), "/mnt/home/jane/x /home ~/y");
        assert_eq!(shown("/usr/lib", "/"), "/usr/lib");
    }
}
