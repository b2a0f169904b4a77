//! Symbols as dyld binds them: each import names the library that it was linked against, and is looked up
//! only in the exports of that library.
//!
//! Imports are in the bind opcodes of `LC_DYLD_INFO` or in the import table of `LC_DYLD_CHAINED_FIXUPS`, and
//! exports in a trie (`mach-o/loader.h`, `mach-o/fixup-chains.h`; dyld's `mach_o/BindOpcodes.cpp`,
//! `mach_o/ChainedFixups.cpp`, `mach_o/ExportsTrie.cpp`).

use super::image::Image;
use crate::bytes::{Error, Excess, Problem, Source};
use goblin::mach::bind_opcodes as op;
use goblin::mach::exports as export;
use goblin::mach::load_command as lc;
use scroll::Pread;
use std::collections::BTreeSet;
use std::ops::Range;

/// The maximum size of imports in bytes; limits the work on a malformed slice.
const MAX_BYTES: u64 = 1 << 28;
/// The maximum number of empty edges on the path to a name. dyld itself visits at most 128 nodes.
const MAX_EMPTY_EDGES: usize = 128;
/// The maximum length of a name in a trie.
const MAX_NAME_BYTES: usize = 1 << 16;
/// Imports from the main program, from any library, and weak ones (`BIND_SPECIAL_DYLIB_*`) have ordinals that
/// are not positive.
const FIRST_LIBRARY: i32 = 1;

/// A symbol that a slice binds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Import {
    /// The library, counted from 1 in the order of the load commands; 0 for the slice itself, and negative
    /// for special ones.
    pub ordinal: i32,
    /// The name, with its leading underscore.
    pub name: Vec<u8>,
    /// May it be absent?
    pub is_weak: bool,
}

impl Import {
    /// The library, as an index into [`super::Summary::needed`]; `None` for the special ordinals.
    #[must_use]
    pub fn library(&self) -> Option<usize> {
        usize::try_from(self.ordinal - FIRST_LIBRARY).ok()
    }
}

/// A symbol that a slice exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Export {
    /// It is defined in the slice.
    Own,
    /// It is re-exported from a library of the slice, possibly under another name.
    Reexport {
        /// The library, as an index into [`super::Summary::needed`].
        library: usize,
        /// The name there.
        name: Vec<u8>,
    },
}

/// The symbols that a slice binds, without repetitions.
///
/// # Errors
/// If they are malformed.
pub fn imports(image: &Image<'_>) -> Result<BTreeSet<Import>, Error> {
    let mut found = BTreeSet::new();
    for (cmd, what) in
        [(lc::LC_DYLD_INFO_ONLY, "LC_DYLD_INFO_ONLY"), (lc::LC_DYLD_INFO, "LC_DYLD_INFO")]
    {
        let Some(info) = image.command_as::<lc::DyldInfoCommand>(cmd, what)? else { continue };
        for (offset, size) in
            [(info.bind_off, info.bind_size), (info.lazy_bind_off, info.lazy_bind_size)]
        {
            let bytes = Bytes::of(image, offset, size, "bind opcodes")?;
            bound(&bytes, &mut found)?;
        }
    }
    const CHAINED: &str = "LC_DYLD_CHAINED_FIXUPS";
    let chained: Option<lc::LinkeditDataCommand> =
        image.command_as(lc::LC_DYLD_CHAINED_FIXUPS, CHAINED)?;
    if let Some(command) = chained {
        let bytes = Bytes::of(image, command.dataoff, command.datasize, CHAINED)?;
        chained_imports(&bytes, &mut found)?;
    }
    Ok(found)
}

/// The export with this name; `None` if the slice has none. Only the path to it is read.
///
/// # Errors
/// If the trie is malformed on that path.
pub fn export(image: &Image<'_>, name: &[u8]) -> Result<Option<Export>, Error> {
    let Some(trie) = trie(image)? else { return Ok(None) };
    let slice = image.slice();
    let read = |at: u64| -> Result<u8, Error> {
        let offset = trie.start.saturating_add(at);
        if offset >= trie.end {
            return Err(Error::invalid(TRIE, offset, "a node extends beyond the trie"));
        }
        Ok(slice.read(offset, 1, TRIE)?.first().copied().unwrap_or_default())
    };
    let leb = |at: &mut u64| {
        uleb(|| {
            let byte = read(*at);
            *at += 1;
            byte
        })
    };
    let mut rest = name;
    let mut node = 0_u64;
    // Edges consume bytes of the name, except for empty ones that old linkers wrote beside longer edges. Like
    // dyld, this takes the first edge that does not contradict the name.
    for _ in 0..=name.len() + MAX_EMPTY_EDGES {
        let mut at = node;
        let size = leb(&mut at)?;
        if rest.is_empty() && size != 0 {
            return terminal(&read, at).map(Some);
        }
        at = at.saturating_add(size);
        let children = read(at)?;
        at += 1;
        let mut next = None;
        for _ in 0..children {
            let mut fits = true;
            let mut len = 0;
            loop {
                let byte = read(at)?;
                at += 1;
                if byte == 0 {
                    break;
                }
                fits &= rest.get(len) == Some(&byte);
                len += 1;
                if len > MAX_NAME_BYTES {
                    return Err(Error::invalid(TRIE, trie.start + at, "an edge does not end"));
                }
            }
            let child = leb(&mut at)?;
            if fits {
                next = Some((child, len));
                break;
            }
        }
        let Some((child, len)) = next else { return Ok(None) };
        node = child;
        rest = rest.get(len..).unwrap_or_default();
    }
    Ok(None)
}

