//! Reports: for people, and for programs.

pub mod changes;
pub mod doctor;
pub mod dot;
pub mod error;
pub mod explain;
pub mod findings;
pub mod heading;
pub mod inert;
pub mod json;
pub mod layout;
mod lines;
pub mod linked;
pub mod log;
pub mod markdown;
pub mod operations;
pub mod outcome;
pub mod path_text;
pub mod probe;
pub mod probe_json;
pub mod proof;
pub mod proof_json;
pub mod revert;
#[cfg(feature = "testing")]
pub mod schema;
pub mod search_paths;
pub mod show;
pub mod style;
mod testimony;
pub mod trace;
pub mod tree;
pub mod verify;
pub mod words;
