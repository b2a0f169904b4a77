//! `tfpatch rpath`: direct edits of search paths, with the same backup and revert as a fix.

use crate::bytes::{printable, shown};
use crate::cli::args::{
    Format, Record, Rpath, RpathAdd, RpathEdit, RpathOptions, RpathPrint, RpathTidy, Show,
};
use crate::cli::error::CommandError;
use crate::cli::session::{Chosen, Session, open_object};
use crate::macho;
use crate::object::{self, Method};
use crate::operation::{self, Kind};
use crate::python::interpreter::is_interpreter_name;
use crate::python::target::Target;
use crate::repair::plan_builder;
use crate::repair::proposal::Proposal;
use crate::repair::rewrite::{Change, Wish, rewrite};
use crate::report::style::{COMMAND, WARNING, paint};
use crate::report::{changes, json};
use crate::world::World;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// Prints or edits search paths.
///
/// # Errors
/// Where an object cannot be read, is not safely edited, or cannot be written.
pub fn run(session: &mut Session, command: &Rpath) -> Result<u8, CommandError> {
    let bytes = |entries: &[OsString]| -> Vec<Vec<u8>> {
        entries.iter().map(|entry| entry.as_bytes().to_vec()).collect()
    };
    match command {
        Rpath::Print(options) => print(session, options),
        Rpath::Set(RpathEdit { files, entries, options }) => {
            edit(session, files, &Change::Set(bytes(entries)), options)
        }
        Rpath::Add(RpathAdd { edit: RpathEdit { files, entries, options }, first }) => {
            let entries = bytes(entries);
            let change = if *first { Change::Prepend(entries) } else { Change::Append(entries) };
            edit(session, files, &change, options)
        }
        Rpath::Remove(RpathEdit { files, entries, options }) => {
            edit(session, files, &Change::Remove(bytes(entries)), options)
        }
        Rpath::Dedupe(RpathTidy { files, options }) => {
            edit(session, files, &Change::Dedupe(Vec::new()), options)
        }
        Rpath::Prune(RpathTidy { files, options }) => edit(session, files, &Change::Prune, options),
    }
}

fn print(session: &mut Session, options: &RpathPrint) -> Result<u8, CommandError> {
    let RpathPrint { show: Show { files }, null } = options;
    if session.format == Format::Json {
        return super::show::files(session, files);
    }
    let here = session.ambient()?.working_directory;
    let mut raw = if *null || session.is_raw { Some(session.raw()?) } else { None };
    for file in files {
        let source = open_object(&session.vfs, &here.join(file), file)?;
        let paths = object::search_paths(source.as_ref())
            .map_err(|error| CommandError::new(format!("{}: {error}", shown(file))))?;
        let is_universal = paths.len() > 1;
        for path in paths {
            let arch = path.arch.filter(|_| is_universal);
            for entry in path.entries {
                let mut line = Vec::new();
                if files.len() > 1 {
                    // Where a line's end ends an entry, a name may hold none.
                    match null {
                        true => line.extend(file.as_os_str().as_bytes()),
                        false => line.extend(shown(file).into_bytes()),
                    }
                    line.extend(b": ");
                }
                if let Some(arch) = &arch {
                    line.extend(format!("{arch}: ").into_bytes());
                }
                line.extend(entry);
                match &mut raw {
                    Some(out) => {
                        line.push(if *null { 0 } else { b'\n' });
                        out.write_all(&line)?;
                    }
                    None => writeln!(session.out, "{}", printable(&line))?,
                }
            }
        }
    }
    if let Some(mut out) = raw {
        out.flush()?;
    }
    Ok(0)
}

fn edit(
    session: &mut Session,
    files: &[PathBuf],
    change: &Change,
    options: &RpathOptions,
) -> Result<u8, CommandError> {
    if session.format == Format::Json && files.len() > 1 {
        return Err(CommandError::new("--format json prints one plan: name one file"));
    }
    for chosen in session.files(files)? {
        session.until_settled(chosen.root(), options.dry_run, |session| {
            edit_one(session, &chosen, change, options)
        })?;
    }
    Ok(0)
}

fn edit_one(
    session: &mut Session,
    chosen: &Chosen,
    change: &Change,
    options: &RpathOptions,
) -> Result<(), CommandError> {
    let Target::File(object) = &chosen.target else {
        let why = "name an object; for a whole environment there is `tfpatch fix`";
        return Err(CommandError::new(format!("{}: {why}", shown(chosen.path()))));
    };
    let named = chosen.named.as_deref().unwrap_or(object);
    let files = session.vfs.remembering();
    drop(open_object(&files, object, named)?);
    let world = World::of_edit(&files, object, chosen.environment.clone());
    let world = World { elsewhere: session.vfs.root().is_some(), ..world };
    let store = session.store(&world.root)?;
    let names = world.names_of(object);
    let wish = Wish {
        change,
        kind: options.rpath_kind.into(),
        arch: options.arch.as_deref(),
        may_drop_signer: options.drop_signer,
        repairs_signature: false,
        keeps_dead: false,
    };
    let rewritten = rewrite(&files, object, &names, wish)?;
    let drops_signer = rewritten.patch.method == Method::Macho(macho::edit::Method::SignerDropped);
    let proposal = Proposal::of(rewritten);
    let update_records = options.record == Record::Update;
    let planned = plan_builder::plan(&files, &world, &proposal, update_records);
    session.require_read(chosen)?;
    let mut plan = planned?;
    let mut diff = Vec::new();
    for step in &plan.steps {
        changes::write_diff(&mut diff, step)?;
    }
    let writing =
        session.writing(!options.writing.no_sync, options.writing.write.into(), options.dry_run);
    let applied =
        operation::apply(&session.on_disk(&world.root), &store, &plan, Kind::Rpath, &writing)?;
    plan.dry_run = options.dry_run;
    plan.operation = applied.filter(|_| !options.dry_run).map(|operation| operation.id);
    if session.format == Format::Json {
        json::write(&mut *session.out, &plan)?;
    } else if plan.steps.is_empty() {
        writeln!(session.out, "{}: nothing to change", shown(named))?;
    } else {
        session.out.write_all(&diff)?;
        for warning in plan.steps.iter().filter_map(changes::warning) {
            writeln!(session.out, "{}: {warning}", paint(WARNING, "warning"))?;
        }
        let conclusion = match &plan.operation {
            None => format!("{} would be edited", shown(named)),
            Some(operation) => {
                // The name of an interpreter means its environment there, and all that was done to it.
                let named_python = named.file_name().and_then(OsStr::to_str);
                let undo = match named_python.is_some_and(is_interpreter_name) {
                    true => chosen.command(&format!("revert --operation {operation}")),
                    false => chosen.command("revert"),
                };
                let undo = paint(COMMAND, undo);
                format!("{} edited   undo: {undo}   operation {operation}", shown(named))
            }
        };
        writeln!(session.out, "{conclusion}")?;
        if drops_signer {
            let note = "its signer's signature is an ad-hoc one now: programs that only load \
                        libraries of their own team (library validation) refuse it";
            writeln!(session.out, "{note}")?;
        }
    }
    Ok(())
}
