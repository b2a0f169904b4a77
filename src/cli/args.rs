//! The command line as it is typed.

pub use super::edit_args::{Record, Repair, RpathKind, Writing};
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
Exit status: 0 done, no error; 1 an error remains, drift, or a refusal; 2 bad usage, a target \
that cannot be read or holds nothing to judge, an I/O error.";

/// The version, and what it was built from: commit, day of the commit, target.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("TFPATCH_BUILT_FROM"), ")");

/// Find out why Python's shared objects do not load, and repair their search paths in place.
///
/// A TARGET is a virtual environment, a site-packages directory, any other directory, a wheel, shared
/// objects, or the name of an installed distribution. Without one it is VIRTUAL_ENV, else CONDA_PREFIX, else .venv here or in a directory
/// above, else the first python3 on PATH.
#[derive(Debug, Parser)]
#[command(
    name = "tfpatch",
    version = VERSION,
    styles = STYLES,
    after_help = EXIT_CODES,
    disable_help_subcommand = true,
    max_term_width = 100
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
    /// How the report is written.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub format: Format,
    /// Show home directories in Markdown too, which are ~ there otherwise.
    #[arg(long, global = true)]
    pub full_paths: bool,
    /// Whether the report has colours; `auto` has them on a terminal.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Say only what is wrong.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: every object of a group, every place that was tried, the bytes of a diff.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Use at most N threads.
    #[arg(long, global = true, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub jobs: Option<usize>,
    /// The target lies inside ROOTFS, the root of another system: TARGET, links and the loader are
    /// looked up there, and nothing of this system is looked at.
    #[arg(long, global = true, value_name = "ROOTFS", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,
    /// Keep backups in DIR instead of the target's .tfpatch directory.
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,
    /// Rely on the backups in DIR although they belong to another user.
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub trust_store: Option<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// For programs: the schemas are part of the contract.
    Json,
    /// For pasting into an issue.
    Markdown,
    /// For Graphviz, which draws it. Only `tree` knows it.
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
    /// Find out what would not load, and why. Changes nothing.
    Doctor(Doctor),
    /// Repair search paths, with a backup that `tfpatch revert` puts back.
    Fix(Fix),
    /// Carry out a plan that `fix --dry-run -o PLAN` wrote, here or in any identical environment.
    Apply(Apply),
    /// Put the exact old bytes back.
    Revert(Revert),
    /// List the operations so far.
    Log(OneTarget),
    /// Show what the operations changed.
    Diff(Targets),
    /// Check that patched files are as they were left, and that everything resolves.
    Verify(Verify),
    /// Show what an object needs and where it is searched.
    Show(Show),
    /// Show the dependencies of an object as the loader would resolve them.
    Tree(Tree),
    /// Run a command under the loader's own tracing, and compare what it asks for, dlopened
    /// libraries included, with the prediction.
    Trace(Trace),
    /// Say what a loader's error means, what is the case here, and what cures it; or print the page
    /// of a cause.
    Explain(Explain),
    /// Print or edit the search path of objects.
    #[command(subcommand)]
    Rpath(Rpath),
    /// Print a completion script for a shell.
    Completions(Completions),
    /// Print a manual page.
    Man(Man),
}

/// One target.
#[derive(Debug, Args)]
pub struct OneTarget {
    /// The environment, directory or object; found from here if not given.
    #[arg(value_name = "TARGET", value_hint = ValueHint::AnyPath)]
    pub target: Option<PathBuf>,
}

/// Any number of targets.
#[derive(Debug, Default, Args)]
pub struct Targets {
    /// Environments, directories or objects; found from here if none is given.
    #[arg(value_name = "TARGET", value_hint = ValueHint::AnyPath)]
    pub targets: Vec<PathBuf>,
}

/// `tfpatch doctor`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch doctor .venv                               what would not load
  tfpatch doctor -- python -c 'import tensorflow'    the same, proved by a run
  tfpatch doctor --probe .venv                       the same, proved by importing everything

