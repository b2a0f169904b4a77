//! New search paths for the slices of a Mach-O file, and what is removed if there is no space.

use super::load_commands::{self, LoadCommand};
use super::{Change, Rewrite, View, Wish, changed, fields, without_duplicates};
use crate::bytes::{self, Source};
use crate::edit::{EditSet, Patched};
use crate::macho::edit::{self, Refusal, Request, SliceRequest};
use crate::macho::{Container, Image};
use crate::object::{Failure, Format, Identity};
use crate::world::rpath_entry_macho::{is_of_a_build, leads_somewhere};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

pub(super) fn rewrite(
    view: &View<'_>,
    source: &dyn Source,
    wish: Wish<'_>,
) -> Result<Rewrite, Failure> {
    let file = Container::parse(source)?;
    let images: Vec<Image<'_>> =
        file.slices.iter().cloned().map(Image::parse).collect::<Result<_, _>>()?;
    let is_meant =
        |image: &Image<'_>| wish.arch.is_none_or(|arch| arch == image.slice().arch().name());
    if let Some(arch) = wish.arch
        && !images.iter().any(is_meant)
    {
        let present: Vec<&str> = images.iter().map(|image| image.slice().arch().name()).collect();
        let (wanted, present) = (arch.to_owned(), present.join(", "));
        return Err(Refusal::NoSuchArch { wanted, present }.into());
    }
    let directories = view.directories();
    let is_there = |entry: &[u8]| view.vfs.metadata(Path::new(OsStr::from_bytes(entry))).is_ok();
    // What a build has left does no harm, until there is no space.
    let is_left = |entry: &[u8]| {
        matches!(wish.change, Change::Fit(_)) && is_of_a_build(entry) && !is_there(entry)
    };
    let is_live = |entry: &[u8]| {
        wish.keeps(entry) || leads_somewhere(view.vfs, entry, &directories) && !is_left(entry)
    };
    let mut slices = Vec::new();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (index, image) in images.iter().enumerate().filter(|(_, image)| is_meant(image)) {
        let old = image.rpaths()?;
        let request = match wish.change {
            Change::Shrink(_) => return Err(Failure::NotElf),
            Change::Fields(changes) => {
                let like: Option<Vec<_>> = changes.iter().map(LoadCommand::like).collect();
                let like = like.ok_or(Failure::NotElf)?;
                let names_it = like.iter().any(|it| matches!(it, LoadCommand::InstallName(_)));
                if names_it && image.install_name()?.is_none() {
                    return Err(Refusal::NoInstallName { arch: image.slice().arch().name() }.into());
                }
                load_commands::request(image, index, &like)?
            }
            Change::LoadCommands(changes) => load_commands::request(image, index, changes)?,
            change => fitting(image, index, &old, change, is_live)?,
        };
        before.push(old);
        after.push(request.entries.clone());
        slices.push(request);
    }
    let request = Request {
        slices,
        may_drop_signer: wish.may_drop_signer,
        repairs_signature: wish.repairs_signature,
        file_name: view.object.file_name().map_or(b"", OsStr::as_bytes),
    };
    let patch = edit::edit(&file, &request)?;
    let has_names = have_names(&request.slices);
    Ok(macho_rewrite(view, &images, before, after, patch, has_names))
}

pub(super) fn towards(
    view: &View<'_>,
    source: &dyn Source,
    edits: &EditSet,
    may_drop_signer: bool,
) -> Result<Rewrite, Failure> {
    let patched = Patched::new(source, edits);
    let (file, new) = (Container::parse(source)?, Container::parse(&patched)?);
    let images: Vec<Image<'_>> =
        file.slices.iter().cloned().map(Image::parse).collect::<Result<_, _>>()?;
    let slices = SliceRequest::towards(&file, &new)?;
    let before = images.iter().map(Image::rpaths).collect::<Result<_, _>>()?;
    let after = slices.iter().map(|request| request.entries.clone()).collect();
    // The edits do not show whether a signature was to be repaired, or under which of the file's
    // names it was made.
    let names = std::iter::once(view.object).chain(view.names.iter().map(PathBuf::as_path));
    let mut patch = None;
    for file_name in names.filter_map(Path::file_name) {
        for repairs_signature in [false, true] {
            let (slices, file_name) = (slices.clone(), file_name.as_bytes());
            let request = Request { slices, may_drop_signer, repairs_signature, file_name };
            let attempt = edit::edit(&file, &request);
            let is_the_same = attempt.as_ref().is_ok_and(|attempt| attempt.edits == *edits);
            if is_the_same || patch.as_ref().is_none_or(Result::is_err) {
                patch = Some(attempt);
            }
            if is_the_same {
                break;
            }
        }
    }
    let patch = patch.unwrap_or(Err(Refusal::Inconsistent { what: "it has a name" }.into()))?;
    Ok(macho_rewrite(view, &images, before, after, patch, have_names(&slices)))
}

