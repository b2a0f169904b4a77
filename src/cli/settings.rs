//! The settings of the process: the only module that reads the environment.

#![allow(clippy::disallowed_methods, reason = "this is where the environment is read")]

use super::error::Error;
use super::host;
use super::simulation::{LoaderName, Simulation};
use super::terminal;
use crate::app;
use crate::command_line::CommandLine;
use crate::loader;
use crate::python::discovery::Ambient;
use crate::report::words::Words;
use signal_hook::consts::SIGHUP;
use std::ffi::{OsStr, OsString, c_int};
use std::fs;
use std::io::{self, IsTerminal as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The variables with search paths of dyld.
const DYLD_VARIABLES: [&str; 4] = [
    "DYLD_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_FALLBACK_FRAMEWORK_PATH",
];

/// The variables that affect the detection of an environment.
///
/// # Errors
/// If the working directory is gone.
pub fn ambient() -> Result<Ambient, app::Error> {
    Ok(Ambient {
        working_directory: working_directory()?,
        virtual_env: path("VIRTUAL_ENV"),
        conda_prefix: path("CONDA_PREFIX"),
        path: directories("PATH"),
        home: path("HOME").filter(|_| path("PYTHONNOUSERSITE").is_none()),
        python_path: directories("PYTHONPATH"),
        python_home: path("PYTHONHOME"),
        cuda_home: path("CUDA_HOME"),
        pyenv_version: std::env::var_os("PYENV_VERSION").filter(|value| !value.is_empty()),
        own_executable: std::env::current_exe().ok(),
        called_as: called_as(),
    })
}

/// The words that this process was called with, its own name first.
pub fn words() -> std::env::ArgsOs {
    std::env::args_os()
}

/// The path by which this program was called: as typed, or in the directory of `PATH` in which a shell found
/// it.
fn called_as() -> Option<PathBuf> {
    let word = std::env::args_os().next().map(PathBuf::from)?;
    if word.components().count() > 1 {
        return Some(std::env::current_dir().ok()?.join(word));
    }
    directories("PATH").into_iter().map(|it| it.join(&word)).find(|path| path.is_file())
}

/// The surroundings of the simulated process, in addition to the variables of the loader in
/// [`loader_settings`].
///
/// # Errors
/// As for [`loader_settings`].
pub fn surroundings(simulation: &Simulation, elsewhere: bool) -> Result<Ambient, Error> {
    let mut found = if simulation.no_env || elsewhere {
        Ambient { working_directory: working_directory()?, ..Ambient::default() }
    } else {
        ambient()?
    };
    for (key, value) in variables(simulation)? {
        let value = OsString::from_vec(value);
        let list = || std::env::split_paths(&value).collect();
        let one = || Some(PathBuf::from(&value)).filter(|path| path != "");
        match key {
            b"VIRTUAL_ENV" => found.virtual_env = one(),
            b"CONDA_PREFIX" => found.conda_prefix = one(),
            b"PATH" => found.path = list(),
            b"PYTHONPATH" => found.python_path = list(),
            b"PYTHONHOME" => found.python_home = one(),
            b"CUDA_HOME" => found.cuda_home = one(),
            // Other variables do not affect where Python and its libraries are.
            _ => {}
        }
    }
    Ok(found)
}

/// A variable's name and value.
type Variable<'a> = (&'a [u8], Vec<u8>);

/// The variables in `--env`.
///
/// # Errors
/// If one does not contain `=`.
fn variables(simulation: &Simulation) -> Result<Vec<Variable<'_>>, Error> {
    let pairs = simulation.env.iter().map(|pair| {
        let bytes = pair.as_bytes();
        let at = bytes
            .iter()
            .position(|&byte| byte == b'=')
            .ok_or_else(|| Words::new(format!("--env {}: expected KEY=VALUE", pair.display())))?;
        let (key, value) = bytes.split_at(at);
        Ok((key, value.get(1..).unwrap_or_default().to_vec()))
    });
    pairs.collect()
}

/// Do the arguments, which may be invalid, request JSON?
#[must_use]
pub fn asks_for_json() -> bool {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut pairs = words.iter().zip(words.iter().skip(1));
    words.iter().any(|word| word == "--format=json" || word == "--json")
        || pairs.any(|(option, value)| option == "--format" && value == "json")
}

/// The working directory.
///
/// # Errors
/// If it does not exist.
pub fn working_directory() -> Result<PathBuf, app::Error> {
    std::env::current_dir().map_err(|error| app::Error::NoWorkingDirectory(Arc::new(error)))
}

/// The user's home directory.
#[must_use]
pub fn home() -> Option<OsString> {
    std::env::var_os("HOME").filter(|home| !home.is_empty())
}

/// The command as typed, without the options for a dry run. Its last words may be those `of_another` command.
#[must_use]
pub fn in_earnest(of_another: usize) -> CommandLine {
    let is_trial = |word: &OsStr| word == "--dry-run" || word == "--diff";
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Everything after `--` is a separate command.
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let own = end.min(words.len().saturating_sub(of_another));
    let of_ours = |(index, word): &(usize, OsString)| *index >= own || !is_trial(word);
    CommandLine::new(words.into_iter().enumerate().filter(of_ours).map(|(_, word)| word))
}

/// The time in the record of an operation: SOURCE_DATE_EPOCH if it is set, so that building an image twice
/// gives the same result, or else the current time. Seconds since 1970.
#[must_use]
pub fn now() -> i64 {
    std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or(Duration::ZERO)
                .as_secs()
                .try_into()
                .unwrap_or(0)
        })
}

