//! Many small ranges of a file, read together.

use super::{Error, Source};
use std::ops::Range;

/// Two ranges with no more bytes than this between them are read at once: reading a page too many costs less
/// than another system call.
const GAP: u64 = 4 << 10;
/// Bytes that are read at once, at most, where no single range is longer.
const MOST: u64 = 256 << 10;

/// Reads ranges, which ascend by their starts and may overlap, and shows each of them with its place in the
/// list. Each part of the file is read once, however many ranges lie there.
///
/// # Errors
/// What `visit` returns; [`super::Problem::Truncated`] where a range reaches past the end of the file.
pub(crate) fn read_together(
    source: &dyn Source,
    ranges: &[Range<u64>],
    what: &'static str,
    mut visit: impl FnMut(usize, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut next = 0;
    while let Some(first) = ranges.get(next) {
        let (start, mut end) = (first.start, first.end);
        let rest = ranges.get(next..).unwrap_or_default();
        let near = rest.iter().take_while(|range| {
            let longer = end.max(range.end);
            let is_near = range.start <= end.saturating_add(GAP) && longer - start <= MOST;
            if is_near || range.end <= end {
                end = longer;
                return true;
            }
            false
        });
        let count = near.count().max(1);
        let bytes = source.read(start, end.saturating_sub(start), what)?;
        for (index, range) in rest.iter().take(count).enumerate() {
            // Both ends lie within what was read, which is in memory.
            let part =
                (range.start - start) as usize..(range.end.max(range.start) - start) as usize;
            visit(next + index, bytes.get(part).unwrap_or_default())?;
        }
        next += count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{GAP, MOST, read_together};
    use crate::bytes::{Error, Source};
    use std::borrow::Cow;
    use std::ops::Range;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Bytes that count how often they are read.
    struct Counted(Vec<u8>, AtomicUsize);

    impl Source for Counted {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Source::get(&self.0, range)
        }
    }

    fn seen(source: &Counted, ranges: &[Range<u64>]) -> Result<Vec<Vec<u8>>, Error> {
        let mut seen = Vec::new();
        read_together(source, ranges, "test", |index, bytes| {
            assert_eq!(index, seen.len());
            seen.push(bytes.to_vec());
            Ok(())
        })?;
        Ok(seen)
    }

    #[test]
    fn neighbours_are_read_at_once_and_each_range_is_shown_as_it_is() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * MOST as usize).collect();
        let source = Counted(bytes, AtomicUsize::new(0));
        let far = 2 * MOST;
        let ranges = [0..4, 2..8, 3..5, 100..100, GAP..GAP + 4, far..far + 8, far + 1..far + 2];
        let expected: Vec<_> =
            ranges.iter().map(|it| source.0[it.start as usize..it.end as usize].to_vec()).collect();
        assert_eq!(seen(&source, &ranges).unwrap(), expected);
        assert_eq!(source.1.into_inner(), 2);
    }

    #[test]
    fn a_long_range_is_read_whole_and_one_outside_is_an_error() {
        let source = Counted(vec![7; 2 * MOST as usize], AtomicUsize::new(0));
        let all = 0..source.len();
        assert_eq!(seen(&source, &[all.clone(), 1..3]).unwrap(), [source.0.clone(), vec![7, 7]]);
        assert!(seen(&source, &[1..2, all.end - 1..all.end + 1]).is_err());
        assert!(seen(&source, &[]).unwrap().is_empty());
    }
}
