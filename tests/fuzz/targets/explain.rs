//! A log of any bytes: no panic, soon, in memory that its length bounds, and nothing in a message
//! that does not stand in the text.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use tfpatch::messages::read;
use tfpatch::report::words::{helps, meanings};
use tfpatch_fuzz::within;

/// Memory for each byte of the text, and besides: the automaton of what is looked for, and the line
/// buffer.
const FACTOR: usize = 64;
const CONSTANT: usize = 4 << 20;

fuzz_target!(|input: &[u8]| -> Corpus {
    let most = CONSTANT + FACTOR * input.len();
    let log = within(most, "reading a log", || read(&mut &*input)).expect("memory can be read");
    assert!(log.lines <= input.len(), "a line has a byte");
    let mut last = None;
    for message in &log.messages {
        assert!((1..=log.lines).contains(&message.line) && message.times > 0);
        let rank = message.weight();
        assert!(last.is_none_or(|last| last <= rank), "what blocks first comes first");
        last = Some(rank);
        assert!(!meanings::of(message).is_empty() && !helps::of(message).is_empty());
        // A name stands in one line; quotes and escapes are taken out of it at most.
        if let Some(symbol) = &message.symbol {
            assert!(!symbol.is_empty() && !symbol.contains(&b'\n'));
        }
        assert_eq!(message.cause(), message.causes().first().copied());
    }
    Corpus::Keep
});
