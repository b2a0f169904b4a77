//! What is said of the memory that objects want of a program that runs.

use crate::findings::evidence::memory::Memory;

/// What is the case, in a sentence.
pub(super) fn of(memory: &Memory) -> String {
    match memory {
        Memory::ExecutableStack { object, is_asked, refused_by } => {
            let asks = match is_asked {
                true => format!("{object} asks for an executable stack"),
                false => format!("{object} does not say what stack it needs, so an executable one"),
            };
            match refused_by {
                Some((major, minor)) => {
                    format!("{asks}; glibc {major}.{minor} is here, which refuses that since 2.41")
                }
                None => format!("{asks}; glibc 2.41 and later refuse to open it"),
            }
        }
        Memory::StaticTls { object, is_alone, wanted, available } => {
            let with = if *is_alone { "" } else { " and what it loads" };
            format!(
                "{object}{with} want {wanted} bytes of static thread-local storage; a running program has {available}"
            )
        }
        Memory::StaticTlsTogether { objects, wanted, available } => format!(
            "{objects} objects want {wanted} bytes of static thread-local storage together; a running program \
             has {available}, so what is imported last fails"
        ),
    }
}
