//! A progress indicator for work that takes longer than a user expects.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Shorter work shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shows on standard error what is being done, after half a second and until it is dropped. If standard error
/// is not a terminal, it shows nothing.
pub struct Progress {
    showing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins work.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        // Each drawing fills the line, which wraps if the width of the terminal is unknown.
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
            // A thread that failed to draw has nothing to report.
            let _ = thread.join();
        }
    }
}
