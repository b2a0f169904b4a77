//! Why what would be loaded is not found: the objects of a target, seen through the loader.

mod absent;
mod asking;
pub mod bindings;
pub mod checks;
pub mod diagnose;
mod leave_replaced;
mod leave_shadowed;
mod left_to_others;
pub mod load_report;
mod loaded;
mod lost_symbols;
mod open_symbols;
mod owed;
pub mod provider;
mod symbol_names;
mod unmet;
