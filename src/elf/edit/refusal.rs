//! The reasons why a readable object is not edited.

/// The maximum padding that a program may gain to place its program headers. The padding is held in memory
/// before it is written.
pub(in crate::elf) const MAX_PADDING: u64 = 1 << 21;

/// The reason why an object that is valid, or valid enough to be read, is not edited, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no dynamic table, so the loader searches nothing for it.
    #[error("it is not dynamically linked, so a search path has no effect")]
    NotDynamic,
    /// A static program with a dynamic table, which relocates itself and loads nothing.
    #[error("it is a static program (static-pie), which loads no libraries")]
    StaticPie,
    /// The object is a dynamic loader, which reads its own dynamic table before it can handle a changed one.
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
    /// `p_offset` and `p_vaddr` of `PT_DYNAMIC` disagree. The loader uses the address, other tools the file
    /// offset.
    #[error(
        "PT_DYNAMIC is at offset {p_offset:#x} in the file, but no PT_LOAD maps its address {p_vaddr:#x} from there"
    )]
    DynamicTableElsewhere {
        /// `p_offset` of `PT_DYNAMIC`.
        p_offset: u64,
        /// `p_vaddr` of `PT_DYNAMIC`.
        p_vaddr: u64,
    },
    /// `PT_LOAD` segments are not in ascending order, which the gABI requires.
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
    /// An alignment that the loader rejects (glibc: "ELF load command alignment not page-aligned").
    #[error("program header {index}: p_align {p_align:#x} is not a power of two of at least 4096")]
    BadAlignment {
        /// Index of the program header.
        index: usize,
        /// `p_align`.
        p_align: u64,
    },
    /// Offset and address are not congruent modulo the alignment (glibc: "ELF load command address/offset not
    /// properly aligned").
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
        /// The end of the last structure that the headers describe, in bytes.
        end: u64,
        /// Length of the file in bytes.
        len: u64,
    },
    /// There are data after everything that sections and segments describe. Single-file programs locate such
    /// data by their distance from the end of the file.
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
    /// The dynamic string table overlaps another structure, or is not loaded completely.
    #[error("the dynamic string table overlaps the data of dynamic tag {tag:#x}")]
    StringTableOverlap {
        /// The tag of the overlapping entry; `DT_STRTAB` itself if its segment ends inside the table.
        tag: u64,
    },
    /// A table that the loader reads, or code that it calls, is outside all segments.
    #[error(
        "dynamic tag {tag:#x} points to {size} bytes at address {address:#x}, which no PT_LOAD maps completely; \
         reinstall it"
    )]
    TableElsewhere {
        /// The tag that points there.
        tag: u64,
        /// Its value.
        address: u64,
        /// Size in bytes, as far as known.
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
    /// No program header can be added to the program, and its program headers cannot move.
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
    /// The new segment would be outside the address space.
    #[error(
        "a new segment would end at {end:#x}, beyond the address space; shorten the search path"
    )]
    NoAddressRoom {
        /// Its end, limited to 2^64 - 1.
        end: u64,
    },
    /// The number of section headers would need another encoding.
    #[error("{count} section headers leave no space for more; strip it first")]
    TooManySections {
        /// How many there are.
        count: usize,
    },
    /// Sections and segments describe different tables.
    #[error(
        "section headers and dynamic table disagree about {what}; another tool damaged the file"
    )]
    SectionsDisagree {
        /// The table.
        what: &'static str,
    },
    /// An entry that is invalid in a search path.
    #[error("entry {index} of the search path contains {byte:?}, which would end it")]
    EntryHolds {
        /// Index of the entry, from 0.
        index: usize,
        /// The invalid character: NUL or a colon.
        byte: char,
    },
    /// A name that cannot be stored in the file.
    #[error("{name:?} is not a name: it is empty or contains a NUL byte")]
    NotAName {
        /// The name, as far as it is printable.
        name: String,
    },
    /// There is no `PT_INTERP`: the file is not a program, or a static one.
    #[error("it has no interpreter (PT_INTERP): only dynamically linked programs have one")]
    NoInterpreter,
    /// There is no `PT_GNU_STACK`, and no room for one more program header.
    #[error(
        "it has no PT_GNU_STACK, and there is no room for another program header; relink it with -z noexecstack"
    )]
    NoStackHeader,
    /// The order of the version records cannot be kept if one of them is removed.
    #[error("its version records cannot be changed in place; relink it")]
    VersionRecords,
    /// The edits violate a postcondition, which is a bug in tfpatch. Nothing is written.
    #[error("the edited file would be invalid: {what}; please report this file")]
    Inconsistent {
        /// The postcondition.
        what: &'static str,
    },
}
