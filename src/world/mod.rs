//! What is examined: the tree, its objects and distributions, the programs that load them, and the
//! system around.

pub mod constants;
pub mod distro_packages;
pub mod imported;
pub mod inventory;
pub mod linked_directories;
pub mod makers;
pub mod native_modules;
pub mod object_names;
pub mod origins;
mod other_names;
pub mod place;
pub mod program;
pub mod python_code;
pub mod question;
pub mod rpath_entry;
pub mod rpath_entry_macho;
pub mod shadowed;
pub mod system_libraries;
pub mod twins;
pub mod unreadable;
mod walk;
pub mod wheel_claims;
#[expect(clippy::module_inception, reason = "World is what the room is about")]
mod world;

pub use self::place::Place;
pub use self::question::Question;
pub use self::world::World;
