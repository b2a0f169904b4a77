//! The reports' schemas under `fixtures/schema` are those of the types, and reports are of them.
//!
//! `BLESS=1 cargo test --test fast -- schemas` writes the files anew after a change that is meant: names
//! that are gone break other programs.

use crate::support::schemas::path_of;
use crate::support::wheels;
use std::collections::BTreeSet;
use tfpatch::report::schema;

#[test]
#[expect(clippy::disallowed_methods, reason = "a person asks for new files by the environment")]
fn they_are_those_of_the_types() {
    let mut files = BTreeSet::from(["ORIGIN.md".to_owned()]);
    for (name, schema) in schema::all() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = path_of(name);
        files.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == text,
            "{}: run BLESS=1 cargo test --test fast -- schemas",
            path.display()
        );
    }
    let listing = std::fs::read_dir(wheels::fixture("schema")).unwrap();
    let found: BTreeSet<String> =
        listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, files);
}
