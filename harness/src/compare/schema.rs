//! The JSON schema of a comparison, for programs that read it.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Comparison, SCHEMA};

/// The schema of what this version writes (JSON Schema, draft 2020-12). It is kept as `reports/compare.schema.json`.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Comparison>()
        .to_value();
    schema["$id"] = json!(format!("urn:leak-harness:schema:compare:{SCHEMA}"));
    schema["title"] = json!("leak-harness compare.json");
    schema["description"] = json!(
        "Two runs side by side. `schema` grows when a field changes its meaning or goes. New fields may come without that: a reader leaves \
         out what it does not know, and does without fields that an older version of the same schema has not written."
    );
    schema["properties"]["schema"]["const"] = json!(SCHEMA);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::examples::{cured, doubtful, regressed, same};
    use crate::report::schema::check::Check;

    #[test]
    fn the_kept_schema_is_that_of_the_code() {
        assert!(
            include_str!("../../../reports/compare.schema.json") == format!("{:#}\n", schema()),
            "make it anew: cargo run -p leak-harness -- schema compare > reports/compare.schema.json"
        );
    }

    #[test]
    fn comparisons_are_as_the_schema_says_and_hold_nothing_else() {
        for comparison in [regressed(), cured(), doubtful(), same()] {
            let comparison = serde_json::to_value(comparison).unwrap();
            assert_eq!(Check::of(&schema()).mistakes(&comparison), [""; 0]);
        }
    }

    #[test]
    fn what_is_not_as_the_schema_says_is_noticed() {
        let mistakes = |change: &dyn Fn(&mut Value)| {
            let mut comparison = serde_json::to_value(regressed()).unwrap();
            change(&mut comparison);
            Check::of(&schema()).mistakes(&comparison)
        };
        assert_eq!(
            mistakes(&|comparison| comparison["outcome"] = json!("perhaps")),
            ["/outcome: none of those that it may be"]
        );
        assert_eq!(
            mistakes(&|comparison| comparison["tables"][0]["rows"][0]["b"] = json!("many")),
            ["/tables/0/rows/0/b: none of those that it may be"]
        );
    }
}
