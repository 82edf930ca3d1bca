//! A scenario as a soak runs it.

use std::fmt;

use fake_claude::quantity::Span;
use toml::{Table, Value};

/// The scenario does not say how long its load lasts, and nobody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTime;

impl fmt::Display for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "nothing says how long the load lasts; add --for, such as --for 6h, or `lasts` under [load]",
        )
    }
}

impl std::error::Error for NoTime {}

/// The text of a scenario whose load lasts a time: the one given, or its own.
///
/// A scenario that was written for a number of sessions says with `sessions` when it is over, and with `[expect] findings` what so many
/// of them come to. Neither holds for a time, so both are left out then. One that `lasts` a time by itself keeps them: its `sessions` are
/// the most that open.
///
/// A text that is no TOML is given back as it is: reading it says why.
///
/// # Errors
///
/// When there is no time at all.
pub fn for_a_time(text: &str, time: Option<Span>) -> Result<String, NoTime> {
    let Ok(mut table) = toml::from_str::<Table>(text) else {
        return Ok(text.to_owned());
    };
    let Some(Value::Table(load)) = table.get_mut("load") else {
        return Ok(text.to_owned());
    };
    let own = load.contains_key("lasts");
    let Some(time) = time else {
        return if own {
            Ok(text.to_owned())
        } else {
            Err(NoTime)
        };
    };
    load.insert("lasts".to_owned(), Value::String(time.to_string()));
    if !own
        && load.remove("sessions").is_some()
        && let Some(Value::Table(expect)) = table.get_mut("expect")
    {
        expect.remove("findings");
    }
    // A table that was read can be written.
    Ok(toml::to_string_pretty(&table).unwrap_or_else(|_| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    const COUNTED: &str = "name = \"x\"\n[load]\nsessions = 20\nconcurrency = 4\nend = \"complete\"\n[expect]\nverdict = \"fail\"\nfindings = { retained = 20 }\n";

    fn hours(hours: u64) -> Option<Span> {
        Some(Span::from_secs(3_600 * hours))
    }

    #[test]
    fn a_scenario_for_a_number_of_sessions_becomes_one_for_a_time() {
        let text = for_a_time(COUNTED, hours(6)).unwrap();
        let scenario = Scenario::parse("x.toml", &text).unwrap();
        assert_eq!(scenario.load.lasts, hours(6));
        assert_eq!(scenario.load.sessions, None);
        assert_eq!(scenario.expect.findings, None);
        assert_eq!(scenario.expect.verdict, crate::scenario::Verdict::Fail);
    }

    #[test]
    fn one_that_lasts_a_time_keeps_what_it_says() {
        let own = COUNTED.replace("sessions = 20", "sessions = 20\nlasts = \"1h\"");
        assert_eq!(for_a_time(&own, None).unwrap(), own);
        let scenario = Scenario::parse("x.toml", &for_a_time(&own, hours(6)).unwrap()).unwrap();
        assert_eq!(
            (scenario.load.lasts, scenario.load.sessions),
            (hours(6), Some(20))
        );
        assert!(scenario.expect.findings.is_some());
    }

    #[test]
    fn without_any_time_it_is_refused_and_what_is_no_toml_is_left_to_its_reader() {
        assert_eq!(for_a_time(COUNTED, None), Err(NoTime));
        assert_eq!(for_a_time("name =", hours(6)).unwrap(), "name =");
        assert_eq!(for_a_time("load = 3", None).unwrap(), "load = 3");
    }
}
