//! Scenario files: from TOML to a [`Scenario`], strictly.

use fake_claude::behaviour::Behaviour;
use fake_claude::quantity::Span;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{ExpectedCause, Mix, Scenario, Step, Verdict};
use crate::strict_toml::{Source, TomlError, span_of};

/// Keys of `[claude]` that act before a fake knows its session, so that a share of the sessions cannot have them.
const BEFORE_THE_SESSION: [&str; 3] = ["start", "wrapper", "deaf"];

/// The least stretch of load in which growth may be judged.
const LEAST_GROWTH: Span = Span::from_secs(5);

impl Scenario {
    /// Reads a scenario from the text of a file.
    ///
    /// # Errors
    ///
    /// Anything that is not understood, with its place, the nearest valid key, and what would be right.
    pub fn parse(file: &str, text: &str) -> Result<Self, TomlError> {
        let source = Source { file, text };
        let mut table = source.table()?;
        if let Some(mix) = table.get_ref().get("mix") {
            let remedy = "shares of the sessions are written as [[claude.mix]]".to_owned();
            return Err(source.error(Some(mix.span()), "unknown key `mix`", Some(remedy)));
        }
        table.get_mut().remove("$schema");
        let mix = lift_mix(&source, table.get_mut())?;
        let places = table.get_ref().clone();
        let mut scenario: Self = source.read(table)?;
        scenario.mix = mix;
        check(&source, &places, &scenario)?;
        Ok(scenario)
    }

    /// Reads a scenario and changes single keys of it, written as `load.sessions=20`. Gives the text as it is run as well.
    ///
    /// # Errors
    ///
    /// As [`Scenario::parse`]; a change that does not fit names itself.
    pub fn parse_with(
        file: &str,
        text: &str,
        changes: &[String],
    ) -> Result<(Self, String), TomlError> {
        let unchanged = Self::parse(file, text);
        if changes.is_empty() {
            return Ok((unchanged?, text.to_owned()));
        }
        let source = Source { file, text };
        let mut table: toml::Table = source.read(source.table()?)?;
        for change in changes {
            merge(&mut table, read_change(change)?);
        }
        let text = toml::to_string_pretty(&table).map_err(|error| {
            source.error(
                None,
                format!("cannot be written with its changes: {error}"),
                None,
            )
        })?;
        let label = format!("{file} (with --set {})", changes.join(" --set "));
        match Self::parse(&label, &text) {
            Ok(scenario) => Ok((scenario, text)),
            // What is wrong in the file is shown as it stands there; what it lacks may be what a change brings.
            Err(changed) => Err(unchanged.err().unwrap_or(changed)),
        }
    }
}

/// A change such as `load.sessions=20`. A value that is no TOML is taken as a string, so that `claude.turn=1s` needs no quotes.
fn read_change(change: &str) -> Result<toml::Table, TomlError> {
    let file = format!("--set {change}");
    let remedy = || Some("write it as KEY=VALUE, such as --set load.sessions=20".to_owned());
    let Some((key, value)) = change.split_once('=') else {
        return Err(Source {
            file: &file,
            text: change,
        }
        .error(None, "there is no `=` in it", remedy()));
    };
    let plain = format!("{key} = {value}");
    toml::from_str(&plain)
        .or_else(|_| {
            toml::from_str(&format!(
                "{key} = {}",
                toml::Value::String(value.to_owned())
            ))
        })
        .map_err(|error| {
            Source {
                file: &file,
                text: change,
            }
            .error(None, error.message().trim(), remedy())
        })
}

/// Lays one table over another; inner tables are merged, everything else is replaced.
fn merge(table: &mut toml::Table, changes: toml::Table) {
    for (key, change) in changes {
        match (table.get_mut(&key), change) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(change)) => merge(inner, change),
            (_, change) => drop(table.insert(key, change)),
        }
    }
}

/// Takes `[[claude.mix]]` out of the table and gives each entry its full behaviour: what it names over what `[claude]` says.
fn lift_mix(source: &Source<'_>, table: &mut DeTable<'_>) -> Result<Vec<Mix>, TomlError> {
    let Some(claude) = table.get_mut("claude") else {
        return Ok(Vec::new());
    };
    let DeValue::Table(claude) = claude.get_mut() else {
        return Ok(Vec::new());
    };
    let Some(mix) = claude.remove("mix") else {
        return Ok(Vec::new());
    };
    let span = mix.span();
    let DeValue::Array(entries) = mix.into_inner() else {
        return Err(source.error(
            Some(span),
            "`mix` is no list of tables",
            Some("write it as [[claude.mix]]".to_owned()),
        ));
    };
    entries_of(source, claude, entries)
}