/// With `--color auto`, does the report have colours?
#[must_use]
pub fn wants_color() -> bool {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    unset("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        && io::stdout().is_terminal()
}

/// The width of standard output in columns; `None` if it is not a terminal.
#[must_use]
pub fn width() -> Option<usize> {
    let told = || std::env::var("COLUMNS").ok()?.trim().parse().ok();
    terminal::width_of(&io::stdout(), told)
}

/// The variables of the simulated loader: those of the process, or none with `--no-env` and for the root of
/// another system (`elsewhere`), and those of `--env`.
///
/// # Errors
/// If `--env` does not contain `=`.
pub fn loader_settings(
    simulation: &Simulation,
    elsewhere: bool,
) -> Result<loader::Settings, Error> {
    // The working directory of this system does not exist in another one.
    let here = if elsewhere { PathBuf::from("/") } else { working_directory()? };
    let mut settings = loader::Settings { working_directory: here, ..Default::default() };
    match simulation.loader {
        Some(LoaderName::Musl) => settings.libc = Some(loader::Libc::Musl),
        Some(LoaderName::Glibc(version)) => {
            settings.libc = Some(loader::Libc::Glibc);
            settings.glibc = version;
        }
        Some(LoaderName::Dyld(version)) => settings.macos = version,
        None => {}
    }
    settings.platform = host::platform();
    settings.hwcaps = match &simulation.cpu {
        Some(levels) => levels.0.clone(),
        None => host::levels(),
    };
    let inherited =
        |name| if simulation.no_env || elsewhere { None } else { std::env::var_os(name) };
    settings.library_path = inherited("LD_LIBRARY_PATH").map(OsString::into_vec);
    settings.preload = inherited("LD_PRELOAD").map(OsString::into_vec);
    settings.tunables = inherited("GLIBC_TUNABLES").map(OsString::into_vec);
    settings.dyld.working_directory.clone_from(&settings.working_directory);
    for name in DYLD_VARIABLES {
        if let Some(variable) = settings.dyld.variable(name.as_bytes()) {
            *variable = inherited(name).map(OsString::into_vec);
        }
    }
    for (key, value) in variables(simulation)? {
        match key {
            b"LD_LIBRARY_PATH" => settings.library_path = Some(value),
            b"LD_PRELOAD" => settings.preload = Some(value),
            b"GLIBC_TUNABLES" => settings.tunables = Some(value),
            // Other variables do not affect where the loader searches.
            name => {
                if let Some(variable) = settings.dyld.variable(name) {
                    *variable = Some(value);
                }
            }
        }
    }
    Ok(settings)
}

/// The directory for backups of files that are edited under the name of another program.
#[must_use]
pub fn foreign_store() -> Option<PathBuf> {
    path("TFPATCH_STORE")
}

/// Does patchelf describe its work on standard error?
#[must_use]
pub fn is_patchelf_verbose() -> bool {
    std::env::var_os("PATCHELF_DEBUG").is_some()
}

/// The other program that tfpatch is called as, with the remaining arguments: by its own name, which is the first of
/// each row, or by its first argument, which is the second.
#[must_use]
pub fn other_program<T: Copy>(others: &[(&str, &str, T)]) -> Option<(T, OsString, Vec<OsString>)> {
    let mut words = std::env::args_os();
    let own = words.next()?;
    let name = Path::new(&own).file_name().unwrap_or_default();
    if let Some((.., other)) = others.iter().find(|(program, ..)| name == *program) {
        return Some((*other, own, words.collect()));
    }
    let first = words.next()?;
    let (.., other) = others.iter().find(|(_, command, _)| first == *command)?;
    Some((*other, first, words.collect()))
}

/// The user's own settings for tracing the loader.
#[derive(Debug, Clone, Default)]
pub struct Debugging {
    /// `LD_DEBUG`.
    pub categories: Option<OsString>,
    /// `LD_DEBUG_OUTPUT`: a path, to which the loader appends a dot and the process ID.
    pub output: Option<OsString>,
}

impl Debugging {
    /// The value of `LD_DEBUG` with `more` added. The loader accepts commas, colons and spaces as separators.
    #[must_use]
    pub fn with(&self, more: &str) -> OsString {
        let mut value = self.categories.clone().unwrap_or_default();
        if !value.is_empty() {
            value.push(",");
        }
        value.push(more);
        value
    }

    /// What happens to the user's own tracing, in sentences.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let set = self.categories.as_ref().filter(|categories| !categories.is_empty());
        match (set, &self.output) {
            (Some(set), Some(output)) => vec![format!(
                "LD_DEBUG={} is set: the output of the loader, including that of this trace, was appended to {}.PID",
                set.display(),
                output.display()
            )],
            (Some(set), None) => vec![format!(
                "LD_DEBUG={} is set: this trace consumed the output of the loader; set LD_DEBUG_OUTPUT to keep it",
                set.display()
            )],
            (None, _) => Vec::new(),
        }
    }
}

/// The user's own settings for tracing the loader.
#[must_use]
pub fn debugging() -> Debugging {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let categories = set("LD_DEBUG");
    // Without categories, the loader prints nothing.
    let output = categories.as_ref().and_then(|_| set("LD_DEBUG_OUTPUT"));
    Debugging { categories, output }
}

fn directories(name: &str) -> Vec<PathBuf> {
    let list = std::env::var_os(name).filter(|value| !value.is_empty());
    list.map(|list| std::env::split_paths(&list).collect()).unwrap_or_default()
}

fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| value != OsStr::new("")).map(PathBuf::from)
}

/// Does a command keep ignoring a signal, because it was ignored when tfpatch started? `nohup` does that to
/// SIGHUP. A shell does it to SIGINT for background jobs, which only means that keys do not send it.
#[must_use]
pub fn keeps_ignored(signal: c_int) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    signal == SIGHUP && mask >> (signal - 1) & 1 == 1
}
