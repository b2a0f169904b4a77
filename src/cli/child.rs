//! Runs a command and waits for it. Signals that tfpatch receives are forwarded to it.

use super::error::TROUBLE;
use crate::app::runs::Child;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level;
use std::ffi::c_int;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The number that a shell adds to a signal to get an exit status.
const ENDED_BY_SIGNAL: u8 = 128;

/// The time that a command has to end after a timeout, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How a command is run, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// Does it get its own session, with its own process group and without a terminal? Otherwise it shares
    /// those of tfpatch, and receives the signals of its keys directly.
    pub own_session: bool,
    /// The time after which it is terminated, with all processes of its group.
    pub limit: Option<Duration>,
}

/// A finished command.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Its process ID.
    pub pid: u32,
    /// How it ended.
    pub child: Child,
    /// Was it terminated because of a timeout?
    pub timed_out: bool,
}

/// The state of the commands.
#[derive(Debug, Default)]
struct State {
    /// A signal that came before the first command was started. It is forwarded to that command too.
    early: Option<Signal>,
    /// Was one started?
    has_begun: bool,
    /// The running commands, and whether each has its own process group. The process ID of a finished command
    /// may be reused.
    running: Vec<(Pid, bool)>,
    /// The first signal that came.
    received: Option<c_int>,
}

/// The exit status for the result of a command, as in a shell and in env(1).
#[must_use]
pub fn status_of(child: Child) -> u8 {
    let signal = child.signal.and_then(|signal| u8::try_from(signal).ok());
    match (child.status.map(u8::try_from), signal) {
        (_, Some(signal)) => ENDED_BY_SIGNAL.saturating_add(signal),
        (Some(Ok(status)), None) => status,
        _ => TROUBLE,
    }
}

/// Forwards termination signals to commands until it is dropped.
///
/// After the commands have ended, the first signal lets tfpatch finish its current work, which is short; the
/// second one terminates it.
#[derive(Debug)]
pub struct Forwarder {
    state: Arc<Mutex<State>>,
    handle: Handle,
}

impl Forwarder {
    /// Starts to handle signals. `scratch` is removed if a second signal terminates tfpatch. `is_ignored`
    /// tells which signals stay ignored, for `nohup`.
    ///
    /// # Errors
    /// If the system does not allow a handler or a thread.
    pub fn new(scratch: PathBuf, is_ignored: impl Fn(c_int) -> bool) -> io::Result<Self> {
        // Handlers are not inherited through exec, but ignored signals are, so the command handles signals as
        // tfpatch was told to.
        let taken = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter();
        let taken: Vec<c_int> = taken.filter(|&signal| !is_ignored(signal)).collect();
        taken.iter().try_for_each(|&signal| note_origin(signal))?;
        let mut signals = Signals::new(taken)?;
        let handle = signals.handle();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let pass_on = move || {
            for signal in signals.forever() {
                if is_second(&mut locked(&shared), signal) {
                    // A failure to remove it is not a reason to continue.
                    let _ = std::fs::remove_dir_all(&scratch);
                    let _ = low_level::emulate_default_handler(signal);
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(pass_on)?;
        Ok(Self { state, handle })
    }

    /// Starts a command with `spawn`, and waits for its end.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn run(
        &self,
        command: &mut Command,
        manner: Manner,
        spawn: impl FnOnce(&mut Command) -> io::Result<process::Child>,
    ) -> io::Result<Ended> {
        if manner.own_session {
            begin_session(command);
        }
        let mut child = {
            // A signal that arrives here waits until there is a process to forward it to.
            let mut state = locked(&self.state);
            let child = spawn(command)?;
            let pid = pid_of(&child);
            let early = state.early.take().filter(|_| !state.has_begun);
            if let (Some(pid), Some(early)) = (pid, early) {
                send(pid, early);
            }
            state.has_begun = true;
            state.running.extend(pid.map(|pid| (pid, manner.own_session)));
            child
        };
        let pid = pid_of(&child);
        let clock = manner.limit.zip(pid).map(|(limit, pid)| self.clock(limit, pid)).transpose()?;
        if let Some(pid) = pid {
            let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            // The process ID is not reused before the process is waited for.
            while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), end)
            {
            }
        }
        locked(&self.state).running.retain(|(running, _)| Some(*running) != pid);
        let timed_out = clock.is_some_and(|clock| clock.stop());
        if let (true, Some(pid)) = (timed_out, pid) {
            // The processes that it started had the same time limit.
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
        let status = child.wait()?;
        let ended = Child { status: status.code(), signal: status.signal() };
        Ok(Ended { pid: child.id(), child: ended, timed_out })
    }

    /// Terminates a running command after its time limit: SIGTERM, and later SIGKILL.
    fn clock(&self, limit: Duration, pid: Pid) -> io::Result<Clock> {
        let (ended, wait) = mpsc::channel();
        let is_up = Arc::new(AtomicBool::new(false));
        let (state, rang) = (Arc::clone(&self.state), Arc::clone(&is_up));
        let ring = move || {
            let is_over = |wait: &Receiver<()>, time| {
                wait.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
            };
            if is_over(&wait, limit) || !end(&locked(&state), pid, Signal::TERM) {
                return;
            }
            rang.store(true, Ordering::SeqCst);
            if !is_over(&wait, GRACE) {
                end(&locked(&state), pid, Signal::KILL);
            }
        };
        let thread = thread::Builder::new().name("time limit".to_owned()).spawn(ring)?;
        Ok(Clock { ended, is_up, thread })
    }

    /// The exit status for the received signal, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        let signal = u8::try_from(locked(&self.state).received?).ok()?;
        Some(ENDED_BY_SIGNAL.saturating_add(signal))
    }
}

