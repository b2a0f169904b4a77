//! What an edit changes of an object besides its search path, for people and programs to read.

use crate::edit::{EditSet, Patched};
use crate::elf::{Image, Summary};
use crate::macho::{Container, Image as Slice, Names};
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

/// The names that `edits` change in the slices of a Mach-O file. What cannot be read is left out. Names that
/// are the same in all slices are listed once.
#[must_use]
pub fn of_slices(slices: &[Slice<'_>], edits: &EditSet) -> Vec<FieldChange> {
    let Some(first) = slices.first() else { return Vec::new() };
    let patched = Patched::new(first.slice().file(), edits);
    let Ok(file) = Container::parse(&patched) else { return Vec::new() };
    let after: Result<Vec<_>, _> = file.slices.into_iter().map(Slice::parse).collect();
    let names = |slices: &[Slice<'_>]| -> Option<Vec<Names>> {
        let mut all = slices.iter().map(Names::of).collect::<Result<Vec<_>, _>>().ok()?;
        all.dedup();
        Some(all)
    };
    let after = after.ok().and_then(|after| names(&after));
    let (Some(before), Some(after)) = (names(slices), after) else { return Vec::new() };
    let changes = [Field::Soname, Field::Needed].map(|field| FieldChange {
        field,
        before: texts_of_names(field, &before),
        after: texts_of_names(field, &after),
    });
    changes.into_iter().filter(|change| change.before != change.after).collect()
}

fn texts_of_names(field: Field, slices: &[Names]) -> Vec<String> {
    let names = slices.iter().flat_map(|names| match field {
        Field::Soname => names.install_name.as_slice(),
        _ => &names.needed,
    });
    names.map(|name| text(name)).collect()
}

/// A name; other bytes than UTF-8 are escaped, so that different names have different texts.
fn text(name: &[u8]) -> String {
    match str::from_utf8(name) {
        Ok(name) => name.to_owned(),
        Err(_) => name.escape_ascii().to_string(),
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
    let texts = |names: &[Vec<u8>]| names.iter().map(|name| text(name)).collect();
    let yes_or_no = |holds: bool| vec![if holds { "yes" } else { "no" }.to_owned()];
    match field {
        Field::Soname => texts(summary.soname.as_slice()),
        Field::Needed => texts(&summary.needed),
        Field::Interpreter => texts(summary.interpreter.as_slice()),
        Field::ExecutableStack => yes_or_no(summary.wants_executable_stack()),
        Field::NoDefaultLibraries => yes_or_no(summary.has_nodeflib()),
        Field::Other => Vec::new(),
    }
}
