//! Shows what an object needs, and where it is searched.

use super::targets::open_object;
use super::view::View;
use super::{App, Error};
use crate::bytes::{self, Source};
use crate::macho::codesign::Signature;
use crate::macho::{Container, HeaderPad};
use crate::object::{self, Format, RpathKind, SearchPath};
use crate::vfs::Vfs;
use crate::world::inventory::Inventory;
use crate::world::rpath_entry::leads_somewhere;
use crate::world::rpath_entry_macho;
use crate::{elf, macho};
use std::path::{Path, PathBuf};

/// An object.
#[derive(Debug)]
pub struct Shown {
    /// Its path.
    pub path: PathBuf,
    /// Its name in reports.
    pub named: PathBuf,
    /// Its format.
    pub format: Format,
    /// One slice for an ELF file, one for each architecture of a universal Mach-O file.
    pub slices: Vec<Slice>,
}

/// The fields of an object that the loader reads.
#[derive(Debug)]
pub struct Slice {
    /// The architecture, as in `uname -m`.
    pub arch: String,
    /// `DT_SONAME`, or the install name in `LC_ID_DYLIB`.
    pub soname: Option<Vec<u8>>,
    /// `PT_INTERP`.
    pub interpreter: Option<Vec<u8>>,
    /// `DT_NEEDED`, or the install names of the needed libraries, in order.
    pub needed: Vec<Vec<u8>>,
    /// The effective tag, or `LC_RPATH`.
    pub kind: Option<RpathKind>,
    /// The entries of the search path.
    pub entries: Vec<Vec<u8>>,
    /// The indices of entries for missing directories.
    pub dead: Vec<usize>,
    /// The indices of duplicate entries.
    pub duplicate: Vec<usize>,
    /// ELF: the current length of the search path, which is the space for an edit in place. Mach-O: the free
    /// bytes after the load commands.
    pub room: u64,
    /// The GNU build ID.
    pub build_id: Option<Vec<u8>>,
    /// The properties that only a Mach-O slice has.
    pub macho: Option<MachoSlice>,
}

/// The properties that only a Mach-O slice has.
#[derive(Debug)]
pub struct MachoSlice {
    /// `LC_UUID`.
    pub uuid: Option<[u8; 16]>,
    /// The oldest macOS that it supports.
    pub minimum_system: Option<String>,
    /// The SDK that it was built with.
    pub sdk: Option<String>,
    /// Its code signature; `None` if it has none.
    pub signature: Option<String>,
}

impl App {
    /// Reads a file, or every object of a wheel.
    ///
    /// # Errors
    /// If it is not an object, or cannot be read.
    pub fn show(&self, file: &Path) -> Result<Vec<Shown>, Error> {
        let path = self.ambient()?.working_directory.join(file);
        let view = View::at(&self.vfs, &path)?;
        let members = members(&view, &path, file).into_iter();
        let shown = members.map(|(path, named)| show(view.vfs(), path, named)).collect();
        // If a member is damaged, that is the reason for all other errors.
        view.require_sound()?;
        shown
    }

    /// The search path of each slice of an object.
    ///
    /// # Errors
    /// If it is not an object, or cannot be read.
    pub fn search_paths(&self, file: &Path) -> Result<Vec<SearchPath>, Error> {
        let path = self.ambient()?.working_directory.join(file);
        let source = open_object(&self.vfs, &path, file)?;
        object::search_paths(source.as_ref()).map_err(|error| Error::about(file, error))
    }

    /// Names in each slice of an object, in the form of the entries of a search path.
    ///
    /// # Errors
    /// If it is not an object, or cannot be read.
    pub fn names(
        &self,
        file: &Path,
        of: impl Fn(Slice) -> Vec<Vec<u8>>,
    ) -> Result<Vec<SearchPath>, Error> {
        let path = self.ambient()?.working_directory.join(file);
        let slices = show(&self.vfs, path, file.to_owned())?.slices.into_iter();
        Ok(slices.map(|it| SearchPath { arch: None, kind: None, entries: of(it) }).collect())
    }
}

/// The objects that a file stands for: itself, or every object in a wheel.
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

fn show(vfs: &dyn Vfs, path: PathBuf, named: PathBuf) -> Result<Shown, Error> {
    let source = open_object(vfs, &path, &named)?;
    let format = Format::of(source.as_ref()).unwrap_or(Format::Elf);
    let slices = match format {
        Format::Elf => elf_slice(vfs, &path, source.as_ref()).map(|slice| vec![slice]),
        Format::Macho => macho_slices(vfs, &path, source.as_ref()),
    };
    let slices = slices.map_err(|error| Error::about(&named, error))?;
    drop(source);
    Ok(Shown { path, named, format, slices })
}

fn elf_slice(vfs: &dyn Vfs, path: &Path, source: &dyn Source) -> Result<Slice, bytes::Error> {
    let image = elf::Image::parse(source)?;
    let summary = image.summary()?;
    let search_path = elf::search_path::current(&image)?;
    let directories: Vec<&Path> = path.parent().into_iter().collect();
    let kind = search_path.as_ref().map(|path| path.kind.into());
    let entries = search_path.map_or_else(Vec::new, |path| path.entries);
    let marked = Marked::of(&entries, |entry| leads_somewhere(vfs, entry, &directories));
    let len: usize = entries.iter().map(|entry| entry.len() + 1).sum();
    Ok(Slice {
        arch: summary.architecture().to_owned(),
        soname: summary.soname,
        interpreter: summary.interpreter,
        needed: summary.needed,
        kind,
        dead: marked.dead,
        duplicate: marked.duplicate,
        room: len.saturating_sub(1) as u64,
        entries,
        build_id: summary.build_id,
        macho: None,
    })
}

fn macho_slices(
    vfs: &dyn Vfs,
    path: &Path,
    source: &dyn Source,
) -> Result<Vec<Slice>, bytes::Error> {
    let directories: Vec<&Path> = path.parent().into_iter().collect();
    let slices = Container::parse(source)?.slices.into_iter().map(|slice| {
        let image = macho::Image::parse(slice)?;
        let summary = image.summary()?;
        let marked = Marked::of(&summary.rpaths, |entry| {
            rpath_entry_macho::leads_somewhere(vfs, entry, &directories)
        });
        let built = summary.build_version();
        Ok(Slice {
            arch: summary.arch.name().to_owned(),
            soname: summary.install_name,
            interpreter: None,
            needed: summary.needed.into_iter().map(|needed| needed.name).collect(),
            kind: (!summary.rpaths.is_empty()).then_some(RpathKind::LcRpath),
            dead: marked.dead,
            duplicate: marked.duplicate,
            room: HeaderPad::of(&image)?.len(),
            entries: summary.rpaths,
            build_id: None,
            macho: Some(MachoSlice {
                uuid: summary.uuid,
                minimum_system: built.map(|built| built.minimum.to_string()),
                sdk: built.map(|built| built.sdk.to_string()),
                signature: Signature::read(&image)?.map(|found| found.describe().to_string()),
            }),
        })
    });
    slices.collect()
}

/// The indices of entries that need attention.
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
