//! The case that other cases start in a process of its own, as another user or to be killed.

#[test]
#[ignore = "run by other tests, in a process of its own"]
fn carries_out_a_plan() {
    crate::support::operated::carry_out();
}
