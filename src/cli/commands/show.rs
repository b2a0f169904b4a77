//! `tfpatch show`: what an object needs, and where it is searched.

use crate::app::Error;
use crate::app::targets::open_object;
use crate::app::view::View;
use crate::bytes::{self, Source, printable, shown};
use crate::cli::args::{Format, Show};
use crate::cli::error::{TROUBLE, complain};
use crate::cli::session::Session;
use crate::macho::codesign::Signature;
use crate::macho::{Container, HeaderPad};
use crate::object::{self, RpathKind, hex};
use crate::report::json::{self, FileReport, MachoReport, ShowReport, SliceReport, text};
use crate::report::path_text::PathText;
use crate::report::style::{DIM, ERROR, WARNING, paint};
use crate::vfs::{OsVfs, Vfs};
use crate::world::inventory::Inventory;
use crate::world::rpath_entry::leads_somewhere;
use crate::world::rpath_entry_macho;
use crate::{elf, macho as mach};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Shows each object.
///
/// # Errors
/// Where one cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Show) -> Result<u8, Error> {
    files(session, &options.files)
}

/// Shows each of `files`; one that cannot be read does not hide the others.
pub(super) fn files(session: &mut Session, files: &[PathBuf]) -> Result<u8, Error> {
    let here = session.app.ambient()?.working_directory.clone();
    let mut report = ShowReport { schema: "tfpatch/show/v1", files: Vec::new() };
    let mut status = 0;
    let all = session.app.vfs.clone();
    for file in files {
        let shown = match show(&all, &here.join(file), file) {
            Ok(shown) => shown,
            Err(error) => {
                session.out.flush()?;
                complain(&error);
                status = TROUBLE;
                continue;
            }
        };
        for (shown, named) in shown {
            if session.format == Format::Human {
                write_file(&mut *session.out, &named, &shown)?;
            }
            report.files.push(shown);
        }
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    Ok(status)
}

/// Shows a file, or every object of a wheel; each with the name that it goes by.
fn show(files: &OsVfs, path: &Path, named: &Path) -> Result<Vec<(FileReport, PathBuf)>, Error> {
    let view = View::at(files, path)?;
    let members = members(&view, path, named).into_iter();
    let shown = members
        .map(|(path, named)| show_object(view.vfs(), &path, &named).map(|shown| (shown, named)))
        .collect();
    // A damaged member is the reason for whatever else went wrong.
    view.require_sound()?;
    shown
}

/// What a file stands for: itself, or, as a wheel, every object in it.
fn members(view: &View<'_>, path: &Path, named: &Path) -> Vec<(PathBuf, PathBuf)> {
    let Some(wheel) = view.wheel().filter(|wheel| wheel.path() == path) else {
        return vec![(path.to_owned(), named.to_owned())];
    };
    let objects = Inventory::of(wheel, &[path.to_owned()]).objects;
    let members = objects.into_iter().filter_map(|object| {
        let below = object.path.strip_prefix(path).ok()?;
        let named = named.join(below);
        Some((object.path, named))
    });
    members.collect()
}

fn show_object(vfs: &dyn Vfs, path: &Path, named: &Path) -> Result<FileReport, Error> {
    let source = open_object(vfs, path, named)?;
    let format = object::Format::of(source.as_ref()).unwrap_or(object::Format::Elf);
    let slices = match format {
        object::Format::Elf => elf_slice(vfs, path, source.as_ref()).map(|slice| vec![slice]),
        object::Format::Macho => macho_slices(vfs, path, source.as_ref()),
    };
    let slices = slices.map_err(|error| Error::new(format!("{}: {error}", shown(named))))?;
    Ok(FileReport { path: PathText::of(path), format, slices })
}

fn elf_slice(vfs: &dyn Vfs, path: &Path, source: &dyn Source) -> Result<SliceReport, bytes::Error> {
    let image = elf::Image::parse(source)?;
    let summary = image.summary()?;
    let search_path = elf::search_path::current(&image)?;
    let directories: Vec<&Path> = path.parent().into_iter().collect();
    let kind = search_path.as_ref().map(|path| path.kind.into());
    let entries = search_path.map_or_else(Vec::new, |path| path.entries);
    let marked = Marked::of(&entries, |entry| leads_somewhere(vfs, entry, &directories));
    let len: usize = entries.iter().map(|entry| entry.len() + 1).sum();
    Ok(SliceReport {
        arch: summary.architecture().to_owned(),
        soname: summary.soname.as_ref().map(text),
        interpreter: summary.interpreter.as_ref().map(text),
        needed: summary.needed.iter().map(text).collect(),
        rpath_kind: kind,
        dead: marked.dead,
        duplicate: marked.duplicate,
        room: len.saturating_sub(1) as u64,
        rpath: entries.iter().map(text).collect(),
        build_id: summary.build_id.as_ref().map(|id| hex(id)),
        macho: None,
    })
}

fn macho_slices(
    vfs: &dyn Vfs,
    path: &Path,
    source: &dyn Source,
) -> Result<Vec<SliceReport>, bytes::Error> {
    let directories: Vec<&Path> = path.parent().into_iter().collect();
    let slices = Container::parse(source)?.slices.into_iter().map(|slice| {
        let image = mach::Image::parse(slice)?;
        let summary = image.summary()?;
        let marked = Marked::of(&summary.rpaths, |entry| {
            rpath_entry_macho::leads_somewhere(vfs, entry, &directories)
        });
        let built = summary.build_version();
        Ok(SliceReport {
            arch: summary.arch.name().to_owned(),
            soname: summary.install_name.as_ref().map(text),
            interpreter: None,
            needed: summary.needed.iter().map(|needed| text(&needed.name)).collect(),
            rpath_kind: (!summary.rpaths.is_empty()).then_some(RpathKind::LcRpath),
            dead: marked.dead,
            duplicate: marked.duplicate,
            room: HeaderPad::of(&image)?.len(),
            rpath: summary.rpaths.iter().map(text).collect(),
            build_id: None,
            macho: Some(MachoReport {
                uuid: summary.uuid.as_ref().map(|uuid| hex(uuid)),
                minimum_system: built.map(|built| built.minimum.to_string()),
                sdk: built.map(|built| built.sdk.to_string()),
                signature: Signature::read(&image)?.map(|found| found.describe().to_string()),
            }),
        })
    });
    slices.collect()
}

/// Entries that stand out, by their indices.
struct Marked {
    dead: Vec<usize>,
    duplicate: Vec<usize>,
}

impl Marked {
    fn of(entries: &[Vec<u8>], is_live: impl Fn(&[u8]) -> bool) -> Self {
        let indices = |is_marked: &dyn Fn(usize, &Vec<u8>) -> bool| -> Vec<usize> {
            let all = entries.iter().enumerate();
            all.filter(|(index, entry)| is_marked(*index, entry)).map(|(index, _)| index).collect()
        };
        Self {
            dead: indices(&|_, entry| !is_live(entry)),
            duplicate: indices(&|index, entry| {
                entries.iter().take(index).any(|other| other == entry)
            }),
        }
    }
}

fn write_file(out: &mut dyn Write, file: &Path, report: &FileReport) -> io::Result<()> {
    writeln!(out, "{}", shown(file))?;
    for slice in &report.slices {
        let is_macho = report.format == object::Format::Macho;
        field(
            out,
            "format",
            &format!("{}, {}", if is_macho { "Mach-O" } else { "ELF" }, slice.arch),
        )?;
        if let Some(soname) = &slice.soname {
            let name = if is_macho { "install name" } else { "soname" };
            field(out, name, &printable(soname.as_bytes()))?;
        }
        if let Some(interpreter) = &slice.interpreter {
            field(out, "interpreter", &printable(interpreter.as_bytes()))?;
        }
        if let Some(build_id) = &slice.build_id {
            field(out, "build ID", build_id)?;
        }
        if let Some(macho) = &slice.macho {
            write_macho(out, macho)?;
        }
        for (index, needed) in slice.needed.iter().enumerate() {
            let needed = printable(needed.as_bytes());
            field(out, if index == 0 { "needed" } else { "" }, &needed)?;
        }
        write_search_path(out, slice)?;
    }
    Ok(())
}

fn write_macho(out: &mut dyn Write, macho: &MachoReport) -> io::Result<()> {
    if let Some(uuid) = &macho.uuid {
        field(out, "UUID", uuid)?;
    }
    if let (Some(minimum), Some(sdk)) = (&macho.minimum_system, &macho.sdk) {
        field(out, "system", &format!("{minimum} or later, SDK {sdk}"))?;
    }
    let signature = macho.signature.as_deref().unwrap_or("none");
    field(out, "signature", &printable(signature.as_bytes()))
}

fn write_search_path(out: &mut dyn Write, slice: &SliceReport) -> io::Result<()> {
    let kind = match slice.rpath_kind {
        Some(RpathKind::Rpath) => "RPATH",
        Some(RpathKind::Runpath) => "RUNPATH",
        Some(RpathKind::LcRpath) => "LC_RPATH",
        None => "search path",
    };
    if slice.rpath_kind.is_none() {
        field(out, kind, "none")?;
    }
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
    match (&slice.macho, slice.rpath_kind) {
        (Some(_), _) => {
            field(out, "room", &format!("{} bytes behind the load commands", slice.room))
        }
        (None, Some(_)) => field(out, "room", &format!("{} bytes in the old string", slice.room)),
        (None, None) => Ok(()),
    }
}

fn field(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {}  {value}", paint(DIM, format!("{name:<12}")))
}