fn entries_of(
    source: &Source<'_>,
    claude: &DeTable<'_>,
    entries: DeArray<'_>,
) -> Result<Vec<Mix>, TomlError> {
    let mut lifted = Vec::new();
    let mut sum = 0.0;
    for entry in entries {
        let span = entry.span();
        let DeValue::Table(mut entry) = entry.into_inner() else {
            return Err(source.error(
                Some(span),
                "an entry of `mix` is no table",
                Some("write it as [[claude.mix]]".to_owned()),
            ));
        };
        let Some(share) = entry.remove("share") else {
            let remedy = "say how large a part of the sessions it is: share = 0.1".to_owned();
            return Err(source.error(Some(span), "missing key `share`", Some(remedy)));
        };
        let share_span = share.span();
        let share: f64 =
            f64::deserialize(toml::de::ValueDeserializer::from(share)).map_err(|error| {
                source.error(Some(share_span.clone()), error.message().trim(), None)
            })?;
        sum += share;
        if !(share > 0.0 && share <= 1.0 && sum <= 1.0 + 1e-9) {
            let remedy = Some("shares lie above 0 and are at most 1 together".to_owned());
            return Err(source.error(
                Some(share_span),
                format!("a share of {share} is not possible here"),
                remedy,
            ));
        }
        if let Some((key, value)) = entry
            .iter()
            .find(|(key, _)| BEFORE_THE_SESSION.contains(&key.get_ref().as_ref()))
        {
            let message = format!(
                "`{}` acts before a claude knows its session, so no share of the sessions can have it",
                key.get_ref()
            );
            return Err(source.error(
                Some(value.span()),
                message,
                Some("write it under [claude], for all".to_owned()),
            ));
        }
        // Read on its own first, so that an error points into the entry and not into the merged table.
        source.read::<Behaviour>(Spanned::new(span.clone(), entry.clone()))?;
        let mut merged = claude.clone();
        for (key, value) in entry {
            merged.insert(key, value);
        }
        lifted.push(Mix {
            share,
            behaviour: source.read(Spanned::new(span, merged))?,
        });
    }
    Ok(lifted)
}

