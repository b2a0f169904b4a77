//! The `tfpatch` command.

fn main() {}
