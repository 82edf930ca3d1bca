//! `soak`: a load that goes on for a time, with reports all the while.

use super::args::{SoakArguments, StopOn};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan::{self, Plan, ScenarioText};
use super::run::{again, carry_out_watched, show, write_checkpoint};
use crate::run::{Shown, Soak};
use crate::scenario::Scenario;
use crate::soak::{Listener, Metrics, MetricsError, Serving, for_a_time};

impl From<MetricsError> for Failure {
    fn from(error: MetricsError) -> Self {
        match error {
            MetricsError::Listen { .. } => Self::usage(error),
            MetricsError::Start(_) => Self::internal(error),
        }
    }
}

/// Soaks a scenario.
pub fn soak(arguments: &SoakArguments, quiet: bool) -> Result<ExitCode, Failure> {
    let text = scenario(arguments)?;
    let checked = Plan::new(&text, &arguments.options, Default::default(), String::new())?;
    let out = match &arguments.options.out {
        Some(out) => out.clone(),
        None => plan::default_out(&format!("soak-{}", checked.scenario.name)),
    };
    let mut plan = Plan::new(&text, &arguments.options, out.clone(), again())?;
    plan.order.soak = Some(Soak {
        checkpoint: arguments.checkpoint,
        stop_on_fail: arguments.stop_on == Some(StopOn::Fail),
        disk_bytes: arguments.disk.as_bytes(),
        known: plan.known.signatures.clone(),
        known_growth: plan.known.growth.clone(),
    });
    let mut figures = arguments
        .metrics
        .map(Listener::bind)
        .transpose()?
        .map(Figures::of);
    if let (Some(figures), false) = (&figures, quiet) {
        figures.tell();
    }
    let mut failed = None;
    let finished = carry_out_watched(plan, true, quiet, &mut |shown| {
        if let Some(figures) = &mut figures {
            failed = failed.take().or(figures.take_in(shown).err());
        }
        if let Shown::Checkpoint(report) = shown {
            // A full disk ends neither the run nor the recording; the next checkpoint may find room.
            failed = failed.take().or(write_checkpoint(report, &out).err());
        }
    })?;
    if let Some(failure) = failed {
        // The run itself is whole, and judged.
        output::error(&failure);
    }
    show(&finished.report, &finished.lanes, arguments.options.format)?;
    Ok(finished.code())
}

/// The scenario with the time of its load.
fn scenario(arguments: &SoakArguments) -> Result<ScenarioText, Failure> {
    let ScenarioText { file, text } = ScenarioText::read(&arguments.scenario)?;
    let lasting = for_a_time(&text, arguments.time)
        .map_err(|error| Failure::usage(format_args!("{file}: {error}")))?;
    // What is wrong in the file is shown as it stands there, where only the time was missing.
    if lasting != text && Scenario::parse(&file, &lasting).is_err() {
        Scenario::parse(&file, &text)?;
    }
    Ok(ScenarioText {
        file,
        text: lasting,
    })
}

/// The figures, served from the moment at which there are any: no thread may exist while the inner process is started.
struct Figures {
    metrics: Metrics,
    listener: Option<Listener>,
    serving: Option<Serving>,
}

impl Figures {
    fn of(listener: Listener) -> Self {
        Self {
            metrics: Metrics::default(),
            listener: Some(listener),
            serving: None,
        }
    }

    fn tell(&self) {
        if let Some(listener) = &self.listener {
            output::note(format_args!(
                "metrics: http://{}/metrics",
                listener.address()
            ));
        }
    }

    fn take_in(&mut self, shown: &Shown) -> Result<(), Failure> {
        match shown {
            Shown::Progress(progress) => self.metrics.progress(progress),
            Shown::Checkpoint(report) => self.metrics.report(report),
            Shown::Note(_) => return Ok(()),
        }
        if let Some(listener) = self.listener.take() {
            self.serving = Some(listener.serve(self.metrics.clone())?);
        }
        Ok(())
    }
}