With `-- COMMAND` the command is run once under the loader's tracing, with standard input as it is unless \
that is a terminal, and its output goes to standard error. Exit status: 0 if it works, 1 if it fails or does \
not end in time, 2 for an error of tfpatch. It works if it ends with status 0 and no object of the target \
asks by itself for a library that is there and does not get it. What failed to load is added to the findings, \
and what was loaded after all is no error.

With `--probe` every module with native code is imported by the environment's own interpreter, each package in \
a process of its own, under the loader's tracing, without a terminal and with empty standard input. This executes \
the code of all packages. Findings are confirmed, added, or lowered to information.")]
pub struct Doctor {
    /// What to look at.
    #[command(flatten)]
    pub targets: Targets,
    /// End with status 1 also for warnings.
    #[arg(long)]
    pub strict: bool,
    /// Read whole files: compare each with its RECORD, and each page of a Mach-O signature.
    #[arg(long)]
    pub deep: bool,
    /// Look for libraries in DIR too; may lie outside the target.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub search: Vec<PathBuf>,
    /// Propose a repair with absolute paths, for libraries that lie outside the target.
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
  tfpatch fix --dry-run --diff      what would be changed in the environment found from here
  tfpatch fix .venv                 repair an environment
  tfpatch fix --dry-run -o plan.json .venv
                                    write down what would be done, for `tfpatch apply`
  tfpatch fix dist/x.whl            repair a wheel, before anybody installs it
  tfpatch fix -- python -c 'import tensorflow'
                                    repair until this works, and prove it
  tfpatch revert .venv              put everything back

A second `fix` changes nothing. What no search path can cure is reported and left alone.

With `-- COMMAND` the command is run under the loader's tracing before and after the repair, which takes in \
what failed to load; and again while new libraries fail to load, at most --max-runs times. If it ended with \
status 0 before and does not after, the repair is taken back, and the command is run once more to see whether \
it works again. It must be safe to repeat; each run is announced. Its standard input is empty, and its output \
goes to standard error. With --dry-run it is run once, and nothing is edited. Exit status: 0 if it works, 1 if \
it fails, was not run after the repair, or the repair was taken back, 2 for an error of tfpatch. Root runs it \
as the owner of the environment.

With `--probe` every module with native code is imported before and after the repair, as `tfpatch doctor --help` \
describes it. A repair by which a module fails that was imported before is taken back.")]
pub struct Fix {
    /// What to repair.
    #[command(flatten)]
    pub targets: Targets,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Show the search paths before and after; with -v also the bytes.
    #[arg(long)]
    pub diff: bool,
    /// Write the plan to the file PLAN, for `tfpatch apply`; `-` is standard output.
    #[arg(
        short = 'o',
        value_name = "PLAN",
        value_hint = ValueHint::FilePath,
        requires = "dry_run",
        conflicts_with = "runs"
    )]
    pub plan: Option<PathBuf>,
    /// Also drop entries that are there twice or lead nowhere.
    #[arg(long)]
    pub tidy: bool,
    /// Write the repaired wheel to FILE, or into a directory, and leave the one that was named as it
    /// is.
    #[arg(long = "output", value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub repaired: Option<PathBuf>,
    /// End with status 1 also for warnings that remain.
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
    /// Run COMMAND at most N times, while new libraries fail to load.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = RangedU64ValueParser::<usize>::new().range(2..),
        requires = "command",
        help_heading = "Proof by running"
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
  tfpatch fix --dry-run -o plan.json .venv      plan here, review the file, and commit it
  tfpatch apply plan.json /srv/app/.venv        carry it out there

