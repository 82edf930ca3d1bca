//! The comparison as JSON. The fields are documented where they are declared, in [`Comparison`] and what it holds.

use super::Comparison;
use crate::report::escape;

/// The comparison as indented JSON with a line break at its end. The same reports give the same bytes.
///
/// # Errors
///
/// When a figure cannot be written, which no report is known to cause.
pub fn render(comparison: &Comparison) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(comparison).map(|text| escape::json(&text) + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::examples::regressed;

    #[test]
    fn a_regression_is_written_with_the_promised_names() {
        insta::assert_snapshot!(render(&regressed()).unwrap());
    }
}
