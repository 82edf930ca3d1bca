//! One session: opens, does its steps, ends.
//!
//! What the worker refuses with an answer does not stop a session: the hooks of real users do not stop each other either. What does
//! is an answer that never comes, and one without which no later request can be made. Such a session is stalled; it still ends in
//! its own way where that is possible, and its end is stated in any case, so that what it had started is judged.

use std::fs;

use fake_claude::quantity::Span;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{Driver, SessionPlan, Step, reached};
use crate::scenario::{End, Hook};
use crate::timeline::event::EventKind;
use crate::units::RunTime;
use crate::worker::Life;
use crate::worker::adapter::{Disconnect, Moment, Request, Until};
use crate::worker::client::{Client, Target};
use crate::worker::http::{Answer, Failure};
use crate::worker::template::{Unset, Variables};

/// How much of an answer is kept as the reason of a refusal.
const REASON_CHARACTERS: usize = 200;

/// What a stalled session waited for.
struct Stall(String);

/// What a client says is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// A prompt that another one follows.
    Prompt,
    /// The session.
    Session,
}

pub(super) struct Session<'a> {
    driver: &'a Driver,
    plan: SessionPlan,
    client: Client,
    /// For requests that are sent twice: hooks that are registered twice are two programs with a connection each.
    second: Client,
    /// The hook whose requests are being sent.
    hook: Hook,
    variables: Variables,
    opened: bool,
    between_prompts: bool,
    accepted: Vec<String>,
    answered_at: RunTime,
}

impl<'a> Session<'a> {
    pub(super) fn new(driver: &'a Driver, plan: SessionPlan) -> Self {
        Self {
            client: Client::new(driver.endpoint.clone()),
            second: Client::new(driver.endpoint.clone()),
            hook: Hook::Open,
            variables: Variables::default(),
            opened: false,
            between_prompts: false,
            accepted: Vec::new(),
            answered_at: driver.now(),
            driver,
            plan,
        }
    }

    pub(super) async fn run(mut self) {
        let done = self.work().await;
        if let Err(Stall(waiting_for)) = &done {
            self.emit(EventKind::SessionStalled {
                session: self.plan.id.clone(),
                waiting_for: waiting_for.clone(),
            })
            .await;
        } else if self.plan.end != End::Abandon
            && !self.plan.linger.is_zero()
            && self.driver.schedule.load().end_at.is_none()
        {
            // A worker that is gone has nothing more to do in that time.
            let mut life = self.driver.life.clone();
            let _ = timeout(
                self.plan.linger.into(),
                life.wait_for(|life| *life == Life::Gone),
            )
            .await;
        }
        self.end(done.is_err()).await;
    }

    async fn work(&mut self) -> Result<(), Stall> {
        let cwd = self.driver.cwd.join(self.plan.number.to_string());
        if self.driver.adapter.session_folders {
            fs::create_dir_all(&cwd)
                .map_err(|cause| Stall(format!("its folder {}: {cause}", cwd.display())))?;
        }
        self.variables.set("session", self.plan.id.as_str());
        self.variables.set("project", self.plan.project.as_str());
        self.variables
            .set("cwd", cwd.to_string_lossy().into_owned());
        let driver = self.driver;
        for request in &driver.adapter.open {
            self.plain(request).await?;
        }
        let mut time_to_end = self.time_to_end();
        for index in 0..self.plan.steps.len() {
            let step = self.plan.steps[index].clone();
            if index > 0 && step.moment == Moment::Prompt {
                self.hook = Hook::End;
                self.say_over(&driver.adapter.ends.prompt, Over::Prompt)
                    .await;
            }
            if is_reached(&mut time_to_end, step.pause).await {
                return Ok(());
            }
            if self.between_prompts {
                self.between_prompts = false;
                let session = self.plan.id.clone();
                self.emit(EventKind::PromptBegun { session }).await;
            }
            self.step(&step).await?;
        }
        if self.plan.end != End::Abandon && time_to_end.is_some() {
            let mut life = self.driver.life.clone();
            tokio::select! {
                _ = is_reached(&mut time_to_end, driver.request_timeout) => {}
                // A worker that is gone reaches nothing more.
                _ = life.wait_for(|life| *life == Life::Gone) => {}
            }
        }
        Ok(())
    }

    /// Ready at the step at which the load wants sessions to end; none where it names no step.
    fn time_to_end(&self) -> Option<reached::Moment> {
        let step = self.driver.schedule.load().end_at?;
        let reached = self.driver.reached.as_ref()?;
        Some(reached.step(self.plan.number, step))
    }