A plan fits where every file that it edits is the one it was made for, wherever the environment lies. \
Where one differs, all that differ are named, and nothing is written; files that are already as the \
plan leaves them are left alone. The edits are made anew and proved as by `fix`: a plan can ask for \
no more than search paths.")]
pub struct Apply {
    /// The plan; `-` is standard input.
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub plan: PathBuf,
    /// The environment, directory or object; found from here if not given.
    #[arg(value_name = "TARGET", value_hint = ValueHint::AnyPath)]
    pub target: Option<PathBuf>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Show the search paths before and after; with -v also the bytes.
    #[arg(long)]
    pub diff: bool,
    /// End with status 1 also for warnings that remain.
    #[arg(long)]
    pub strict: bool,
    /// Allow new entries that lead out of the target.
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
  tfpatch revert                    every file of the environment found from here
  tfpatch revert FILE               that file alone, through all operations on it
  tfpatch revert --operation ID     what that operation changed; `tfpatch log` lists them

A file is put back only if it is as tfpatch left it. What something else has changed since is left \
alone, and said. An operation is put back on those files alone that no later operation has changed; \
for the others the operations to revert first are named. RECORD follows. A revert is an operation \
too: `tfpatch revert --operation ID` with its ID does it all again.

A file that a process has mapped is replaced, so that the process goes on; one that nobody has open \
is shortened in place.")]
pub struct Revert {
    /// The environments, or single files of them, to put back.
    #[command(flatten)]
    pub targets: Targets,
    /// Put back this operation alone, as `tfpatch log` names it.
    #[arg(long, value_name = "ID")]
    pub operation: Option<String>,
    /// Say what would be done, and do nothing.
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
  tfpatch verify .venv                               Check repaired files, and that all resolves
  tfpatch verify -- python -c 'import tensorflow'    The same, and that this command works

With `-- COMMAND` the command is run once under the loader's tracing, and decides in the stead of what files \
tell. Exit status: 0 if it works and patched files are as they were left, 1 otherwise, 2 for an error of \
tfpatch. `tfpatch doctor --help` says when a command works, and what --probe does.")]
pub struct Verify {
    /// What to look at.
    #[command(flatten)]
    pub targets: Targets,
    /// The command that proves it.
    #[command(flatten)]
    pub proof: Proof,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch show`
#[derive(Debug, Args)]
pub struct Show {
    /// The objects.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// `tfpatch tree`
#[derive(Debug, Args)]
pub struct Tree {
    /// The objects.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Resolve as for an object that PROGRAM opens, such as the interpreter of an environment;
    /// otherwise FILE is the main program.
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::FilePath)]
    pub main: Option<PathBuf>,
    /// A list instead of a tree.
    #[arg(long)]
    pub flat: bool,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch trace`
#[derive(Debug, Args)]
#[command(after_long_help = "\
The command's own output goes where it always goes; the report follows on standard output when the
command has ended. The environment is that of the Python that runs, else the one found from here.
Set-user-ID and static programs, and those of other C libraries than glibc, cannot be traced.

With --fix what was asked for in vain, and lies in the environment, is brought within reach, and \
nothing else: planned, proved and written as `tfpatch fix` does it, and put back by `tfpatch revert`.

Examples:
  tfpatch trace -- python -c 'import tensorflow as tf; tf.config.list_physical_devices(\"GPU\")'
  tfpatch trace --fix --dry-run -- python train.py

A signal (INT, TERM, HUP, QUIT) goes on to the command, which is waited for. Exit status: that of the \
command; 128 + N if signal N ended it or came to tfpatch; 126 if it cannot be run, 127 if it is not found; \
2 for an error of tfpatch. Whether something failed to load is in the report; `tfpatch verify -- COMMAND` \
ends with 1 then.")]
pub struct Trace {
    /// Repair what was asked for in vain.
    #[arg(long)]
    pub fix: bool,
    /// Say what would be done, and do nothing.
    #[arg(long, requires = "fix")]
    pub dry_run: bool,
    /// Look for libraries in DIR too; may lie outside the environment.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub search: Vec<PathBuf>,
    /// Allow entries with absolute paths, for libraries that lie outside the environment.
    #[arg(long, requires = "fix")]
    pub allow_absolute: bool,
    /// The command, with its arguments.
    #[arg(value_name = "COMMAND", required = true, last = true)]
    pub command: Vec<OsString>,
}

/// `tfpatch explain`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  python train.py 2>&1 | tfpatch explain -
  tfpatch explain \"ImportError: libGL.so.1: cannot open shared object file: No such file or directory\"
  tfpatch explain path_missing

Known are the messages of dyld (macOS 10.15 to 26), of the loaders of glibc and musl, of Python where \
an import fails, TensorFlow's log lines about libraries, and lines of other programs that could not find \
or load one. Texts of Windows are declined. The environment is the one that the message names, else \
the one found from here; a message of another machine is explained by its words. \
Exit status: 0 if a message was recognised, else 2.")]
pub struct Explain {
    /// The message, the name of a cause, or - for standard input, which may be the log of a whole
    /// run.
    #[arg(value_name = "TEXT|-|CAUSE")]
    pub text: Vec<OsString>,
    /// The loader's environment.
    #[command(flatten)]
    pub simulation: Simulation,
}

/// `tfpatch rpath print`
#[derive(Debug, Args)]
pub struct RpathPrint {
    /// The objects.
    #[command(flatten)]
    pub show: Show,
    /// End each entry with a NUL byte instead of a line's end, and escape nothing: an entry may hold
    /// any other byte.
    #[arg(short = '0', long)]
    pub null: bool,
}

/// `tfpatch rpath`
#[derive(Debug, Subcommand)]
pub enum Rpath {
    /// Print the entries, one a line: as they are in a pipe, escaped on a terminal.
    Print(RpathPrint),
    /// Replace all entries.
    Set(RpathEdit),
    /// Append entries that are not there yet.
    Add(RpathAdd),
    /// Take entries away.
    Remove(RpathEdit),
    /// Drop entries that are there twice.
    Dedupe(RpathTidy),
    /// Drop entries that lead nowhere.
    Prune(RpathTidy),
}

/// Files and entries of a direct edit.
#[derive(Debug, Args)]
pub struct RpathEdit {
    /// The objects.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// An entry, such as '$ORIGIN/../lib'; may be given several times.
    #[arg(long = "entry", value_name = "ENTRY", required = true)]
    pub entries: Vec<OsString>,
    /// What every direct edit takes.
    #[command(flatten)]
    pub options: RpathOptions,
}

/// `tfpatch rpath add`
#[derive(Debug, Args)]
pub struct RpathAdd {
    /// Files and entries.
    #[command(flatten)]
    pub edit: RpathEdit,
    /// Put the entries first instead of last.
    #[arg(long)]
    pub first: bool,
}

/// Files of a direct edit that names no entries.
#[derive(Debug, Args)]
pub struct RpathTidy {
    /// The objects.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// What every direct edit takes.
    #[command(flatten)]
    pub options: RpathOptions,
}

/// What every direct edit takes.
#[derive(Debug, Args)]
pub struct RpathOptions {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Which tag the search path is to stand in.
    #[arg(long, value_enum, default_value_t = RpathKind::Keep, value_name = "KIND")]
    pub rpath_kind: RpathKind,
    /// Of a universal Mach-O file, edit only the slice for ARCH, such as arm64 or x86_64.
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// Where somebody signed a Mach-O file with a certificate, put an ad-hoc signature in its
    /// stead; otherwise such a file is not edited.
    #[arg(long)]
    pub drop_signer: bool,
    /// Whether RECORD files are kept up to date.
    #[arg(long, value_enum, default_value_t = Record::Update, value_name = "WHAT")]
    pub record: Record,
    /// How files are written.
    #[command(flatten)]
    pub writing: Writing,
}

/// `tfpatch completions`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch completions bash > ~/.local/share/bash-completion/completions/tfpatch
  tfpatch completions fish > ~/.config/fish/completions/tfpatch.fish
  tfpatch completions zsh > DIR/_tfpatch      where DIR is in $fpath")]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

/// `tfpatch man`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tfpatch man | man -l -
  tfpatch man rpath add | man -l -")]
pub struct Man {
    /// The command whose page is wanted, such as `fix` or `rpath add`; without one, tfpatch's own.
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}
