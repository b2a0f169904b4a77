//! What is broken, hostile, or out of reach: the run goes on, says what is the matter, and ends with
//! the right status.

use serde_json::Value;
use std::path::Path;

/// The library that the broken tree needs, and the object that needs it: they are found and
/// repaired, whatever stands beside them.
pub(crate) const OUTER: &str = "pkg/outer.so";

/// The findings of a report that are about `object`.
pub(crate) fn about<'a>(report: &'a Value, object: &Path) -> Vec<&'a Value> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().filter(|finding| finding["object"] == object.to_str().unwrap()).collect()
}
