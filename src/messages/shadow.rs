//! Files of a program that are imported instead of an installed package, because they have its name and are in the
//! directory of the program, which Python searches first.

use super::scanner::behind;
use super::verdict::{Case, Outcome, Remedy, Verdict};
use super::{Kind, Message};
use crate::bytes::printable;
use crate::findings::finding::Cause;
use crate::knowledge::{import_names, tensorflow};
use crate::python::modules::{self, Found};
use crate::vfs::Vfs;
use crate::world::World;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Is a file a top-level module of that name, outside of the installed packages and of the standard library?
pub(super) fn is_own_file(module: &[u8], file: &[u8]) -> bool {
    let elsewhere: [&[u8]; 5] =
        [b"/site-packages/", b"/dist-packages/", b"/lib/python", b"/lib64/python", b".zip/"];
    let ends = [[b"/", module, b".py"].concat(), [b"/", module, b"/__init__.py"].concat()];
    file.starts_with(b"/")
        && !module.contains(&b'.')
        && !elsewhere.iter().any(|part| behind(file, part).is_some())
        && ends.iter().any(|end| file.ends_with(end))
}

impl Message {
    /// Does it name a file of the program that may be imported instead of a package?
    #[must_use]
    pub fn may_be_about_a_shadow(&self) -> bool {
        let named = self.module.as_deref().zip(self.object.as_deref());
        self.kind == Kind::NameNotFound
            && named.is_some_and(|(module, file)| is_own_file(module, file))
    }

    /// Is it about a module that may be just the user's own? Nothing is known about that.
    #[must_use]
    pub fn is_about_own_code(&self) -> bool {
        let module = self.module.as_deref().map(printable).unwrap_or_default();
        self.may_be_about_a_shadow()
            && import_names::known_distribution_of(&module).is_none()
            && !tensorflow::DISTRIBUTIONS.contains(&module.as_str())
    }
}

/// The package of the environment that a file of the program shadows, according to a message that names the file.
pub(super) fn of_named_file(vfs: &dyn Vfs, world: &World, message: &Message) -> Option<Verdict> {
    let file = message.object.as_deref().filter(|_| message.may_be_about_a_shadow())?;
    let module = message.module.as_deref()?;
    let Found::Importable(own) = modules::find(vfs, world.environment.as_ref()?, module) else {
        return None;
    };
    let by = PathBuf::from(OsStr::from_bytes(file));
    (own != by).then(|| verdict(message, module, by, own))
}

/// What shadows the package of a module that is in the environment, and was not found: a file or a directory in one
/// of the directories that the program may have been started in.
#[must_use]
pub fn in_directories(
    vfs: &dyn Vfs,
    message: &Message,
    found: &Verdict,
    directories: &[&Path],
) -> Option<Verdict> {
    let Case::ModuleIsHere { module, path: own } = &found.case else { return None };
    let (top, _) = module.split_at(module.iter().position(|&byte| byte == b'.')?);
    let directories = directories.iter().filter(|directory| !own.starts_with(directory));
    let names = [top.to_vec(), [top, b".py"].concat()];
    let mut paths = directories
        .flat_map(|directory| names.iter().map(|name| directory.join(OsStr::from_bytes(name))));
    let by = paths.find(|path| vfs.metadata(path).is_ok())?;
    Some(verdict(message, top, by, own.clone()))
}

fn verdict(message: &Message, module: &[u8], by: PathBuf, own: PathBuf) -> Verdict {
    Verdict {
        cause: Some(Cause::DuplicateInstall),
        case: Case::Shadowed { module: module.to_vec(), by: by.clone(), own },
        remedy: Remedy::Rename(by),
        ..Verdict::by_words(message, Outcome::Found)
    }
}
