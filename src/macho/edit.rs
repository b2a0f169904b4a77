//! Computes the edits for wanted search paths and names: new load commands, and the signature that covers them.

pub mod counterpart;
mod headerpad;
mod postconditions;
mod refusal;

use super::adhoc::{self, Unsigned};
use super::codesign::Signature;
use super::commands::{Commands, signature_command, without_duplicates};
use super::fat::{Container, Listing, Slice};
use super::image::{Image, Kind, Segment};
use super::names::Names;
use crate::bytes::{self, Source as _, align_up};
use crate::edit::{Content, Edit, EditSet, Patched};
use std::ops::Range;

pub use self::headerpad::HeaderPad;
pub use self::refusal::Refusal;
pub use super::adhoc::Obstacle;

/// The wanted search path and names of one slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceRequest {
    /// The slice, as an index into [`Container::slices`].
    pub slice: usize,
    /// All entries, in order. Repeated entries are dropped, because dyld may reject them.
    pub entries: Vec<Vec<u8>>,
    /// Its own name and those of the libraries that it needs; `None` keeps them.
    pub names: Option<Names>,
    /// May `LC_SOURCE_VERSION`, which nothing reads, be removed if there is not enough room?
    pub may_drop_source_version: bool,
}

/// The wanted search paths and names of the slices of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The slices to edit.
    pub slices: Vec<SliceRequest>,
    /// May a signer's signature be replaced with an ad-hoc one?
    pub may_drop_signer: bool,
    /// Repair the signature, even if the load commands stay the same? Then every page is hashed, and an
    /// unsigned arm64 slice is signed. Otherwise, pages that do not match are a reason to refuse the file.
    pub repairs_signature: bool,
    /// The name of the file, which becomes the identifier of a new signature.
    pub file_name: &'a [u8],
}

/// What an edit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Nothing has to be done.
    Unchanged,
    /// New load commands; and new hashes of their pages, if there is a signature.
    LoadCommands,
    /// As [`Self::LoadCommands`], with a new ad-hoc signature.
    SignedAdHoc,
    /// As [`Self::LoadCommands`], with an ad-hoc signature that replaces a signer's.
    SignerDropped,
}

/// Edits of a Mach-O file, and what they rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The edits; empty if nothing has to be done.
    pub edits: EditSet,
    /// The most extensive change of any slice.
    pub method: Method,
    /// Ranges of the old file that the edits rely on, in bytes.
    pub relies_on: Vec<Range<u64>>,
}

