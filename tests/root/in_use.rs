//! Files that a process has mapped, or opens just then, while they are edited or made shorter again.

use crate::support::in_use::Mapper;
use crate::support::operated::{append, fix, library, revert_all, snapshot, step};

/// overlayfs grants a lease on a file that is mapped, for the mapping is of the file beneath.
#[test]
fn a_mapped_file_of_an_overlay_is_never_cut_off() {
    let top = crate::support::mounts::Mounted::new("tmpfs", &[], "none");
    for directory in ["lower", "upper", "work", "merged"] {
        std::fs::create_dir(top.path().join(directory)).unwrap();
    }
    let at = |name: &str| top.path().join(name).display().to_string();
    let layers =
        format!("lowerdir={},upperdir={},workdir={}", at("lower"), at("upper"), at("work"));
    let overlay = crate::support::mounts::Mounted::new("overlay", &["-o", &layers], "none");
    let root = overlay.path();
    let file = library(root, "a.so");
    let before = snapshot(&file);
    fix(root, vec![step(root, "a.so", append(&file))]).unwrap();
    let mapper = Mapper::of(&file);
    revert_all(root);
    assert_eq!(snapshot(&file).content, before.content);
    assert_eq!(mapper.reads_the_same(), Some(true));
}
