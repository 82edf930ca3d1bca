//! Whether a value is as a schema says.

use serde_json::{Map, Value};

/// Checks a value by the keywords that our schemas use; another keyword is a panic, so that none is passed over. Unlike a
/// general validator it also wants every key to be described.
pub(crate) struct Check<'a> {
    root: &'a Value,
}

impl<'a> Check<'a> {
    /// Checks by this schema.
    pub(crate) const fn of(root: &'a Value) -> Self {
        Self { root }
    }

    /// Where a value is not as the schema says, and how.
    pub(crate) fn mistakes(&self, value: &Value) -> Vec<String> {
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
