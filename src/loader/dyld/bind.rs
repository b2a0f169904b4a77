//! Two-level binding: does the library that a symbol was linked against export it?
//!
//! Libraries of the shared cache cannot be read, and are assumed to export what is needed. Flat
//! lookups, and those in the main program, are left out.

use super::Dyld;
use super::process::{LoadedImage, Opened, Process};
use crate::bytes;
use crate::loader::files::memoised;
use crate::macho::symbols::{self, Export, Import};
use crate::macho::{Container, Image};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The symbols that an image binds, or why they cannot be read.
pub(super) type Imports = Result<Arc<BTreeSet<Import>>, Arc<Unreadable>>;

/// A symbol that stops a load: `Symbol not found`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unbound {
    /// The library as the image names it.
    pub library: Vec<u8>,
    /// The image that serves that name, and does not export the symbol.
    pub provider: PathBuf,
    /// The symbol, with its underscore.
    pub symbol: Vec<u8>,
}

/// Why symbols cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its symbols are malformed.
    #[error(transparent)]
    Malformed(#[from] bytes::Error),
}

impl Dyld<'_> {
    /// The symbols that an image of `process` binds and that its libraries do not export. Symbols
    /// of a library that was not found are left out.
    ///
    /// # Errors
    /// If the symbols of the image or of a library cannot be read.
    pub fn unbound(
        &self,
        process: &Process,
        image: &LoadedImage,
    ) -> Result<BTreeSet<Unbound>, Unreadable> {
        let mut asked: BTreeMap<usize, BTreeSet<&[u8]>> = BTreeMap::new();
        let imports = self.imports(image)?;
        for import in imports.iter().filter(|import| !import.is_weak) {
            if let Some(library) = import.library() {
                asked.entry(library).or_default().insert(&import.name);
            }
        }
        let mut unbound = BTreeSet::new();
        for (library, symbols) in asked {
            let Some(need) = image.needed.get(library) else { continue };
            let Some(provider) = need.image else { continue };
            let lacking = self.lacking(process, provider, symbols, &mut HashSet::new())?;
            unbound.extend(lacking.into_iter().map(|symbol| Unbound {
                library: need.dependency.name.to_vec(),
                provider: need.dependency.found.as_deref().map(Path::to_owned).unwrap_or_default(),
                symbol: symbol.to_vec(),
            }));
        }
        Ok(unbound)
    }

    /// The symbols that `image` binds to the library at index `library` of what it needs, and that
    /// the image which was `opened` would not export in its place.
    ///
    /// # Errors
    /// If the symbols of either cannot be read.
    pub fn unbound_in(
        &self,
        image: &LoadedImage,
        library: usize,
        opened: &Opened,
    ) -> Result<BTreeSet<Unbound>, Unreadable> {
        let imports = self.imports(image)?;
        let symbols = imports.iter().filter(|import| !import.is_weak);
        let symbols = symbols.filter(|import| import.library() == Some(library));
        let symbols = symbols.map(|import| import.name.as_slice()).collect();
        let Some(provider) = opened.root.image else { return Ok(BTreeSet::new()) };
        let lacking = self.lacking(&opened.process, provider, symbols, &mut HashSet::new())?;
        let name = image.summary.needed.get(library).map(|needed| needed.name.clone());
        Ok(lacking
            .into_iter()
            .map(|symbol| Unbound {
                library: name.clone().unwrap_or_default(),
                provider: opened
                    .root
                    .dependency
                    .found
                    .as_deref()
                    .map(Path::to_owned)
                    .unwrap_or_default(),
                symbol: symbol.to_vec(),
            })
            .collect())
    }

    /// Which of `symbols` an image does not export, either itself or by a library that it
    /// re-exports.
    fn lacking<'s>(
        &self,
        process: &Process,
        image: usize,
        symbols: BTreeSet<&'s [u8]>,
        visited: &mut HashSet<usize>,
    ) -> Result<BTreeSet<&'s [u8]>, Unreadable> {
        let Some(found) = process.images.get(image).filter(|_| visited.insert(image)) else {
            return Ok(symbols);
        };
        let exported = self.read(&found.path, |image| {
            let exports = symbols.iter().map(|symbol| symbols::export(image, symbol));
            exports.collect::<Result<Vec<_>, _>>()
        })?;
        // A need without an image is in the shared cache, or is missing and reported.
        let serves = |library: usize| found.needed.get(library).and_then(|need| need.image);
        let mut lacking = BTreeSet::new();
        for (symbol, exported) in symbols.into_iter().zip(exported) {
            match exported {
                Some(Export::Own) => {}
                Some(Export::Reexport { library, name }) => {
                    let name = if name.is_empty() { symbol } else { name.as_slice() };
                    if let Some(next) = serves(library)
                        && !self
                            .lacking(process, next, BTreeSet::from([name]), &mut visited.clone())?
                            .is_empty()
                    {
                        lacking.insert(symbol);
                    }
                }
                None => {
                    lacking.insert(symbol);
                }
            }
        }
        for (library, needed) in found.summary.needed.iter().enumerate() {
            if !lacking.is_empty() && needed.is_reexport {
                lacking = match serves(library) {
                    Some(next) => self.lacking(process, next, lacking, visited)?,
                    None => BTreeSet::new(),
                };
            }
        }
        Ok(lacking)
    }

    fn imports(&self, image: &LoadedImage) -> Result<Arc<BTreeSet<Import>>, Unreadable> {
        let known = memoised(&self.imports, &image.id, |_| {
            self.read(&image.path, symbols::imports).map(Arc::new).map_err(Arc::new)
        });
        known.map_err(|error| match &*error {
            Unreadable::Malformed(error) => error.clone().into(),
            Unreadable::Io(error) => io::Error::new(error.kind(), error.to_string()).into(),
        })
    }

    /// Reads something of the slice that the process takes.
    fn read<T>(
        &self,
        path: &Path,
        reading: impl FnOnce(&Image<'_>) -> Result<T, bytes::Error>,
    ) -> Result<T, Unreadable> {
        let source = self.files.vfs.open(path)?;
        let container = Container::parse(source.as_ref())?;
        let slice = container.slices.iter().find(|slice| self.files.takes(slice.arch()));
        let slice = slice.ok_or(io::ErrorKind::InvalidData).map_err(io::Error::from)?;
        Ok(reading(&Image::parse(slice.clone())?)?)
    }
}
