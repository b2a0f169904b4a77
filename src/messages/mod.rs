//! Messages of loaders, Python, TensorFlow and other programs about what they could not load: parses a text
//! into [`Message`]s, checks them in an environment, and determines a fix.
//!
//! The text may be a single line or the log of a whole run, with any bytes. It is read line by line, in time
//! proportional to its length and with bounded memory. A message may begin anywhere in a line, for example
//! after the name of a container or a quotation mark.

mod about;
pub mod advice;
pub mod cure;
mod dotnet;
mod dyld;
mod glibc;
pub mod in_environment;
mod log;
pub mod meaning;
mod message;
mod modules;
mod musl;
mod older;
mod php;
mod programs;
mod python;
mod scanner;
pub mod shadow;
mod tensorflow;
mod translated;
pub mod verdict;
mod windows;

pub use self::log::{Log, read};
pub use self::message::*;
pub use self::programs::is_library;
pub use self::scanner::leaf;
