//! The few styles of the reports, and the terminal that may not want them.

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

/// All that the styles write to a terminal. Whatever else would command one is no doing of ours.
pub(super) const SEQUENCES: &[&str] =
    &["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[36m"];

/// A number of things: `1 file`, `2 files`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
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
