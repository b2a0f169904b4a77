//! The ways to make room for a string, the first that serves: each says where, and gives the edits.

pub(super) mod append_to_tail;
pub(super) mod in_place;
pub(super) mod move_last_segment;
pub(in crate::elf) mod new_segment;
