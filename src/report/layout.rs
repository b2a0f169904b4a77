//! Fits a report for people to a terminal: lines break between words, and long paths are shortened in
//! the middle. In a pipe nothing is broken or shortened.
//!
//! A tab in a line separates a title from a tag, which is aligned at the right. All tags of a report look alike: a
//! title that leaves no room for its tag is broken before it on a terminal, and followed by it in a pipe.

use super::lines::Lines;
use std::io::{self, Write};

/// The width of a report that is not written to a terminal.
pub const DEFAULT_WIDTH: usize = 80;

/// The widest column at which a tag is aligned. Farther away, a tag would be hard to match with its title.
const MAX_COLUMN: usize = 100;

/// Columns between a title and its tag.
const GAP: usize = 2;

/// The minimum number of columns for a title beside its tag.
const MIN_TITLE: usize = 20;

/// The first words of commands that are suggested.
pub(super) const COMMANDS: &[&str] =
    &["tfpatch", "pip", "uv", "python", "python3", "apt", "dnf", "apk", "brew", "conda"];

/// The minimum length of a shortened path.
const MIN_PATH: usize = 16;

/// An output that fits lines to a width.
pub struct Layout<W: Write> {
    inner: W,
    /// The width of the terminal, if there is one.
    terminal: Option<usize>,
    lines: Lines,
}

impl<W: Write> Layout<W> {
    /// An output; `terminal` is the width of the terminal, if it is one.
    pub fn new(inner: W, terminal: Option<usize>) -> Self {
        Self {
            inner,
            terminal: terminal.map(|width| width.max(MIN_PATH * 2)),
            lines: Lines::default(),
        }
    }
}

fn write_line(out: &mut impl Write, terminal: Option<usize>, line: &[u8]) -> io::Result<()> {
    let text = String::from_utf8_lossy(line);
    match (text.split_once('\t'), terminal) {
        (Some((title, tag)), _) => out.write_all(tagged(title, tag, terminal).as_bytes()),
        (None, Some(width)) => out.write_all(fitted(&text, width).as_bytes()),
        (None, None) => out.write_all(line),
    }
}

impl<W: Write> Write for Layout<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { inner, terminal, lines } = self;
        // Whole lines are fitted only to a terminal, and aligned only behind a tab.
        let is_whole = lines.is_empty() && bytes.ends_with(b"\n");
        if is_whole && terminal.is_none() && memchr::memchr(b'\t', bytes).is_none() {
            inner.write_all(bytes)?;
            return Ok(bytes.len());
        }
        lines.take(bytes, |line| write_line(inner, *terminal, line))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self { inner, terminal, lines } = self;
        lines.end(|line| write_line(inner, *terminal, line))?;
        self.inner.flush()
    }
}

/// Joins the lines of each paragraph, so that it can be broken at any width. Headings, lists and examples
/// stay unchanged.
#[must_use]
pub fn paragraphs(page: &str) -> String {
    let is_prose = |line: &str| !line.is_empty() && !line.starts_with([' ', '#', '-', '|']);
    let mut text = String::new();
    let mut is_open = false;
    for line in page.lines() {
        let goes_on = is_open && is_prose(line);
        text += match (text.is_empty(), goes_on) {
            (true, _) => "",
            (false, true) => " ",
            (false, false) => "\n",
        };
        text += line;
        is_open = is_prose(line);
    }
    text + "\n"
}