    async fn step(&mut self, step: &Step) -> Result<(), Stall> {
        self.set_item(step.moment, step.prompt, &step.marker);
        self.hook = hook_of(step.moment);
        let driver = self.driver;
        for request in driver.adapter.moment(step.moment) {
            if request.work {
                self.hand_over(request, step).await?;
            } else {
                self.plain(request).await?;
            }
        }
        Ok(())
    }

    fn set_item(&mut self, moment: Moment, prompt: u32, marker: &str) {
        self.variables.set("marker", marker);
        self.variables.set("number", prompt);
        if moment == Moment::Prompt {
            self.variables.set(
                "prompt",
                format!("Please take care of item {marker} and say when it is done."),
            );
        }
    }

    /// A request that hands no work over. Without its success the session cannot go on.
    async fn plain(&mut self, request: &Request) -> Result<(), Stall> {
        if self.left_out(request) {
            return Ok(());
        }
        let (target, body) = self.render(request)?;
        if let Some(until) = &request.until {
            self.ask_until(request, until, &target, body.as_ref()).await;
            return Ok(());
        }
        let answer = loop {
            match self.exchange(request, &target, body.as_ref()).await {
                Ok(answer) => break answer,
                // Cut off by a planned restart; nobody counts these requests, so it is made again.
                Err(_) if self.away() => {}
                Err(failure) => return Err(stall(&target, &failure.to_string())),
            }
        };
        if !answer.is_success() {
            return Err(stall(
                &target,
                &format!("{} {}", answer.status, answer.text(REASON_CHARACTERS)),
            ));
        }
        self.capture(request, &answer);
        Ok(())
    }

    /// The request that hands a work item over.
    async fn hand_over(&mut self, request: &Request, step: &Step) -> Result<(), Stall> {
        if self.left_out(request) {
            return Ok(());
        }
        let (target, body) = self.render(request)?;
        let item = step.marker.clone();
        self.open().await;
        self.offer(&item, step.moment).await;
        match self.exchange(request, &target, body.as_ref()).await {
            Err(failure) => {
                self.emit(EventKind::WorkUnknown {
                    item,
                    reason: failure.to_string(),
                })
                .await;
                // A planned restart costs the item that it cut off, not the session.
                if !self.away() {
                    return Err(stall(&target, &failure.to_string()));
                }
            }
            Ok(answer) if !answer.is_success() => {
                let reason = answer.text(REASON_CHARACTERS);
                self.emit(EventKind::WorkRefused {
                    item,
                    status: answer.status,
                    reason,
                })
                .await;
            }
            Ok(answer) => match skipped(request, &answer) {
                Some(reason) => self.emit(EventKind::WorkSkipped { item, reason }).await,
                None => {
                    self.emit_at(
                        self.answered_at,
                        EventKind::WorkAccepted { item: item.clone() },
                    )
                    .await;
                    self.accepted.push(item);
                    self.capture(request, &answer);
                }
            },
        }
        Ok(())
    }

    fn left_out(&self, request: &Request) -> bool {
        request
            .unless
            .iter()
            .any(|(name, value)| self.variables.get(name) == Some(value))
    }

    fn render(&self, request: &Request) -> Result<(Target, Option<Value>), Stall> {
        let missing = |Unset(name)| {
            Stall(format!(
                "`{name}`, which no answer held, for {}",
                written(request)
            ))
        };
        let target = request.target(&self.variables).map_err(missing)?;
        let body = request
            .body
            .as_ref()
            .map(|body| body.render(&self.variables))
            .transpose()
            .map_err(missing)?;
        Ok((target, body))
    }

    fn capture(&mut self, request: &Request, answer: &Answer) {
        if request.capture.is_empty() {
            return;
        }
        let answer = answer.json();
        for (name, place) in &request.capture {
            match place.of(&answer) {
                Some(value) => self.variables.set(name, value.clone()),
                None => self.variables.unset(name),
            }
        }
    }

    /// Sends a request. While the worker is away for a planned restart it waits; a connection that is refused just then is tried again,
    /// because nothing was sent.
    async fn exchange(
        &mut self,
        request: &Request,
        target: &Target,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        self.open().await;
        let patience = self.driver.request_timeout.into();
        loop {
            self.there().await?;
            let first = self.client.send(target, body, patience);
            let answer = if self.driver.schedule.load().twice.contains(&self.hook) {
                let second = self.second.send(target, body, patience);
                let (first, second) = tokio::join!(first, second);
                better(request, first, second)
            } else {
                first.await
            };
            match answer {
                Err(Failure::Refused) if self.away() => {}
                outcome => {
                    self.answered_at = self.driver.now();
                    return outcome;
                }
            }
        }
    }