/// Why there is no [`Patch`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The file is malformed.
    #[error(transparent)]
    Malformed(#[from] bytes::Error),
    /// The file is valid, but editing it would be risky.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Would a request fit before the first section, together with the command for the signature that an unsigned
/// arm64 slice needs?
///
/// # Errors
/// If the slice is malformed.
pub fn fits(image: &Image<'_>, request: &SliceRequest) -> Result<bool, bytes::Error> {
    let pad = HeaderPad::of(image)?;
    let commands = new_commands(image, request, pad.limit)?;
    Ok(image.header_size() + commands.len() <= pad.limit)
}

/// The edits that give the slices of a file the search paths and names of `request`.
///
/// # Errors
/// [`Failure::Malformed`] if the file cannot be read; [`Failure::Refused`] if it can be read, but an edit
/// would be risky.
pub fn edit(file: &Container<'_>, request: &Request<'_>) -> Result<Patch, Failure> {
    let Some(first) = file.slices.first() else {
        return Err(Refusal::Inconsistent { what: "it has a slice" }.into());
    };
    let source = first.file();
    let mut edits = Vec::new();
    let mut relies_on = Vec::new();
    let mut method = Method::Unchanged;
    for wanted in &request.slices {
        let Some(slice) = file.slices.get(wanted.slice) else { continue };
        let image = Image::parse(slice.clone())?;
        if let Some(done) = edit_slice(file.listing, &image, wanted, request)? {
            edits.extend(done.edits);
            relies_on.extend(done.relies_on);
            method = method.max(done.method);
        }
    }
    if let Some(start) = file.slices.iter().map(|slice| slice.range().start).min() {
        relies_on.push(0..start.min(source.len()));
    }
    let edits = EditSet::new(source.len(), edits)
        .map_err(|_| Refusal::Inconsistent { what: "its edits are disjoint" })?;
    postconditions::verify(file, &edits, request)?;
    Ok(Patch { edits, method, relies_on })
}

/// The edits of one slice, at file offsets.
struct Done {
    edits: Vec<Edit>,
    relies_on: Vec<Range<u64>>,
    method: Method,
}

impl Done {
    /// Converts edits and ranges at offsets of the slice.
    fn of(slice: &Slice<'_>, method: Method, edits: Vec<Edit>, relies_on: Vec<Range<u64>>) -> Self {
        let edits = edits.into_iter().map(|edit| edit_in_file(slice, edit)).collect();
        Self { edits, relies_on: in_file(slice, relies_on), method }
    }
}

/// `None` if nothing has to be done.
fn edit_slice(
    listing: Listing,
    image: &Image<'_>,
    wanted: &SliceRequest,
    request: &Request<'_>,
) -> Result<Option<Done>, Failure> {
    for (index, entry) in wanted.entries.iter().enumerate() {
        if entry.is_empty() || entry.contains(&0) {
            return Err(Refusal::BadEntry { index }.into());
        }
    }
    check_is_whole(image)?;
    let signature = Signature::read(image)?;
    let names = Names::of(image)?;
    if let Some(wanted) = &wanted.names {
        check_names(&names, wanted, image.slice().arch().name())?;
    }
    let rpaths = image.rpaths()?;
    if (rpaths == wanted.entries || rpaths == without_duplicates(&wanted.entries))
        && wanted.names.as_ref().is_none_or(|wanted| *wanted == names)
        && !(request.repairs_signature && is_signature_bad(image, signature.as_ref())?)
    {
        return Ok(None);
    }
    let slice = image.slice();
    let (mut new, touched) = commands_with_room(image, wanted)?;
    Ok(Some(match &signature {
        Some(signature) if signature.has_signer() => {
            drop_signer(image, signature, &new, touched, request.may_drop_signer)?
        }
        Some(signature) => {
            keep_signature(image, signature, &new, touched, request.repairs_signature)?
        }
        None if slice.arch().must_be_signed() => Done {
            edits: sign(listing, image, &mut new, request.file_name)?,
            relies_on: in_file(slice, vec![0..touched, 0..slice.len()]),
            method: Method::SignedAdHoc,
        },
        None => {
            let header = 0..touched;
            Done::of(slice, Method::LoadCommands, new.edits(image), vec![header])
        }
    }))
}

/// Has the file all bytes that the segments map? One that is truncated is not edited.
fn check_is_whole(image: &Image<'_>) -> Result<(), bytes::Error> {
    let slice = image.slice();
    let is_inside = |segment: &Segment| {
        segment.fileoff.checked_add(segment.filesize).is_some_and(|end| end <= slice.len())
    };
    match image.segments()?.iter().find(|segment| !is_inside(segment)) {
        Some(segment) => {
            let why = "a segment extends beyond the end; the file is truncated: install it again";
            Err(slice.invalid("segment", segment.fileoff, why))
        }
        None => Ok(()),
    }
}

/// Can a slice with the names of `old` get the new ones?
fn check_names(old: &Names, new: &Names, arch: &'static str) -> Result<(), Refusal> {
    if old.install_name.is_none() && new.install_name.is_some() {
        return Err(Refusal::NoInstallName { arch });
    }
    if old.install_name.is_some() != new.install_name.is_some()
        || old.needed.len() != new.needed.len()
    {
        return Err(Refusal::Inconsistent { what: "it has as many names as before" });
    }
    let before = old.needed.iter().chain(&old.install_name);
    let mut both = before.zip(new.needed.iter().chain(&new.install_name));
    match both.any(|(old, new)| old != new && (new.is_empty() || new.contains(&0))) {
        true => Err(Refusal::BadName { arch }),
        false => Ok(()),
    }
}

/// The load commands for a request, and the end of the bytes that they change. They fit into unused bytes.
fn commands_with_room(
    image: &Image<'_>,
    wanted: &SliceRequest,
) -> Result<(Commands, u64), Failure> {
    let slice = image.slice();
    let arch = slice.arch().name();
    if !image.ctx().is_big() || !image.ctx().is_little_endian() {
        return Err(Refusal::Unsupported { arch }.into());
    }
    if image.kind() == Kind::Other {
        return Err(Refusal::NotLoadable { arch }.into());
    }
    let old = Commands::of(image);
    let end = image.header_size() + old.len();
    if end != image.commands_end() {
        let said = image.commands_end();
        return Err(Refusal::CommandsDisagree { arch, end, said }.into());
    }
    let pad = HeaderPad::of(image)?;
    let new = new_commands(image, wanted, pad.limit)?;
    let new_end = image.header_size() + new.len();
    if new_end > pad.limit {
        return Err(Refusal::NoHeaderRoom { arch, needed: new_end, available: pad.limit }.into());
    }
    if let Some(offset) = first_used(slice, end..new_end)? {
        return Err(Refusal::PaddingInUse { arch, offset: slice.in_file(offset) }.into());
    }
    Ok((new, end.max(new_end)))
}

/// New load commands, and an ad-hoc signature that replaces a signer's.
fn drop_signer(
    image: &Image<'_>,
    signature: &Signature,
    new: &Commands,
    touched: u64,
    may_drop_signer: bool,
) -> Result<Done, Failure> {
    let slice = image.slice();
    let arch = slice.arch().name();
    if !may_drop_signer {
        let team = signature.describe().team;
        let by = team.map_or_else(String::new, |team| format!(" by team {team}"));
        return Err(Refusal::Signed { arch, by }.into());
    }
    let mut edits = new.edits(image);
    let seen = EditedSlice::new(slice, &edits)?;
    let blob = adhoc::replace(signature, &seen.slice())?
        .map_err(|why| Refusal::NotReplaceable { arch, why })?;
    edits.push(Edit { range: signature.range.clone(), new: Content::Bytes(blob) });
    let relies_on = vec![0..touched, 0..signature.range.end];
    Ok(Done::of(slice, Method::SignerDropped, edits, relies_on))
}

/// New load commands, and new hashes: of their pages, or of all pages if the signature is to be repaired.
fn keep_signature(
    image: &Image<'_>,
    signature: &Signature,
    new: &Commands,
    touched: u64,
    repairs_signature: bool,
) -> Result<Done, Failure> {
    let slice = image.slice();
    if !repairs_signature && let Some(bad) = signature.first_bad_page(slice, touched)? {
        let (page, hash) = (bad.page, bad.hash_type.name());
        return Err(Refusal::BadSignature { arch: slice.arch().name(), page, hash }.into());
    }
    let hashed = if repairs_signature { u64::MAX } else { touched };
    let header = 0..touched;
    let mut relies_on = vec![header];
    for directory in &signature.directories {
        let pages = directory.pages_below(hashed);
        relies_on.push(0..directory.page(pages.saturating_sub(1)).end);
        relies_on.push(directory.range.start..directory.slots(pages).end);
    }
    let mut edits = new.edits(image);
    let seen = EditedSlice::new(slice, &edits)?;
    edits.extend(signature.rehash(&seen.slice(), hashed)?);
    Ok(Done::of(slice, Method::LoadCommands, edits, relies_on))
}

/// Would a Mac with Apple silicon reject the slice, or one of its pages?
fn is_signature_bad(
    image: &Image<'_>,
    signature: Option<&Signature>,
) -> Result<bool, bytes::Error> {
    match signature {
        Some(signature) => Ok(signature.first_bad_page(image.slice(), u64::MAX)?.is_some()),
        None => Ok(image.slice().arch().must_be_signed()),
    }
}

/// The load commands for a request, with a placeholder for the future signature.
fn new_commands(
    image: &Image<'_>,
    request: &SliceRequest,
    limit: u64,
) -> Result<Commands, bytes::Error> {
    let mut commands = Commands::of(image);
    // A list that stays the same keeps even its duplicates.
    if image.rpaths()? != request.entries {
        commands.set_rpaths(&request.entries);
    }
    if let Some(names) = &request.names {
        commands.set_names(names);
    }
    if image.slice().arch().must_be_signed() && Signature::read(image)?.is_none() {
        commands.push(signature_command(0, 0));
    }
    if request.may_drop_source_version && image.header_size() + commands.len() > limit {
        commands.drop_source_version();
    }
    Ok(commands)
}

/// The edits that sign an unsigned slice, at file offsets: its load commands with the one of the signature, a
/// larger `__LINKEDIT`, and the signature behind it.
fn sign(
    listing: Listing,
    image: &Image<'_>,
    new: &mut Commands,
    file_name: &[u8],
) -> Result<Vec<Edit>, Failure> {
    /// arm64 maps segments in pages of this size.
    const PAGE: u64 = 0x4000;
    let slice = image.slice();
    let arch = slice.arch().name();
    if slice.range().end != slice.file().len() {
        return Err(Refusal::NotLast { arch }.into());
    }
    let segments = image.segments()?;
    let linkedit = segments.iter().find(|segment| segment.is("__LINKEDIT"));
    let text = segments.iter().find(|segment| segment.is("__TEXT"));
    let ends = |end: u64| end == slice.len();
    let (Some(linkedit), Some(text)) = (linkedit, text) else {
        return Err(Refusal::NotAtEnd { arch }.into());
    };
    if !linkedit.fileoff.checked_add(linkedit.filesize).is_some_and(ends) {
        return Err(Refusal::NotAtEnd { arch }.into());
    }
    let too_large = || slice.invalid("slice", 0, "it is too large to be signed");
    let code_limit = align_up(slice.len(), 16).ok_or_else(too_large)?;
    let unsigned = Unsigned {
        identifier: file_name.to_vec(),
        code_limit,
        text: text.fileoff..text.fileoff.saturating_add(text.filesize),
        is_main: image.kind() == Kind::Executable,
    };
    let size = unsigned.size();
    let end = code_limit + size;
    let (Ok(dataoff), Ok(datasize)) = (u32::try_from(code_limit), u32::try_from(size)) else {
        return Err(too_large().into());
    };
    let filesize = end - linkedit.fileoff;
    let vmsize = linkedit.vmsize.max(align_up(filesize, PAGE).ok_or_else(too_large)?);
    new.resize_linkedit(filesize, vmsize);
    new.set_signature(dataoff, datasize);
    let edits = new.edits(image);
    let mut tail = vec![0; (code_limit - slice.len()) as usize];
    let at_end = slice.len()..slice.len();
    // The signature also covers the zeros before it.
    let padded =
        [edits.clone(), vec![Edit { range: at_end.clone(), new: Content::Bytes(tail.clone()) }]];
    let seen = EditedSlice::new(slice, &padded.concat())?;
    tail.extend(unsigned.build(&seen.slice())?);
    let mut edits: Vec<Edit> = edits.into_iter().map(|edit| edit_in_file(slice, edit)).collect();
    edits.push(edit_in_file(slice, Edit { range: at_end, new: Content::Bytes(tail) }));
    edits.extend(resize_slice(listing, slice, end)?);
    Ok(edits)
}

/// The edit of the fat header that changes the size of a slice.
fn resize_slice(listing: Listing, slice: &Slice<'_>, len: u64) -> Result<Option<Edit>, Failure> {
    let Some(entry) = slice.entry() else { return Ok(None) };
    let (at, bytes) = match (listing, u32::try_from(len)) {
        (Listing::Fat64, _) => (entry + 16, len.to_be_bytes().to_vec()),
        (_, Ok(len)) => (entry + 12, len.to_be_bytes().to_vec()),
        (_, Err(_)) => return Err(slice.invalid("fat_arch", 0, "the slice is too large").into()),
    };
    Ok(Some(Edit { range: at..at + bytes.len() as u64, new: Content::Bytes(bytes) }))
}

/// The first non-zero byte of a range.
fn first_used(slice: &Slice<'_>, range: Range<u64>) -> Result<Option<u64>, bytes::Error> {
    if range.is_empty() {
        return Ok(None);
    }
    let bytes = slice.read(range.start, range.end - range.start, "padding")?;
    Ok(bytes.iter().position(|&byte| byte != 0).map(|at| range.start + at as u64))
}

/// A slice with edits applied.
struct EditedSlice<'a> {
    slice: Slice<'a>,
    edits: EditSet,
}

impl<'a> EditedSlice<'a> {
    /// `edits` are at offsets of the slice.
    fn new(slice: &Slice<'a>, edits: &[Edit]) -> Result<Self, Refusal> {
        let edits = EditSet::new(slice.len(), edits.to_vec())
            .map_err(|_| Refusal::Inconsistent { what: "its edits are disjoint" })?;
        Ok(Self { slice: slice.clone(), edits })
    }

    fn slice(&self) -> Patched<'_, &Slice<'a>> {
        Patched::new(&self.slice, &self.edits)
    }
}

/// An edit at offsets of the file.
fn edit_in_file(slice: &Slice<'_>, edit: Edit) -> Edit {
    Edit { range: slice.in_file(edit.range.start)..slice.in_file(edit.range.end), new: edit.new }
}

fn in_file(slice: &Slice<'_>, ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let moved = |range: Range<u64>| slice.in_file(range.start)..slice.in_file(range.end);
    ranges.into_iter().map(moved).collect()
}
