//! The changes of an object in addition to its search path.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A property that the loader reads and an edit can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The object's own name: `DT_SONAME` or `LC_ID_DYLIB`.
    Soname,
    /// The names of the libraries that it needs, in order: `DT_NEEDED` or
    /// `LC_LOAD_DYLIB` and its variants.
    Needed,
    /// The dynamic loader of a program: `PT_INTERP`.
    Interpreter,
    /// Does it request an executable stack: `PF_X` of `PT_GNU_STACK`? `yes` or `no`.
    ExecutableStack,
    /// Are the default directories not searched: `DF_1_NODEFLIB`? `yes` or `no`.
    NoDefaultLibraries,
    /// A field that this version does not know.
    #[serde(other)]
    Other,
}

impl Field {
    /// Its name in JSON and in a diff.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Soname => "soname",
            Self::Needed => "needed",
            Self::Interpreter => "interpreter",
            Self::ExecutableStack => "executable_stack",
            Self::NoDefaultLibraries => "no_default_libraries",
            Self::Other => "other",
        }
    }
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// The field.
    pub field: Field,
    /// The old values; none if it was absent.
    pub before: Vec<String>,
    /// The new values.
    pub after: Vec<String>,
}

impl FieldChange {
    /// The inverted changes, as an undo makes them.
    #[must_use]
    pub fn turned(changes: &[Self]) -> Vec<Self> {
        let turned = changes.iter().map(|change| Self {
            field: change.field,
            before: change.after.clone(),
            after: change.before.clone(),
        });
        turned.collect()
    }

    /// The combined effect of successive changes. Fields that end up unchanged are omitted.
    #[must_use]
    pub fn joined<'a>(steps: impl Iterator<Item = &'a [Self]>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for change in steps.flatten() {
            match joined.iter_mut().find(|known| known.field == change.field) {
                Some(known) => known.after.clone_from(&change.after),
                None => joined.push(change.clone()),
            }
        }
        joined.retain(|change| change.before != change.after);
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, FieldChange};

    fn change(field: Field, before: &str, after: &str) -> FieldChange {
        FieldChange { field, before: vec![before.to_owned()], after: vec![after.to_owned()] }
    }

    #[test]
    fn changes_that_follow_each_other_are_one() {
        let first = [change(Field::Soname, "a", "b"), change(Field::ExecutableStack, "yes", "no")];
        let second = [change(Field::Soname, "b", "c"), change(Field::ExecutableStack, "no", "yes")];
        let joined = FieldChange::joined([&first[..], &second].into_iter());
        assert_eq!(joined, [change(Field::Soname, "a", "c")]);
        assert_eq!(FieldChange::turned(&joined), [change(Field::Soname, "c", "a")]);
    }

    #[test]
    fn a_field_has_one_name() {
        for field in [Field::Soname, Field::Needed, Field::Interpreter, Field::ExecutableStack] {
            assert_eq!(serde_json::to_value(field).unwrap(), field.name());
        }
        let later: Field = serde_json::from_str("\"of_a_later_version\"").unwrap();
        assert_eq!(later, Field::Other);
    }
}
