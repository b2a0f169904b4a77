//! Whose store is relied on, and what nobody's record makes an operation do.

use crate::support::trust::{Tree, all_of};
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn pipes_devices_and_files_with_two_names_are_no_files_of_a_store() {
    for name in ["lock", "operations/0009-aa.json", "operations/0009-aa.pending.json"] {
        for kind in ["fifo", "device", "link"] {
            let tree = Tree::edited();
            let path = tree.store().join(name);
            let _ = std::fs::remove_file(&path);
            let precious = tree.outside.join("precious");
            std::fs::write(&precious, "precious").unwrap();
            match kind {
                "fifo" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                "device" => symlink("/dev/zero", &path).unwrap(),
                _ => std::fs::hard_link(&precious, &path).unwrap(),
            }
            let refused = all_of(&tree.root).iter().filter(|outcome| outcome.is_err()).count();
            // Who only reads does not take the lock, and a recovery reads what is pending alone.
            let expected = match name {
                "lock" => 2,
                "operations/0009-aa.json" => 5,
                _ => 3,
            };
            assert_eq!(refused, expected, "{name}, {kind}");
            assert_eq!(std::fs::read(&precious).unwrap(), b"precious", "{name}, {kind}");
        }
    }
}
