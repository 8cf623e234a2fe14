//! The JSON Schemas of a manifest, as the contract of a workflow.

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;
use ticket_host::workflow::Contract;

use super::manifest::Manifest;

/// Longest part of a value that a message shows, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// What input and output must be.
#[derive(Debug)]
pub(crate) struct Schemas {
    input: Option<Validator>,
    output: Option<Validator>,
}

impl Schemas {
    /// Compiles the schemas of a manifest.
    pub(crate) fn of(manifest: &Manifest) -> Result<Self, String> {
        Ok(Self { input: compile("input", &manifest.input)?, output: compile("output", &manifest.output)? })
    }
}

impl Contract for Schemas {
    fn check_input(&self, input: &str) -> Result<(), String> {
        check(self.input.as_ref(), input)
    }

    fn check_output(&self, output: &str) -> Result<(), String> {
        check(self.output.as_ref(), output)
    }
}

fn compile(which: &str, schema: &Option<Value>) -> Result<Option<Validator>, String> {
    let Some(schema) = schema else { return Ok(None) };
    // Patterns are the author's: this engine takes time that is linear in the text, whatever the pattern.
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    let validator =
        options.build(schema).map_err(|error| format!("the schema of the {which} is wrong: {}", shown(&error)))?;
    Ok(Some(validator))
}

fn check(validator: Option<&Validator>, text: &str) -> Result<(), String> {
    let Some(validator) = validator else { return Ok(()) };
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    validator.validate(&value).map_err(|error| format!("does not match its schema: {}", shown(&error)))
}

/// Where and what, within bounds.
fn shown(error: &ValidationError<'_>) -> String {
    let (mut text, path) = (error.to_string(), error.instance_path().to_string());
    text.truncate(text.floor_char_boundary(SHOWN_BYTES_MAX));
    if path.is_empty() { text } else { format!("{text} at `{path}`") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn schemas(input: &str) -> Result<Schemas, String> {
        let text = format!("name = \"a\"\nversion = \"1\"\ncomponent = \"a.wasm\"\n[input]\n{input}");
        Schemas::of(&Manifest::parse(&text, Path::new("workflow.toml")).expect("a manifest"))
    }

    #[test]
    fn input_is_checked_by_its_schema() {
        let schemas = schemas("type = \"object\"\nrequired = [\"cabin\"]\nproperties.cabin.enum = [\"economy\"]")
            .expect("schemas");
        assert_eq!(schemas.check_input(r#"{"cabin":"economy"}"#), Ok(()));
        assert_eq!(schemas.check_output("7"), Ok(()));
        for (input, expected) in [
            ("null", "does not match its schema: null is not of type \"object\""),
            ("{}", "\"cabin\" is a required property"),
            (r#"{"cabin":"attic"}"#, "at `/cabin`"),
        ] {
            let refusal = schemas.check_input(input).expect_err(input);
            assert!(refusal.contains(expected), "{refusal}");
        }
    }

    #[test]
    fn a_schema_that_is_wrong_or_elsewhere_is_refused() {
        for schema in
            ["type = 7", "\"$ref\" = \"https://example.com/schema.json\"", "\"$ref\" = \"file:///etc/passwd\""]
        {
            let refusal = schemas(schema).expect_err(schema);
            assert!(refusal.contains("the schema of the input is wrong"), "{refusal}");
        }
    }
}
