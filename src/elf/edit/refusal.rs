//! Why an object that can be read is not edited.

/// So much a program may grow for the sake of where its program headers stand: the padding is held in
/// memory before it is written.
pub(in crate::elf) const MAX_PADDING: u64 = 1 << 21;

/// Why an object that is sound, or sound enough to be read, is not edited: the cause, and what
/// would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No dynamic table: nothing is searched for it.
    #[error("it is not dynamically linked, so a search path has no effect")]
    NotDynamic,
    /// A static program with a dynamic table, which relocates itself and loads nothing.
    #[error("it is a static program (static-pie), which loads no libraries")]
    StaticPie,
    /// The dynamic loader reads its own dynamic table before it can handle any change of it.
    #[error("{soname} is the dynamic loader itself; edit the objects that it loads")]
    DynamicLoader {
        /// `DT_SONAME`.
        soname: String,
    },
    /// MIPS keeps the global offset table, symbols and a debugger's pointer in step with the
    /// dynamic table.
    #[error("MIPS (e_machine {machine}) is not supported; relink it with the search path")]
    Mips {
        /// `e_machine`.
        machine: u16,
    },
    /// More than one `PT_DYNAMIC`.
    #[error("it has {count} PT_DYNAMIC segments, and loaders differ in which one they use")]
    SeveralDynamicTables {
        /// How many there are.
        count: usize,
    },
    /// The loader goes by addresses, every other tool by file offsets.
    #[error(
        "PT_DYNAMIC is at offset {p_offset:#x} in the file, but no PT_LOAD maps its address {p_vaddr:#x} from there"
    )]
    DynamicTableElsewhere {
        /// `p_offset` of `PT_DYNAMIC`.
        p_offset: u64,
        /// `p_vaddr` of `PT_DYNAMIC`.
        p_vaddr: u64,
    },
    /// `PT_LOAD` segments do not ascend, as the gABI asks.
    #[error("program header {index}: PT_LOAD at {p_vaddr:#x} is below the previous one")]
    UnsortedSegments {
        /// Index of the program header.
        index: usize,
        /// Its address.
        p_vaddr: u64,
    },
    /// Two `PT_LOAD` segments claim the same addresses.
    #[error("program header {index}: PT_LOAD at {p_vaddr:#x} overlaps the previous one")]
    OverlappingSegments {
        /// Index of the program header.
        index: usize,
        /// Its address.
        p_vaddr: u64,
    },
    /// An alignment that the loader does not take (glibc: "ELF load command alignment not
    /// page-aligned").
    #[error("program header {index}: p_align {p_align:#x} is not a power of two of at least 4096")]
    BadAlignment {
        /// Index of the program header.
        index: usize,
        /// `p_align`.
        p_align: u64,
    },
    /// Offset and address differ modulo the alignment (glibc: "ELF load command address/offset
    /// not properly aligned").
    #[error(
        "program header {index}: offset {p_offset:#x} and address {p_vaddr:#x} differ modulo \
         p_align {p_align:#x}"
    )]
    Incongruent {
        /// Index of the program header.
        index: usize,
        /// `p_offset`.
        p_offset: u64,
        /// `p_vaddr`.
        p_vaddr: u64,
        /// `p_align`.
        p_align: u64,
    },
    /// A segment or the section headers reach past the end of the file.
    #[error("it is truncated: its headers describe {end} bytes, but it has {len}; reinstall it")]
    Truncated {
        /// Where the last thing that is described ends, in bytes.
        end: u64,
        /// Length of the file in bytes.
        len: u64,
    },
    /// Data after everything that sections and segments describe, found by its distance from the
    /// end of the file: single-file programs.
    #[error(
        "no section or segment describes the {len} bytes from offset {start:#x} on, as in a single-file program; \
         edit its libraries before packing it"
    )]
    AppendedPayload {
        /// File offset of the data.
        start: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// The dynamic string table holds something else too, or is not wholly loaded.
    #[error("the dynamic string table overlaps the data of dynamic tag {tag:#x}")]
    StringTableOverlap {
        /// The other entry's tag; `DT_STRTAB` itself where its segment ends within it.
        tag: u64,
    },
    /// A table that the loader reads, or code that it calls, lies outside every segment.
    #[error(
        "dynamic tag {tag:#x} points to {size} bytes at address {address:#x}, which no PT_LOAD maps completely; \
         reinstall it"
    )]
    TableElsewhere {
        /// The tag that leads there.
        tag: u64,
        /// Its value.
        address: u64,
        /// Size in bytes, as far as it is known.
        size: u64,
    },
    /// Another segment describes memory that no `PT_LOAD` maps.
    #[error(
        "program header {index} (type {p_type:#x}) describes {size} bytes at address {p_vaddr:#x}, which no PT_LOAD \
         maps completely; reinstall it"
    )]
    SegmentElsewhere {
        /// Index of the program header.
        index: usize,
        /// `p_type`.
        p_type: u32,
        /// Its address.
        p_vaddr: u64,
        /// Size in bytes.
        size: u64,
    },
    /// Growing a big-endian object is not tested.
    #[error("a longer search path does not fit, and tfpatch does not enlarge big-endian files")]
    BigEndian,
    /// No program header can be added to a program, and its program headers cannot move.
    #[error(
        "a new segment needs {needed} bytes after the program headers, but {available} are free; the data there \
         cannot be moved, and moving the program headers would enlarge the file by more than {most} MiB; shorten the \
         search path, or relink with space for it",
        most = MAX_PADDING >> 20
    )]
    NoHeaderRoom {
        /// Size of a program header in bytes.
        needed: u64,
        /// Free bytes after the table.
        available: u64,
    },
    /// The new segment would lie beyond the address space.
    #[error(
        "a new segment would end at {end:#x}, beyond the address space; shorten the search path"
    )]
    NoAddressRoom {
        /// Its end, cut off at 2^64 - 1.
        end: u64,
    },
    /// The number of section headers would have to be written in another way.
    #[error("{count} section headers leave no space for more; strip it first")]
    TooManySections {
        /// How many there are.
        count: usize,
    },
    /// Sections and segments tell of different tables.
    #[error(
        "section headers and dynamic table disagree about {what}; another tool damaged the file"
    )]
    SectionsDisagree {
        /// The table.
        what: &'static str,
    },
    /// An entry that cannot stand in a search path.
    #[error("entry {index} of the search path contains {byte:?}, which would end it")]
    EntryHolds {
        /// Index of the entry, from 0.
        index: usize,
        /// NUL or a colon.
        byte: char,
    },
    /// A name that cannot stand in the file.
    #[error("{name:?} is not a name: it is empty or contains a NUL byte")]
    NotAName {
        /// The name, as far as it can be shown.
        name: String,
    },
    /// No `PT_INTERP`: no program, or a static one.
    #[error("it has no interpreter (PT_INTERP): only dynamically linked programs have one")]
    NoInterpreter,
    /// No `PT_GNU_STACK`, and no room for one more program header.
    #[error(
        "it has no PT_GNU_STACK, and there is no room for another program header; relink it with -z noexecstack"
    )]
    NoStackHeader,
    /// Version records in an order that cannot be kept without one of them.
    #[error("its version records cannot be changed in place; relink it")]
    VersionRecords,
    /// The edits were made and do not hold what they promise: a fault of this program. Nothing is
    /// written.
    #[error("the edited file would be invalid: {what}; please report this file")]
    Inconsistent {
        /// The postcondition.
        what: &'static str,
    },
}
