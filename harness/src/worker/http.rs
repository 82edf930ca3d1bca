//! The one HTTP client: HTTP/1.1 with JSON over loopback, one kept connection for each holder.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use fake_claude::quantity::Span;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::timeout;

use super::adapter::{Cut, Method};
use crate::clock::monotonic_ns;
use crate::units;

/// How long a kept connection may lie idle before a new one is made: shorter than any server keeps one, so that a request never
/// meets a connection that is just being closed.
const KEPT: Duration = Duration::from_secs(1);
/// The longest answer that is read. A page of a hundred records is far below it.
const ANSWER_LIMIT: usize = 64 << 20;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// Whether the status means success.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text, cut to so many characters.
    pub fn text(&self, characters: usize) -> String {
        String::from_utf8_lossy(&self.body)
            .chars()
            .take(characters)
            .collect()
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens. Nothing was sent.
    Refused,
    /// The connection broke; whether the request was taken is unknown.
    Broken(String),
    /// Time ran out; whether the request was taken is unknown.
    TimedOut(Span),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Broken(cause) => write!(f, "the connection broke: {cause}"),
            Self::TimedOut(after) => write!(f, "no answer within {}", units::span(*after)),
        }
    }
}

/// A client of one address.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    kept: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Ends the task that moves the bytes, so that a request that is given up does not go on in secret.
    mover: AbortHandle,
    used_ns: u64,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

impl Client {
    /// A client of this address. Nothing is connected yet.
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            kept: None,
        }
    }

    /// Sends a request and reads its answer, both within a time.
    ///
    /// # Errors
    ///
    /// There was no answer. The connection is then closed.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Answer, Failure> {
        let request = self.request(method, path, body)?;
        timeout(within, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(Failure::TimedOut(within.into())))
    }

    /// Sends a part of a request over a connection of its own and closes it: half of the body, or all of it without waiting for the
    /// answer.
    ///
    /// # Errors
    ///
    /// Not even that much could be sent.
    pub async fn break_off(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        cut: Cut,
        within: Duration,
    ) -> Result<(), Failure> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let sent = match cut {
            Cut::HalfBody => &body.as_bytes()[..body.len() / 2],
            Cut::Sent => body.as_bytes(),
        };
        let head = format!(
            "{} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            method.name(),
            self.address,
            body.len()
        );
        let attempt = async {
            let mut stream = TcpStream::connect(self.address).await.map_err(failed)?;
            stream.write_all(head.as_bytes()).await.map_err(failed)?;
            stream.write_all(sent).await.map_err(failed)
        };
        timeout(within, attempt)
            .await
            .unwrap_or_else(|_| Err(Failure::TimedOut(within.into())))
    }

    /// Closes the kept connection.
    pub fn close(&mut self) {
        self.kept = None;
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<hyper::Request<Full<Bytes>>, Failure> {
        let mut request = hyper::Request::builder()
            .method(method.name())
            .uri(path)
            .header(HOST, self.address.to_string());
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::Broken(format!("`{path}` cannot be asked for: {error}")))
    }

    async fn exchange(&mut self, request: hyper::Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let fresh = |connection: &Connection| {
            !connection.sender.is_closed()
                && u128::from(monotonic_ns() - connection.used_ns) < KEPT.as_nanos()
        };
        // Taken out, so that a request that fails or is given up leaves no half-used connection behind.
        let mut connection = match self.kept.take().filter(fresh) {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let broken = |error: hyper::Error| Failure::Broken(chain(&error));
        connection.sender.ready().await.map_err(broken)?;
        let response = connection
            .sender
            .send_request(request)
            .await
            .map_err(broken)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_LIMIT)
            .collect()
            .await
            .map_err(|error| Failure::Broken(chain(error.as_ref())))?
            .to_bytes();
        connection.used_ns = monotonic_ns();
        self.kept = Some(connection);
        Ok(Answer { status, body })
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(self.address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::Broken(chain(&error)))?;
        // Its error comes out of the request as well.
        let mover = spawn_local(async { drop(connection.await) }).abort_handle();
        Ok(Connection {
            sender,
            mover,
            used_ns: monotonic_ns(),
        })
    }
}

fn failed(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        Failure::Refused
    } else {
        Failure::Broken(error.to_string())
    }
}

/// An error with its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
