//! Why the emulation of a run does not say what happened.

use crate::trace::replay::Why;

/// Why it does not, or why that cannot be known: a clause.
#[must_use]
pub fn why(why: Why) -> &'static str {
    match why {
        Why::UnknownProgram => "the program is not known by the name it was called",
        Why::UnknownAsker => "the object that asked is not among those that the emulation loads",
        Why::Gone => "the file is gone by now",
        Why::FindsNothing => "the emulation finds nothing",
        Why::FindsAlone => "only the emulation finds it",
        Why::FindsOther => "the emulation finds another file",
    }
}
