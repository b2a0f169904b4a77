//! The texts of findings about memory that objects need.

use crate::findings::evidence::memory::Memory;

/// The finding, in a sentence.
pub(super) fn of(memory: &Memory) -> String {
    match memory {
        Memory::ExecutableStack { object, is_asked, refused_by, writes_code } => {
            let asks = match is_asked {
                true => format!("{object} requests an executable stack"),
                false => format!(
                    "{object} does not state which stack it needs, which means an executable one"
                ),
            };
            let refused = match refused_by {
                Some((major, minor)) => {
                    format!(
                        "{asks}; glibc 2.41 and later refuse to open it, and {major}.{minor} is installed"
                    )
                }
                None => format!("{asks}; glibc 2.41 and later refuse to open it"),
            };
            match writes_code {
                true => format!("{refused}; its code appears to use that stack (nested functions)"),
                false => refused,
            }
        }
        Memory::StaticTls { object, is_alone, wanted, available } => {
            let with = if *is_alone { "" } else { " with the libraries that it loads" };
            format!(
                "{object}{with} needs {wanted} bytes of static thread-local storage; a running program has \
                 {available}"
            )
        }
        Memory::StaticTlsTogether { objects, wanted, available } => format!(
            "{objects} files together need {wanted} bytes of static thread-local storage; a running program has \
             {available}, so the last import fails"
        ),
    }
}