    /// Whether the worker is away for a planned restart, or kept from running: what fails now is no reason to give up.
    fn away(&self) -> bool {
        matches!(*self.driver.life.borrow(), Life::Away | Life::Paused)
    }

    /// Waits until the worker is there.
    async fn there(&self) -> Result<(), Failure> {
        let patience = self.driver.request_timeout;
        let mut life = self.driver.life.clone();
        // A paused worker takes connections and answers nobody; real users would ask it all the same.
        let settled = life.wait_for(|life| matches!(life, Life::Ready | Life::Paused | Life::Gone));
        match timeout(patience.into(), settled).await {
            Ok(Ok(life)) if *life != Life::Gone => Ok(()),
            Ok(_) => Err(Failure::Broken("the worker is gone".to_owned())),
            Err(_) => Err(Failure::TimedOut(patience)),
        }
    }

    async fn open(&mut self) {
        if !self.opened {
            self.opened = true;
            self.emit(EventKind::SessionOpened {
                session: self.plan.id.clone(),
            })
            .await;
        }
    }

    async fn offer(&self, item: &str, moment: Moment) {
        let (session, item, kind) = (self.plan.id.clone(), item.to_owned(), moment.kind());
        self.emit(EventKind::WorkOffered {
            session,
            item,
            kind,
        })
        .await;
    }

    async fn end(&mut self, stalled: bool) {
        self.hook = Hook::End;
        let driver = self.driver;
        let ends = &driver.adapter.ends;
        match (self.plan.end, &ends.complete, &ends.abort, ends.disconnect) {
            (End::Complete, Some(requests), _, _) => self.say_over(requests, Over::Session).await,
            (End::Abort, _, Some(requests), _) => {
                for item in std::mem::take(&mut self.accepted) {
                    self.emit(EventKind::WorkAborted { item }).await;
                }
                self.say_over(requests, Over::Session).await;
            }
            (End::Disconnect, _, _, Some(disconnect)) if !stalled => {
                self.break_off(disconnect).await
            }
            // The last answer was the last thing that was heard of it. A stalled session is given up now.
            _ if !stalled => self.ended_at(self.answered_at).await,
            _ => self.ended_at(driver.now()).await,
        }
    }

    /// Sends the requests that say that a prompt or the session is over, as far as they can be made. It is over when the first of them
    /// is sent that does not merely wait for something.
    async fn say_over(&mut self, requests: &[Request], what: Over) {
        let mut began = None;
        let mut status = None;
        for request in requests {
            if self.left_out(request) {
                continue;
            }
            let Ok((target, body)) = self.render(request) else {
                break;
            };
            if *self.driver.life.borrow() == Life::Gone {
                break;
            }
            if let Some(until) = &request.until {
                self.ask_until(request, until, &target, body.as_ref()).await;
                continue;
            }
            if began.is_none() {
                began = Some(self.driver.now());
                self.over(what).await;
            }
            status = Some(
                self.exchange(request, &target, body.as_ref())
                    .await
                    .ok()
                    .map(|answer| answer.status),
            );
            if !matches!(status, Some(Some(200..300))) {
                break;
            }
        }
        match (began, status, what) {
            (Some(began), Some(status), Over::Session) => {
                let after = self.driver.now().since(began);
                self.emit(EventKind::EndAnswered {
                    session: self.plan.id.clone(),
                    status,
                    after,
                })
                .await;
            }
            // Nothing could be sent any more; the session is over all the same.
            (None, _, Over::Session) => self.over(what).await,
            _ => {}
        }
    }

    async fn over(&mut self, what: Over) {
        match what {
            Over::Session => self.ended_at(self.driver.now()).await,
            Over::Prompt => {
                self.between_prompts = true;
                let session = self.plan.id.clone();
                self.emit(EventKind::PromptEnded { session }).await;
            }
        }
    }

