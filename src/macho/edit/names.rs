//! The names in the load commands of a slice: its own one, and those of the libraries that it needs.

use super::Refusal;
use crate::bytes;
use crate::macho::image::Image;

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

    /// Can a slice of this architecture with the names of `old` get these?
    pub(super) fn check(&self, old: &Self, arch: &'static str) -> Result<(), Refusal> {
        if old.install_name.is_none() && self.install_name.is_some() {
            return Err(Refusal::NoInstallName { arch });
        }
        if old.install_name.is_some() != self.install_name.is_some()
            || old.needed.len() != self.needed.len()
        {
            return Err(Refusal::Inconsistent { what: "it has as many names as before" });
        }
        let mut new = self.needed.iter().chain(&self.install_name);
        let mut old = old.needed.iter().chain(&old.install_name);
        match new.find(|name| {
            let is_old = old.next() == Some(name);
            !is_old && (name.is_empty() || name.contains(&0))
        }) {
            None => Ok(()),
            Some(_) => Err(Refusal::BadName { arch }),
        }
    }
}
