//! Two states of an object: what an undo may put back is what an edit of the search path, made anew, leads to.

use crate::support::operated::{append, edited, library, library_with_path, overwrite, step};
use std::ffi::OsStr;
use tfpatch::edit::Pair;
use tfpatch::elf::edit::counterpart::Beside;
use tfpatch::object::is_own_edit;

/// The bytes in which a state of the file may differ from the old one, and still be what the edits of the
/// new one take back: each byte is looked at, or each of some distance behind the headers and before the end.
fn free(old: &[u8], new: &[u8], distance: usize) -> Vec<usize> {
    let (old, new) = (old.to_vec(), new.to_vec());
    let is_permitted = |then: &Vec<u8>| {
        is_own_edit(Pair::new(&new, then), &[OsStr::new("a.so")], Beside::default())
    };
    assert!(is_permitted(&old));
    let is_tried = |at: &usize| *at < 600 || at.is_multiple_of(distance) || *at + 600 > old.len();
    let tried = (0..old.len()).filter(is_tried);
    tried
        .filter(|&at| {
            let mut then = old.clone();
            then[at] ^= 1 << (at % 8);
            is_permitted(&then)
        })
        .collect()
}

#[test]
fn of_a_string_that_is_overwritten_only_its_own_bytes_may_be_others() {
    let root = tempfile::tempdir().unwrap();
    let file = library_with_path(root.path(), "a.so");
    let old = std::fs::read(&file).unwrap();
    let step = step(root.path(), "a.so", overwrite(&file));
    let range = step.edits.in_write_order()[0].range.clone();
    // The NUL that ends it is none of them.
    let string: Vec<usize> = (range.start as usize..range.end as usize - 1).collect();
    assert_eq!(free(&old, &edited(&old, &step), 127), string);
}

#[test]
fn of_a_file_that_grows_only_a_program_header_that_is_spared_may_be_another() {
    const HEADER: u64 = 56;
    let root = tempfile::tempdir().unwrap();
    let file = library(root.path(), "a.so");
    let old = std::fs::read(&file).unwrap();
    let step = step(root.path(), "a.so", append(&file));
    let free = free(&old, &edited(&old, &step), 127);
    let is_spared = |header: u64| {
        let at = 64 + HEADER * header;
        let range = at as usize..(at + HEADER) as usize;
        free.iter().all(|place| range.contains(place))
    };
    assert!((0..20).any(is_spared), "{free:x?}");
}
