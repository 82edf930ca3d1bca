//! The transport of the kind `stdio`: a JSON line on the worker's stdin for each request, a JSON line on its stdout for each answer.
//!
//! One pair of pipes serves all sessions, so every request carries a number (`id`) that its answer repeats; answers may come in any
//! order. What the worker writes besides goes to its log.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::{ChildStdin, ChildStdout};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::timeout;

use super::adapter::Field;
use super::http::{Answer, Failure};

/// The longest line that is read.
const LINE_LIMIT: u64 = 64 << 20;

/// Who waits for the answer to which request.
type Waiting = Rc<RefCell<HashMap<u64, oneshot::Sender<Answer>>>>;

/// The lines of one worker, over all its starts: clients keep hold of this while processes come and go.
#[derive(Debug, Default)]
pub struct Lines {
    pipes: RefCell<Option<Pipes>>,
    last: Cell<u64>,
}

/// The pipes of one process.
#[derive(Debug)]
struct Pipes {
    /// Lines to be written; none once its stdin was closed.
    to_worker: Option<mpsc::UnboundedSender<String>>,
    waiting: Waiting,
    /// The latest line that answers nothing.
    said: watch::Receiver<Value>,
    reader: AbortHandle,
    writer: AbortHandle,
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
        self.waiting.borrow_mut().clear();
    }
}

impl Lines {
    /// Takes the pipes of a process that was just started, in place of those of an earlier one.
    ///
    /// # Errors
    ///
    /// They cannot be read or written without blocking.
    pub fn connect(&self, stdin: ChildStdin, stdout: ChildStdout, log: File) -> io::Result<()> {
        let stdin = pipe::Sender::from_owned_fd(OwnedFd::from(stdin))?;
        let stdout = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout))?;
        let (to_worker, lines) = mpsc::unbounded_channel();
        let (tell, said) = watch::channel(Value::Null);
        let waiting = Waiting::default();
        let reader = spawn_local(read(stdout, Rc::clone(&waiting), tell, log)).abort_handle();
        let writer = spawn_local(write(stdin, lines)).abort_handle();
        self.pipes.replace(Some(Pipes {
            to_worker: Some(to_worker),
            waiting,
            said,
            reader,
            writer,
        }));
        Ok(())
    }

    /// Lets the pipes go: the process is gone. Whoever waits for an answer learns it, also when a child of that process holds them.
    pub fn disconnect(&self) {
        self.pipes.replace(None);
    }

    /// Closes the worker's stdin, once what is on its way is written. It can still answer.
    pub fn close_stdin(&self) {
        if let Some(pipes) = self.pipes.borrow_mut().as_mut() {
            pipes.to_worker = None;
        }
    }

    /// Waits for the line that says that the worker is ready: `{"ready": true}`, or what the adapter looks for. Waits for ever where
    /// none comes.
    pub async fn ready(&self, field: Option<&Field>) {
        let said = self.pipes.borrow().as_ref().map(|it| it.said.clone());
        let fits = |line: &Value| match field {
            Some(field) => field.fits(line),
            None => line.get("ready") == Some(&Value::Bool(true)),
        };
        if let Some(mut said) = said
            && said.wait_for(fits).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Sends a request and waits for its answer, both within a time.
    ///
    /// # Errors
    ///
    /// There was no answer.
    pub async fn send(
        &self,
        ask: &str,
        fields: Option<&Value>,
        within: Duration,
    ) -> Result<Answer, Failure> {
        let id = self.last.get() + 1;
        self.last.set(id);
        let (tell, told) = oneshot::channel();
        let waiting = {
            let pipes = self.pipes.borrow();
            let pipes = pipes.as_ref().ok_or(Failure::Refused)?;
            let to_worker = pipes.to_worker.as_ref().ok_or(Failure::Refused)?;
            pipes.waiting.borrow_mut().insert(id, tell);
            if to_worker.send(line(id, ask, fields)).is_err() {
                pipes.waiting.borrow_mut().remove(&id);
                return Err(Failure::Refused);
            }
            Rc::clone(&pipes.waiting)
        };
        let answer = timeout(within, told).await;
        waiting.borrow_mut().remove(&id);
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Failure::Broken(
                "the worker ended or closed its stdout".to_owned(),
            )),
            Err(_) => Err(Failure::TimedOut(within.into())),
        }
    }
}

/// A request as a line: its number, what is asked, and the fields that the adapter gives it.
fn line(id: u64, ask: &str, fields: Option<&Value>) -> String {
    let mut line = Map::from_iter([("id".to_owned(), json!(id)), ("ask".to_owned(), json!(ask))]);
    if let Some(Value::Object(fields)) = fields {
        line.extend(fields.clone());
    }
    format!("{}\n", Value::Object(line))
}

/// What a line answers, and what it says. The status becomes the nearest one of HTTP, so that recordings need no second kind.
fn answer(line: &Value, text: &[u8]) -> Option<(u64, Answer)> {
    let id = line.get("id")?.as_u64()?;
    let status = match line.get("status").and_then(Value::as_str) {
        Some("ok" | "skipped") => 200,
        Some("refused") => 409,
        _ => 500,
    };
    let body = Bytes::copy_from_slice(text.trim_ascii_end());
    Some((id, Answer { status, body }))
}

async fn read(stdout: pipe::Receiver, waiting: Waiting, said: watch::Sender<Value>, mut log: File) {
    let mut stdout = BufReader::new(stdout);
    let mut text = Vec::new();
    loop {
        text.clear();
        match (&mut stdout)
            .take(LINE_LIMIT)
            .read_until(b'\n', &mut text)
            .await
        {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let line = serde_json::from_slice::<Value>(&text).unwrap_or_default();
        let asked = answer(&line, &text)
            .and_then(|(id, answer)| Some((waiting.borrow_mut().remove(&id)?, answer)));
        match asked {
            // Whoever asked may have given up meanwhile.
            Some((asker, answer)) => drop(asker.send(answer)),
            None => {
                // A full disk must not end the run; the log is never evidence.
                let _ = log.write_all(&text);
                if line.is_object() && line.get("id").is_none() {
                    said.send_replace(line);
                }
            }
        }
    }
    waiting.borrow_mut().clear();
}

async fn write(mut stdin: pipe::Sender, mut lines: mpsc::UnboundedReceiver<String>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(line.as_bytes()).await.is_err() {
            // It reads no more: who sends from now on learns it.
            return;
        }
    }
}

#[cfg(test)]
mod tests;
