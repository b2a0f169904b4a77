//! What an edit changes of an object besides its search path, for people and programs to read.

use crate::edit::{EditSet, Patched};
use crate::elf::{Image, Summary};
use crate::plan::field::{Field, FieldChange};

/// The fields that `edits` change in an object. What cannot be read is left out.
#[must_use]
pub fn of_edits(image: &Image<'_>, edits: &EditSet) -> Vec<FieldChange> {
    let patched = Patched::new(image.source(), edits);
    let after = Image::parse(&patched).and_then(|image| image.summary());
    match (image.summary(), after) {
        (Ok(before), Ok(after)) => between(&before, &after),
        _ => Vec::new(),
    }
}

fn between(before: &Summary, after: &Summary) -> Vec<FieldChange> {
    let fields = [Field::Soname, Field::Needed, Field::Interpreter, Field::ExecutableStack];
    let fields = fields.into_iter().chain([Field::NoDefaultLibraries]);
    let changes = fields.map(|field| FieldChange {
        field,
        before: values(field, before),
        after: values(field, after),
    });
    changes.filter(|change| change.before != change.after).collect()
}

/// What a field holds.
fn values(field: Field, summary: &Summary) -> Vec<String> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let yes_or_no = |holds: bool| vec![if holds { "yes" } else { "no" }.to_owned()];
    match field {
        Field::Soname => summary.soname.iter().map(text).collect(),
        Field::Needed => summary.needed.iter().map(text).collect(),
        Field::Interpreter => summary.interpreter.iter().map(text).collect(),
        Field::ExecutableStack => yes_or_no(summary.wants_executable_stack()),
        Field::NoDefaultLibraries => yes_or_no(summary.has_nodeflib()),
        Field::Other => Vec::new(),
    }
}
