//! What sessions leave behind: who they were, their prompts, observations and summaries. On disk, so that a restarted daemon
//! serves it; in memory there is an index and a short row for each session.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::json_lines::{JsonLines, StoreError};
use super::responses::{Observation, Summary};

/// A moment, as the stored items carry it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    epoch_ms: i64,
}

impl Moment {
    /// Now, by the wall clock: stored items carry dates. All waiting goes by the runtime's clock.
    pub(super) fn now() -> Self {
        Self::at(jiff::Timestamp::now().as_millisecond())
    }

    pub(super) const fn at(epoch_ms: i64) -> Self {
        Self { epoch_ms }
    }

    /// Milliseconds since 1970.
    pub(super) const fn epoch_ms(self) -> i64 {
        self.epoch_ms
    }

    /// As `2026-01-07T10:00:00.123Z`.
    pub(super) fn iso(self) -> String {
        jiff::Timestamp::from_millisecond(self.epoch_ms)
            .map_or_else(|_| String::new(), |timestamp| format!("{timestamp:.3}"))
    }
}

/// What is known of a session, active or not.
#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub(super) content_session_id: Arc<str>,
    pub(super) memory_session_id: Option<Arc<str>>,
    pub(super) project: Arc<str>,
    /// How many prompts were saved.
    pub(super) prompts: u32,
    group: u32,
    first_prompt: Option<usize>,
}

/// The store.
#[derive(Debug)]
pub(super) struct Memory {
    folder: PathBuf,
    sessions: JsonLines,
    prompts: JsonLines,
    observations: JsonLines,
    summaries: JsonLines,
    /// The row of session `id` is at `id - 1`.
    rows: Vec<SessionRow>,
    ids: HashMap<Arc<str>, i64>,
    projects: Projects,
}

/// Which of the stored kinds a page is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Observations,
    Summaries,
    Prompts,
}

/// How much is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) sessions: usize,
    pub(super) observations: usize,
    pub(super) summaries: usize,
    pub(super) bytes: u64,
}

/// Each project's name once, under a number.
#[derive(Debug, Default)]
struct Projects {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Projects {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }
}

/// A line of the sessions' file: a new session, or the id that a claude gave it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum SessionLine {
    Created {
        id: i64,
        content_session_id: String,
        project: String,
        started_at_epoch: i64,
    },
    Captured {
        id: i64,
        memory_session_id: String,
    },
}

#[derive(Serialize)]
struct PromptLine<'a> {
    id: usize,
    content_session_id: &'a str,
    project: &'a str,
    prompt_number: u32,
    prompt_text: &'a str,
    created_at: String,
    created_at_epoch: i64,
}

#[derive(Deserialize)]
struct PromptRead {
    content_session_id: String,
    #[serde(default)]
    prompt_text: String,
}

#[derive(Deserialize)]
struct ProjectRead {
    project: String,
}

/// Lists are strings of JSON inside JSON, as the product's table columns are.
#[derive(Serialize)]
struct ObservationLine<'a> {
    id: usize,
    memory_session_id: &'a str,
    project: &'a str,
    r#type: &'a str,
    title: Option<&'a str>,
    subtitle: Option<&'a str>,
    narrative: Option<&'a str>,
    text: Option<&'a str>,
    facts: String,
    concepts: String,
    files_read: String,
    files_modified: String,
    prompt_number: u32,
    created_at: String,
    created_at_epoch: i64,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    id: usize,
    session_id: &'a str,
    request: &'a str,
    investigated: &'a str,
    learned: &'a str,
    completed: &'a str,
    next_steps: &'a str,
    project: &'a str,
    created_at: String,
    created_at_epoch: i64,
}

fn strings(list: &[&str]) -> String {
    serde_json::to_string(list).unwrap_or_default()
}

