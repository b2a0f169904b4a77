//! `tfpatch rpath`: direct edits of search paths, with the same backup and revert as a fix.

use crate::app::Error;
use crate::app::rpath::Edit;
use crate::bytes::{printable, shown};
use crate::cli::args::{
    Format, Record, Rpath, RpathAdd, RpathEdit, RpathOptions, RpathPrint, RpathTidy, Show,
};
use crate::cli::repairs::carrying;
use crate::cli::session::Session;
use crate::operation::Kind;
use crate::repair::rewrite::Change;
use crate::report::{json, outcome};
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// Prints or edits search paths.
///
/// # Errors
/// Where an object cannot be read, is not safely edited, or cannot be written.
pub fn run(session: &mut Session, command: &Rpath) -> Result<u8, Error> {
    let bytes = |entries: &[OsString]| -> Vec<Vec<u8>> {
        entries.iter().map(|entry| entry.as_bytes().to_vec()).collect()
    };
    match command {
        Rpath::Print(options) => print(session, options),
        Rpath::Set(RpathEdit { files, entries, options }) => {
            edit(session, files, Change::Set(bytes(entries)), options)
        }
        Rpath::Add(RpathAdd { edit: RpathEdit { files, entries, options }, first }) => {
            let entries = bytes(entries);
            let change = if *first { Change::Prepend(entries) } else { Change::Append(entries) };
            edit(session, files, change, options)
        }
        Rpath::Remove(RpathEdit { files, entries, options }) => {
            edit(session, files, Change::Remove(bytes(entries)), options)
        }
        Rpath::Dedupe(RpathTidy { files, options }) => {
            edit(session, files, Change::Dedupe(Vec::new()), options)
        }
        Rpath::Prune(RpathTidy { files, options }) => edit(session, files, Change::Prune, options),
    }
}

fn print(session: &mut Session, options: &RpathPrint) -> Result<u8, Error> {
    let RpathPrint { show: Show { files }, null } = options;
    if session.format == Format::Json {
        return super::show::files(session, files);
    }
    let mut raw = if *null || session.is_raw { Some(session.raw()?) } else { None };
    for file in files {
        let paths = session.app.search_paths(file)?;
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
    change: Change,
    options: &RpathOptions,
) -> Result<u8, Error> {
    if session.format == Format::Json && files.len() > 1 {
        return Err(Error::new("--format json prints one plan: name one file"));
    }
    let how = Edit {
        change,
        kind: options.rpath_kind.into(),
        arch: options.arch.clone(),
        may_drop_signer: options.drop_signer,
        update_records: options.record == Record::Update,
        carrying: carrying(session, Kind::Rpath, options.dry_run, false, &options.writing),
    };
    for chosen in session.app.files(files)? {
        let edited = session.app.edit(&chosen, &how)?;
        match session.format {
            Format::Json => json::write(&mut *session.out, &edited.carried.plan)?,
            _ => {
                let is_new = |_: &&[u8]| !edited.carried.plan.steps.is_empty();
                for entry in relative_entries(&how.change).filter(is_new).map(printable) {
                    let note = "is relative to the working directory of the process";
                    writeln!(
                        session.out,
                        "note  {entry} {note}; $ORIGIN/{entry} is to the object"
                    )?;
                }
                outcome::write_edited(&mut *session.out, &chosen, &edited)?;
            }
        }
    }
    Ok(0)
}

/// New entries that a loader takes from wherever the process happens to be.
fn relative_entries(change: &Change) -> impl Iterator<Item = &[u8]> {
    let new = match change {
        Change::Set(entries) | Change::Append(entries) | Change::Prepend(entries) => {
            entries.as_slice()
        }
        _ => &[],
    };
    let is_relative = |entry: &&[u8]| entry.first().is_some_and(|first| !b"/$@".contains(first));
    new.iter().map(Vec::as_slice).filter(is_relative)
}
