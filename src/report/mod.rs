//! Reports: for people, and for programs.

pub mod findings;
pub mod json;
pub mod style;
