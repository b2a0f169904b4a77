//! What a diagnosis can find: causes, the pages about them, and findings as data.

pub mod cause_pages;
pub mod finding;
