//! A command that is run and waited for. A signal that is sent to us goes on to it.

use crate::report::trace::Child;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level;
use std::ffi::c_int;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a shell adds to a signal to make an exit status of it.
const ENDED_BY_SIGNAL: u8 = 128;

/// How far the command is.
#[derive(Debug)]
enum Stage {
    /// It has not been started. A signal that came before is for it as well.
    Before(Option<Signal>),
    Running(Pid),
    /// Its process ID may be another's by now.
    Ended,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    /// The first signal that came.
    received: Option<c_int>,
}

/// Passes on to a command the signals that ask a program to end, until it is dropped.
///
/// Once the command has ended, the first signal lets us finish what we are about, for that is short; the
/// second one ends us.
#[derive(Debug)]
pub struct Forwarder {
    state: Arc<Mutex<State>>,
    handle: Handle,
}

impl Forwarder {
    /// Begins to take signals. `scratch` is removed where a second one ends us; `is_ignored` tells which
    /// are not taken, as `nohup` wishes it.
    ///
    /// # Errors
    /// Where the system does not let us have a handler or a thread.
    pub fn new(scratch: PathBuf, is_ignored: impl Fn(c_int) -> bool) -> io::Result<Self> {
        // Handlers do not survive exec, but what is ignored stays so: the command has the signals as we
        // were given them.
        let taken = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter();
        let taken: Vec<c_int> = taken.filter(|&signal| !is_ignored(signal)).collect();
        taken.iter().try_for_each(|&signal| note_origin(signal))?;
        let mut signals = Signals::new(taken)?;
        let handle = signals.handle();
        let state = Arc::new(Mutex::new(State { stage: Stage::Before(None), received: None }));
        let shared = Arc::clone(&state);
        let pass_on = move || {
            for signal in signals.forever() {
                if is_second(&mut locked(&shared), signal) {
                    // What cannot be removed is no reason to stay.
                    let _ = std::fs::remove_dir_all(&scratch);
                    let _ = low_level::emulate_default_handler(signal);
                }
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(pass_on)?;
        Ok(Self { state, handle })
    }

    /// Starts the command and waits for its end. Its process ID, and how it ended.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn run(&self, command: &mut Command) -> io::Result<(u32, Child)> {
        let mut child = {
            // A signal that comes in between waits until there is a process that it can go to.
            let mut state = locked(&self.state);
            let child = command.spawn()?;
            let pid = pid_of(&child);
            if let (Some(pid), Stage::Before(Some(early))) = (pid, &state.stage) {
                send(pid, *early);
            }
            state.stage = pid.map_or(Stage::Ended, Stage::Running);
            child
        };
        if let Some(pid) = pid_of(&child) {
            let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            // Until it is waited for, its process ID stays its own.
            while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), end)
            {
            }
        }
        locked(&self.state).stage = Stage::Ended;
        let status = child.wait()?;
        Ok((child.id(), Child { status: status.code(), signal: status.signal() }))
    }

    /// The exit status that tells of the signal that came, if one did.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        let signal = u8::try_from(locked(&self.state).received?).ok()?;
        Some(ENDED_BY_SIGNAL.saturating_add(signal))
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Takes note of a signal and passes it on; true for one that comes after another and after the end of
/// the command.
fn is_second(state: &mut State, number: c_int) -> bool {
    let is_first = state.received.is_none();
    state.received.get_or_insert(number);
    let signal = match number {
        SIGINT => Signal::INT,
        SIGQUIT => Signal::QUIT,
        SIGHUP => Signal::HUP,
        _ => Signal::TERM,
    };
    match &mut state.stage {
        Stage::Before(early) => *early = early.or(Some(signal)),
        // The command shares our terminal and gets the signals of its keys by itself.
        Stage::Running(_) if is_of_terminal(number) => {}
        Stage::Running(pid) => send(*pid, signal),
        Stage::Ended => return !is_first,
    }
    false
}

/// What the kernel says of where the last of each signal came from (`si_code` of sigaction(2)).
static ORIGINS: [AtomicI32; 32] = [const { AtomicI32::new(0) }; 32];

/// Keeps where a signal comes from, from now on.
fn note_origin(signal: c_int) -> io::Result<()> {
    let note = move |info: &libc::siginfo_t| {
        let place = usize::try_from(info.si_signo).ok().and_then(|number| ORIGINS.get(number));
        if let Some(place) = place {
            place.store(info.si_code, Ordering::SeqCst);
        }
    };
    #[allow(unsafe_code, reason = "only a handler of sigaction(2) is told who sent a signal")]
    // SAFETY: the handler stores into an atomic and does nothing else.
    unsafe { signal_hook_registry::register_sigaction(signal, note) }.map(drop)
}

/// Did a key of the terminal send the signal, or the end of the terminal?
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_of_terminal(signal: c_int) -> bool {
    /// `SI_KERNEL` of asm-generic/siginfo.h, the same number on every processor.
    const SI_KERNEL: c_int = 0x80;
    let origin = usize::try_from(signal).ok().and_then(|number| ORIGINS.get(number));
    origin.is_some_and(|origin| origin.load(Ordering::SeqCst) == SI_KERNEL)
}

/// This system does not tell who sent a signal: those of keys are taken for sent by keys.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_of_terminal(signal: c_int) -> bool {
    matches!(signal, SIGINT | SIGQUIT)
}

fn send(pid: Pid, signal: Signal) {
    // Not every command may be sent signals to: sudo runs as another user.
    let _ = rustix::process::kill_process(pid, signal);
}

fn pid_of(child: &process::Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