fn have_names(slices: &[SliceRequest]) -> bool {
    slices.iter().any(|request| request.names.is_some())
}

fn macho_rewrite(
    view: &View<'_>,
    images: &[Image<'_>],
    mut before: Vec<Vec<Vec<u8>>>,
    mut after: Vec<Vec<Vec<u8>>>,
    patch: edit::Patch,
    has_names: bool,
) -> Rewrite {
    // Slices are usually the same, and then one list describes all of them.
    let is_alike = |lists: &[Vec<Vec<u8>>]| lists.iter().all(|list| Some(list) == lists.first());
    if is_alike(&before) && is_alike(&after) {
        before.truncate(1);
        after.truncate(1);
    }
    // A search path alone, which most edits are of, changes no field.
    let fields = match has_names {
        true => fields::of_slices(images, &patch.edits),
        false => Vec::new(),
    };
    Rewrite {
        object: view.object.to_owned(),
        format: Format::Macho,
        had_path: before.iter().any(|entries| !entries.is_empty()),
        before: before.concat(),
        after: after.concat(),
        fields,
        patch: patch.into(),
        identity: Identity::of_macho(images),
    }
}

/// The entries that are closest to a change and fit: duplicates are always removed. If there is no
/// space otherwise, entries for missing directories are removed, then longer spellings of a
/// directory, then `LC_SOURCE_VERSION`.
fn fitting(
    image: &Image<'_>,
    slice: usize,
    old: &[Vec<u8>],
    change: &Change,
    is_live: impl Fn(&[u8]) -> bool,
) -> Result<SliceRequest, bytes::Error> {
    let request = |entries: &[Vec<u8>], may_drop_source_version| SliceRequest {
        slice,
        entries: entries.to_vec(),
        names: None,
        may_drop_source_version,
    };
    let wanted = changed(old, change, &is_live);
    if wanted == old {
        // A list that is unchanged keeps even its duplicates.
        return Ok(request(&wanted, false));
    }
    let unique = without_duplicates(&wanted);
    let asked = |entry: &Vec<u8>| change.entries().contains(entry);
    let live: Vec<_> =
        unique.iter().filter(|entry| asked(entry) || is_live(entry)).cloned().collect();
    let short: Vec<_> = live.iter().map(|entry| shorter(entry)).collect();
    let short = without_duplicates(&short);
    for attempt in [request(&unique, false), request(&live, false), request(&short, false)] {
        if edit::fits(image, &attempt)? {
            return Ok(attempt);
        }
    }
    let last = request(&short, true);
    // If nothing helps, the refusal is about the original request.
    Ok(if edit::fits(image, &last)? { last } else { request(&unique, false) })
}

/// The same directory in fewer bytes: no doubled slash, no `.`, no slash at the end.
fn shorter(entry: &[u8]) -> Vec<u8> {
    let parts = entry.split(|&byte| byte == b'/').enumerate();
    let kept: Vec<&[u8]> = parts
        .filter(|(index, part)| *index == 0 || !(part.is_empty() || *part == b"."))
        .map(|(_, part)| part)
        .collect();
    match kept.join(&b'/') {
        // The root, whose only part is the one before its slash.
        short if short.is_empty() => entry.to_vec(),
        short => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_spelling_means_the_same_directory() {
        let short = |entry: &str| String::from_utf8(shorter(entry.as_bytes())).unwrap();
        assert_eq!(short("@loader_path/"), "@loader_path");
        assert_eq!(short("@loader_path/./a//b/"), "@loader_path/a/b");
        assert_eq!(short("@loader_path/../a"), "@loader_path/../a");
        assert_eq!(short("/opt//lib/"), "/opt/lib");
        assert_eq!(short("/"), "/");
        assert_eq!(short("."), ".");
    }
}
