//! The results of a diagnosis: causes, the pages that describe them, and findings as data.

pub mod cause_pages;
pub mod cure;
pub mod evidence;
pub mod finding;
pub mod refusal;
