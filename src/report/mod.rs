//! Reports: for people, and for programs.

pub mod changes;
pub mod dot;
pub mod findings;
pub mod json;
pub mod style;
pub mod trace;
pub mod tree;
