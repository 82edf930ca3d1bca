//! The JSON schema of scenario files, for editors.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::Scenario;

/// The schema of a scenario file (JSON Schema, draft 2020-12).
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Scenario>().to_value();
    // In a file, shares of the sessions stand under [claude] and hold the keys of a behaviour beside `share`.
    let share = schema
        .pointer("/$defs/Mix/properties/share")
        .cloned()
        .unwrap_or_default();
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.remove("mix");
        properties.insert(
            "$schema".to_owned(),
            json!({ "type": "string", "description": "The schema that an editor uses." }),
        );
    }
    let mut entry = schema["$defs"]["Behaviour"].clone();
    entry["properties"]["share"] = share;
    entry["required"] = json!(["share"]);
    let mut claude = schema["$defs"]["Behaviour"].clone();
    claude["properties"]["mix"] = json!({
        "type": "array",
        "description": "Shares of the sessions whose fakes behave otherwise. Keys that an entry does not name are those of [claude].",
        "items": { "$ref": "#/$defs/MixEntry" },
    });
    if let Some(definitions) = schema["$defs"].as_object_mut() {
        definitions.remove("Mix");
        definitions.remove("Behaviour");
        definitions.insert("MixEntry".to_owned(), entry);
        definitions.insert("Claude".to_owned(), claude);
    }
    if let Some(reference) = schema.pointer_mut("/properties/claude/$ref") {
        *reference = json!("#/$defs/Claude");
    }
    schema["title"] = json!("leak-harness scenario");
    schema
}

#[cfg(test)]
mod tests {
    use super::schema;

    #[test]
    fn the_schema_has_the_shares_where_files_have_them() {
        let schema = schema();
        assert!(schema.pointer("/$defs/Claude/properties/mix").is_some());
        assert!(
            schema
                .pointer("/$defs/MixEntry/properties/ignore")
                .is_some()
        );
        assert!(schema.pointer("/properties/mix").is_none());
        assert_eq!(
            schema.pointer("/properties/claude/$ref").unwrap(),
            "#/$defs/Claude"
        );
        assert!(
            !schema.to_string().contains("#/$defs/Behaviour\""),
            "no reference may dangle"
        );
    }
}
