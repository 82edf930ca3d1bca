//! How a worker is spoken to, whichever kind it is: over HTTP or by lines.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use super::adapter::{Cut, Method};
use super::http::{self, Answer, Failure};
use super::lines::Lines;

/// Where a worker takes requests.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// An address of HTTP.
    Address(SocketAddr),
    /// Its stdin and stdout.
    Lines(Rc<Lines>),
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

/// What a request is addressed to, its placeholders filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A method and a path of HTTP.
    Http {
        /// The method.
        method: Method,
        /// The path.
        path: String,
    },
    /// What a line asks for.
    Line(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { method, path } => write!(f, "{} {path}", method.name()),
            Self::Line(ask) => write!(f, "`{ask}`"),
        }
    }
}

/// A client of one worker.
#[derive(Debug)]
pub enum Client {
    /// With a connection of its own.
    Http(http::Client),
    /// One of many on the worker's stdin.
    Lines(Rc<Lines>),
}

impl Client {
    /// A client of this worker. Nothing is connected yet.
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        match endpoint.into() {
            Endpoint::Address(address) => Self::Http(http::Client::new(address)),
            Endpoint::Lines(lines) => Self::Lines(lines),
        }
    }

    /// Sends a request and reads its answer, both within a time.
    ///
    /// # Errors
    ///
    /// There was no answer.
    pub async fn send(
        &mut self,
        target: &Target,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Answer, Failure> {
        match (self, target) {
            (Self::Http(client), Target::Http { method, path }) => {
                client.send(*method, path, body, within).await
            }
            (Self::Lines(lines), Target::Line(ask)) => lines.send(ask, body, within).await,
            (_, target) => Err(not_of_this_kind(target)),
        }
    }

    /// Sends a part of a request over a connection of its own and closes it.
    ///
    /// # Errors
    ///
    /// Not even that much could be sent; or the worker has one pair of pipes for all sessions.
    pub async fn break_off(
        &mut self,
        target: &Target,
        body: Option<&Value>,
        cut: Cut,
        within: Duration,
    ) -> Result<(), Failure> {
        match (self, target) {
            (Self::Http(client), Target::Http { method, path }) => {
                client.break_off(*method, path, body, cut, within).await
            }
            (_, target) => Err(not_of_this_kind(target)),
        }
    }

    /// Closes what is kept open for this client alone.
    pub fn close(&mut self) {
        if let Self::Http(client) = self {
            client.close();
        }
    }
}

/// Adapters are checked when they are read, so that this is never seen.
fn not_of_this_kind(target: &Target) -> Failure {
    Failure::Broken(format!("{target} cannot be asked of a worker of this kind"))
}
