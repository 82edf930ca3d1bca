//! `explain`: what a rule of the judge means.

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use crate::judge::rules::explain::RULES;

/// Explains one rule, or lists all of them.
pub fn explain(rule: Option<&str>) -> Result<ExitCode, Failure> {
    let Some(name) = rule else {
        let width = RULES
            .iter()
            .map(|rule| rule.name().len())
            .max()
            .unwrap_or_default();
        let lines = RULES
            .iter()
            .map(|rule| format!("{:width$}  {}\n", rule.name(), rule.meaning));
        return output::result(&lines.collect::<String>());
    };
    // Rules are written with underscores in JSON and with hyphens by people.
    let wanted = name.replace('-', "_");
    match RULES.iter().find(|rule| rule.name() == wanted) {
        Some(rule) => output::result(&format!(
            "{}: {}\n\n{}\n",
            rule.name(),
            rule.meaning,
            rule.page.trim()
        )),
        None => {
            let nearest = RULES.iter().max_by(|left, right| {
                strsim::jaro_winkler(&wanted, left.name())
                    .total_cmp(&strsim::jaro_winkler(&wanted, right.name()))
            });
            let hint = nearest.map_or_else(String::new, |rule| {
                format!("; did you mean `{}`?", rule.name())
            });
            Err(Failure::usage(format_args!(
                "no rule is called `{}`{hint} (`leak-harness explain` lists them)",
                name.escape_debug()
            )))
        }
    }
}
