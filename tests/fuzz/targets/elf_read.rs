//! Everything that reads an object, on bytes that may be anything: no panic, soon, and in memory
//! that is bounded by a constant times its headers, whatever they claim and however long the file.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use tfpatch::bytes::Source;
use tfpatch::elf::Image;
use tfpatch::elf::edit::{Request, edit};
use tfpatch::elf::hash::{exports, imports};
use tfpatch::elf::search_path::current;
use tfpatch::elf::structs::Structs as _;
use tfpatch_fuzz::{shaped, within};

/// What all strings of an object may take, and whatever else does not grow with its headers.
const CONSTANT: usize = 8 << 20;
/// Bytes held for each byte of the headers.
const FACTOR: usize = 16;

fuzz_target!(|input: &[u8]| -> Corpus { shaped(input, read) });

fn read(file: &Vec<u8>) {
    let image = within(CONSTANT, "parsing", || Image::parse(file));
    let Ok(image) = image else { return };
    // What the headers describe: program headers, section headers, the dynamic table.
    let tables = 64 * (image.segments().len() + usize::from(image.header().e_shnum))
        + 16 * image.dynamic().len();
    let most = CONSTANT + FACTOR * tables;
    within(most, "reading", || {
        let _ = image.summary();
        let _ = current(&image);
        let _ = (image.kind(), image.build_id(), image.string_table());
        let _ = (image.version_needs(), image.version_definitions());
    });
    within(most, "looking up symbols", || {
        let _ = (exports(&image, b"answer"), imports(&image, b"dep"));
    });
    for entry in [&b"x"[..], b"$ORIGIN/far/away/far/away/far/away/far/away/far/away/far/away"] {
        let request = Request::search_path(vec![entry.to_vec()], None);
        let patch = within(most, "editing", || edit(&image, &request));
        if let Ok(patch) = patch {
            assert!(patch.edits.old_len() == Source::len(file), "edits of another file");
        }
    }
}
