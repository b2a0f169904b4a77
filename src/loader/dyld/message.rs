//! dyld's messages for what it did not find.

use super::process::{Attempt, LoadedImage, Need, Opened};
use super::version::Version;
use crate::bytes::printable;
use crate::loader::StepOutcome;

/// The text after `Reason:`, or after the parenthesis of `dlopen(…):`.
pub(super) fn reason(
    version: Version,
    name: &[u8],
    attempts: &[Attempt],
    has_rpaths: bool,
) -> String {
    let notes: Vec<&Attempt> =
        attempts.iter().filter(|attempt| attempt.step.outcome != StepOutcome::Found).collect();
    if !version.lists_places() || notes.is_empty() {
        return match name.starts_with(b"@rpath/") && version.mentions_missing_rpaths() {
            true if has_rpaths => "no LC_RPATH's used.  They may be invalid, eg, not start with \
                                   '@loader_path' or '@executable_path'"
                .to_owned(),
            true => "no LC_RPATH's found".to_owned(),
            false => "image not found".to_owned(),
        };
    }
    let places = notes.iter().map(|attempt| {
        let path = attempt.step.path.as_os_str().as_encoded_bytes();
        format!("'{}' ({})", printable(path), attempt.note)
    });
    format!("tried: {}", places.collect::<Vec<_>>().join(", "))
}

/// What dyld says when it gives up; `None` if it loads everything.
#[must_use]
pub fn words(version: Version, opened: &Opened) -> Option<String> {
    Some(match opened.stops_at()? {
        (Some(image), need) => not_loaded(version, image, need),
        (None, need) => need.reason.clone().unwrap_or_default(),
    })
}

/// The message about a library that an image needs and that was not found.
fn not_loaded(version: Version, image: &LoadedImage, need: &Need) -> String {
    let name = printable(&need.dependency.name);
    let from = printable(image.path.as_os_str().as_encoded_bytes());
    let quote = if version.is_dyld_960() { "'" } else { "" };
    let uuid = image.summary.uuid.filter(|_| version.shows_uuid());
    let uuid = uuid.map_or_else(String::new, |uuid| format!("<{}> ", uuid_text(&uuid)));
    let reason = need.reason.as_deref().unwrap_or_default();
    format!(
        "Library not loaded: {quote}{name}{quote}\n  Referenced from: {uuid}{quote}{from}{quote}\n  Reason: {reason}"
    )
}

/// A UUID as dyld writes it.
fn uuid_text(uuid: &[u8; 16]) -> String {
    let hex: String = uuid.iter().map(|byte| format!("{byte:02X}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}
