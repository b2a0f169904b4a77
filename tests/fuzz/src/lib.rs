//! What the fuzz targets share: the bound on memory, files that are larger than the input, and requests
//! for edits with what they give.

mod edited;

pub use edited::{REQUEST, Wish, apply};

use libfuzzer_sys::Corpus;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which counts what is allocated.
struct Meter;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(len: usize) {
    let now = ALLOCATED.fetch_add(len, Ordering::Relaxed) + len;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came; the counters touch no memory of it.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above; `at` came from `alloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static METER: Meter = Meter;

/// Does it, and fails where it holds more than `most` bytes at once. Only for work on one thread.
///
/// # Panics
/// Where the bound does not hold.
pub fn within<T>(most: usize, what: &str, work: impl FnOnce() -> T) -> T {
    let before = ALLOCATED.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = work();
    let peak = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    assert!(peak <= most, "{what} takes {peak} bytes of memory, more than {most}");
    result
}

/// Does it, and fails where something of it stays in memory. Only for work on one thread.
///
/// # Panics
/// Where something stays.
pub fn leaving_nothing(what: &str, work: impl FnOnce()) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    work();
    let after = ALLOCATED.load(Ordering::Relaxed);
    assert!(after <= before, "{what} leaves {} bytes in memory", after - before);
}

/// A file of more bytes is not tried.
pub const MAX_FILE: usize = 1 << 16;

/// Shows `look` a file: what follows the first byte of the input, or, as that byte says, a vast file
/// that begins with it.
///
/// # Panics
/// Where `look` does.
pub fn shaped(input: &[u8], look: impl FnOnce(&Vec<u8>)) -> Corpus {
    let Some((&shape, bytes)) = input.split_first() else { return Corpus::Reject };
    if bytes.len() > MAX_FILE {
        return Corpus::Reject;
    }
    match shape & 3 {
        0 => vast(bytes, false, look),
        1 => vast(bytes, true, look),
        _ => look(&bytes.to_vec()),
    }
    Corpus::Keep
}

/// Length of a vast file in bytes.
const VAST: usize = 16 << 20;

thread_local! {
    static FILES: RefCell<[Vec<u8>; 2]> = RefCell::new([vec![0; VAST], vec![b'a'; VAST]]);
}

/// Shows `look` a file that begins with `start` and goes on with one byte for 16 MiB, so that
/// whatever a header claims can be there: zeros, or a text that does not end.
///
/// # Panics
/// Where `start` is longer than the file.
fn vast<T>(start: &[u8], is_text: bool, look: impl FnOnce(&Vec<u8>) -> T) -> T {
    FILES.with_borrow_mut(|files| {
        let file = &mut files[usize::from(is_text)];
        file[..start.len()].copy_from_slice(start);
        let result = look(file);
        file[..start.len()].fill(if is_text { b'a' } else { 0 });
        result
    })
}
