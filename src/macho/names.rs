//! The names in the load commands of a slice: its own one, and those of the libraries that it needs.

use super::image::Image;
use crate::bytes;

/// The names of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `LC_ID_DYLIB`, which only libraries have.
    pub install_name: Option<Vec<u8>>,
    /// The libraries that it needs, in the order of ordinals.
    pub needed: Vec<Vec<u8>>,
}

impl Names {
    /// The names that a slice has.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn of(image: &Image<'_>) -> Result<Self, bytes::Error> {
        let needed = image.needed()?.into_iter().map(|needed| needed.name);
        Ok(Self { install_name: image.install_name()?, needed: needed.collect() })
    }
}
