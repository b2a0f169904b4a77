//! Everything that reads a Mach-O file, on bytes that may be anything: no panic, soon, and in memory
//! that is bounded by a constant times its load commands, whatever they claim and however long the
//! file.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use tfpatch::bytes::Source;
use tfpatch::macho::codesign::Signature;
use tfpatch::macho::edit::{Request, SliceRequest, edit};
use tfpatch::macho::symbols::export;
use tfpatch::macho::{Container, HeaderPad, Image};
use tfpatch_fuzz::{shaped, within};

/// What does not grow with the load commands: strings, an export trie, a signature.
const CONSTANT: usize = 8 << 20;
/// Bytes held for each byte of the load commands.
const FACTOR: usize = 32;

fuzz_target!(|input: &[u8]| -> Corpus { shaped(input, read) });

fn read(file: &Vec<u8>) {
    let container = within(CONSTANT, "finding slices", || Container::parse(file));
    let Ok(container) = container else { return };
    for (index, slice) in container.slices.iter().enumerate() {
        let most = CONSTANT + FACTOR * commands_of(slice);
        let image = within(most, "parsing", || Image::parse(slice.clone()));
        let Ok(image) = image else { continue };
        within(most, "reading", || {
            let _ = (image.summary(), image.segments(), HeaderPad::of(&image));
        });
        within(most, "looking up a symbol", || {
            let _ = export(&image, b"_a");
        });
        let signature = within(most, "reading the signature", || Signature::read(&image));
        if let Ok(Some(signature)) = signature {
            within(most, "hashing", || {
                let _ = (signature.describe(), signature.first_bad_page(slice, 1 << 16));
            });
        }
        let wanted = SliceRequest {
            slice: index,
            entries: vec![b"@loader_path/../new".to_vec()],
            names: None,
            may_drop_source_version: true,
        };
        let wanted = Request {
            slices: vec![wanted],
            may_drop_signer: false,
            repairs_signature: false,
            file_name: b"x",
        };
        let patch = within(2 * most, "editing", || edit(&container, &wanted));
        if let Ok(patch) = patch {
            assert!(patch.edits.old_len() == Source::len(file), "edits of another file");
        }
    }
}

/// Bytes of load commands that the header claims and the slice has.
fn commands_of(slice: &dyn Source) -> usize {
    let word = |at| slice.get(at..at + 4).and_then(|bytes| bytes.first_chunk::<4>().copied());
    let (Some([first, ..]), Some(size)) = (word(0), word(20)) else { return 0 };
    // MH_MAGIC and MH_MAGIC_64 in little-endian order begin with their last byte.
    let is_little = matches!(first, 0xce | 0xcf);
    let size = if is_little { u32::from_le_bytes(size) } else { u32::from_be_bytes(size) };
    usize::try_from(u64::from(size).min(slice.len())).expect("a slice in memory")
}