/// A title with its tag at the right of its first line. `tag` may include the end of the line.
fn tagged(title: &str, tag: &str, terminal: Option<usize>) -> String {
    let (tag, end) = match tag.strip_suffix('\n') {
        Some(tag) => (tag, "\n"),
        None => (tag, ""),
    };
    let column = terminal.unwrap_or(DEFAULT_WIDTH).min(MAX_COLUMN);
    let beside = |title: &str| {
        let gap = column.saturating_sub(columns(title) + columns(tag)).max(GAP);
        format!("{title}{:gap$}{tag}", "")
    };
    let Some(width) = terminal else { return beside(title) + end };
    // The title continues below its first word, which follows the severity.
    let severity = plain(title).split("  ").next().map_or(0, columns);
    let hang = " ".repeat(severity + GAP);
    let room = column.saturating_sub(columns(tag) + GAP);
    let longest = title.split(' ').map(columns).max().unwrap_or_default().max(MIN_TITLE);
    if hang.len() + longest > room {
        let mut lines = wrapped(String::new(), title, &hang, width);
        lines.push(beside(""));
        return lines.join("\n") + end;
    }
    let mut lines = wrapped(String::new(), title, &hang, room);
    if let Some(first) = lines.first_mut() {
        *first = beside(first);
    }
    lines.join("\n") + end
}

/// A line, broken into several if it does not fit.
fn fitted(line: &str, width: usize) -> String {
    let body = line.trim_end_matches('\n');
    if columns(body) <= width || is_verbatim(body) {
        return line.to_owned();
    }
    let end = if line.ends_with('\n') { "\n" } else { "" };
    let lead: String = body.chars().take_while(|character| " │├└─".contains(*character)).collect();
    let text = body.get(lead.len()..).unwrap_or_default();
    // Text below a fork continues below its vertical line.
    let hang: String = lead.chars().map(|it| if it == '│' { it } else { ' ' }).collect();
    // Prose has no indent. A line that begins with a style is a title, or an item of a list.
    let is_prose = lead.is_empty() && !body.starts_with('\x1b');
    let hang = if is_prose || lead.contains('─') { hang } else { hang + "  " };
    wrapped(lead, text, &hang, width).join("\n") + end
}

