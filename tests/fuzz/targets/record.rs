//! `RECORD`, edited as bytes: only hashes and sizes of the rows that were named change, they say
//! what was wanted, and the inverse gives the old bytes.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use std::collections::BTreeMap;
use tfpatch::bytes::Source;
use tfpatch::edit::Patched;
use tfpatch::python::record::{self, Change, Error, Record, updated_row};
use tfpatch_fuzz::within;

/// Memory for each byte of the file, and besides: a row of one byte and its end is described by
/// 200 bytes, and a list that grows is twice as long for a moment.
const FACTOR: usize = 400;
const CONSTANT: usize = 1 << 12;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((&[row, next, size, digest], old)) = input.split_first_chunk() else {
        return Corpus::Reject;
    };
    let old = old.to_vec();
    let most = CONSTANT + FACTOR * old.len();
    let parsed = within(most, "reading", || Record::parse(&old));
    let row = usize::from(row % 8);
    let wanted: BTreeMap<usize, ([u8; 32], u64)> = [
        (row, ([digest; 32], u64::from(size))),
        (row + usize::from(next % 8), ([!digest; 32], u64::from(size) << 40)),
    ]
    .into();
    let changes: Vec<Change> =
        wanted.iter().map(|(&row, &(sha256, size))| Change { row, sha256, size }).collect();
    let edits = match (within(most, "editing", || record::edits(&old, &changes)), &parsed) {
        (Ok(edits), Ok(_)) => edits,
        (Err(Error::Malformed(_)), Err(_)) => return Corpus::Keep,
        (Err(Error::UnsupportedHash { .. } | Error::NoSuchRow { .. }), _) => return Corpus::Keep,
        (edited, parsed) => panic!("reading gives {parsed:?}, editing {edited:?}"),
    };
    let parsed = parsed.expect("what was edited was read");

    let patched = Patched::new(&old, &edits);
    let new = patched.get(0..patched.len()).expect("a file can be read whole").into_owned();
    let back = edits.invert(&old).expect("an edit can be turned around");
    let back = Patched::new(&new, &back);
    assert!(back.get(0..back.len()).as_deref() == Some(&old), "the inverse gives something else");
    let again = record::edits(&new, &changes).expect("what was done can be asked for again");
    assert!(again.is_empty(), "what is asked for twice is done twice");

    let reread = Record::parse(&new).expect("what was written can be read");
    assert_eq!(parsed.rows.len(), reread.rows.len());
    // What stands between the rows stays; the rows that were not named do, too.
    let (mut old_at, mut new_at) = (0, 0);
    for (index, (before, after)) in parsed.rows.iter().zip(&reread.rows).enumerate() {
        let (old_row, new_row) = (span(&before.range), span(&after.range));
        assert_eq!(old[old_at..old_row.start], new[new_at..new_row.start]);
        (old_at, new_at) = (old_row.end, new_row.end);
        assert_eq!(before.path, after.path);
        let Some((sha256, size)) = wanted.get(&index) else {
            assert_eq!(old[old_row], new[new_row]);
            continue;
        };
        let row = updated_row(before, sha256, *size).expect("the edit was possible");
        assert_eq!(row, new[new_row]);
        assert_eq!(before.hash.is_some(), after.hash.is_some());
        assert!(after.hash.as_ref().is_none_or(|hash| *hash.algorithm == *b"sha256"));
        assert!(before.size.is_none() || after.size == Some(*size));
    }
    assert_eq!(old[old_at..], new[new_at..]);
    Corpus::Keep
});

fn span(range: &std::ops::Range<u64>) -> std::ops::Range<usize> {
    range.start as usize..range.end as usize
}
