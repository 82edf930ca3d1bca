//! The report as JSON: `report.json`.

use super::{Report, escape};

/// The report as indented JSON with a line break at its end. The same report gives the same bytes.
pub fn render(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report).map(|text| escape::json(&text) + "\n")
}

/// Reads a report back.
pub fn parse(text: &str) -> Result<Report, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::examples::{failing, inconclusive, passing};

    #[test]
    fn a_report_is_written_with_the_promised_names() {
        insta::assert_snapshot!(render(&failing()).unwrap());
    }

    #[test]
    fn a_report_is_read_back_as_it_was() {
        for report in [failing(), passing(), inconclusive()] {
            assert_eq!(parse(&render(&report).unwrap()).unwrap(), report);
        }
    }

    #[test]
    fn a_report_of_an_older_harness_can_be_read() {
        let mut value = serde_json::to_value(passing()).unwrap();
        let fields = value.as_object_mut().unwrap();
        for added in ["reasons", "unexpected", "end_answer_ms", "command"] {
            fields.remove(added);
        }
        assert!(parse(&value.to_string()).is_ok());
    }
}