/// The lines of `text`, the first after `lead` and the others after `hang`. Only paths are shortened to fit.
fn wrapped(lead: String, text: &str, hang: &str, width: usize) -> Vec<String> {
    let room = width.saturating_sub(columns(hang)).max(MIN_PATH);
    let mut lines: Vec<String> = Vec::new();
    let mut current = lead;
    let mut is_empty = true;
    for word in text.split(' ') {
        // A second space at the end of a line would only move the next word.
        if word.is_empty() && columns(&current) + 1 >= width {
            continue;
        }
        let word = if columns(word) > room { shortened(word, room) } else { word.to_owned() };
        let blank = usize::from(!is_empty);
        if !is_empty && columns(&current) + blank + columns(&word) > width {
            lines.push(current.trim_end().to_owned());
            hang.clone_into(&mut current);
        } else if !is_empty {
            current.push(' ');
        }
        current += &word;
        is_empty = false;
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// Is this a line for copying: a command, or a line of a diff?
fn is_verbatim(line: &str) -> bool {
    let plain = plain(line);
    let is_context = plain.starts_with(' ') && !plain.starts_with("  ");
    let said = plain.trim_start();
    let suggested = said.strip_prefix("→ ").or_else(|| said.strip_prefix("hint: "));
    let is_command = suggested.is_some_and(|cure| {
        let first = cure.split(' ').next().unwrap_or_default();
        COMMANDS.contains(&first) && !cure.contains([';', ','])
    });
    is_context || is_command || ["+", "-", "@@"].iter().any(|start| plain.starts_with(start))
}

/// A path with `…` in its middle; other words are unchanged.
fn shortened(word: &str, room: usize) -> String {
    if !word.contains('/') || word.contains('\x1b') {
        return word.to_owned();
    }
    let characters: Vec<char> = word.chars().collect();
    let kept = room.saturating_sub(1);
    // The end contains more information: the name of the file.
    let head = kept / 3;
    let tail = characters.len().saturating_sub(kept - head);
    let before: String = characters.iter().take(head).collect();
    let after: String = characters.iter().skip(tail).collect();
    format!("{before}…{after}")
}

/// The number of columns of a text, without its styles.
fn columns(text: &str) -> usize {
    plain(text).chars().count()
}

/// A text without its styles.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, style)) = rest.split_once('\x1b') {
        plain += before;
        rest = style.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::{DIM, ERROR, paint};

    fn laid_out(text: &str, terminal: Option<usize>) -> String {
        let mut out = Layout::new(Vec::new(), terminal);
        out.write_all(text.as_bytes()).unwrap();
        out.flush().unwrap();
        String::from_utf8(out.inner).unwrap()
    }

    #[test]
    fn a_cause_is_at_the_right_at_every_width() {
        let line = format!("{}  libx is missing\t{}\n", paint(ERROR, "error"), paint(DIM, "cause"));
        let wide = laid_out(&line, Some(40));
        assert_eq!(columns(wide.trim_end()), 40);
        assert!(plain(&wide).ends_with(" cause\n"), "{wide}");
        let title = "a title that takes more room than there is beside its cause";
        let long = format!("{}  {title}\tcause_of_it\n", paint(ERROR, "error"));
        assert_eq!(
            plain(&laid_out(&long, Some(48))),
            "error  a title that takes more room  cause_of_it\n       than there is beside its\n       cause\n"
        );
        let longer = format!("error  {title}, which is long\tcause_of_it\n");
        assert_eq!(laid_out(&longer, None), longer.replace('\t', "  "));
    }

    #[test]
    fn a_cause_has_its_own_line_if_nothing_fits_beside_it() {
        let line = "error  libscipy_openblas-6cdc3b4a.so is missing\tpath_missing\n";
        assert_eq!(
            laid_out(line, Some(40)),
            "error  libscipy_openblas-6cdc3b4a.so is\n       missing\n                            path_missing\n"
        );
    }

    #[test]
    fn lines_break_between_words_and_hang() {
        let text = "  one two three four five six seven eight nine ten\n";
        let lines = laid_out(text, Some(32));
        assert_eq!(lines, "  one two three four five six\n    seven eight nine ten\n");
        assert_eq!(laid_out(text, None), text);
    }

    #[test]
    fn a_long_path_is_shortened_in_the_middle() {
        let path = format!("  it is in /opt/{}/libx.so.1\n", "directory/".repeat(8));
        let lines = laid_out(&path, Some(40));
        assert!(lines.lines().all(|line| columns(line) <= 40), "{lines}");
        assert!(lines.contains('…') && lines.contains("libx.so.1"), "{lines}");
        assert_eq!(laid_out(&path, None), path);
    }

    #[test]
    fn a_paragraph_is_broken_at_any_width() {
        let page = "# title\n\none two\nthree\n\n    code\n    more\n";
        assert_eq!(paragraphs(page), "# title\n\none two three\n\n    code\n    more\n");
        let prose = "one two three four five six seven eight nine ten\n";
        assert_eq!(
            laid_out(prose, Some(32)),
            "one two three four five six\nseven eight nine ten\n"
        );
    }

    #[test]
    fn what_is_pasted_is_kept_whole() {
        let command = format!("→ tfpatch fix --search {}\n", "/a/directory".repeat(6));
        assert_eq!(laid_out(&command, Some(40)), command);
        let diff = format!("+$ORIGIN/{}\n", "../".repeat(30));
        assert_eq!(laid_out(&diff, Some(40)), diff);
    }

    #[test]
    fn what_goes_on_in_the_next_line_begins_at_its_indent() {
        let text = "├── libx.so.1 → /some/where/libx.so.1  RPATH\n";
        let lines = laid_out(text, Some(39));
        assert_eq!(lines, "├── libx.so.1 → /some/where/libx.so.1\n    RPATH\n");
    }

    #[test]
    fn a_branch_hangs_below_its_fork() {
        let text = "│   ├── libx.so.1 → /some/where/far/away/libx.so.1  RUNPATH of /some/file\n";
        let lines = laid_out(text, Some(40));
        assert!(lines.lines().skip(1).all(|line| line.starts_with("│       ")), "{lines}");
        assert!(lines.lines().all(|line| columns(line) <= 40), "{lines}");
    }
}
