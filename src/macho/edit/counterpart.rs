//! Two states of one Mach-O file, which an undo record says differ in their search path: do they
//! differ in nothing that an edit of search paths leaves alone?

use crate::bytes::Source;
use crate::edit::Known;
use crate::macho::fat::Container;
use crate::macho::image::{Command, Image};
use goblin::mach::load_command as lc;

/// Does the file `then` differ from `now` only in load commands, padding and signatures: in the contents of
/// no section, and in no load command but those that an edit of search paths changes?
///
/// # Errors
/// With what would change besides.
pub fn check(now: &dyn Source, then: &dyn Source, known: Known<'_>) -> Result<(), &'static str> {
    if known.edits.is_some_and(|edits| !edits.keeps_offsets()) {
        return Err("bytes would move within the file");
    }
    let file = Container::parse(now).map_err(|_| "the file is not a Mach-O file")?;
    let other = Container::parse(then).map_err(|_| "the result is not a Mach-O file")?;
    if file.slices.len() != other.slices.len() {
        return Err("slices would come or go");
    }
    for (one, other) in file.slices.iter().zip(&other.slices) {
        if one.arch() != other.arch() || one.range().start != other.range().start {
            return Err("slices would change");
        }
        let image = Image::parse(one.clone()).map_err(|_| "a slice cannot be read")?;
        let changed = Image::parse(other.clone()).map_err(|_| "a slice could not be read")?;
        if others(&image) != others(&changed) {
            return Err("load commands would change beside the search path");
        }
        let segments = image.segments().map_err(|_| "the segments cannot be read")?;
        for section in segments.iter().flat_map(|segment| &segment.sections) {
            let start = one.in_file(section.offset);
            let content = start..start.saturating_add(section.size);
            let is_content = section.offset != 0 && !content.is_empty();
            let is_kept = || {
                let len = content.end - content.start;
                known.is_same((now, start), (then, start), len)
            };
            if is_content && !is_kept() {
                return Err("the contents of a section would change");
            }
        }
    }
    Ok(())
}

/// The load commands that no edit of search paths changes.
fn others(image: &Image<'_>) -> Vec<(u32, Vec<u8>)> {
    let is_linkedit = |command: &Command| {
        command.cmd == lc::LC_SEGMENT_64
            && command.bytes.get(8..24).is_some_and(|name| name.starts_with(b"__LINKEDIT\0"))
    };
    let changes = [lc::LC_RPATH, lc::LC_SOURCE_VERSION, lc::LC_CODE_SIGNATURE];
    let commands = image.commands().iter();
    commands
        .filter(|command| !changes.contains(&command.cmd) && !is_linkedit(command))
        .map(|command| (command.cmd, command.bytes.clone()))
        .collect()
}