/// What no single key can tell.
fn check(source: &Source<'_>, table: &DeTable<'_>, scenario: &Scenario) -> Result<(), TomlError> {
    let wrong = |path: &[&str], message: String, remedy: &str| {
        Err(source.error(
            span_of(table, path),
            message,
            (!remedy.is_empty()).then(|| remedy.to_owned()),
        ))
    };
    let Scenario {
        name,
        load,
        run,
        worker,
        expect,
        ..
    } = scenario;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        let remedy = "use letters, digits and hyphens: reports and folders are named after it";
        return wrong(
            &["name"],
            "this is no name for a scenario".to_owned(),
            remedy,
        );
    }
    if load.sessions == Some(0) {
        return wrong(
            &["load", "sessions"],
            "a load without sessions shows nothing".to_owned(),
            "use 1 or more",
        );
    }
    if load.sessions.is_none() && load.lasts.is_none() {
        return wrong(
            &["load"],
            "the load says neither how many sessions there are nor how long it lasts".to_owned(),
            "add `sessions`, such as sessions = 20, or `lasts`, such as lasts = \"6h\"",
        );
    }
    if load.lasts.is_some_and(Span::is_zero) {
        return wrong(
            &["load", "lasts"],
            "a load that lasts no time shows nothing".to_owned(),
            "use a time above 0, such as \"6h\"",
        );
    }
    if load.lasts.is_some() && load.arrival.is_none() && load.concurrency.is_none() {
        return wrong(
            &["load", "lasts"],
            "a load that lasts a time does not say when sessions come".to_owned(),
            "add `arrival`, such as arrival = \"20/h\" (sessions come at a rate), or `concurrency`, such as concurrency = 8 (the next one comes when one has ended)",
        );
    }
    if load.arrival.is_some() && load.concurrency.is_some() {
        let remedy = "keep `arrival` (sessions come at a rate) or `concurrency` (the next one comes when one has ended)";
        return wrong(
            &["load", "concurrency"],
            "a load is open or closed, not both".to_owned(),
            remedy,
        );
    }
    if load.concurrency == Some(0) {
        return wrong(
            &["load", "concurrency"],
            "nothing would ever start".to_owned(),
            "use 1 or more",
        );
    }
    if !(load.compress.is_finite() && load.compress > 0.0) {
        return wrong(
            &["load", "compress"],
            "a factor lies above 0".to_owned(),
            "",
        );
    }
    if load.prompts == 0 {
        return wrong(
            &["load", "prompts"],
            "a session without a prompt does not exist".to_owned(),
            "use 1 or more",
        );
    }
    if !(run.time_scale.is_finite() && run.time_scale >= 1.0) {
        return wrong(
            &["run", "time_scale"],
            "a time scale is 1 or more".to_owned(),
            "1 is real time",
        );
    }
    if !(Span::from_millis(10)..=Span::from_secs(60)).contains(&run.tick) {
        return wrong(
            &["run", "tick"],
            "a tick lies between 10ms and 60s".to_owned(),
            "",
        );
    }
    for (key, value) in [
        ("timeout", run.timeout),
        ("request_timeout", run.request_timeout),
    ] {
        if value.is_zero() {
            return wrong(
                &["run", key],
                "nothing could happen in no time".to_owned(),
                "",
            );
        }
    }
    for (name, value) in &worker.settings {
        let path = ["worker", "settings", name.as_str()];
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return wrong(
                &path,
                format!("`{}` is no name of a setting", name.escape_debug()),
                "use letters, digits and underscores, and no digit in front",
            );
        }
        if value.chars().any(char::is_control) {
            return wrong(
                &path,
                "a control character has no place in a setting".to_owned(),
                "write it as one line of plain text",
            );
        }
        if value.contains(['{', '}']) {
            return wrong(
                &path,
                "a setting of a scenario is plain text: it has no placeholders and no braces"
                    .to_owned(),
                "what needs a placeholder belongs into an adapter",
            );
        }
    }
    if worker.cleanup.is_empty() {
        return wrong(
            &["worker", "cleanup"],
            "no policy is named".to_owned(),
            "write [\"none\"] for none",
        );
    }
    if worker.cleanup.len() > 1
        && worker
            .cleanup
            .contains(&crate::model::policy::Cleanup::None)
    {
        return wrong(
            &["worker", "cleanup"],
            "`none` goes with no other policy".to_owned(),
            "leave `none` out",
        );
    }
    if !expect.causes.is_empty() {
        if expect.verdict == Verdict::Pass {
            return wrong(
                &["expect", "causes"],
                "a run that passes has no causes".to_owned(),
                "leave [[expect.causes]] out, or expect verdict = \"fail\"",
            );
        }
        if expect
            .causes
            .iter()
            .any(|entry| entry.cause.trim().is_empty())
        {
            return wrong(
                &["expect", "causes"],
                "an empty cause names nothing".to_owned(),
                "write it word for word as reports print it",
            );
        }
        let uncounted = expect.findings.as_ref().is_some_and(|findings| {
            let counted =
                |entry: &ExpectedCause| findings.get(&entry.rule).is_some_and(|count| *count > 0);
            !expect.causes.iter().all(counted)
        });
        if uncounted {
            return wrong(
                &["expect", "findings"],
                "`findings` counts none of a rule that `causes` names".to_owned(),
                "name each rule in both, or leave `findings` out",
            );
        }
    }
    let growth = &expect.growth;
    if growth.least < LEAST_GROWTH {
        return wrong(
            &["expect", "growth", "least"],
            format!("no growth can be told from noise within {}", growth.least),
            "use 5s or more: a rise is judged from at least 36 samples after the warm-up",
        );
    }
    if let Some(warm_up) = growth.warm_up
        && warm_up > scenario.longest()
    {
        return wrong(
            &["expect", "growth", "warm_up"],
            format!("a warm-up of {warm_up} is longer than the run may take"),
            "let it be shorter, or raise [run] timeout",
        );
    }
    if let Some(step @ (Step::Ended | Step::Eof)) = load.end_at {
        let message = format!("no session can end at `{step}`, which comes after its end");
        return wrong(
            &["load", "end_at"],
            message,
            "steps before the end: opened, started, serves, given, answering, answered",
        );
    }
    super::faults::check(source, table, scenario)
}
