//! Edits of objects: what was asked for is there, everything else is what it was, after every
//! prefix of the writes where the file may be edited in place; the inverse gives the old bytes, and
//! what is asked for twice is done once.
//!
//! The input is a request in its first 64 bytes, and an object.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use tfpatch::bytes::Source;
use tfpatch::edit::EditSet;
use tfpatch::elf::edit::{Change, Patch, Request, edit};
use tfpatch::elf::hash::{exports, imports};
use tfpatch::elf::search_path::{RpathKind, current};
use tfpatch::elf::{Image, Summary};
use tfpatch_fuzz::{MAX_FILE, REQUEST, Wish, apply, within};

/// Memory that an edit may take for each byte of the file and of the request, and besides.
const FACTOR: usize = 32;
const CONSTANT: usize = 8 << 20;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((head, object)) = input.split_at_checked(REQUEST) else { return Corpus::Reject };
    if object.len() > MAX_FILE {
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

/// The request that the first bytes of the input describe.
fn request(image: &Image<'_>, head: &[u8], longer: usize) -> Request {
    let wish = Wish::read(head, longer);
    let kind = match wish.flags % 4 {
        0 => Some(RpathKind::Rpath),
        1 => Some(RpathKind::Runpath),
        _ => None,
    };
    let old = current(image).ok().flatten().map(|path| path.entries).unwrap_or_default();
    let mut request = Request::search_path(wish.entries(old), kind);
    let name = head.iter().copied().filter(|byte| byte.is_ascii_graphic()).collect::<Vec<u8>>();
    let needed = image.needed().unwrap_or_default().into_iter().next().unwrap_or_default();
    let more = [
        Change::Soname(name.clone()),
        Change::AddNeeded { name: name.clone(), first: wish.flags & 4 != 0 },
        Change::RemoveNeeded(needed.clone()),
        Change::ReplaceNeeded { old: needed, new: name.clone() },
        Change::Interpreter(name),
        Change::ExecutableStack(wish.flags & 4 != 0),
        Change::NoDefaultLibraries,
        Change::DebugTag,
    ];
    request.changes.extend(more.get(usize::from(wish.flags >> 3)).cloned());
    request
}

/// The file after the request, if it is served, and held against the laws of all edits.
fn changed(file: &Vec<u8>, request: &Request) -> Option<Vec<u8>> {
    let image = Image::parse(file).ok()?;
    let asked = request.entries().iter().map(Vec::len).sum::<usize>();
    let most = CONSTANT + FACTOR * (file.len() + asked);
    let patch = within(most, "editing", || edit(&image, request)).ok()?;
    let new = apply(file, &patch.edits);
    check_patch(file, &patch);

    let changed = Image::parse(&new).expect("an edited object can be read");
    let found = current(&changed).expect("its search path can be read");
    let kind = found.as_ref().map(|found| found.kind);
    assert_eq!(found.map(|found| found.entries).unwrap_or_default(), request.entries());
    if let [Change::SearchPath { kind: asked, .. }, rest @ ..] = request.changes.as_slice() {
        assert!(kind.is_none() || asked.is_none() || kind == *asked);
        if rest.is_empty() {
            check_others(&image, &changed);
        }
    }

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
