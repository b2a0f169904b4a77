//! Edits of Mach-O files: what was asked for is there, and only once; everything else that dyld
//! reads is what it was; every page of an edited signature matches; the inverse gives the old bytes,
//! and what is asked for twice is done once.
//!
//! The input is a request in its first 64 bytes, and a file.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use std::collections::HashSet;
use tfpatch::bytes::Source;
use tfpatch::edit::{Content, EditSet, Patched};
use tfpatch::macho::codesign::Signature;
use tfpatch::macho::rpath::{Method, Request, SliceRequest, edit};
use tfpatch::macho::{Container, Image, Summary};
use tfpatch_fuzz::within;

/// Bytes of the input that describe requests: flags, an action, a number of repetitions, and text.
const REQUEST: usize = 64;
/// Memory that an edit may take for each byte of the file and of the request, and besides.
const FACTOR: usize = 64;
const CONSTANT: usize = 8 << 20;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((head, file)) = input.split_at_checked(REQUEST) else { return Corpus::Reject };
    if file.len() > 1 << 16 {
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

/// The request that the first bytes of the input describe: to set, add, remove or take away.
fn request(images: &[Summary], head: &[u8], longer: usize) -> Request<'static> {
    let [flags, action, repetitions, text @ ..] = head else {
        unreachable!("the head has 64 bytes")
    };
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let text = text.repeat(usize::from(repetitions % 64) + longer);
    let given: Vec<Vec<u8>> = text.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect();
    let entries = |old: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
        match action % 5 {
            0 => given.clone(),
            1 => old.into_iter().chain(given.clone()).collect(),
            2 => given.iter().cloned().chain(old).collect(),
            3 => old.into_iter().filter(|entry| !given.contains(entry)).skip(1).collect(),
            _ => Vec::new(),
        }
    };
    let slices = images.iter().enumerate().filter(|(slice, _)| flags & 8 == 0 || *slice == 0);
    let slices = slices.map(|(slice, image)| SliceRequest {
        slice,
        entries: entries(image.rpaths.clone()),
        may_drop_source_version: flags & 4 != 0,
    });
    Request {
        slices: slices.collect(),
        may_drop_signer: flags & 1 != 0,
        repairs_signature: flags & 2 != 0,
        file_name: b"x.dylib",
    }
}

/// The file after the request, if it is served, and held against the laws of all edits.
fn changed(file: &Vec<u8>, before: &[Summary], request: &Request<'_>) -> Option<Vec<u8>> {
    let asked: usize = request.slices.iter().flat_map(|slice| &slice.entries).map(Vec::len).sum();
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
        let others = |summary: &Summary| Summary { rpaths: Vec::new(), ..summary.clone() };
        assert_eq!(others(before), others(after));
        match request.slices.iter().find(|wanted| wanted.slice == index) {
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

/// The bytes after the edits, put together by another hand than [`Patched`], which has to agree.
fn apply(old: &[u8], edits: &EditSet) -> Vec<u8> {
    let mut new = Vec::new();
    let mut at = 0;
    for edit in edits.by_offset() {
        new.extend_from_slice(&old[at as usize..edit.range.start as usize]);
        match &edit.new {
            Content::Bytes(bytes) => new.extend_from_slice(bytes),
            Content::Kept(_) => panic!("an object's new bytes are few"),
            Content::CopyOf(range) => {
                new.extend_from_slice(&old[range.start as usize..range.end as usize]);
            }
        }
        at = edit.range.end;
    }
    new.extend_from_slice(&old[at as usize..]);
    let patched = Patched::new(&old as &dyn Source, edits);
    let whole = patched.get(0..patched.len()).expect("a file can be read whole");
    assert!(*whole == *new, "what is shown is not what is written");
    new
}
