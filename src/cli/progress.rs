//! A sign of life for work that takes longer than a person expects.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Work that is done before shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shows what is being done on a terminal's standard error from half a second on, until it is
/// dropped. In a pipe it shows nothing.
pub struct Progress {
    showing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins work.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        // Each drawing fills the line, which wraps where the width of the terminal is not known.
        let stderr = io::stderr();
        let has_width = rustix::termios::tcgetwinsize(&stderr).is_ok_and(|size| size.ws_col > 0);
        if !stderr.is_terminal() || !has_width {
            return Self { showing: None };
        }
        let (done, wait) = mpsc::channel();
        let thread = thread::spawn(move || {
            if wait.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
            let bar = ProgressBar::new_spinner().with_message(what);
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            // Nothing is ever sent: the channel ends when the work does.
            let _ = wait.recv();
            bar.finish_and_clear();
        });
        Self { showing: Some((done, thread)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.showing.take() {
            drop(done);
            // A thread that failed to draw has nothing left to say.
            let _ = thread.join();
        }
    }
}
