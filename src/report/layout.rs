//! Fits a report for people to a terminal: lines break between words, and long paths are shortened in
//! the middle. In a pipe nothing is broken or shortened.
//!
//! A tab in a line separates its text from a word that is aligned at the right.

use super::lines::Lines;
use std::io::{self, Write};

/// The width of a report that is not written to a terminal.
pub const DEFAULT_WIDTH: usize = 80;

/// The widest column at which a word is aligned.
const MAX_COLUMN: usize = 100;

/// The first words of commands that are suggested.
pub(super) const COMMANDS: &[&str] =
    &["tfpatch", "pip", "uv", "python", "python3", "apt", "dnf", "apk", "brew", "conda"];

/// The shortest form of a path that is still of use.
const MIN_PATH: usize = 16;

/// An output that fits lines to a width.
pub struct Layout<W: Write> {
    inner: W,
    /// The width of the terminal, where there is one.
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
    let aligned = aligned(&text, terminal.unwrap_or(DEFAULT_WIDTH));
    match terminal {
        Some(width) => out.write_all(fitted(&aligned, width).as_bytes()),
        None if aligned == text => out.write_all(line),
        None => out.write_all(aligned.as_bytes()),
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

/// A page whose paragraphs are lines, to be broken at any width. Headings, lists and examples stay as they are.
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

/// A line with the word behind its tab at the right, or in brackets where it does not fit.
fn aligned(line: &str, width: usize) -> String {
    let Some((left, right)) = line.split_once('\t') else { return line.to_owned() };
    let (right, end) = match right.strip_suffix('\n') {
        Some(right) => (right, "\n"),
        None => (right, ""),
    };
    let used = columns(left) + columns(right);
    match width.min(MAX_COLUMN).checked_sub(used) {
        Some(gap @ 2..) => format!("{left}{:gap$}{right}{end}", ""),
        _ => format!("{left} [{right}]{end}"),
    }
}

/// A line as one or more that fit.
fn fitted(line: &str, width: usize) -> String {
    let body = line.trim_end_matches('\n');
    if columns(body) <= width || is_verbatim(body) {
        return line.to_owned();
    }
    let end = if line.ends_with('\n') { "\n" } else { "" };
    let lead: String = body.chars().take_while(|character| " │├└─".contains(*character)).collect();
    let text = body.get(lead.len()..).unwrap_or_default();
    // What is below a fork hangs below its vertical line.
    let hang: String = lead.chars().map(|it| if it == '│' { it } else { ' ' }).collect();
    // Prose has no indent; what begins with a style is a title, or a line of a list.
    let is_prose = lead.is_empty() && !body.starts_with('\x1b');
    let hang = if is_prose || lead.contains('─') { hang } else { hang + "  " };
    let room = width.saturating_sub(columns(&hang)).max(MIN_PATH);
    let mut lines: Vec<String> = Vec::new();
    let mut current = lead;
    let mut is_empty = true;
    for word in text.split(' ') {
        // A second blank at the end of a line would only move the next one.
        if word.is_empty() && columns(&current) + 1 >= width {
            continue;
        }
        let word = if columns(word) > room { shortened(word, room) } else { word.to_owned() };
        let blank = usize::from(!is_empty);
        if !is_empty && columns(&current) + blank + columns(&word) > width {
            lines.push(current.trim_end().to_owned());
            current = hang.clone();
        } else if !is_empty {
            current.push(' ');
        }
        current += &word;
        is_empty = false;
    }
    lines.push(current.trim_end().to_owned());
    lines.join("\n") + end
}

/// Is a line one that has to be copied as it is: a command, or a line of a diff?
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

/// A word with `…` in its middle, where it is a path; else as it is.
fn shortened(word: &str, room: usize) -> String {
    if !word.contains('/') || word.contains('\x1b') {
        return word.to_owned();
    }
    let characters: Vec<char> = word.chars().collect();
    let kept = room.saturating_sub(1);
    // The end tells more: it is the name of the file.
    let head = kept / 3;
    let tail = characters.len().saturating_sub(kept - head);
    let before: String = characters.iter().take(head).collect();
    let after: String = characters.iter().skip(tail).collect();
    format!("{before}…{after}")
}

/// The columns that a text takes, without its styles.
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
    fn a_cause_is_at_the_right_if_it_fits() {
        let line = format!("{}  libx is missing\t{}\n", paint(ERROR, "error"), paint(DIM, "cause"));
        let wide = laid_out(&line, Some(40));
        assert_eq!(columns(wide.trim_end()), 40);
        assert!(plain(&wide).ends_with(" cause\n"), "{wide}");
        let long =
            format!("{}  a title that takes much room\tcause_of_it\n", paint(ERROR, "error"));
        let narrow = plain(&laid_out(&long, Some(40)));
        assert_eq!(narrow, "error  a title that takes much room\n  [cause_of_it]\n");
        let pipe = laid_out(&line, None);
        assert_eq!(columns(pipe.trim_end()), DEFAULT_WIDTH);
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
