//! The styles of reports.

use crate::plan::Kind;
use anstyle::{AnsiColor, Style};

/// An error, or a removed line.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// A warning.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Information.
pub const INFO: Style = AnsiColor::Blue.on_default().bold();
/// Success, or an added line.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// A removed line.
pub const GONE: Style = AnsiColor::Red.on_default();
/// A command to type.
pub const COMMAND: Style = AnsiColor::Cyan.on_default().bold();
/// A less important text.
pub const DIM: Style = Style::new().dimmed();

/// All sequences that the styles write. Others are not from tfpatch.
pub(super) const SEQUENCES: &[&str] =
    &["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[36m"];

/// A number with a noun: `1 file`, `2 files`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// The number of edited files, counted the same in every report: `62 files and 1 RECORD`.
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
