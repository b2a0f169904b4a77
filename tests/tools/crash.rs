//! Operations that are stopped between any two system calls.

use crate::support::crash::Tree;
use crate::support::operated::child_in;
use tfpatch::operation::Disk;

#[test]
fn a_killed_process_is_recovered_from() {
    use std::os::unix::process::ExitStatusExt as _;
    let (mut killed, mut limit) = (0, 4);
    loop {
        let tree = Tree::new();
        let plan = serde_json::to_vec(&tree.plan).unwrap();
        std::fs::write(tree.at("plan.json"), plan).unwrap();
        std::fs::write(tree.at("stop-at"), limit.to_string()).unwrap();
        let output = child_in(&tree.top, &[]).output().unwrap();
        tree.recover(Disk::real()).unwrap();
        let new = tree.check_all(&format!("killed at call {limit}"));
        if output.status.signal() != Some(9) {
            assert!(output.status.success() && new);
            break;
        }
        killed += 1;
        limit += 7;
    }
    assert!(killed > 5, "killed {killed} times");
}
