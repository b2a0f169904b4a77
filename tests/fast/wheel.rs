//! The archive that a wheel is.

use crate::support::wheels::stored_wheel;
use std::path::Path;
use tfpatch::python::wheel::Wheel;
use tfpatch::vfs::MemVfs;

/// A wheel in which readers would find two directories, one by the wide fields and one by the narrow ones, or one
/// by the locator and one before it.
#[test]
fn a_wheel_has_one_directory_for_every_reader() {
    let wheel = stored_wheel(&[("x/a.py", b"a"), ("x-1.0.dist-info/RECORD", b"")]);
    let end = wheel.len() - 22;
    let narrow = |at: usize| u32::from_le_bytes(wheel[end + at..end + at + 4].try_into().unwrap());
    let (len, start) = (u64::from(narrow(12)), u64::from(narrow(16)));
    let with = |gap: usize, record_len: u64, narrow_start: u32| {
        let mut all = wheel[..end].to_vec();
        all.extend([&b"PK\x06\x06"[..], &record_len.to_le_bytes(), &[45, 0, 45, 0]].concat());
        all.extend([0; 8]);
        for value in [2, 2, len, start] {
            all.extend(u64::to_le_bytes(value));
        }
        all.extend(vec![0; gap]);
        all.extend(
            [&b"PK\x06\x07"[..], &[0; 4], &(end as u64).to_le_bytes(), &[1, 0, 0, 0]].concat(),
        );
        all.extend(&wheel[end..end + 16]);
        all.extend(narrow_start.to_le_bytes());
        all.extend([0, 0]);
        all
    };
    let is_read = |bytes: Vec<u8>| {
        let vfs = MemVfs::new().file("/x-1.0-py3-none-any.whl", bytes);
        Wheel::open(&vfs, Path::new("/x-1.0-py3-none-any.whl")).is_ok()
    };
    let same = u32::try_from(start).unwrap();
    assert!(is_read(wheel.clone()));
    assert!(is_read(with(0, 44, same)));
    assert!(is_read(with(0, 44, u32::MAX)));
    assert!(is_read(with(4, 48, same)), "what is behind the fields belongs to them");
    assert!(!is_read(with(4, 44, same)), "a gap");
    assert!(!is_read(with(0, 44, same - 1)), "another directory");
}
