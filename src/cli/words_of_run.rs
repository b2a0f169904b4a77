//! Standard error of a command: it may be forwarded, and the last lines are kept.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The number of bytes that are kept.
const MAX_BYTES: usize = 16 << 10;

/// The number of reported lines, and of characters in each.
const MAX_LINES: usize = 20;
const MAX_CHARACTERS: usize = 500;

/// The time to wait for the end of the output after the command has ended. Processes that it left running may
/// keep the pipe open forever.
const PATIENCE: Duration = Duration::from_millis(500);

/// Reads the output of a command until its end.
pub struct Listener {
    heard: Arc<Mutex<VecDeque<u8>>>,
    end: Receiver<()>,
}

impl Listener {
    /// Starts to read from the pipe, and forwards the output.
    ///
    /// # Errors
    /// If the system cannot create a pipe or a thread.
    pub fn new() -> io::Result<(Self, PipeWriter)> {
        Self::of(true)
    }

    /// The same, without forwarding.
    ///
    /// # Errors
    /// As for [`Listener::new`].
    pub fn silent() -> io::Result<(Self, PipeWriter)> {
        Self::of(false)
    }

    fn of(passes_on: bool) -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let heard = Arc::new(Mutex::new(VecDeque::new()));
        let (done, end) = mpsc::channel::<()>();
        let kept = Arc::clone(&heard);
        let listen = move || {
            hear(reader, &kept, passes_on);
            drop(done);
        };
        thread::Builder::new().name("standard error".to_owned()).spawn(listen)?;
        Ok((Self { heard, end }, writer))
    }

    /// The last lines of the output.
    #[must_use]
    pub fn last_lines(self) -> Vec<String> {
        // Nothing is ever sent: the channel ends where the pipe does.
        let _ = self.end.recv_timeout(PATIENCE);
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let is_cut = heard.len() == MAX_BYTES;
        let text = String::from_utf8_lossy(heard.make_contiguous());
        // The first line may be incomplete.
        let lines = text.lines().skip(usize::from(is_cut)).filter(|line| !line.trim().is_empty());
        let lines: Vec<&str> = lines.collect();
        let last = lines.len().saturating_sub(MAX_LINES);
        let bounded = |line: &&str| line.trim_end().chars().take(MAX_CHARACTERS).collect();
        lines.iter().skip(last).map(bounded).collect()
    }
}

/// Keeps the end of the output, and forwards it to standard error if requested.
fn hear(mut reader: PipeReader, kept: &Mutex<VecDeque<u8>>, passes_on: bool) {
    let mut buffer = [0; 8192];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        if passes_on {
            // If nobody reads standard error, the command continues nevertheless.
            let _ = io::stderr().write_all(read);
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(read);
        let excess = kept.len().saturating_sub(MAX_BYTES);
        kept.drain(..excess);
    }
}
