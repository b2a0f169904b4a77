//! tfpatch finds out why Python's shared objects do not load, and repairs their search paths in
//! place.
//!
//! # The way of the data
//!
//! ```text
//! target -> World -> Resolution -> findings -> Plan -> proof -> Operation
//! ```
//!
//! A *target* is named or found ([`python`]); its objects and distributions are read once into a
//! [`world`]. The dynamic loader is emulated for each object that a program would load ([`loader`]), and
//! what it would not find becomes [`findings`] ([`diagnosis`]). Search paths that cure them are planned
//! ([`repair`]) as edits of single files ([`elf`], [`macho`], [`edit`]), and proved on a view of the target
//! as it would be ([`repair::proof`], [`vfs::Overlay`]). The [`plan`] is plain data: a dry run shows it or
//! writes it down, and an [`operation`] carries it out after its undo record is on the disk. One that comes
//! from elsewhere has to fit, and is proved again ([`repair::foreign_plan`]). A revert applies the
//! inverted edits, and is an operation of its own.
//!
//! What can be asked for stands in [`app`], a use-case each: typed questions and answers, and not a word
//! printed. The command line ([`cli`]) parses, asks, and has the [`report`] say what came of it.
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
//! diagnosis  -> findings, world
//! world      -> knowledge, loader, object, plan
//! findings   -> loader, command_line
//! knowledge  -> python
//! operation  -> plan, object, python
//! loader     -> vfs, elf, macho
//! python     -> vfs
//! vfs        -> edit
//! plan       -> edit
//! object     -> elf, macho
//! elf        -> edit
//! macho      -> edit
//! edit       -> bytes
//! command_line -> bytes
//! bytes      ->
//! ```
//!
//! # Invariants
//!
//! - Reading is pure: files come through a [`vfs::Vfs`], variables and the working directory as
//!   data. The disk is read in [`vfs::OsVfs`] and [`operation`] alone, the environment in
//!   [`cli::settings`] alone.
//! - Nothing is executed but the command that `tfpatch trace` is given.
//! - [`operation`] is the only code that writes, and nothing else knows how.
//! - The formats return edits and never mutate.
//!
//! # One example
//!
//! The edit that lets a library find its neighbours, as data:
//!
//! ```no_run
//! use tfpatch::elf::Image;
//! use tfpatch::elf::edit::{self, Request};
//! use tfpatch::vfs::{OsVfs, Vfs as _};
//!
//! let vfs = OsVfs::new();
//! let source = vfs.open("/opt/app/lib/libapp.so".as_ref())?;
//! let image = Image::parse(source.as_ref())?;
//! let wanted = Request { entries: vec![b"$ORIGIN/../deps".to_vec()], kind: None };
//! let patch = edit::edit(&image, &wanted)?;
//! println!("{} bytes change, by {:?}", patch.edits.bytes_changed(), patch.method);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod app;
pub mod bytes;
pub mod cli;
pub mod command_line;
pub mod diagnosis;
pub mod edit;
pub mod elf;
pub mod findings;
pub mod knowledge;
pub mod loader;
pub mod macho;
pub mod messages;
pub mod object;
pub mod operation;
pub mod plan;
pub mod python;
pub mod repair;
pub mod report;
pub mod trace;
pub mod vfs;
pub mod world;
