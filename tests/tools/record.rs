//! RECORD, edited as bytes, read back by Python.

use crate::support::wheels::{self, LinkMode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::process::Command;
use tfpatch::bytes::Source as _;
use tfpatch::edit::{EditSet, Patched};
use tfpatch::python::distribution;
use tfpatch::python::owners::Owners;
use tfpatch::python::record::{self, Change, Record, updated_row};
use tfpatch::vfs::OsVfs;

fn apply(old: &[u8], edits: &EditSet) -> Vec<u8> {
    let old = old.to_vec();
    let new = Patched::new(&old, edits);
    new.get(0..new.len()).unwrap().into_owned()
}

fn hash(digest: &[u8; 32]) -> String {
    format!("sha256={}", URL_SAFE_NO_PAD.encode(digest))
}

/// A row as somebody may have written it.
#[derive(Debug, Clone)]
struct Written {
    path: Vec<u8>,
    digest: Option<[u8; 32]>,
    size: Option<u64>,
    quoted: bool,
    more: &'static str,
    line_end: &'static str,
    change: Option<([u8; 32], u64)>,
}

impl Written {
    fn fields(&self, digest: Option<[u8; 32]>, size: Option<u64>) -> Vec<Vec<u8>> {
        let hash = digest.map(|digest| hash(&digest)).unwrap_or_default();
        let size = size.map(|size| size.to_string()).unwrap_or_default();
        let mut fields = vec![self.path.clone(), hash.into_bytes(), size.into_bytes()];
        fields.extend(self.more.split(',').skip(1).map(|field| field.as_bytes().to_vec()));
        fields
    }

    /// The fields after the change, by the rule that what is empty stays empty.
    fn changed(&self) -> Vec<Vec<u8>> {
        let (digest, size) = self.change.unzip();
        self.fields(
            self.digest.map(|old| digest.unwrap_or(old)),
            self.size.map(|old| size.unwrap_or(old)),
        )
    }

    fn write(&self, fields: &[Vec<u8>]) -> Vec<u8> {
        let mut row = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                row.push(b',');
            }
            let special = field.iter().any(|byte| b"\",\r\n".contains(byte));
            if (self.quoted && index < 3) || special {
                row.push(b'"');
                for &byte in field {
                    row.extend(std::iter::repeat_n(byte, if byte == b'"' { 2 } else { 1 }));
                }
                row.push(b'"');
            } else {
                row.extend(field);
            }
        }
        row.extend(self.line_end.as_bytes());
        row
    }
}

prop_compose! {
    fn written()(
        path in prop::collection::vec(prop::sample::select(&b"ab/.~ ='\",\r\n\xff\xc3\xa9"[..]), 1..12),
        digest in any::<Option<[u8; 32]>>(),
        size in any::<Option<u64>>(),
        quoted in any::<bool>(),
        more in prop::sample::select(&["", ",", ",x"][..]),
        line_end in prop::sample::select(&["\n", "\r\n", "\n\n", "\r"][..]),
        change in any::<Option<([u8; 32], u64)>>(),
    ) -> Written {
        Written { path, digest, size, quoted, more, line_end, change }
    }
}

/// Reads `N.old` and `N.new` of a directory as Python's own csv module does; every row as text.
const READ: &str = r"
import csv, json, pathlib, sys
read = lambda path: [row for row in csv.reader(open(path, newline='', encoding='latin-1')) if row]
root = pathlib.Path(sys.argv[1])
print(json.dumps([[read(root / f'{n}.old'), read(root / f'{n}.new')] for n in range(int(sys.argv[2]))]))
";

