//! The command line as it is typed.

pub use super::direct_args::{
    Direct, DirectOptions, Interpreter, NameSet, Needed, Rpath, RpathOptions, RpathPrint, Show,
    Soname,
};
pub use super::edit_args::{Record, Repair, Writing};
pub use super::run_args::Proof;
use super::simulation::Simulation;
use clap::builder::styling::{AnsiColor, Effects};
use clap::builder::{RangedU64ValueParser, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit status: 0 no error; 1 an error remains, a patched file changed, or an edit was refused; 2 invalid usage, a \
target that cannot be read or contains nothing to check, or an I/O error.";

/// The version, and what it was built from: commit, day of the commit, target.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("TFPATCH_BUILT_FROM"), ")");

/// Find out why shared libraries of Python packages do not load, and repair their search paths in place.
///
/// A TARGET is a virtual environment, a site-packages or other directory, a wheel, a shared library, or the name of
/// an installed package. The default is VIRTUAL_ENV, then CONDA_PREFIX, then .venv here or in a parent directory, then
/// the first python3 on PATH.
#[derive(Debug, Parser)]
#[command(
    name = "tfpatch",
    version = VERSION,
    styles = STYLES,
    after_help = EXIT_CODES,
    disable_help_subcommand = true
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options that every command takes.
    #[command(flatten)]
    pub common: Common,
}

/// Options that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Set the format of the report; `--json` is short for `--format json`.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub format: Format,
    /// The same as `--format json`.
    #[arg(long, global = true, hide = true, conflicts_with = "format")]
    pub json: bool,
    /// In Markdown, show home directories instead of ~.
    #[arg(long, global = true, hide_short_help = true)]
    pub full_paths: bool,
    /// Use colours; `auto` uses them on a terminal.
    #[arg(long, global = true, hide_short_help = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Report problems only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Report more: all files of a group, all searched locations, the bytes of a diff.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Use at most N threads.
    #[arg(long, global = true, hide_short_help = true, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub jobs: Option<usize>,
    /// Treat ROOTFS as the root of another system: TARGET, symlinks and the loader's files are inside it.
    #[arg(long, global = true, hide_short_help = true, value_name = "ROOTFS", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,
    /// Keep backups in DIR instead of the target's .tfpatch directory.
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,
    /// Use the backups in DIR although they belong to another user.
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub trust_store: Option<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// For programs; the schemas are stable.
    Json,
    /// For pasting into an issue.
    Markdown,
    /// For Graphviz; `tree` only.
    Dot,
}

/// Whether a report has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find libraries that do not load, and explain why. Changes nothing.
    Doctor(Doctor),
    /// Repair search paths, with a backup for `tfpatch revert`.
    Fix(Fix),
    /// Apply a plan from `fix --dry-run -o PLAN`, here or in an identical environment.
    Apply(Apply),
    /// Undo changes, byte for byte.
    #[command(alias = "undo")]
    Revert(Revert),
    /// List the operations on a target.
    Log(OneTarget),
    /// Show the changes made by operations.
    Diff(Targets),
    /// Check that patched files are unchanged and that all dependencies resolve.
    Verify(Verify),
    /// Show the dependencies and the search path of a file.
    Show(Show),
    /// Show the dependencies of a file as the loader resolves them.
    Tree(Tree),
    /// Run a command, and report the libraries that fail to load.
    Trace(Trace),
    /// Explain a loader error and check it against this environment, or describe a cause.
    Explain(Explain),
    /// Print or edit the search path of files.
    #[command(subcommand)]
    Rpath(Rpath),
    /// Print or edit the libraries that ELF files need.
    #[command(subcommand)]
    Needed(Needed),
    /// Print or set the soname of ELF libraries, the name that other files refer to.
    #[command(subcommand)]
    Soname(Soname),
    /// Print or set the dynamic loader of ELF programs.
    #[command(subcommand)]
    Interpreter(Interpreter),
    /// Edit files with the options of patchelf: `tfpatch patchelf --set-rpath PATH FILE`.
    #[command(after_long_help = "\
