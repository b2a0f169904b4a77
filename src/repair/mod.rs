//! From a target to a plan: inventory, diagnosis, planning, proof.

pub mod bindings;
pub mod diagnose;
pub mod dlopen;
pub mod finding;
pub mod inventory;
pub mod macos;
pub mod packages;
pub mod planner;
pub mod proof;
pub mod provider;
pub mod rewrite;
pub mod seen;
pub mod spelling;
pub mod steps;
pub mod target;
pub mod tensorflow;
pub mod trace;
pub mod wheel;
