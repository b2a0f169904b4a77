//! Detects code that writes code to its stack: nested functions of GCC, and LLVM's `llvm.init.trampoline`.
//! Such an object needs the executable stack that it requests.
//!
//! On x86-64, a compiler stores these instructions as constants in its own code: `movabs …, %r11` (`49 bb`,
//! or `41 bb` for a short address), `movabs …, %r10` (`49 ba`), `rex.WB jmp *%r11` (`49 ff e3`; GCC's
//! `ix86_trampoline_init`, LLVM's `LowerINIT_TRAMPOLINE`). The jump has a prefix that compilers do not use
//! for other jumps.

use super::image::Image;
use super::segments::{loads, range_of};
use crate::bytes::Error;
use goblin::elf::program_header::PF_X;
use memchr::memmem;

/// The jump at the end of a trampoline.
const JUMP: &[u8] = &[0x49, 0xff, 0xe3];
/// The instruction that loads the address of the function.
const LOADS: [&[u8]; 2] = [&[0x49, 0xbb], &[0x41, 0xbb]];
/// The instruction that loads the address of the frame.
const CHAIN: &[u8] = &[0x49, 0xba];
/// The maximum distance in bytes between the constants of one trampoline.
const NEAR: usize = 64;
/// Code is read in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// Does the code of an object for x86-64 contain the constants of a trampoline? Code that contains them by
/// chance is reported too.
///
/// # Errors
/// If a segment with code cannot be read.
pub fn are_written(image: &Image<'_>) -> Result<bool, Error> {
    for (_, load) in loads(image).filter(|(_, load)| load.p_flags & PF_X != 0) {
        let code = range_of(load);
        let mut at = code.start;
        while at < code.end {
            // Pieces overlap, because a match may cross the end of one.
            let end = code.end.min(at.saturating_add(PIECE + 2 * NEAR as u64));
            let bytes = image.source().read(at, end - at, "code")?;
            if has_constants(&bytes) {
                return Ok(true);
            }
            at = at.saturating_add(PIECE);
        }
    }
    Ok(false)
}

fn has_constants(code: &[u8]) -> bool {
    if memmem::find(code, JUMP).is_some() {
        return true;
    }
    memmem::find_iter(code, CHAIN).any(|at| {
        let near = code.get(at.saturating_sub(NEAR)..code.len().min(at + NEAR));
        near.is_some_and(|near| LOADS.iter().any(|load| memmem::find(near, load).is_some()))
    })
}

#[cfg(test)]
mod tests {
    use super::has_constants;

    #[test]
    fn constants_that_are_far_from_each_other_are_no_trampoline() {
        let mut code = vec![0x90; 400];
        code[10..12].copy_from_slice(&[0x49, 0xba]);
        code[300..302].copy_from_slice(&[0x49, 0xbb]);
        assert!(!has_constants(&code));
        code[40..42].copy_from_slice(&[0x41, 0xbb]);
        assert!(has_constants(&code));
        assert!(has_constants(&[0x90, 0x49, 0xff, 0xe3]));
        assert!(!has_constants(&[0x41, 0xff, 0xe3]));
    }
}
