//! A wheel with edited members, as edits of the archive: those members are compressed again, the
//! fields that describe them are updated, and every other byte is unchanged.

use super::archive::{Field, Member, Method};
use super::{Error, Wheel, Why};
use crate::bytes::Source;
use crate::edit::{Content, Edit, EditSet, Kept, Patched};
use flate2::{Compression, Crc, write::DeflateEncoder};
use rayon::prelude::*;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

/// Members are read and compressed in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// The change of a member.
#[derive(Debug, Clone, Copy)]
pub struct Change<'e> {
    /// Its path, which begins with the wheel's.
    pub path: &'e Path,
    /// The edits of its bytes, inflated.
    pub edits: &'e EditSet,
}

/// A member with its new bytes.
struct Repacked<'w> {
    member: &'w Member,
    /// The edits of its bytes in the archive.
    edits: Vec<Edit>,
    /// The same bytes, if all of them are new.
    compressed: Option<Vec<u8>>,
    packed: u64,
    size: u64,
    crc32: u32,
}

impl Wheel<'_> {
    /// The edits of the archive for `changes`. New compressed bytes are written to `scratch`, where the
    /// edits have them ([`Content::Kept`]). The same changes of the same wheel always give the same
    /// bytes: there is one compressor, and it is part of tfpatch.
    ///
    /// # Errors
    /// If a member is missing or damaged, or its compression is not supported; if RECORD is signed;
    /// or if `scratch` cannot be written.
    pub fn repack(
        &self,
        changes: &[Change<'_>],
        scratch: &mut dyn Write,
    ) -> Result<EditSet, Error> {
        self.require_unsigned()?;
        let mut edits = Vec::new();
        let mut repacked: Vec<Repacked<'_>> = Vec::new();
        let mut written = 0;
        // As many at once as there are threads, which limits the memory.
        for some in changes.chunks(rayon::current_num_threads().max(1)) {
            let done: Vec<_> = some
                .par_iter()
                .map(|change| self.repack_member(*change))
                .collect::<Result<_, _>>()?;
            for mut one in done {
                if let Some(bytes) = one.compressed.take() {
                    let failed = |error: io::Error| Error::from(Why::Unwritable(error.to_string()));
                    scratch.write_all(&bytes).map_err(failed)?;
                    let range = written..written + bytes.len() as u64;
                    written = range.end;
                    let new = Content::Kept(Kept::new(range));
                    edits.push(Edit { range: one.member.data.clone(), new });
                }
                edits.append(&mut one.edits);
                repacked.push(one);
            }
        }
        repacked.sort_by_key(|one| one.member.header);
        let mut patches: Vec<(u64, Vec<u8>)> = Vec::new();
        for one in &repacked {
            patches.extend(self.fields(one)?);
        }
        patches.extend(self.offsets(&repacked)?);
        let (in_tail, before): (Vec<_>, Vec<_>) =
            patches.into_iter().partition(|(at, _)| *at >= self.archive.tail.start);
        edits.extend(before.into_iter().map(|(at, bytes)| Edit {
            range: at..at + bytes.len() as u64,
            new: Content::Bytes(bytes),
        }));
        edits.extend(self.tail(&in_tail)?);
        let invalid = |_| Error::from(Why::Directory("its members are not apart"));
        EditSet::new(self.source.len(), edits).map_err(invalid)
    }

    /// Fails if RECORD is signed (PEP 427), since it cannot be signed again.
    ///
    /// # Errors
    /// Then, with the signature's name.
    pub fn require_unsigned(&self) -> Result<(), Error> {
        let signatures = ["RECORD.jws", "RECORD.p7s"].map(|name| self.dist_info.join(name));
        let signature = signatures.iter().find(|path| self.nodes.contains_key(path.as_path()));
        match signature.map(|path| self.member_at(&self.path.join(path))) {
            Some(Ok((_, member))) => Err(member.refused(Why::Signed)),
            _ => Ok(()),
        }
    }

    fn repack_member(&self, change: Change<'_>) -> Result<Repacked<'_>, Error> {
        let (index, member) = self.member_at(change.path).map_err(|error| Error {
            member: Some(change.path.display().to_string()),
            why: Why::Unreadable(error.to_string()),
        })?;
        if change.edits.old_len() != member.size {
            return Err(member.refused(Why::Differs("length")));
        }
        let source = self.open_member(index, member)?;
        self.check(member, source.as_ref())?;
        let new = Patched::new(source.as_ref(), change.edits);
        let size = new.len();
        let mut crc = Crc::new();
        if member.method == Method::Stored {
            self.read_all(member, &new, |piece| {
                crc.update(piece);
                Ok(())
            })?;
            let edits = change.edits.in_write_order().iter();
            let edits = edits.map(|edit| moved(edit, member.data.start)).collect();
            let (packed, crc32) = (size, crc.sum());
            return Ok(Repacked { member, edits, compressed: None, packed, size, crc32 });
        }
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        self.read_all(member, &new, |piece| {
            crc.update(piece);
            encoder.write_all(piece)
        })?;
        let compressed = encoder.finish().map_err(|error| unwritable(member, &error))?;
        let packed = compressed.len() as u64;
        let (edits, crc32) = (Vec::new(), crc.sum());
        Ok(Repacked { member, edits, compressed: Some(compressed), packed, size, crc32 })
    }

    /// Do the old bytes match the directory? An edit of other bytes would make a damaged member look
    /// sound.
    fn check(&self, member: &Member, source: &dyn Source) -> Result<(), Error> {
        let mut crc = Crc::new();
        self.read_all(member, source, |piece| {
            crc.update(piece);
            Ok(())
        })?;
        if crc.sum() != member.crc32 {
            return Err(member.refused(Why::Damaged("their checksum is another")));
        }
        Ok(())
    }

    fn read_all(
        &self,
        member: &Member,
        source: &dyn Source,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut at = 0;
        while at < source.len() {
            let piece = match source.read(at, PIECE.min(source.len() - at), "member") {
                Ok(piece) => piece,
                Err(error) => {
                    // A damaged member has an error of its own.
                    self.fault()?;
                    return Err(member.refused(error.into()));
                }
            };
            each(&piece).map_err(|error| unwritable(member, &error))?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// The new checksum and lengths of a member, in all places.
    fn fields(&self, one: &Repacked<'_>) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let mut patches = Vec::new();
        for fields in &one.member.fields {
            patches.push((fields.crc32, one.crc32.to_le_bytes().to_vec()));
            patches.push(patch(fields.compressed, one.packed).map_err(|why| one.refused(why))?);
            patches.push(patch(fields.size, one.size).map_err(|why| one.refused(why))?);
        }
        Ok(patches)
    }

    /// The new offsets of everything after an edited member. `repacked` is in the order of the
    /// archive.
    fn offsets(&self, repacked: &[Repacked<'_>]) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let moved_to = |at: u64| {
            let before = repacked.iter().take_while(|one| one.member.data.end <= at);
            before
                .fold(at, |to, one| to - (one.member.data.end - one.member.data.start) + one.packed)
        };
        let mut patches = Vec::new();
        for member in &self.archive.members {
            let to = moved_to(member.header);
            if to != member.header {
                patches.push(patch(member.offset_at, to).map_err(|why| member.refused(why))?);
            }
        }
        for field in &self.archive.directory_at {
            patches.push(patch(*field, moved_to(self.archive.tail.start))?);
        }
        if let Some((field, at)) = self.archive.end_64 {
            patches.push(patch(field, moved_to(at))?);
        }
        Ok(patches)
    }

    /// The directory with its patches, as one edit: there may be thousands of them.
    fn tail(&self, patches: &[(u64, Vec<u8>)]) -> Result<Option<Edit>, Error> {
        let range = self.archive.tail.clone();
        let len = range.end - range.start;
        let old = self.source.read(range.start, len, "central directory")?;
        let mut new = old.to_vec();
        for (at, bytes) in patches {
            let at = usize::try_from(at - range.start).unwrap_or(usize::MAX);
            if let Some(place) = new.get_mut(at..at.saturating_add(bytes.len())) {
                place.copy_from_slice(bytes);
            }
        }
        Ok((*old != *new).then_some(Edit { range, new: Content::Bytes(new) }))
    }
}

impl Repacked<'_> {
    fn refused(&self, why: Why) -> Error {
        self.member.refused(why)
    }
}

fn patch(field: Field, value: u64) -> Result<(u64, Vec<u8>), Why> {
    field.bytes(value).map(|bytes| (field.at, bytes)).ok_or(Why::TooLarge)
}

/// An edit of a member as one of the archive, in which the member starts at `start`.
fn moved(edit: &Edit, start: u64) -> Edit {
    let by = |range: &Range<u64>| range.start + start..range.end + start;
    let new = match &edit.new {
        Content::CopyOf(range) => Content::CopyOf(by(range)),
        other => other.clone(),
    };
    Edit { range: by(&edit.range), new }
}

fn unwritable(member: &Member, error: &io::Error) -> Error {
    member.refused(Why::Unwritable(error.to_string()))
}
