//! From findings to a plan: search paths that cure them, and the proof that they do.

pub mod foreign_plan;
pub mod plan_builder;
pub mod planner;
pub mod proof;
pub mod proposal;
pub mod rewrite;
pub mod trace_scope;
