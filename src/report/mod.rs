//! Reports: for people, and for programs.

pub mod changes;
pub mod findings;
pub mod json;
pub mod operations;
pub mod schema;
pub mod style;
pub mod trace;
pub mod tree;
