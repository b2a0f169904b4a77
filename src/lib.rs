//! tfpatch finds out why shared objects of Python packages do not load, and repairs their search paths in
//! place.
//!
//! # The flow of data
//!
//! ```text
//! target -> World -> Resolution -> findings -> Plan -> proof -> Operation
//! ```
//!
//! A *target* is named by the user or detected ([`python`]); its objects and distributions are read once into
//! a [`world`]. The dynamic loader is emulated for each object that a program would load ([`loader`]), and
//! whatever it would not find becomes [`findings`] ([`diagnosis`]). Changes of search paths that fix them are
//! planned ([`repair`]) as edits of single files ([`elf`], [`macho`], [`edit`]), and proved on a view of the
//! target with these edits ([`repair::proof`], [`vfs::Overlay`]). The [`plan`] is plain data: a dry run shows
//! it or writes it to a file, and an `operation` carries it out after its undo record is on the disk. A plan
//! from elsewhere has to fit the target, and is proved again ([`repair::foreign_plan`]). A revert applies the
//! inverted edits, and is an operation of its own.
//! What can be asked for is in `app`, a use-case each: typed questions and answers, and not a word
//! The use-cases are in `app`, with typed input and output; they print nothing. The command line (`cli`)
//! parses arguments, calls a use-case, and passes the result to `report`. These modules are private to the
//! program. The public modules read and return data; nothing in them writes a file.
//! # Four examples
//!
//! Edit a search path, as data:
//!
//! ```
//! use tfpatch::elf::Image;
//! use tfpatch::elf::edit::{self, Request};
//! use tfpatch::vfs::{OsVfs, Vfs as _};
//!
//! let vfs = OsVfs::new();
//! let source = vfs.open("fixtures/tiny/libapp.so".as_ref())?;
//! let image = Image::parse(source.as_ref())?;
//! let wanted = Request::search_path(vec![b"$ORIGIN/../deps".to_vec()], None);
//! let patch = edit::edit(&image, &wanted)?;
//! assert_eq!(patch.method, edit::Method::Slot);
//! assert!(patch.edits.keeps_offsets() && patch.edits.bytes_appended() == 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Ask what the loader would do for a library, in a file system that exists only in memory:
//!
//! ```
//! use std::path::Path;
//! use tfpatch::elf::Image;
//! use tfpatch::loader::{Loader, Rule, Settings, System};
//! use tfpatch::vfs::MemVfs;
//!
//! let app = std::fs::read("fixtures/tiny/libapp.so")?;
//! let summary = Image::parse(&app)?.summary()?;
//! let dep = std::fs::read("fixtures/tiny/libdep.so")?;
//! let vfs = MemVfs::new().file("/app/lib/libapp.so", app).file("/build/deps/libdep.so", dep);
//!
//! let loader = Loader::new(&vfs, System::read(&vfs, &summary), Settings::default());
//! let loaded = loader.program(Path::new("/app/lib/libapp.so"));
//! let need = &loaded.objects[0].needed[0];
//! assert_eq!(need.found.as_deref(), Some(Path::new("/app/lib/../../../build/deps/libdep.so")));
//! assert_eq!(need.rule, Rule::Runpath);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Diagnose a directory, and plan its repair:
//!
//! ```
//! use std::path::Path;
//! use tfpatch::diagnosis::diagnose::diagnose;
//! use tfpatch::findings::finding::Cause;
//! use tfpatch::loader::Settings;
//! use tfpatch::repair::{plan_builder, planner};
//! use tfpatch::vfs::MemVfs;
//! use tfpatch::world::{Question, World};
//!
//! let vfs = MemVfs::new()
//!     .file("/app/lib/libapp.so", std::fs::read("fixtures/tiny/libapp.so")?)
//!     .file("/app/deps/libdep.so", std::fs::read("fixtures/tiny/libdep.so")?);
//! let world = World::of_directory(&vfs, Path::new("/app"), None, Settings::default());
//!
//! let diagnosis = diagnose(&vfs, &world);
//! let finding = &diagnosis.findings[0];
//! assert_eq!((finding.cause, finding.fixable), (Cause::PathMissing, true));
//! assert_eq!(finding.lies_in, [Path::new("/app/deps")]);
//!
//! let question = Question::default();
//! let how = planner::Options { question, ..planner::Options::default() };
//! let proposal = planner::propose(&vfs, &world, &diagnosis, &how);
//! assert!(proposal.remaining.is_empty());
//! let plan = plan_builder::plan(&vfs, &world, &proposal, true)?;
//! assert_eq!(plan.steps[0].after, ["$ORIGIN/../deps"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Hold an edited file against what it was made from, without writing it:
//!
//! ```
//! use tfpatch::edit::Patched;
//! use tfpatch::elf::Image;
//! use tfpatch::elf::edit::{self, Request};
//!
//! let old = std::fs::read("fixtures/tiny/libapp.so")?;
//! let wanted = Request::search_path(vec![b"$ORIGIN".to_vec()], None);
//! let patch = edit::edit(&Image::parse(&old)?, &wanted)?;
//! let new = Patched::new(&old, &patch.edits);
//! let summary = Image::parse(&new)?.summary()?;
//! assert_eq!(summary.runpath.as_deref(), Some(&b"$ORIGIN"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layers
//!
//! Each may use only what stands below it: what its line names, and what these may use. A test reads
//! this list, and forbids circles of files inside a layer.
//!
//! ```text
//! cli        -> report
//! report     -> app
//! app        -> repair, messages, trace, operation
//! repair     -> diagnosis
//! messages   -> diagnosis
//! trace      -> diagnosis
//! diagnosis  -> findings
//! findings   -> world
//! world      -> knowledge, loader, object, plan, command_line
//! knowledge  -> python
//! operation  -> plan, object, python
//! loader     -> vfs, elf, macho
//! python     -> vfs
//! vfs        -> elf
//! plan       -> edit
//! object     -> elf, macho
//! elf        -> edit
//! macho      -> edit
//! edit       -> bytes
//! command_line -> bytes
//! bytes      -> hashing
//! hashing    ->
//! ```
//!
//! # Invariants
//!
//! - Reading is pure: files come through a [`vfs::Vfs`], variables and the working directory as
//!   data. The disk is read in [`vfs::OsVfs`], `operation` and `cli` alone, the environment in
//!   `cli::settings` alone.
//! - Nothing is executed but the command that `tfpatch` is given after `--`, and with `--probe` the
//!   environment's interpreter.
//! - `operation` is the only code that writes, and nothing else knows how.
//! - The formats return edits and never mutate.