The options and the output are those of patchelf 0.19; `tfpatch patchelf` without arguments lists them. A link to tfpatch \
with the name patchelf takes them too. No backup is kept, unless TFPATCH_STORE names a directory for it.")]
    Patchelf(Foreign),
    /// Edit Mach-O files with the options of install_name_tool: `tfpatch install-name-tool -id NAME FILE`.
    #[command(after_long_help = "\
The options are those of install_name_tool; `tfpatch install-name-tool` without arguments lists them. A link to tfpatch \
with the name install_name_tool takes them too. Signatures stay valid, and a file without room for longer names is not \
changed. No backup is kept, unless TFPATCH_STORE names a directory for it.")]
    InstallNameTool(Foreign),
    /// Create a directory in which `patchelf` and `install_name_tool` are tfpatch, and print the command that adds it to PATH.
    Shims(Shims),
    /// Print a shell completion script.
    Completions(Completions),
    /// Print a manual page.
    Man(Man),
    /// Print the help of a command.
    Help(Help),
}

/// One target.
#[derive(Debug, Args)]
pub struct OneTarget {
    /// The environment, directory or file [default: the detected environment].
    #[arg(value_name = "TARGET", value_hint = ValueHint::AnyPath)]
    pub target: Option<PathBuf>,
}

/// Any number of targets.
#[derive(Debug, Default, Args)]
pub struct Targets {
    /// Environments, directories or files [default: the detected environment].
    #[arg(value_name = "TARGET", value_hint = ValueHint::AnyPath)]
    pub targets: Vec<PathBuf>,
}

/// `tfpatch doctor`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch doctor .venv                               check an environment
  tfpatch doctor --probe .venv                       import native modules too
  tfpatch doctor -- python -c 'import tensorflow'    run this command too

With `-- COMMAND`, tfpatch runs the command once and traces the loader. The command works if it exits with status \
0 and no file of the target fails to load a library that is available. Libraries that failed to load are added to the \
findings; libraries that were loaded are not errors. The output of the command goes to standard error; it can read \
standard input unless that is a terminal. Exit status: 0 if the command works, 1 if it does not, times out, or loads \
nothing of the target, 2 for an error of tfpatch.

