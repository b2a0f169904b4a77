//! What everybody reads of an object first, independent of the file: read once, it serves all who ask.

use super::hash;
use super::image::{Image, Summary};
use super::layout::Layout;
use super::strings::{self, Found};
use crate::bytes::{Error, Source};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// As much of a file as its first bytes show to loaders.
const START: u64 = 64;

/// The headers of a file, whatever it is.
#[derive(Debug)]
pub struct Headers {
    start: Vec<u8>,
    len: u64,
    layout: Result<Arc<Layout>, Error>,
    object: Result<Object, Error>,
    /// May the object open others?
    imports_dlopen: OnceLock<bool>,
    /// The last search among its constants.
    searched: Mutex<Option<Searched>>,
}

/// A search for whole strings among the constants of an object.
#[derive(Debug)]
struct Searched {
    names: Vec<Vec<u8>>,
    most: u64,
    found: Found,
}

/// An object that can be read.
#[derive(Debug, Clone)]
pub struct Object {
    /// Everything that the loader uses.
    pub summary: Arc<Summary>,
    /// `e_type`.
    pub e_type: u16,
    /// Has it a `PT_LOAD`?
    pub has_loads: bool,
    /// Are the addresses of each `PT_LOAD` where its place in the file requires them, in pages of 4 KiB?
    pub is_aligned: bool,
    /// Has its dynamic table any entries?
    pub has_dynamic: bool,
    /// What is wrong if the file ends before a `PT_LOAD` does.
    pub whole: Result<(), Error>,
}

impl Headers {
    /// Reads the headers of a file.
    #[must_use]
    pub fn of(source: &dyn Source) -> Self {
        let len = source.len();
        let start = source.get(0..len.min(START)).unwrap_or_default().into_owned();
        let image = Image::parse(source);
        let layout = match &image {
            Ok(image) => Ok(Arc::clone(image.layout())),
            Err(error) => Err(error.clone()),
        };
        let object = image.and_then(|image| {
            Ok(Object {
                summary: Arc::new(image.summary()?),
                e_type: image.header().e_type,
                has_loads: image.loads().next().is_some(),
                is_aligned: image
                    .loads()
                    .all(|it| it.p_vaddr.wrapping_sub(it.p_offset) & 0xfff == 0),
                has_dynamic: !image.dynamic().is_empty(),
                whole: image.require_whole(),
            })
        });
        let (imports_dlopen, searched) = (OnceLock::new(), Mutex::default());
        Self { start, len, layout, object, imports_dlopen, searched }
    }

    /// The first 64 bytes, or all of a shorter file; empty if they cannot be read.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// The object that the file is.
    ///
    /// # Errors
    /// If it is not an object, or is malformed.
    pub fn object(&self) -> Result<&Object, Error> {
        self.object.as_ref().map_err(Clone::clone)
    }

    /// Does the object import `dlopen`, if that was asked before?
    #[must_use]
    pub fn is_known_to_open(&self) -> Option<bool> {
        self.imports_dlopen.get().copied()
    }

    /// Does the object import `dlopen`? All its undefined symbols are read for it, once.
    #[must_use]
    pub fn imports_dlopen(&self, image: &Image<'_>) -> bool {
        *self.imports_dlopen.get_or_init(|| hash::imports(image, b"dlopen").unwrap_or(false))
    }

    /// The same as [`strings::whole`]; if the same is asked again, nothing is read.
    ///
    /// # Errors
    /// As for [`strings::whole`].
    pub fn whole(&self, image: &Image<'_>, names: &[&[u8]], most: u64) -> Result<Found, Error> {
        // An answer is put in whole.
        let mut searched = self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*searched
            && known.most == most
            && known.names == names
        {
            return Ok(known.found.clone());
        }
        let found = strings::whole(image, names, most)?;
        let names = names.iter().map(|name| name.to_vec()).collect();
        *searched = Some(Searched { names, most, found: found.clone() });
        Ok(found)
    }

    /// The object in the file that is open now, of which these are the headers. If it has another length since, they
    /// are read again.
    ///
    /// # Errors
    /// As for [`Image::parse`].
    pub fn image<'a>(&self, source: &'a dyn Source) -> Result<Image<'a>, Error> {
        if source.len() != self.len {
            return Image::parse(source);
        }
        Ok(Image::laid_out(source, Arc::clone(self.layout.as_ref().map_err(Clone::clone)?)))
    }
}
