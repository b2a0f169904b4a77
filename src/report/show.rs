//! The fields of an object and its search path, for people and for programs.

use super::json::{FileReport, MachoReport, SliceReport, text};
use super::path_text::PathText;
use super::style::{DIM, ERROR, WARNING, paint};
use crate::app::show::{MachoSlice, Shown, Slice};
use crate::bytes::{printable, shown};
use crate::object::{self, RpathKind, hex};
use std::io::{self, Write};
use std::path::Path;

impl FileReport {
    /// An object for programs.
    #[must_use]
    pub fn of(shown: &Shown) -> Self {
        let Shown { path, format, slices, .. } = shown;
        let slices = slices.iter().map(SliceReport::of).collect();
        Self { path: PathText::of(path), format: *format, slices }
    }
}

impl SliceReport {
    fn of(slice: &Slice) -> Self {
        Self {
            arch: slice.arch.clone(),
            soname: slice.soname.as_ref().map(text),
            interpreter: slice.interpreter.as_ref().map(text),
            needed: slice.needed.iter().map(text).collect(),
            rpath_kind: slice.kind,
            rpath: slice.entries.iter().map(text).collect(),
            dead: slice.dead.clone(),
            duplicate: slice.duplicate.clone(),
            room: slice.room,
            build_id: slice.build_id.as_ref().map(|id| hex(id)),
            macho: slice.macho.as_ref().map(MachoReport::of),
        }
    }
}

impl MachoReport {
    fn of(slice: &MachoSlice) -> Self {
        Self {
            uuid: slice.uuid.as_ref().map(|uuid| hex(uuid)),
            minimum_system: slice.minimum_system.clone(),
            sdk: slice.sdk.clone(),
            signature: slice.signature.clone(),
        }
    }
}

/// Writes an object for people.
///
/// # Errors
/// If the output cannot be written.
pub fn write(out: &mut dyn Write, file: &Path, report: &FileReport) -> io::Result<()> {
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
            line = format!("{line}  {}", paint(ERROR, "not found"));
        }
        if slice.duplicate.contains(&index) {
            line = format!("{line}  {}", paint(WARNING, "duplicate"));
        }
        field(out, if index == 0 { kind } else { "" }, &line)?;
    }
    match (&slice.macho, slice.rpath_kind) {
        (Some(_), _) => {
            field(out, "room", &format!("{} bytes after the load commands", slice.room))
        }
        (None, Some(_)) => {
            field(out, "room", &format!("{} bytes in the current string", slice.room))
        }
        (None, None) => Ok(()),
    }
}

fn field(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {}  {value}", paint(DIM, format!("{name:<12}")))
}
