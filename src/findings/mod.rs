//! What a diagnosis can find: causes, the pages about them, and findings as data.

pub mod cause_pages;
pub mod cure;
pub mod evidence;
pub mod finding;
pub mod refusal;