/// The time limit of a running command.
struct Clock {
    ended: mpsc::Sender<()>,
    is_up: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Clock {
    /// The command has ended. Did it time out?
    fn stop(self) -> bool {
        drop(self.ended);
        // A thread that failed has either rung or not.
        let _ = self.thread.join();
        self.is_up.load(Ordering::SeqCst)
    }
}

/// Sends a signal to the process group of a command; `false` if it is not running.
fn end(state: &State, pid: Pid, signal: Signal) -> bool {
    let mut running = state.running.iter();
    let Some((_, has_group)) = running.find(|(running, _)| *running == pid) else { return false };
    if *has_group {
        let _ = rustix::process::kill_process_group(pid, signal);
        // A stopped process, for example one that reads from a terminal, ends only after SIGCONT.
        let _ = rustix::process::kill_process_group(pid, Signal::CONT);
    } else {
        send(pid, signal);
    }
    true
}

/// Starts a command in its own session, which has no terminal.
fn begin_session(command: &mut Command) {
    let begin = || rustix::process::setsid().map(drop).map_err(io::Error::from);
    #[allow(unsafe_code, reason = "a session can be begun only between fork and exec")]
    // SAFETY: it is one system call, which does not allocate or lock.
    unsafe {
        command.pre_exec(begin);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Records a signal and forwards it; true for a second one after the end of the command.
fn is_second(state: &mut State, number: c_int) -> bool {
    let is_first = state.received.is_none();
    state.received.get_or_insert(number);
    let signal = match number {
        SIGINT => Signal::INT,
        SIGQUIT => Signal::QUIT,
        SIGHUP => Signal::HUP,
        _ => Signal::TERM,
    };
    if !state.has_begun {
        state.early.get_or_insert(signal);
        return false;
    }
    for (pid, has_group) in &state.running {
        match has_group {
            true => _ = rustix::process::kill_process_group(*pid, signal),
            // The command shares the terminal of tfpatch and receives the signals of its keys directly.
            false if is_of_terminal(number) => {}
            false => send(*pid, signal),
        }
    }
    state.running.is_empty() && !is_first
}

/// The origin of the last signal of each kind, as reported by the kernel (`si_code` of sigaction(2)).
static ORIGINS: [AtomicI32; 32] = [const { AtomicI32::new(0) }; 32];

/// Records the origin of a signal from now on.
fn note_origin(signal: c_int) -> io::Result<()> {
    let note = move |info: &libc::siginfo_t| {
        let place = usize::try_from(info.si_signo).ok().and_then(|number| ORIGINS.get(number));
        if let Some(place) = place {
            place.store(info.si_code, Ordering::SeqCst);
        }
    };
    #[allow(unsafe_code, reason = "only a handler of sigaction(2) receives the sender of a signal")]
    // SAFETY: the handler only stores into an atomic.
    unsafe { signal_hook_registry::register_sigaction(signal, note) }.map(drop)
}

/// Was the signal sent by a key of the terminal, or because the terminal was closed?
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_of_terminal(signal: c_int) -> bool {
    /// `SI_KERNEL` of asm-generic/siginfo.h, the same number on every processor.
    const SI_KERNEL: c_int = 0x80;
    let origin = usize::try_from(signal).ok().and_then(|number| ORIGINS.get(number));
    origin.is_some_and(|origin| origin.load(Ordering::SeqCst) == SI_KERNEL)
}

/// This system does not report the origin of a signal. Signals of keys are assumed to come from keys.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_of_terminal(signal: c_int) -> bool {
    matches!(signal, SIGINT | SIGQUIT)
}

fn send(pid: Pid, signal: Signal) {
    // Some commands cannot be signalled, for example sudo, which runs as another user.
    let _ = rustix::process::kill_process(pid, signal);
}

fn pid_of(child: &process::Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
