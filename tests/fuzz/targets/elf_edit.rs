//! Edits of objects: what was asked for is there, everything else is what it was, after every
//! prefix of the writes where the file may be edited in place; the inverse gives the old bytes, and
//! what is asked for twice is done once.
//!
//! The input is a request in its first 64 bytes, and an object.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use tfpatch::bytes::Source;
use tfpatch::edit::{Content, EditSet, Patched};
use tfpatch::elf::hash::{exports, imports};
use tfpatch::elf::rpath::{Patch, Request, RpathKind, current, edit};
use tfpatch::elf::{Image, Summary};
use tfpatch_fuzz::within;

/// Bytes of the input that describe requests: a kind, an action, a number of repetitions, and text.
const REQUEST: usize = 64;
/// Memory that an edit may take for each byte of the file and of the request, and besides.
const FACTOR: usize = 32;
const CONSTANT: usize = 8 << 20;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((head, object)) = input.split_at_checked(REQUEST) else { return Corpus::Reject };
    if object.len() > 1 << 16 {
        return Corpus::Reject;
    }
    let mut file = object.to_vec();
    // A second and a longer request meet what the first one left.
    for longer in [0, 40] {
        let request = {
            let Ok(image) = Image::parse(&file) else { return Corpus::Keep };
            request(&image, head, longer)
        };
        match changed(&file, &request) {
            Some(new) => file = new,
            None => break,
        }
    }
    Corpus::Keep
});

/// The request that the first bytes of the input describe: to set, add, remove or take away.
fn request(image: &Image<'_>, head: &[u8], longer: usize) -> Request {
    let [kind, action, repetitions, text @ ..] = head else {
        unreachable!("the head has 64 bytes")
    };
    let kind = match kind % 4 {
        0 => Some(RpathKind::Rpath),
        1 => Some(RpathKind::Runpath),
        _ => None,
    };
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let text = text.repeat(usize::from(repetitions % 64) + longer);
    let given: Vec<Vec<u8>> = text.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect();
    let old = current(image).ok().flatten().map(|path| path.entries).unwrap_or_default();
    let entries = match action % 5 {
        0 => given,
        1 => old.into_iter().chain(given).collect(),
        2 => given.into_iter().chain(old).collect(),
        3 => old.into_iter().filter(|entry| !given.contains(entry)).skip(1).collect(),
        _ => Vec::new(),
    };
    Request { entries, kind }
}

/// The file after the request, if it is served, and held against the laws of all edits.
fn changed(file: &Vec<u8>, request: &Request) -> Option<Vec<u8>> {
    let image = Image::parse(file).ok()?;
    let asked = request.entries.iter().map(Vec::len).sum::<usize>();
    let most = CONSTANT + FACTOR * (file.len() + asked);
    let patch = within(most, "editing", || edit(&image, request)).ok()?;
    let new = apply(file, &patch.edits);
    check_patch(file, &patch);

    let changed = Image::parse(&new).expect("an edited object can be read");
    let found = current(&changed).expect("its search path can be read");
    let kind = found.as_ref().map(|found| found.kind);
    assert_eq!(found.map(|found| found.entries).unwrap_or_default(), request.entries);
    assert!(kind.is_none() || request.kind.is_none() || kind == request.kind);
    check_others(&image, &changed);

    let back = patch.edits.invert(file).expect("an edit can be turned around");
    assert!(apply(&new, &back) == *file, "the inverse gives something else");
    let again = edit(&changed, request).expect("what was done can be asked for again");
    assert!(again.edits.is_empty(), "what is asked for twice is done twice");

    assert!(patch.in_place_unopened || !patch.in_place);
    if patch.in_place_unopened {
        check_prefixes(file, &image, &patch);
    }
    Some(new)
}

/// Every edit is among what the patch relies on, which is sorted and disjoint.
fn check_patch(file: &Vec<u8>, patch: &Patch) {
    assert_eq!(patch.edits.old_len(), Source::len(file));
    assert!(patch.edits.keeps_offsets());
    assert!(patch.relies_on.windows(2).all(|pair| pair[0].end < pair[1].start));
    for edit in patch.edits.in_write_order().iter().filter(|edit| !edit.range.is_empty()) {
        let is_inside = |outer: &std::ops::Range<u64>| {
            outer.start <= edit.range.start && edit.range.end <= outer.end
        };
        assert!(patch.relies_on.iter().any(is_inside), "{:?} is not relied on", edit.range);
    }
}

/// After every prefix of the writes the object can be read, and only its search path differs.
fn check_prefixes(file: &[u8], image: &Image<'_>, patch: &Patch) {
    let edits = patch.edits.in_write_order();
    for count in 1..edits.len() {
        let prefix = edits.iter().take(count).cloned().collect();
        let prefix = EditSet::new(patch.edits.old_len(), prefix).expect("a part of a set is a set");
        let new = apply(file, &prefix);
        let partial = Image::parse(&new).expect("a prefix of the writes can be read");
        check_others(image, &partial);
    }
}

/// What could be read before, and is no search path, reads the same.
fn check_others(old: &Image<'_>, new: &Image<'_>) {
    let summary = |image: &Image<'_>| {
        let summary = image.summary().ok()?;
        Some(Summary { rpath: None, runpath: None, ..summary })
    };
    let (before, after) = (summary(old), summary(new));
    assert!(before.is_none() || before == after, "{before:?} became {after:?}");
    for name in [&b"answer"[..], b"dep"] {
        for ask in [exports, imports] {
            let (before, after) = (ask(old, name).ok(), ask(new, name).ok());
            assert!(before.is_none() || before == after, "{before:?} became {after:?}");
        }
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
