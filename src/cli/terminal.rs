//! How wide the terminals are that a command writes to.

use crate::report::layout::DEFAULT_WIDTH;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

/// The width of the terminal that standard output is, in columns; `None` where it is none.
#[must_use]
pub fn width() -> Option<usize> {
    width_of(io::stdout())
}

/// The same of standard error.
#[must_use]
pub fn error_width() -> Option<usize> {
    width_of(io::stderr())
}

fn width_of(stream: impl IsTerminal + AsFd) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let columns = rustix::termios::tcgetwinsize(&stream).map_or(0, |size| usize::from(size.ws_col));
    // A terminal that does not know its width may have told a shell.
    let told = || std::env::var("COLUMNS").ok()?.trim().parse().ok();
    let known = Some(columns).filter(|&columns| columns > 0).or_else(told);
    Some(known.unwrap_or(DEFAULT_WIDTH))
}
