//! `tfpatch show`: what an object needs, and where it is searched.

use crate::bytes::printable;
use crate::cli::args::{Format, Show};
use crate::cli::error::{CommandError, TROUBLE};
use crate::cli::session::{Session, open_object};
use crate::elf::rpath::{self, RpathKind, SearchPath};
use crate::elf::{Image, Summary};
use crate::object;
use crate::repair::rewrite::leads_somewhere;
use crate::repair::target::shown;
use crate::report::json::{self, FileReport, PathText, ShowReport, SliceReport, text};
use crate::report::style::{DIM, ERROR, WARNING, paint};
use crate::vfs::OsVfs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Shows each object.
///
/// # Errors
/// Where one cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Show) -> Result<u8, CommandError> {
    files(session, &options.files)
}

/// Shows each of `files`; one that cannot be read does not hide the others.
pub(super) fn files(session: &mut Session, files: &[PathBuf]) -> Result<u8, CommandError> {
    let here = session.ambient()?.working_directory;
    let mut report = ShowReport { schema: "tfpatch/show/v1", files: Vec::new() };
    let mut status = 0;
    for file in files {
        let shown = match show(&session.vfs, &here.join(file), file) {
            Ok(shown) => shown,
            Err(error) => {
                session.out.flush()?;
                error.complain();
                status = TROUBLE;
                continue;
            }
        };
        if session.format == Format::Human {
            write_file(&mut *session.out, file, &shown)?;
        }
        report.files.push(shown);
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    Ok(status)
}

fn show(vfs: &OsVfs, path: &Path, named: &Path) -> Result<FileReport, CommandError> {
    let source = open_object(vfs, path, named)?;
    let malformed = |error| CommandError::new(format!("{}: {error}", shown(named)));
    let image = Image::parse(source.as_ref()).map_err(malformed)?;
    let summary = image.summary().map_err(malformed)?;
    let search_path = rpath::current(&image).map_err(malformed)?;
    let slice = slice(vfs, path, &summary, search_path);
    Ok(FileReport { path: PathText::of(path), format: object::Format::Elf, slices: vec![slice] })
}

fn slice(
    vfs: &OsVfs,
    path: &Path,
    summary: &Summary,
    search_path: Option<SearchPath>,
) -> SliceReport {
    let directories: Vec<&Path> = path.parent().into_iter().collect();
    let rpath_kind = search_path.as_ref().map(|path| path.kind);
    let entries = search_path.map_or_else(Vec::new, |path| path.entries);
    let indices = |is_marked: &dyn Fn(usize, &Vec<u8>) -> bool| -> Vec<usize> {
        let marked = entries.iter().enumerate().filter(|(index, entry)| is_marked(*index, entry));
        marked.map(|(index, _)| index).collect()
    };
    SliceReport {
        arch: summary.architecture().to_owned(),
        soname: summary.soname.as_ref().map(text),
        interpreter: summary.interpreter.as_ref().map(text),
        needed: summary.needed.iter().map(text).collect(),
        rpath_kind,
        dead: indices(&|_, entry| !leads_somewhere(vfs, entry, &directories)),
        duplicate: indices(&|index, entry| entries.iter().take(index).any(|other| other == entry)),
        room: entries.iter().map(|entry| entry.len() + 1).sum::<usize>().saturating_sub(1),
        rpath: entries.iter().map(text).collect(),
        build_id: summary.build_id.as_ref().map(|id| hex(id)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_file(out: &mut dyn Write, file: &Path, report: &FileReport) -> io::Result<()> {
    writeln!(out, "{}", shown(file))?;
    for slice in &report.slices {
        let field = |out: &mut dyn Write, name: &str, value: &str| {
            writeln!(out, "  {}  {value}", paint(DIM, format!("{name:<12}")))
        };
        field(out, "format", &format!("ELF, {}", slice.arch))?;
        if let Some(soname) = &slice.soname {
            field(out, "soname", &printable(soname.as_bytes()))?;
        }
        if let Some(interpreter) = &slice.interpreter {
            field(out, "interpreter", &printable(interpreter.as_bytes()))?;
        }
        if let Some(build_id) = &slice.build_id {
            field(out, "build ID", build_id)?;
        }
        for (index, needed) in slice.needed.iter().enumerate() {
            let needed = printable(needed.as_bytes());
            field(out, if index == 0 { "needed" } else { "" }, &needed)?;
        }
        let kind = match slice.rpath_kind {
            Some(RpathKind::Rpath) => "RPATH",
            Some(RpathKind::Runpath) => "RUNPATH",
            None => {
                field(out, "search path", "none")?;
                continue;
            }
        };
        for (index, entry) in slice.rpath.iter().enumerate() {
            let mut line = printable(entry.as_bytes());
            if slice.dead.contains(&index) {
                line = format!("{line}  {}", paint(ERROR, "leads nowhere"));
            }
            if slice.duplicate.contains(&index) {
                line = format!("{line}  {}", paint(WARNING, "again"));
            }
            field(out, if index == 0 { kind } else { "" }, &line)?;
        }
        field(out, "room", &format!("{} bytes in the old string", slice.room))?;
    }
    Ok(())
}
