//! The JSON Schemas of all reports, generated from their types.

use super::error::ErrorReport;
use super::explain::{ExplainReport, PageReport};
use super::json::{DoctorReport, PlanReport, ShowReport, TreeReport};
use super::operations::{DiffReport, LogReport, RevertReport, VerifyReport};
use super::probe_json::ProbeReport;
use super::proof_json::ProofReport;
use super::trace::TraceReport;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// Each report's name, as in `tfpatch/NAME/v1`, and its schema (JSON Schema, draft 2020-12).
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("cause", of::<PageReport>("cause")),
        ("diff", of::<DiffReport>("diff")),
        ("doctor", of::<DoctorReport>("doctor")),
        ("error", of::<ErrorReport>("error")),
        ("explain", of::<ExplainReport>("explain")),
        ("log", of::<LogReport>("log")),
        ("plan", of::<PlanReport<'_>>("plan")),
        ("probe", of::<ProbeReport<'_>>("probe")),
        ("proof", of::<ProofReport<'_>>("proof")),
        ("revert", of::<RevertReport>("revert")),
        ("show", of::<ShowReport>("show")),
        ("trace", of::<TraceReport<'_>>("trace")),
        ("tree", of::<TreeReport>("tree")),
        ("verify", of::<VerifyReport>("verify")),
    ]
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

fn of<T: JsonSchema>(name: &str) -> Value {
    named(name, generator().into_root_schema_for::<T>())
}

/// The schema of a whole report, with its name.
fn named(name: &str, schema: Schema) -> Value {
    let mut schema = schema.to_value();
    let name = format!("tfpatch/{name}/v1");
    if let Some(property) = schema.pointer_mut("/properties/schema") {
        *property = json!({ "const": name });
    }
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), Value::String(name));
    }
    for_readers(&mut schema);
    schema
}

/// Removes links to Rust items from descriptions.
fn for_readers(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`");
            }
            object.values_mut().for_each(for_readers);
        }
        Value::Array(values) => values.iter_mut().for_each(for_readers),
        _ => {}
    }
}
