//! The reasons why the emulation does not predict the result of a request.

use crate::trace::replay::Why;

/// The reason why it does not, or why that is unknown, as a clause.
#[must_use]
pub fn why(why: Why) -> &'static str {
    match why {
        Why::UnknownProgram => "the program is not known by the name that it was run as",
        Why::UnknownAsker => "the simulation does not load the file that requested it",
        Why::Gone => "the file no longer exists",
        Why::FindsNothing => "the simulation does not find it",
        Why::FindsAlone => "only the simulation finds it",
        Why::FindsOther => "the simulation finds another file",
    }
}
