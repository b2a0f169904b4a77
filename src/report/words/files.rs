//! The texts of findings about broken or unsuitable files.

use super::text::{AND, joined};
use crate::bytes::{printable, shown};
use crate::findings::evidence::file::File;
use crate::object::Format;
use crate::world::unreadable::{Instead, Why};

/// The finding, in a sentence.
pub(super) fn of(file: &File) -> String {
    match file {
        File::Unreadable { file, why } => format!("{file}: {}", unreadable(why)),
        File::MoreUnreadable { files, file, why } => {
            format!("cannot read {files} more files, such as {file}: {}", unreadable(why))
        }
        File::OtherProcessor { object, architecture } => {
            format!("{object} is built for {architecture}, but the interpreters here are not")
        }
        File::NoSlice { object, arch, said } => format!("{object} has no {arch} code: {said}"),
        File::NoSignature { object, said } => {
            format!("{object} has no valid signature: {said}")
        }
        File::NotTaken { object, said } => format!("dyld rejects {object}: {said}"),
        File::BadPage { object, arch, offset } => format!(
            "the code of {object} does not match its signature at offset {offset} of its {arch} slice"
        ),
        File::NotInWheel { record, member } => {
            let member = printable(member);
            format!("{record} lists {member}, which is not in the wheel")
        }
        File::OtherLength { member, recorded, length } => {
            format!("{member} has {length} bytes, and RECORD lists {recorded}")
        }
        File::NotForTag { object, format, architectures, tag } => {
            let what = match format {
                Format::Elf => "an ELF file",
                Format::Macho => "a Mach-O file",
            };
            let architectures = joined(architectures, AND);
            format!("{object} is {what} for {architectures}, but the tag of the wheel is {tag}")
        }
        File::DuplicateEntries { object, count, is_refused } => {
            let refuses = if *is_refused { "; dyld rejects the file" } else { "" };
            let entries = if *count == 1 { "entry" } else { "entries" };
            format!("{object} has {count} duplicate search path {entries}{refuses}")
        }
        File::DeadEntries { object, count } => match count {
            1 => format!("{object} has 1 search path entry for a missing directory"),
            _ => format!("{object} has {count} search path entries for missing directories"),
        },
    }
}

fn unreadable(why: &Why) -> String {
    match why {
        Why::Io(error) => error.said.clone(),
        Why::Malformed(error) => error.to_string(),
        Why::TooLong(error) => error.to_string(),
        Why::NoObject(Instead::Empty) => "it is empty".to_owned(),
        Why::NoObject(Instead::Zeros) => "it begins with zeros instead of an ELF header".to_owned(),
        Why::NoObject(Instead::Other) => {
            "it is named like a shared library, but is neither ELF nor Mach-O".to_owned()
        }
        Why::Flattened(named) => {
            format!("it is a text file that names {}; a symlink was replaced", shown(named))
        }
        Why::LfsPointer => "it is a Git LFS pointer, not the file itself".to_owned(),
        Why::Dangling(target) => {
            format!("it is a dangling link to {}", shown(target))
        }
        Why::Loop => "it is a link that points back to itself".to_owned(),
        Why::Token => {
            "its path contains `$ORIGIN`, `$LIB` or `$PLATFORM`, which the loader replaces when it is opened".to_owned()
        }
        Why::Refused(said) => format!("the loader refuses it: {said}"),
        Why::NoExec => {
            "its file system is mounted noexec, so that no code there can run".to_owned()
        }
    }
}
