//! The JSON schema of `report.json`, for programs that read it.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Report, SCHEMA};

/// The schema of what this version writes (JSON Schema, draft 2020-12). It is kept as `reports/report.schema.json`.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Report>()
        .to_value();
    schema["$id"] = json!(format!("urn:leak-harness:schema:report:{SCHEMA}"));
    schema["title"] = json!("leak-harness report.json");
    schema["description"] = json!(
        "The judgement of one run. `schema` grows when a field changes its meaning or goes. New fields may come without that: a reader \
         leaves out what it does not know, and does without fields that an older version of the same schema has not written."
    );
    schema["properties"]["schema"]["const"] = json!(SCHEMA);
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::report::examples::{failing, inconclusive, passing};

    #[test]
    fn the_kept_schema_is_that_of_the_code() {
        assert!(
            include_str!("../../../reports/report.schema.json") == format!("{:#}\n", schema()),
            "make it anew: cargo run -p leak-harness -- schema report > reports/report.schema.json"
        );
    }

    #[test]
    fn reports_are_as_the_schema_says_and_hold_nothing_else() {
        for report in [failing(), passing(), inconclusive()] {
            let report = serde_json::to_value(report).unwrap();
            assert_eq!(Check::of(&schema()).mistakes(&report), [""; 0]);
        }
    }

    #[test]
    fn what_is_not_as_the_schema_says_is_noticed() {
        let mistakes = |change: &dyn Fn(&mut Value)| {
            let mut report = serde_json::to_value(failing()).unwrap();
            change(&mut report);
            Check::of(&schema()).mistakes(&report)
        };
        assert_eq!(
            mistakes(&|report| report["schema"] = json!(SCHEMA + 1)),
            ["/schema: not the constant"]
        );
        assert_eq!(
            mistakes(&|report| report["verdict"] = json!("perhaps")),
            ["/verdict: none of those that it may be"]
        );
        assert_eq!(
            mistakes(&|report| report["series"][0]["children"] = json!(-1)),
            ["/series/0/children: too small"]
        );
        assert_eq!(
            mistakes(&|report| report["findings"][0]["count"] = json!("many")),
            ["/findings/0/count: not of its type"]
        );
        assert_eq!(
            mistakes(&|report| report["memory"]["more"] = json!(1)),
            ["/memory/more: not in the schema"]
        );
        let missing = mistakes(&|report| {
            report["series"][0].as_object_mut().unwrap().remove("t_ms");
        });
        assert_eq!(missing, ["/series/0/t_ms: missing"]);
    }

    /// Checks a value by the keywords that this schema uses; another keyword is a panic, so that none is passed over. Unlike a
    /// general validator it also wants every key to be described.
    struct Check<'a> {
        root: &'a Value,
    }

    impl<'a> Check<'a> {
        const fn of(root: &'a Value) -> Self {
            Self { root }
        }

        fn mistakes(&self, value: &Value) -> Vec<String> {
            let mut mistakes = Vec::new();
            self.check("", self.root, value, &mut mistakes);
            mistakes
        }

        fn check(&self, place: &str, schema: &Value, value: &Value, mistakes: &mut Vec<String>) {
            let schema = schema.as_object().expect("every schema here is an object");
            let mut mistake = |what: &str| mistakes.push(format!("{place}: {what}"));
            for (keyword, of) in schema {
                match keyword.as_str() {
                    "const" if value != of => mistake("not the constant"),
                    "enum" if !of.as_array().unwrap().contains(value) => {
                        mistake("none of those that it may be");
                    }
                    "minimum" if value.as_f64().is_some_and(|n| n < of.as_f64().unwrap()) => {
                        mistake("too small");
                    }
                    "type" if !is_of_type(value, of) => mistake("not of its type"),
                    "oneOf" | "anyOf" => {
                        let may_be = of.as_array().unwrap().iter();
                        let fitting = may_be.filter(|schema| {
                            let mut mistakes = Vec::new();
                            self.check(place, schema, value, &mut mistakes);
                            mistakes.is_empty()
                        });
                        let fits = fitting.count();
                        if fits == 0 || (keyword == "oneOf" && fits > 1) {
                            mistake("none of those that it may be");
                        }
                    }
                    _ => {}
                }
            }
            if let Some(reference) = schema.get("$ref") {
                let reference = reference.as_str().unwrap();
                let target = self.root.pointer(reference.strip_prefix('#').unwrap());
                self.check(place, target.expect("it is there"), value, mistakes);
            }
            if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
                for (number, value) in values.iter().enumerate() {
                    self.check(&format!("{place}/{number}"), items, value, mistakes);
                }
            }
            if let Some(value) = value.as_object() {
                self.check_keys(place, schema, value, mistakes);
            }
            for keyword in schema.keys() {
                assert!(KEYWORDS.contains(&keyword.as_str()), "{keyword}");
            }
        }

        fn check_keys(
            &self,
            place: &str,
            schema: &Map<String, Value>,
            value: &Map<String, Value>,
            mistakes: &mut Vec<String>,
        ) {
            let properties = schema.get("properties").and_then(Value::as_object);
            let others = schema.get("additionalProperties");
            if properties.is_none() && others.is_none() {
                return;
            }
            let required = schema.get("required").and_then(Value::as_array);
            for name in required.into_iter().flatten() {
                let name = name.as_str().unwrap();
                if !value.contains_key(name) {
                    mistakes.push(format!("{place}/{name}: missing"));
                }
            }
            for (name, value) in value {
                let place = format!("{place}/{name}");
                let known = properties.and_then(|properties| properties.get(name));
                match known.or(others).filter(|schema| schema.is_object()) {
                    Some(schema) => self.check(&place, schema, value, mistakes),
                    None => mistakes.push(format!("{place}: not in the schema")),
                }
            }
        }
    }

    /// Those that are checked, and those that say nothing about a value.
    const KEYWORDS: [&str; 19] = [
        "const",
        "enum",
        "minimum",
        "type",
        "oneOf",
        "anyOf",
        "$ref",
        "items",
        "properties",
        "required",
        "additionalProperties",
        "$defs",
        "$id",
        "$schema",
        "default",
        "description",
        "format",
        "title",
        "maxItems",
    ];

    fn is_of_type(value: &Value, names: &Value) -> bool {
        let is = |name: &Value| match name.as_str().unwrap() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => false,
        };
        match names {
            Value::Array(names) => names.iter().any(is),
            name => is(name),
        }
    }
}