    /// Makes a request again and again until its answer holds what is waited for, or time is up. Whether it did is no concern of the
    /// session: the hooks of real users go on as well.
    async fn ask_until(
        &mut self,
        request: &Request,
        until: &Until,
        target: &Target,
        body: Option<&Value>,
    ) {
        let scale = self.driver.schedule.time_scale();
        let patience = until.within.divided(scale);
        let pause = until.every.divided(scale);
        let mut life = self.driver.life.clone();
        let asking = async {
            loop {
                sleep(pause.into()).await;
                if let Ok(answer) = self.exchange(request, target, body).await
                    && answer.is_success()
                    && until.fits(&answer.json())
                {
                    return;
                }
            }
        };
        tokio::select! {
            _ = timeout(patience.into(), asking) => {}
            // A worker that is gone says nothing more.
            _ = life.wait_for(|life| *life == Life::Gone) => {}
        }
    }

    /// Closes the connection in the middle of one more work request. That item is the driver's own doing: aborted.
    async fn break_off(&mut self, disconnect: Disconnect) {
        let driver = self.driver;
        let item = self.plan.next_marker(disconnect.during);
        let request = driver
            .adapter
            .moment(disconnect.during)
            .iter()
            .find(|request| request.work);
        if let Some(request) = request {
            self.set_item(disconnect.during, driver.schedule.load().prompts, &item);
            if let Ok((target, body)) = self.render(request) {
                self.offer(&item, disconnect.during).await;
                let patience = driver.request_timeout.into();
                let broken = self
                    .client
                    .break_off(&target, body.as_ref(), disconnect.after, patience)
                    .await;
                self.client.close();
                let event = match broken {
                    Ok(()) => EventKind::WorkAborted { item },
                    Err(failure) => EventKind::WorkUnknown {
                        item,
                        reason: failure.to_string(),
                    },
                };
                self.emit(event).await;
            }
        }
        self.ended_at(driver.now()).await;
    }

    async fn ended_at(&self, at: RunTime) {
        self.emit_at(
            at,
            EventKind::SessionEnded {
                session: self.plan.id.clone(),
                end: self.plan.end,
            },
        )
        .await;
    }

    async fn emit(&self, event: EventKind) {
        self.driver.emitter.emit(event).await;
    }

    async fn emit_at(&self, at: RunTime, event: EventKind) {
        self.driver.emitter.emit_at(at, event).await;
    }
}

/// Waits for so long, unless the session reaches the step at which it ends; tells whether it has.
async fn is_reached(time_to_end: &mut Option<reached::Moment>, pause: Span) -> bool {
    let wait = async {
        if !pause.is_zero() {
            sleep(pause.into()).await;
        }
    };
    match time_to_end {
        Some(reached) => tokio::select! {
            biased;
            () = reached => true,
            () = wait => false,
        },
        None => {
            wait.await;
            false
        }
    }
}

const fn hook_of(moment: Moment) -> Hook {
    match moment {
        Moment::Prompt => Hook::Prompt,
        Moment::Observation => Hook::Observation,
        Moment::Summary => Hook::Summary,
    }
}

/// The answer that counts of a request that was sent twice: that the worker takes the work, before that it skips it, before a refusal,
/// before none. Of two alike it is the first.
fn better(
    request: &Request,
    first: Result<Answer, Failure>,
    second: Result<Answer, Failure>,
) -> Result<Answer, Failure> {
    let rank = |answer: &Result<Answer, Failure>| match answer {
        Ok(answer) if answer.is_success() && skipped(request, answer).is_none() => 0,
        Ok(answer) if answer.is_success() => 1,
        Ok(_) => 2,
        // Nothing was sent: the other one tells more.
        Err(Failure::Refused) => 4,
        Err(_) => 3,
    };
    if rank(&second) < rank(&first) {
        second
    } else {
        first
    }
}

fn stall(target: &Target, instead: &str) -> Stall {
    Stall(format!("an answer to {target}: {instead}"))
}

/// A request as the adapter writes it.
fn written(request: &Request) -> String {
    match (request.method, &request.path, &request.ask) {
        (Some(method), Some(path), _) => format!("{} {}", method.name(), path.source()),
        (_, _, ask) => format!("`{}`", ask.as_deref().unwrap_or_default()),
    }
}

/// Why an item is skipped, if the answer says that it is.
fn skipped(request: &Request, answer: &Answer) -> Option<String> {
    let rule = request.skipped.as_ref()?;
    let answer = answer.json();
    rule.at
        .of(&answer)
        .filter(|value| rule.is.contains(value))?;
    let reason = rule.reason.as_ref().and_then(|place| place.of(&answer));
    Some(match reason {
        Some(Value::String(reason)) => reason.chars().take(REASON_CHARACTERS).collect(),
        Some(reason) => reason.to_string(),
        None => String::new(),
    })
}
