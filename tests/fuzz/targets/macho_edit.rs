//! Edits of search paths and names of Mach-O files: what was asked for is there, and only once; everything else that dyld
//! reads is what it was; every page of an edited signature matches; the inverse gives the old bytes,
//! and what is asked for twice is done once.
//!
//! The input is a request in its first 64 bytes, and a file.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use std::collections::HashSet;
use tfpatch::bytes::Source;
use tfpatch::macho::codesign::Signature;
use tfpatch::macho::edit::{Method, Request, SliceRequest, edit};
use tfpatch::macho::{Container, Image, Names, Summary};
use tfpatch_fuzz::{MAX_FILE, REQUEST, Wish, apply, within};

/// Memory that an edit may take for each byte of the file and of the request, and besides.
const FACTOR: usize = 64;
const CONSTANT: usize = 8 << 20;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((head, file)) = input.split_at_checked(REQUEST) else { return Corpus::Reject };
    if file.len() > MAX_FILE {
        return Corpus::Reject;
    }
    let mut file = file.to_vec();
    // A second and a longer request meet what the first one left.
    for longer in [0, 40] {
        let Some(images) = summaries(&file) else { return Corpus::Keep };
        let request = request(&images, head, longer);
        match changed(&file, &images, &request) {
            Some(new) => file = new,
            None => break,
        }
    }
    Corpus::Keep
});

fn summaries(file: &[u8]) -> Option<Vec<Summary>> {
    let slices = Container::parse(&file).ok()?.slices.into_iter();
    slices.map(|slice| Image::parse(slice).ok()?.summary().ok()).collect()
}

/// The request that the first bytes of the input describe.
fn request(images: &[Summary], head: &[u8], longer: usize) -> Request<'static> {
    let wish = Wish::read(head, longer);
    let flags = wish.flags;
    let slices = images.iter().enumerate().filter(|(slice, _)| flags & 8 == 0 || *slice == 0);
    let slices = slices.map(|(slice, image)| SliceRequest {
        slice,
        entries: wish.entries(image.rpaths.clone()),
        names: (flags & 16 != 0).then(|| names(image, &wish)),
        may_drop_source_version: flags & 4 != 0,
    });
    Request {
        slices: slices.collect(),
        may_drop_signer: flags & 1 != 0,
        repairs_signature: flags & 2 != 0,
        file_name: b"x.dylib",
    }
}

/// Names from the request in the place of some of those of a slice.
fn names(image: &Summary, wish: &Wish) -> Names {
    let given = wish.entries(Vec::new());
    let every = usize::from(wish.flags >> 5) + 1;
    let name = |index: usize, old: &Vec<u8>| match given.get(index / every) {
        Some(new) if index.is_multiple_of(every) => new.clone(),
        _ => old.clone(),
    };
    let needed = image.needed.iter().map(|needed| &needed.name).chain(&image.install_name);
    let mut names: Vec<_> = needed.enumerate().map(|(index, old)| name(index, old)).collect();
    let install_name = image.install_name.as_ref().and_then(|_| names.pop());
    Names { install_name, needed: names }
}

/// The names of a slice, and the slice without them and its search path.
fn parted(mut summary: Summary) -> (Names, Summary) {
    summary.rpaths.clear();
    let install_name = summary.install_name.as_mut().map(std::mem::take);
    let needed = summary.needed.iter_mut().map(|needed| std::mem::take(&mut needed.name));
    (Names { install_name, needed: needed.collect() }, summary)
}

/// The file after the request, if it is served, and held against the laws of all edits.
fn changed(file: &Vec<u8>, before: &[Summary], request: &Request<'_>) -> Option<Vec<u8>> {
    let asked = request.slices.iter().flat_map(|slice| {
        let names =
            slice.names.iter().flat_map(|names| names.needed.iter().chain(&names.install_name));
        slice.entries.iter().chain(names)
    });
    let asked: usize = asked.map(Vec::len).sum();
    let most = CONSTANT + FACTOR * (file.len() + asked);
    let container = Container::parse(file).ok()?;
    let patch = within(most, "editing", || edit(&container, request)).ok()?;
    let new = apply(file, &patch.edits);
    assert_eq!(patch.edits.old_len(), Source::len(file));
    assert!(patch.edits.keeps_offsets());
    assert_eq!(patch.method == Method::Unchanged, patch.edits.is_empty());
    assert!(patch.method == Method::SignedAdHoc || new.len() == file.len());
    for edit in patch.edits.in_write_order().iter().filter(|edit| !edit.range.is_empty()) {
        let is_inside = |at: u64| patch.relies_on.iter().any(|range| range.contains(&at));
        let mut range = edit.range.clone();
        assert!(range.all(is_inside), "{:?} is not relied on", edit.range);
    }

    let after = summaries(&new).expect("an edited file can be read");
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        let (old_names, old) = parted(before.clone());
        let (new_names, new) = parted(after.clone());
        assert_eq!(old, new);
        let wanted = request.slices.iter().find(|wanted| wanted.slice == index);
        let names = wanted.and_then(|wanted| wanted.names.as_ref());
        assert_eq!(new_names, *names.unwrap_or(&old_names));
        match wanted {
            None => assert_eq!(before.rpaths, after.rpaths),
            Some(wanted) if wanted.entries == before.rpaths && !request.repairs_signature => {
                assert_eq!(before.rpaths, after.rpaths);
            }
            Some(wanted) => {
                let mut seen = HashSet::new();
                let mut unique = wanted.entries.clone();
                unique.retain(|entry| seen.insert(entry.clone()));
                assert!(after.rpaths == unique || after.rpaths == wanted.entries);
            }
        }
    }
    if request.repairs_signature {
        check_signatures(&new, request);
    }
    let back = patch.edits.invert(file).expect("an edit can be turned around");
    assert!(apply(&new, &back) == *file, "the inverse gives something else");
    let again = Container::parse(&new).expect("an edited file can be read");
    // Of equal entries that are asked for, one is there: that is asked for then.
    let mut same = request.clone();
    for wanted in &mut same.slices {
        wanted.entries.clone_from(&after[wanted.slice].rpaths);
    }
    let again = edit(&again, &same).expect("what was done can be asked for again");
    assert!(again.edits.is_empty(), "what is asked for twice is done twice");
    Some(new)
}

/// Every page of the slices that were asked for matches its hashes.
fn check_signatures(new: &[u8], request: &Request<'_>) {
    let container = Container::parse(&new).expect("an edited file can be read");
    for wanted in &request.slices {
        let slice = container.slices[wanted.slice].clone();
        let image = Image::parse(slice.clone()).expect("an edited slice can be read");
        let signature = Signature::read(&image).expect("its signature can be read");
        let bad = signature.and_then(|found| found.first_bad_page(&slice, u64::MAX).unwrap());
        assert_eq!(bad, None);
    }
}
