//! The words of loaders, of Python, of TensorFlow and of other programs for what they could not load: from text to a
//! [`Message`], from a message to what was found in an environment, and to a cure.
//!
//! The text may be a single line or the log of a whole run, of any bytes. It is read line by line, in
//! time proportional to its length and in bounded memory; a message may be anywhere in a line, behind
//! the name of a container or the prompt of a quotation.

mod about;
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
mod tensorflow;
mod translated;
mod windows;

pub use self::log::{Log, read};
pub use self::message::*;
pub use self::scanner::leaf;
