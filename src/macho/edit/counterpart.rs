//! Computes the edits that turn one known state of a Mach-O file into another, to compare them with recorded
//! edits.

use super::{Failure, Request, SliceRequest, edit};
use crate::bytes;
use crate::edit::{EditSet, Pair};
use crate::macho::fat::Container;
use crate::macho::image::Image;
use crate::macho::names::Names;
use goblin::mach::load_command as lc;

impl SliceRequest {
    /// The request with the search paths and names of another state of the file, slice by slice.
    /// `LC_SOURCE_VERSION` may be removed if it is absent in that state.
    ///
    /// # Errors
    /// If a slice cannot be read.
    pub fn towards(now: &Container<'_>, then: &Container<'_>) -> Result<Vec<Self>, bytes::Error> {
        let has_version =
            |image: &Image<'_>| image.commands_of(lc::LC_SOURCE_VERSION).next().is_some();
        let slices = now.slices.iter().zip(&then.slices).enumerate();
        let requests = slices.map(|(slice, (now, then))| {
            let (now, then) = (Image::parse(now.clone())?, Image::parse(then.clone())?);
            let may_drop_source_version = has_version(&now) && !has_version(&then);
            let names = Names::of(&then)?;
            let names = (names != Names::of(&now)?).then_some(names);
            Ok(Self { slice, entries: then.rpaths()?, names, may_drop_source_version })
        });
        requests.collect()
    }
}

/// The edits that give the slices of a file with this name the search paths of its other state, and with
/// `sets_names` its names. With `repairs_signature`, signatures are repaired too.
///
/// Slices that are the same in both states are not edited.
///
/// # Errors
/// As for [`edit`], and if the other state cannot be read.
pub fn edits_towards(
    pair: &Pair<'_>,
    file_name: &[u8],
    sets_names: bool,
    repairs_signature: bool,
) -> Result<EditSet, Failure> {
    let (file, other) = (Container::parse(pair.one())?, Container::parse(pair.other())?);
    let mut slices = SliceRequest::towards(&file, &other)?;
    slices.retain(|request| {
        file.slices.get(request.slice).is_some_and(|slice| !pair.is_same_in(&slice.range()))
    });
    if !sets_names {
        slices.iter_mut().for_each(|request| request.names = None);
    }
    let request = Request { slices, may_drop_signer: true, repairs_signature, file_name };
    Ok(edit(&file, &request)?.edits)
}
