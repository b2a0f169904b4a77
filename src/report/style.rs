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