With `--probe`, the interpreter of the environment imports every module with native code, and packages that have \
libraries but no such module, each package in its own process, with the loader traced, without a terminal and with \
empty standard input. This executes the code of all \
packages. The imports confirm findings, add new ones, or lower them to info.")]
pub struct Doctor {
    /// What to check.
    #[command(flatten)]
    pub targets: Targets,
    /// Exit with status 1 for warnings too.
    #[arg(long)]
    pub strict: bool,
    /// Read whole files: compare each one with RECORD, and check all pages of Mach-O signatures.
    #[arg(long)]
    pub deep: bool,
    /// Search DIR for libraries too, which may be outside the target.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub search: Vec<PathBuf>,
    /// Suggest a repair with absolute paths, for libraries outside the target.
    #[arg(long)]
    pub allow_absolute: bool,
    /// The command that proves it.
    #[command(flatten)]
    pub proof: Proof,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch fix`
#[derive(Debug, Default, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch fix --dry-run --diff                    show the changes
  tfpatch fix .venv                               repair an environment
  tfpatch fix dist/x.whl                          repair a wheel
  tfpatch fix -- python -c 'import tensorflow'    repair until this works
  tfpatch fix --dry-run -o plan.json .venv        plan for `tfpatch apply`
  tfpatch revert .venv                            undo everything

A second `fix` changes nothing. Problems that a search path cannot solve are reported, and their files are skipped.

With `-- COMMAND`, tfpatch runs the command before and after the repair and traces the loader. The repair includes \
the libraries that failed to load. The command runs again while new libraries fail to load, at most --max-runs times. \
If it exited with status 0 before the repair and does not after it, tfpatch undoes the repair and runs the command \
once more. The command must be safe to repeat; each run is announced. Its standard input is empty, and its output goes \
to standard error. With --dry-run it runs once, and nothing is edited. If tfpatch runs as root, the command runs as the \
owner of the environment. Exit status: 0 if the command works, as `tfpatch doctor --help` explains, 1 if it does not, \
was not run after the repair, or the repair was undone, 2 for an error of tfpatch.

With `--probe`, every module with native code is imported before and after the repair; see `tfpatch doctor --help`. \
If a module that imported before fails after the repair, tfpatch undoes the repair.")]
pub struct Fix {
    /// What to repair.
    #[command(flatten)]
    pub targets: Targets,
    /// Show what would be done, without changing anything.
    #[arg(long)]
    pub dry_run: bool,
    /// Show the search paths before and after; with -v, the bytes too.
    #[arg(long)]
    pub diff: bool,
    /// Write the plan to PLAN, for `tfpatch apply`; `-` is standard output.
    #[arg(
        short = 'o',
        value_name = "PLAN",
        value_hint = ValueHint::FilePath,
        requires = "dry_run",
        conflicts_with = "runs"
    )]
    pub plan: Option<PathBuf>,
    /// Remove duplicate entries and entries for missing directories too.
    #[arg(long)]
    pub tidy: bool,
    /// Write the repaired wheel to FILE or into a directory, and leave the original unchanged.
    #[arg(long = "output", value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub repaired: Option<PathBuf>,
    /// Exit with status 1 for remaining warnings too.
    #[arg(long)]
    pub strict: bool,
    /// What a repair may do.
    #[command(flatten)]
    pub repair: Repair,
    /// How files are written.
    #[command(flatten)]
    pub writing: Writing,
    /// The command that proves it.
    #[command(flatten)]
    pub proof: Proof,
    /// Run COMMAND at most N times while new libraries fail to load.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "N",
        default_value_t = 3,
        value_parser = RangedU64ValueParser::<usize>::new().range(2..),
        requires = "command",
        help_heading = "Run options"
    )]
    pub max_runs: usize,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch apply`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch fix --dry-run -o plan.json .venv    write a plan to review and commit
  tfpatch apply plan.json /srv/app/.venv      apply it in another place

A plan fits if all files that it edits are identical to those it was made for; the environment may be in another \
place. If some differ, all of them are reported and nothing is written. Files that are already patched are skipped. \
tfpatch computes and checks the edits again, as `fix` does: a plan can only change search paths and clear \
executable stacks.")]
pub struct Apply {
    /// The plan; `-` is standard input.
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub plan: PathBuf,
    /// The environment, directory or file [default: the detected environment].
    #[arg(value_name = "TARGET", value_hint = ValueHint::AnyPath)]
    pub target: Option<PathBuf>,
    /// Show what would be done, without changing anything.
    #[arg(long)]
    pub dry_run: bool,
    /// Show the search paths before and after; with -v, the bytes too.
    #[arg(long)]
    pub diff: bool,
    /// Exit with status 1 for remaining warnings too.
    #[arg(long)]
    pub strict: bool,
    /// Allow new entries for directories outside the target.
    #[arg(long)]
    pub allow_absolute: bool,
    /// How files are written.
    #[command(flatten)]
    pub writing: Writing,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch revert`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch revert                   undo all changes of the environment
  tfpatch revert FILE              undo all changes of a file
  tfpatch revert --operation ID    undo one operation; `tfpatch log` lists them

tfpatch restores a file only if it is unchanged since the repair. Files changed by other programs are skipped and \
reported. If a later operation changed a file too, revert that operation first; the report names it. RECORD is \
updated. A revert is an operation too: `tfpatch revert --operation ID` with its ID redoes the repair.

A file that a process has mapped is replaced, so that the process can continue; other files are restored in place.")]
pub struct Revert {
    /// The environments or files to restore.
    #[command(flatten)]
    pub targets: Targets,
    /// Undo this operation only; `tfpatch log` lists the IDs.
    #[arg(long, value_name = "ID")]
    pub operation: Option<String>,
    /// Show what would be done, without changing anything.
    #[arg(long)]
    pub dry_run: bool,
    /// How files are written.
    #[command(flatten)]
    pub writing: Writing,
}

/// `tfpatch verify`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch verify .venv                               check an environment
  tfpatch verify -- python -c 'import tensorflow'    run this command too

With `-- COMMAND`, tfpatch runs the command once and traces the loader; the result replaces the check of \
dependencies. Exit status: 0 if the command works and patched files are unchanged, 1 otherwise, 2 for an error of \
tfpatch. `tfpatch doctor --help` explains when a command works, and what --probe does.")]
pub struct Verify {
    /// What to check.
    #[command(flatten)]
    pub targets: Targets,
    /// The command that proves it.
    #[command(flatten)]
    pub proof: Proof,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch tree`
#[derive(Debug, Args)]
pub struct Tree {
    /// Shared libraries or programs.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Resolve FILE as loaded by PROGRAM, such as the interpreter of an environment, instead of as the main program.
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::FilePath)]
    pub main: Option<PathBuf>,
    /// Print a list instead of a tree.
    #[arg(long)]
    pub flat: bool,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch trace`
#[derive(Debug, Args)]
#[command(after_long_help = "\
The output of the command is not changed; the report follows on standard output. The environment is that of the Python \
interpreter that runs, or else the detected one. tfpatch cannot trace set-user-ID programs, static programs, or \
programs that do not use glibc.

With --fix, tfpatch repairs the search paths for the libraries that failed to load and are in the environment, and \
changes nothing else. `tfpatch revert` undoes the repair.

Examples:
  tfpatch trace -- python -c 'import tensorflow'
  tfpatch trace --fix --dry-run -- python train.py

tfpatch forwards INT, TERM, HUP and QUIT to the command, and waits for it. Exit status: that of the command; 128 + N \
if signal N terminated it or was sent to tfpatch; 126 if the command cannot be run, 127 if it is not found; 2 for an \
error of tfpatch. The status does not show whether a library failed to load; that of `tfpatch verify -- COMMAND` \
does.")]
pub struct Trace {
    /// Repair the search paths for libraries that failed to load.
    #[arg(long)]
    pub fix: bool,
    /// Show what would be done, without changing anything.
    #[arg(long, requires = "fix")]
    pub dry_run: bool,
    /// Search DIR for libraries too, which may be outside the environment.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub search: Vec<PathBuf>,
    /// Allow entries with absolute paths, for libraries outside the environment.
    #[arg(long, requires = "fix")]
    pub allow_absolute: bool,
    /// The command and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

/// `tfpatch explain`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  python train.py 2>&1 | tfpatch explain -
  tfpatch explain < error.log
  tfpatch explain --target .venv < error.log
  tfpatch explain path_missing

tfpatch knows messages of dyld (macOS 10.15 to 26), of the loaders of glibc and musl, import errors of Python, log lines \
of TensorFlow about libraries, and messages of other programs that could not find or load one. Messages from Windows are \
not supported. The message is checked against TARGET, or the environment that it names, or the detected one; a message \
from another machine is explained without one. Exit status: 0 if a message was recognised, 2 otherwise.")]
pub struct Explain {
    /// The message, the name of a cause, or - for standard input, such as the log of a run.
    #[arg(value_name = "TEXT|-|CAUSE")]
    pub text: Vec<OsString>,
    /// Check the message against this environment, directory or file [default: the one that the message names, else the detected one]. It may also follow a quoted message.
    #[arg(short, long, value_name = "TARGET", value_hint = ValueHint::AnyPath)]
    pub target: Option<PathBuf>,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch patchelf` and `tfpatch install-name-tool`
#[derive(Debug, Args)]
pub struct Foreign {
    /// Options and files.
    #[arg(value_name = "OPTION|FILE", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// `tfpatch shims`
#[derive(Debug, Args)]
pub struct Shims {
    /// The directory, which is created. Nothing in it is replaced.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
}

/// `tfpatch completions`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch completions bash > ~/.local/share/bash-completion/completions/tfpatch
  tfpatch completions fish > ~/.config/fish/completions/tfpatch.fish
  tfpatch completions zsh > DIR/_tfpatch      (DIR must be in $fpath)")]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

/// `tfpatch help`
#[derive(Debug, Args)]
pub struct Help {
    /// The command, such as `fix` or `rpath add`.
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `tfpatch man`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch man | man -l -
  tfpatch man rpath add | man -l -")]
pub struct Man {
    /// The command, such as `fix` or `rpath add`; without one, the page of tfpatch.
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}