impl Memory {
    /// Opens the store of a data folder, made if need be.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(|cause| StoreError::new(folder, cause))?;
        let mut rows: Vec<SessionRow> = Vec::new();
        let mut ids = HashMap::new();
        let mut projects = Projects::default();
        let sessions = JsonLines::open(folder.join("sessions.jsonl"), |line| {
            match serde_json::from_slice(line).ok()? {
                SessionLine::Created {
                    id,
                    content_session_id,
                    project,
                    ..
                } if id == rows.len() as i64 + 1 => {
                    let row = new_row(&content_session_id, &project, &mut projects);
                    ids.insert(Arc::clone(&row.content_session_id), id);
                    rows.push(row);
                }
                SessionLine::Captured {
                    id,
                    memory_session_id,
                } => {
                    let row = rows.get_mut(usize::try_from(id - 1).ok()?)?;
                    row.memory_session_id = Some(memory_session_id.into());
                }
                SessionLine::Created { .. } => {}
            }
            None
        })?;
        let mut number = 0;
        let prompts = JsonLines::open(folder.join("prompts.jsonl"), |line| {
            let prompt: PromptRead = serde_json::from_slice(line).ok()?;
            let id: &i64 = ids.get(prompt.content_session_id.as_str())?;
            let row = rows.get_mut(usize::try_from(id - 1).ok()?)?;
            row.prompts += 1;
            row.first_prompt.get_or_insert(number);
            number += 1;
            Some(row.group)
        })?;
        let mut by_project = |line: &[u8]| {
            let read: ProjectRead = serde_json::from_slice(line).ok()?;
            Some(projects.number(&read.project))
        };
        let observations = JsonLines::open(folder.join("observations.jsonl"), &mut by_project)?;
        let summaries = JsonLines::open(folder.join("summaries.jsonl"), &mut by_project)?;
        Ok(Self {
            folder: folder.to_owned(),
            sessions,
            prompts,
            observations,
            summaries,
            rows,
            ids,
            projects,
        })
    }

    /// The number of the session with this id of the user's program; a new one if it was never seen.
    pub(super) fn session(
        &mut self,
        content_session_id: &str,
        project: &str,
    ) -> Result<i64, StoreError> {
        if let Some(id) = self.ids.get(content_session_id) {
            return Ok(*id);
        }
        let id = self.rows.len() as i64 + 1;
        self.sessions.log(&SessionLine::Created {
            id,
            content_session_id: content_session_id.to_owned(),
            project: project.to_owned(),
            started_at_epoch: Moment::now().epoch_ms(),
        })?;
        let row = new_row(content_session_id, project, &mut self.projects);
        self.ids.insert(Arc::clone(&row.content_session_id), id);
        self.rows.push(row);
        Ok(id)
    }

    /// What is known of a session.
    pub(super) fn row(&self, id: i64) -> Option<&SessionRow> {
        self.rows.get(usize::try_from(id - 1).ok()?)
    }

    /// The text of a session's first prompt; empty where there is none.
    pub(super) fn first_prompt(&self, id: i64) -> Result<String, StoreError> {
        let Some(number) = self.row(id).and_then(|row| row.first_prompt) else {
            return Ok(String::new());
        };
        let line = self.prompts.read(number)?.unwrap_or_default();
        let prompt: Option<PromptRead> = serde_json::from_slice(&line).ok();
        Ok(prompt.map(|prompt| prompt.prompt_text).unwrap_or_default())
    }

    /// Saves a prompt and gives its number within its session, counted from 1.
    pub(super) fn save_prompt(&mut self, id: i64, text: &str) -> Result<u32, StoreError> {
        let Some(row) = self
            .rows
            .get_mut(usize::try_from(id - 1).unwrap_or(usize::MAX))
        else {
            return Ok(0);
        };
        let now = Moment::now();
        let line = PromptLine {
            id: self.prompts.len() + 1,
            content_session_id: &row.content_session_id,
            project: &row.project,
            prompt_number: row.prompts + 1,
            prompt_text: text,
            created_at: now.iso(),
            created_at_epoch: now.epoch_ms(),
        };
        let number = self.prompts.append(row.group, &line)?;
        row.prompts += 1;
        row.first_prompt.get_or_insert(number);
        Ok(row.prompts)
    }

    /// Remembers the id that a claude gave to its side of a session.
    pub(super) fn capture(&mut self, id: i64, memory_session_id: &str) -> Result<(), StoreError> {
        self.sessions.log(&SessionLine::Captured {
            id,
            memory_session_id: memory_session_id.to_owned(),
        })?;
        if let Some(row) = self
            .rows
            .get_mut(usize::try_from(id - 1).unwrap_or(usize::MAX))
        {
            row.memory_session_id = Some(memory_session_id.into());
        }
        Ok(())
    }

    /// Stores what one answer held.
    pub(super) fn store(
        &mut self,
        id: i64,
        prompt_number: u32,
        moment: Moment,
        observations: &[Observation<'_>],
        summary: Option<&Summary<'_>>,
    ) -> Result<(), StoreError> {
        let Some(row) = self.rows.get(usize::try_from(id - 1).unwrap_or(usize::MAX)) else {
            return Ok(());
        };
        for observation in observations {
            let line = ObservationLine {
                id: self.observations.len() + 1,
                memory_session_id: row.memory_session_id.as_deref().unwrap_or_default(),
                project: &row.project,
                r#type: observation.kind,
                title: observation.title,
                subtitle: observation.subtitle,
                narrative: observation.narrative,
                text: None,
                facts: strings(&observation.facts),
                concepts: strings(&observation.concepts),
                files_read: strings(&observation.files_read),
                files_modified: strings(&observation.files_modified),
                prompt_number,
                created_at: moment.iso(),
                created_at_epoch: moment.epoch_ms(),
            };
            self.observations.append(row.group, &line)?;
        }
        if let Some(summary) = summary {
            let line = SummaryLine {
                id: self.summaries.len() + 1,
                session_id: &row.content_session_id,
                request: summary.request,
                investigated: summary.investigated,
                learned: summary.learned,
                completed: summary.completed,
                next_steps: summary.next_steps,
                project: &row.project,
                created_at: moment.iso(),
                created_at_epoch: moment.epoch_ms(),
            };
            self.summaries.append(row.group, &line)?;
        }
        Ok(())
    }

    /// A page of one kind, newest first: its lines, and whether there are more.
    pub(super) fn page(
        &self,
        kind: Kind,
        project: Option<&str>,
        offset: usize,
        limit: usize,
    ) -> Result<(Vec<Vec<u8>>, bool), StoreError> {
        let group = match project {
            None => None,
            Some(name) => match self.projects.numbers.get(name) {
                Some(number) => Some(*number),
                None => return Ok((Vec::new(), false)),
            },
        };
        let file = match kind {
            Kind::Observations => &self.observations,
            Kind::Summaries => &self.summaries,
            Kind::Prompts => &self.prompts,
        };
        file.newest(group, offset, limit)
    }

    /// How much is stored.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            sessions: self.rows.len(),
            observations: self.observations.len(),
            summaries: self.summaries.len(),
            bytes: [
                &self.sessions,
                &self.prompts,
                &self.observations,
                &self.summaries,
            ]
            .map(JsonLines::size)
            .iter()
            .sum(),
        }
    }

    /// Where it is stored.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn new_row(content_session_id: &str, project: &str, projects: &mut Projects) -> SessionRow {
    let group = projects.number(project);
    SessionRow {
        content_session_id: content_session_id.into(),
        memory_session_id: None,
        project: Arc::clone(&projects.names[group as usize]),
        prompts: 0,
        group,
        first_prompt: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::responses;

    #[test]
    fn everything_is_there_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::open(folder.path()).unwrap();
        let other = memory.session("other", "elsewhere").unwrap();
        let id = memory.session("content-1", "here").unwrap();
        assert_eq!(memory.session("content-1", "").unwrap(), id);
        memory.save_prompt(other, "not this").unwrap();
        assert_eq!(memory.save_prompt(id, "first").unwrap(), 1);
        assert_eq!(memory.save_prompt(id, "second").unwrap(), 2);
        memory.capture(id, "memory-1").unwrap();
        let text = "<observation><type>change</type><title>T</title></observation><summary><request>r</request></summary>";
        let (observations, summary) = (responses::observations(text), responses::summary(text));
        memory
            .store(id, 2, Moment::at(5), &observations, summary.as_ref())
            .unwrap();

        let memory = Memory::open(folder.path()).unwrap();
        let row = memory.row(id).unwrap();
        assert_eq!(row.memory_session_id.as_deref(), Some("memory-1"));
        assert_eq!(row.prompts, 2);
        assert_eq!(memory.first_prompt(id).unwrap(), "first");
        let (lines, more) = memory.page(Kind::Observations, None, 0, 9).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&lines[0]).unwrap();
        assert!(!more);
        assert_eq!(line["title"], "T");
        assert_eq!(line["created_at"], "1970-01-01T00:00:00.005Z");
        assert_eq!(line["memory_session_id"], "memory-1");
        let page = |project| {
            memory
                .page(Kind::Prompts, Some(project), 0, 9)
                .unwrap()
                .0
                .len()
        };
        assert_eq!(
            (page("here"), page("elsewhere"), page("nowhere")),
            (2, 1, 0)
        );
    }
}