#[test]
fn only_hashes_and_sizes_change_and_python_reads_them_back() {
    let dir = tempfile::tempdir().unwrap();
    let expected = RefCell::new(Vec::new());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let rows = prop::collection::vec(written(), 0..8);
    let outcome = runner.run(&rows, |rows| {
        let as_was: Vec<_> = rows.iter().map(|row| row.fields(row.digest, row.size)).collect();
        let as_is: Vec<_> = rows.iter().map(Written::changed).collect();
        let join = |all: &[Vec<Vec<u8>>]| -> Vec<u8> {
            rows.iter().zip(all).flat_map(|(row, fields)| row.write(fields)).collect()
        };
        let (old, wanted) = (join(&as_was), join(&as_is));
        let changes: Vec<Change> = rows
            .iter()
            .enumerate()
            .filter_map(|(row, written)| {
                written.change.map(|(sha256, size)| Change { row, sha256, size })
            })
            .collect();
        let edits = record::edits(&old, &changes).unwrap();
        let new = apply(&old, &edits);
        // Every byte but those of the fields is as it was: `wanted` is written by the same hand.
        prop_assert_eq!(&new, &wanted);
        prop_assert_eq!(edits.is_empty(), old == new);
        prop_assert!(record::edits(&new, &changes).unwrap().is_empty());

        let parsed = Record::parse(&old).unwrap();
        prop_assert_eq!(parsed.rows.len(), rows.len());
        for (read, written) in parsed.rows.iter().zip(&rows) {
            prop_assert_eq!(&read.path, &written.path);
            prop_assert_eq!(read.size, written.size);
            if let Some((sha256, size)) = written.change {
                let mut row = written.write(&written.changed());
                row.truncate(row.len() - written.line_end.len());
                prop_assert_eq!(updated_row(read, &sha256, size).unwrap(), row);
            }
        }

        let mut cases = expected.borrow_mut();
        std::fs::write(dir.path().join(format!("{}.old", cases.len())), old).unwrap();
        std::fs::write(dir.path().join(format!("{}.new", cases.len())), new).unwrap();
        let text = |rows: Vec<Vec<Vec<u8>>>| -> Vec<Vec<String>> {
            let latin_1 = |field: Vec<u8>| field.into_iter().map(char::from).collect();
            rows.into_iter().map(|row| row.into_iter().map(latin_1).collect()).collect()
        };
        cases.push([text(as_was), text(as_is)]);
        Ok(())
    });
    outcome.unwrap();
    let expected = expected.into_inner();
    let mut python = wheels::python3();
    python.args(["-c", READ]).arg(dir.path()).arg(expected.len().to_string());
    let read: Vec<[Vec<Vec<String>>; 2]> = serde_json::from_str(&wheels::run(&mut python)).unwrap();
    for (read, expected) in read.iter().zip(&expected) {
        assert_eq!(read, expected);
    }
    assert_eq!(read.len(), expected.len());
    assert!(read.len() >= 100, "{} cases are few", read.len());
}

/// Python's own reader of RECORD finds the new hash and size of an installed file.
#[test]
fn an_installed_record_is_edited() {
    let dir = tempfile::tempdir().unwrap();
    let env = wheels::environment(dir.path(), LinkMode::Copy);
    let vfs = OsVfs::new();
    let (found, problems) = distribution::distributions(&vfs, &env.site_packages);
    assert!(problems.is_empty(), "{problems:?}");
    let index = found.iter().position(|found| found.name == "broken").unwrap();
    let (owners, problems) =
        Owners::new(&vfs, &found, |path| path.windows(3).any(|at| at == b".so"));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(owners.files().len(), 2);

    let extension = env.extension();
    let path = env.site_packages.join(&extension);
    let mut content = std::fs::read(&path).unwrap();
    let [owner] = owners.of(&path) else { panic!("{owners:?}") };
    assert_eq!((owner.distribution, owner.size), (index, Some(content.len() as u64)));
    content.extend(b"tail");
    std::fs::write(&path, &content).unwrap();
    let sha256: [u8; 32] = Sha256::digest(&content).into();
    let record = found[index].record();
    let old = std::fs::read(&record).unwrap();
    let change = Change { row: owner.row, sha256, size: content.len() as u64 };
    let edits = record::edits(&old, &[change]).unwrap();
    std::fs::write(&record, apply(&old, &edits)).unwrap();

    let code = "import base64, hashlib, importlib.metadata as metadata
for file in metadata.files('broken'):
    if file.hash:
        content = file.locate().read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()
        assert (file.hash.mode, file.hash.value, file.size) == ('sha256', digest, len(content)), file
print('checked')";
    assert_eq!(wheels::run(Command::new(&env.python).args(["-c", code])).trim(), "checked");
}