const TRIE: &str = "export trie";

/// The range of the trie, as offsets in the slice.
fn trie(image: &Image<'_>) -> Result<Option<Range<u64>>, Error> {
    let command: Option<lc::LinkeditDataCommand> =
        image.command_as(lc::LC_DYLD_EXPORTS_TRIE, "LC_DYLD_EXPORTS_TRIE")?;
    let mut place = command.map(|command| (command.dataoff, command.datasize));
    for (cmd, what) in
        [(lc::LC_DYLD_INFO_ONLY, "LC_DYLD_INFO_ONLY"), (lc::LC_DYLD_INFO, "LC_DYLD_INFO")]
    {
        let info: Option<lc::DyldInfoCommand> = image.command_as(cmd, what)?;
        place = place.or(info.map(|info| (info.export_off, info.export_size)));
    }
    Ok(place
        .filter(|(_, size)| *size > 0)
        .map(|(offset, size)| u64::from(offset)..u64::from(offset) + u64::from(size)))
}

/// The export at the node where the name ends.
fn terminal(read: &impl Fn(u64) -> Result<u8, Error>, mut at: u64) -> Result<Export, Error> {
    let mut next = || {
        let byte = read(at);
        at += 1;
        byte
    };
    let flags = uleb(&mut next)?;
    if flags & export::EXPORT_SYMBOL_FLAGS_REEXPORT == 0 {
        return Ok(Export::Own);
    }
    let ordinal = uleb(&mut next)?;
    let mut name = Vec::new();
    while name.len() < MAX_NAME_BYTES {
        match next()? {
            0 => break,
            byte => name.push(byte),
        }
    }
    let library = usize::try_from(ordinal).ok().and_then(|ordinal| ordinal.checked_sub(1));
    library
        .map(|library| Export::Reexport { library, name })
        .ok_or_else(|| Error::invalid(TRIE, at, "a re-export names no library"))
}

/// Bytes of `__LINKEDIT`, with their position.
struct Bytes {
    what: &'static str,
    offset: u64,
    bytes: Vec<u8>,
}

impl Bytes {
    fn of(image: &Image<'_>, offset: u32, size: u32, what: &'static str) -> Result<Self, Error> {
        let (offset, size) = (u64::from(offset), u64::from(size));
        let slice = image.slice();
        if size > MAX_BYTES {
            let problem = Problem::TooMuch(Excess::Table(MAX_BYTES));
            return Err(Error { what, offset: slice.in_file(offset), problem });
        }
        let bytes = slice.read(offset, size, what)?.into_owned();
        Ok(Self { what, offset: slice.in_file(offset), bytes })
    }

    fn invalid(&self, at: usize, why: &'static str) -> Error {
        Error::invalid(self.what, self.offset + at as u64, why)
    }

    fn byte(&self, at: &mut usize) -> Result<u8, Error> {
        let byte =
            self.bytes.as_slice().get(*at).ok_or_else(|| self.invalid(*at, "it ends too early"))?;
        *at += 1;
        Ok(*byte)
    }

    fn text(&self, at: usize) -> Result<&[u8], Error> {
        let rest = self.bytes.as_slice().get(at..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == 0);
        end.and_then(|end| rest.get(..end)).ok_or_else(|| self.invalid(at, "a name does not end"))
    }

    fn u32(&self, at: usize) -> Result<u32, Error> {
        self.bytes.pread_with(at, scroll::LE).map_err(|_| self.invalid(at, "it ends too early"))
    }

    fn u64(&self, at: usize) -> Result<u64, Error> {
        self.bytes.pread_with(at, scroll::LE).map_err(|_| self.invalid(at, "it ends too early"))
    }
}

/// A ULEB128 number, truncated to 64 bits.
fn uleb(mut next: impl FnMut() -> Result<u8, Error>) -> Result<u64, Error> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let byte = next()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(value)
}

