//! What is said of files that are not as they have to be.

use super::text::{AND, joined};
use crate::bytes::{printable, shown};
use crate::findings::evidence::file::File;
use crate::object::Format;
use crate::world::unreadable::{Instead, Why};

/// What is the case, in a sentence.
pub(super) fn of(file: &File) -> String {
    match file {
        File::Unreadable { file, why } => format!("{file}: {}", unreadable(why)),
        File::MoreUnreadable { files, file, why } => {
            format!("{files} more files cannot be read, such as {file}: {}", unreadable(why))
        }
        File::OtherProcessor { object, architecture } => {
            format!("{object} is for {architecture}, and no interpreter here is")
        }
        File::NoSlice { object, arch, said } => format!("{object} is no {arch} code: {said}"),
        File::NoSignature { object, said } => {
            format!("{object} has no signature that holds: {said}")
        }
        File::NotTaken { object, said } => format!("{object} is not taken by dyld: {said}"),
        File::BadPage { object, arch, offset } => format!(
            "{object} has code at offset {offset} of its {arch} slice that does not match its signature"
        ),
        File::NotInWheel { record, member } => {
            let member = printable(member);
            format!("{record}: it lists {member}, which the wheel does not have")
        }
        File::OtherLength { member, recorded, length } => {
            format!("{member}: RECORD gives it {recorded} bytes, and it has {length}")
        }
        File::NotForTag { object, format, architectures, tag } => {
            let what = match format {
                Format::Elf => "an ELF object",
                Format::Macho => "a Mach-O object",
            };
            let architectures = joined(architectures, AND);
            format!("{object} is {what} for {architectures}, and the wheel's tag is {tag}")
        }
        File::DuplicateEntries { object, count, is_refused } => {
            let refuses = if *is_refused { "; dyld refuses it" } else { "" };
            format!("{object} has entries that stand there before ({count}){refuses}")
        }
        File::DeadEntries { object, count } => {
            format!("{object} has entries that lead nowhere ({count})")
        }
    }
}

fn unreadable(why: &Why) -> String {
    match why {
        Why::Io(error) => error.said.clone(),
        Why::Malformed(error) => error.to_string(),
        Why::TooLong(error) => error.to_string(),
        Why::NoObject(instead) => {
            let what = match instead {
                Instead::Empty => "is empty",
                Instead::Zeros => "begins with zeros where an ELF header should be",
                Instead::Other => "begins neither as an ELF nor as a Mach-O file does",
            };
            format!("it is named as a shared object, and {what}")
        }
        Why::Flattened(named) => {
            format!("it is a text with the name of {}, in the place of a link", shown(named))
        }
        Why::LfsPointer => "it is a pointer of Git LFS, and not the object itself".to_owned(),
        Why::Dangling(target) => {
            format!("it is a link to {}, which is not there", shown(target))
        }
        Why::Loop => "it is a link that leads back to itself".to_owned(),
    }
}
