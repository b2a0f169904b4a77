//! The few styles of the reports, and the terminal that may not want them.

use crate::plan::Kind;
use anstyle::{AnsiColor, Style};

/// An error, or a line that goes away.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// A warning.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What is worth knowing.
pub const INFO: Style = AnsiColor::Blue.on_default().bold();
/// What is well, or a line that is new.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// A line that goes away.
pub const GONE: Style = AnsiColor::Red.on_default();
/// What can be typed.
pub const COMMAND: Style = AnsiColor::Cyan.on_default().bold();
/// What recedes.
pub const DIM: Style = Style::new().dimmed();

/// All that the styles write to a terminal. Other commands for one are not ours.
pub(super) const SEQUENCES: &[&str] =
    &["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[36m"];

/// A number of things: `1 file`, `2 files`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// What was edited, counted the same in every report: `62 files and 1 RECORD`.
#[must_use]
pub fn edited(kinds: impl Iterator<Item = Kind>, noun: &str) -> String {
    let (records, others): (Vec<Kind>, Vec<Kind>) = kinds.partition(|kind| *kind == Kind::Record);
    let files = counted(others.len(), noun);
    match (others.len(), records.len()) {
        (_, 0) => files,
        (0, records) => counted(records, "RECORD"),
        (_, records) => format!("{files} and {}", counted(records, "RECORD")),
    }
}

/// A text in a style.
#[must_use]
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_styles_write_nothing_but_the_known_sequences() {
        for style in [ERROR, WARNING, INFO, GOOD, GONE, COMMAND, DIM] {
            let mut rest = paint(style, "");
            for sequence in SEQUENCES {
                rest = rest.replace(sequence, "");
            }
            assert_eq!(rest, "");
        }
    }
}
