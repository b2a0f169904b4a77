//! Small ELF files with just the parts that a loader reads, for file systems in memory.

use crate::support::elf_writer::{Elf, bytes_of};

#[test]
fn what_is_written_is_read_back() {
    for (is_64, little) in [(true, true), (true, false), (false, true), (false, false)] {
        let elf = Elf {
            is_64,
            little,
            machine: 21,
            version_needs: vec![
                (b"libc.so.6".to_vec(), vec![(b"GLIBC_2.2".to_vec(), false)]),
                (b"libx.so".to_vec(), vec![(b"X_1".to_vec(), true), (b"X_2".to_vec(), false)]),
            ],
            version_definitions: bytes_of(&["Y_1", "Y_2"]),
            ..Elf::program(&["libc.so.6", "libx.so"]).soname("liby.so").rpath("/r").runpath("/u")
        };
        let file = elf.bytes();
        let summary = tfpatch::elf::Image::parse(&file).unwrap().summary().unwrap();
        assert_eq!(summary.interpreter, elf.interpreter);
        assert_eq!(summary.soname, elf.soname);
        assert_eq!(summary.needed, elf.needed);
        assert_eq!((summary.rpath, summary.runpath), (Some(b"/r".to_vec()), Some(b"/u".to_vec())));
        assert_eq!(summary.flags_1, elf.flags_1);
        assert_eq!(summary.version_definitions, Some(elf.version_definitions));
        let needs = summary.version_needs.into_iter().map(|need| {
            let versions = need.versions.into_iter().map(|version| (version.name, version.weak));
            (need.file, versions.collect())
        });
        assert_eq!(needs.collect::<Vec<(_, Vec<_>)>>(), elf.version_needs);
    }
}
