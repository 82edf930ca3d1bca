//! Settings that a scenario gives to its worker: laid over those of the adapter, in the places that the adapter has for them.

use std::collections::BTreeMap;

use super::adapter::Adapter;
use super::environment::preload_variable;
use super::error::WorkerError;
use super::spec::ResolvedWorker;

/// Names that belong to the place of a run and not to a worker: where it writes, what it finds, what its runtime loads.
const OF_THE_PLACE: [&str; 3] = ["HOME", "PATH", "TMPDIR"];
/// Beginnings of such names.
const PREFIXES_OF_THE_PLACE: [&str; 5] = ["XDG_", "LEAK_HARNESS_", "FAKE_CLAUDE_", "LD_", "DYLD_"];

impl ResolvedWorker {
    /// Takes a scenario's settings.
    ///
    /// # Errors
    ///
    /// The adapter has no place for one, or one would lead the worker out of the place of the run.
    pub(super) fn with_settings(
        mut self,
        settings: &BTreeMap<String, String>,
    ) -> Result<Self, WorkerError> {
        for name in settings.keys() {
            check(&self.adapter, name)?;
        }
        self.settings.clone_from(settings);
        Ok(self)
    }
}

/// Checks that an adapter can be given a setting of this name.
fn check(adapter: &Adapter, name: &str) -> Result<(), WorkerError> {
    let refused = |problem: String, remedy: String| {
        Err(WorkerError::Setting {
            name: name.to_owned(),
            problem,
            remedy,
        })
    };
    let start = &adapter.start;
    let of_a_runtime = ["bun", "node"]
        .into_iter()
        .filter_map(preload_variable)
        .any(|(variable, _)| variable == name);
    let of_the_place = of_a_runtime
        || OF_THE_PLACE.contains(&name)
        || PREFIXES_OF_THE_PLACE
            .iter()
            .any(|prefix| name.starts_with(prefix));
    if of_the_place {
        return refused(
            format!(
                "`{name}` is not a worker's to be given: the harness keeps the run in its place by it"
            ),
            "leave it out".to_owned(),
        );
    }
    let values = start.settings.as_ref().map(|settings| &settings.values);
    let given = values
        .and_then(|values| values.get(name))
        .or_else(|| start.env.get(name));
    match given {
        Some(template) if template.slots().next().is_some() => refused(
            format!(
                "`{name}` is `{}` in the adapter {}: it ties the worker to the run",
                template.source(),
                adapter.name
            ),
            "leave it out".to_owned(),
        ),
        Some(_) => Ok(()),
        None if values.is_some() => Ok(()),
        None if start.env.is_empty() => refused(
            format!("the adapter {} has no place for settings", adapter.name),
            "leave `settings` out, or give the adapter a [start.settings]".to_owned(),
        ),
        None => refused(
            format!(
                "the adapter {} has no setting `{name}`, and no file for others",
                adapter.name
            ),
            format!(
                "known: {}; or give the adapter a [start.settings]",
                start.env.keys().cloned().collect::<Vec<_>>().join(", ")
            ),
        ),
    }
}