/// Runs bind opcodes to collect symbols; the addresses that they bind are ignored.
fn bound(bytes: &Bytes, found: &mut BTreeSet<Import>) -> Result<(), Error> {
    let mut now = Import { ordinal: 0, name: Vec::new(), is_weak: false };
    let mut at = 0;
    while at < bytes.bytes.len() {
        let byte = bytes.byte(&mut at)?;
        let (opcode, immediate) = (byte & op::BIND_OPCODE_MASK, byte & op::BIND_IMMEDIATE_MASK);
        let skip = |at: &mut usize| uleb(|| bytes.byte(at));
        match opcode {
            op::BIND_OPCODE_SET_DYLIB_ORDINAL_IMM => now.ordinal = immediate.into(),
            op::BIND_OPCODE_SET_DYLIB_ORDINAL_ULEB => {
                let ordinal = skip(&mut at)?;
                now.ordinal = i32::try_from(ordinal)
                    .map_err(|_| bytes.invalid(at, "there is no library of that ordinal"))?;
            }
            op::BIND_OPCODE_SET_DYLIB_SPECIAL_IMM => {
                now.ordinal = if immediate == 0 { 0 } else { i32::from(immediate) - 16 };
            }
            op::BIND_OPCODE_SET_SYMBOL_TRAILING_FLAGS_IMM => {
                now.name = bytes.text(at)?.to_vec();
                at += now.name.len() + 1;
                now.is_weak = immediate & op::BIND_SYMBOL_FLAGS_WEAK_IMPORT != 0;
            }
            op::BIND_OPCODE_SET_ADDEND_SLEB
            | op::BIND_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB
            | op::BIND_OPCODE_ADD_ADDR_ULEB => {
                skip(&mut at)?;
            }
            op::BIND_OPCODE_DO_BIND | op::BIND_OPCODE_DO_BIND_ADD_ADDR_IMM_SCALED => {
                note(found, &now);
            }
            op::BIND_OPCODE_DO_BIND_ADD_ADDR_ULEB => {
                skip(&mut at)?;
                note(found, &now);
            }
            op::BIND_OPCODE_DO_BIND_ULEB_TIMES_SKIPPING_ULEB => {
                skip(&mut at)?;
                skip(&mut at)?;
                note(found, &now);
            }
            // BIND_OPCODE_THREADED: the size of a table follows the first kind.
            0xd0 if immediate == 0 => {
                skip(&mut at)?;
            }
            // In the lazy part, each symbol ends with this opcode, so only the end of the bytes is the end.
            op::BIND_OPCODE_DONE | op::BIND_OPCODE_SET_TYPE_IMM | 0xd0 => {}
            _ => return Err(bytes.invalid(at - 1, "there is no such opcode")),
        }
    }
    Ok(())
}

/// Adds an import; a known one is not copied.
fn note(found: &mut BTreeSet<Import>, import: &Import) {
    if !found.contains(import) {
        found.insert(import.clone());
    }
}

/// The import table of chained fixups (`dyld_chained_fixups_header`).
fn chained_imports(bytes: &Bytes, found: &mut BTreeSet<Import>) -> Result<(), Error> {
    let table = bytes.u32(8)? as usize;
    let names = bytes.u32(12)? as usize;
    let count = bytes.u32(16)? as usize;
    let format = bytes.u32(20)?;
    if bytes.u32(24)? != 0 {
        return Err(bytes.invalid(24, "its names are compressed, which no linker does"));
    }
    let size = match format {
        1 => 4,
        2 => 8,
        3 => 16,
        _ => return Err(bytes.invalid(20, "there is no such format of imports")),
    };
    for index in 0..count.min(bytes.bytes.len() / size) {
        let at = table.saturating_add(index * size);
        let (ordinal, is_weak, name) = if format == 3 {
            let field = bytes.u64(at)?;
            let [low, high, ..] = field.to_le_bytes();
            let ordinal = i32::from(i16::from_le_bytes([low, high]));
            // Only the sixteen highest values are special.
            let ordinal = if ordinal < -15 { ordinal + 0x1_0000 } else { ordinal };
            (ordinal, field >> 16 & 1 != 0, (field >> 32) as usize)
        } else {
            let field = bytes.u32(at)?;
            let [low, ..] = field.to_le_bytes();
            let ordinal = i32::from(low);
            let ordinal = if ordinal > 0xf0 { ordinal - 0x100 } else { ordinal };
            (ordinal, field >> 8 & 1 != 0, (field >> 9) as usize)
        };
        let name = bytes.text(names.saturating_add(name))?.to_vec();
        found.insert(Import { ordinal, name, is_weak });
    }
    Ok(())
}
