//! The strategies that make room for a string. Each returns the place of the string and the edits.

pub(super) mod append_to_tail;
pub(super) mod in_place;
pub(super) mod move_last_segment;
pub(in crate::elf) mod new_segment;
