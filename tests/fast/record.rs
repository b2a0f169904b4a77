//! RECORD, edited as bytes, read back by Python.

use proptest::prelude::*;
use proptest::test_runner::Config;
use std::path::Path;
use tfpatch::edit::Invalid;
use tfpatch::python::distribution::{self, Problem};
use tfpatch::python::owners::Owners;
use tfpatch::python::record::{self, Change, Error, Record, updated_row};
use tfpatch::vfs::MemVfs;

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]
    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in prop::collection::vec(prop::sample::select(&b"a,\"\r\n=1\xef\xbb\xbf"[..]), 0..40),
    ) {
        let mut end = 0;
        for row in record::rows(&bytes).map_while(Result::ok) {
            prop_assert!(row.range.start >= end && row.range.start < row.range.end);
            end = row.range.end;
            let kept = updated_row(&row, &[0; 32], 0);
            prop_assert!(kept.is_ok() || row.hash.is_some());
        }
        prop_assert!(end <= bytes.len() as u64);
    }
}

#[test]
fn what_cannot_be_edited_is_refused() {
    let record = b"a.so,md5=abc,1\nb.so,sha256=abc,1\n\"c";
    let change = |row| Change { row, sha256: [1; 32], size: 2 };
    let refused = record::edits(&record[..33], &[change(0)]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "RECORD has a md5 hash for a.so; tfpatch can update only sha256"
    );
    assert_eq!(record::edits(&record[..33], &[change(2)]), Err(Error::NoSuchRow { index: 2 }));
    let twice = record::edits(&record[..33], &[change(1), change(1)]);
    assert!(matches!(twice, Err(Error::Edit(Invalid::Overlap { .. }))), "{twice:?}");
    let Err(Error::Malformed(error)) = record::edits(record, &[change(1)]) else { panic!() };
    assert_eq!(error.to_string(), "RECORD row at offset 0x21: a quoted field does not end");
    assert!(Record::parse(record).is_err());
}

#[test]
fn a_byte_order_mark_belongs_to_no_path() {
    let parsed = Record::parse(b"\xef\xbb\xbfa.so,,\r\n").unwrap();
    assert_eq!((&*parsed.rows[0].path, parsed.rows[0].range.clone()), (&b"a.so"[..], 3..9));
}

#[test]
fn owners_are_found_by_path_whatever_way_record_writes_it() {
    let metadata = |name: &str| format!("Name: {name}\nVersion: 1\n\n");
    let vfs = MemVfs::new()
        .file("/e/site/a-1.dist-info/METADATA", metadata("a"))
        .file(
            "/e/site/a-1.dist-info/RECORD",
            "a/x.py,,\na/x.so,sha256=q,7\n../bin/tool,,\n/e/site/s.so,,\n",
        )
        .file("/e/site/b-1.dist-info/METADATA", metadata("b"))
        .file("/e/site/b-1.dist-info/RECORD", "./a//x.so,,\n\"broken")
        .file("/e/site/c-1.dist-info/METADATA", metadata("c"))
        .file("/e/site/d.egg-info", metadata("d"))
        .file("/e/site/e-1.dist-info/METADATA", metadata("e"))
        .file("/e/site/e-1.dist-info/RECORD", "e.so,,")
        .unreadable("/e/site/e-1.dist-info/RECORD");
    let (found, problems) = distribution::distributions(&vfs, Path::new("/e/site"));
    assert_eq!((found.len(), problems.len()), (5, 0), "{problems:?}");
    let (owners, problems) = Owners::new(&vfs, &found, |path| !path.ends_with(b".py"));
    let of = |path: &str| -> Vec<(usize, usize, Option<u64>, bool)> {
        let found = owners.of(Path::new(path)).iter();
        found.map(|own| (own.distribution, own.row, own.size, own.hashed)).collect()
    };
    assert_eq!(of("/e/site/a/x.so"), [(0, 1, Some(7), true), (1, 0, None, false)]);
    assert_eq!(of("/e/bin/tool"), [(0, 2, None, false)]);
    assert_eq!(of("/e/site/s.so"), [(0, 3, None, false)]);
    assert_eq!(of("/e/site/a/x.py"), []);
    let paths: Vec<_> = owners.files().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/e/bin/tool", "/e/site/a/x.so", "/e/site/s.so"].map(Path::new));
    assert!(matches!(&problems[..], [Problem::MalformedRecord { .. }, Problem::Unreadable { .. }]));
}

/// What an undo may change of a row: its hash and its size, and nothing that any reader of such files takes for
/// another row or field.
#[test]
fn rows_that_differ_in_a_hash_and_a_size() {
    let differ = |one: &str, other: &str| {
        let [one, other] = [one, other].map(|text| text.as_bytes().to_vec());
        let [one, other] = [&one, &other].map(|text| record::rows(text).next().unwrap().unwrap());
        one.differs_in_hash_and_size_alone(&other)
    };
    let row = "demo/a.so,sha256=AAAA-_b,12";
    for other in ["demo/a.so,sha256=x,1", "demo/a.so,,", "demo/a.so,\"sha384=q/+=\",\"5\""] {
        assert!(differ(row, other), "{other}");
    }
    for other in [
        "demo/b.so,sha256=AAAA-_b,12",
        "demo/a.so,sha256=x,1\u{c}../bin/python3,,\u{c}x.py,sha256=y,1",
        "demo/a.so,sha256=x\u{2028}b.py,1",
        "demo/a.so,sha256=x,1,more",
        "demo/a.so,\"sha256=x\n\",1",
        "demo/a.so,sha256=x,-1",
    ] {
        assert!(!differ(row, other), "{other:?}");
    }
    let long = format!("demo/a.so,sha256={},1", "a".repeat(300_000));
    assert!(!differ(row, &long));
}
