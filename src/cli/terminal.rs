//! The width of the terminal that a command writes to.

use crate::report::layout::DEFAULT_WIDTH;
use std::io::IsTerminal;
use std::os::fd::AsFd;

/// The width of a stream in columns; `None` if it is not a terminal. If the terminal does not know its width,
/// `told` is used, which a shell may have set.
pub(super) fn width_of(
    stream: &(impl IsTerminal + AsFd),
    told: impl FnOnce() -> Option<usize>,
) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let columns = rustix::termios::tcgetwinsize(stream).map_or(0, |size| usize::from(size.ws_col));
    let known = Some(columns).filter(|&columns| columns > 0).or_else(told);
    Some(known.unwrap_or(DEFAULT_WIDTH))
}
