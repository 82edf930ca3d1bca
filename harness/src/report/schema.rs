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
pub(crate) mod check;

#[cfg(test)]
mod tests {
    use super::check::Check;
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
}