#![cfg_attr(
    not(feature = "testing"),
    allow(unreachable_pub, reason = "the rooms of the program are public to its tests alone")
)]

pub mod bytes;
pub mod diagnosis;
pub mod edit;
pub mod elf;
pub mod findings;
mod hashing;
pub mod loader;
pub mod macho;
pub mod object;
pub mod plan;
pub mod python;
pub mod repair;
pub mod vfs;
pub mod world;

#[cfg(feature = "testing")]
pub mod app;
#[cfg(not(feature = "testing"))]
mod app;
#[cfg(feature = "testing")]
pub mod cli;
#[cfg(not(feature = "testing"))]
mod cli;
#[cfg(feature = "testing")]
pub mod command_line;
#[cfg(not(feature = "testing"))]
mod command_line;
#[cfg(feature = "testing")]
pub mod knowledge;
#[cfg(not(feature = "testing"))]
#[allow(clippy::enum_variant_names, reason = "rows of the tables read as clauses")]
mod knowledge;
#[cfg(feature = "testing")]
pub mod messages;
#[cfg(not(feature = "testing"))]
mod messages;
#[cfg(feature = "testing")]
pub mod operation;
#[cfg(not(feature = "testing"))]
#[allow(dead_code, unused_imports, reason = "tests stop an operation at each of its calls")]
mod operation;
#[cfg(feature = "testing")]
pub mod report;
#[cfg(not(feature = "testing"))]
mod report;
#[cfg(feature = "testing")]
pub mod trace;
#[cfg(not(feature = "testing"))]
mod trace;

/// Runs the command `tfpatch` with the arguments of this process: all that its program does.
#[doc(hidden)]
#[must_use]
pub fn main() -> std::process::ExitCode {
    cli::main()
}
