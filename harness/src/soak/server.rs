//! The page of figures, served over HTTP.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::oneshot;

use super::Metrics;

/// The content type of the text format (OpenMetrics 1.0.0, "Protocol Negotiation").
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why the figures cannot be served.
#[derive(Debug)]
pub enum MetricsError {
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// The system gives no thread or no runtime.
    Start(io::Error),
}

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, cause } => write!(
                f,
                "--metrics {address}: {cause}; name another port, or port 0 for any that is free"
            ),
            Self::Start(cause) => write!(f, "cannot serve the metrics: {cause}"),
        }
    }
}

impl std::error::Error for MetricsError {}

/// An address that is listened on, and not served yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes an address, so that nobody else can. Whoever asks is answered once it is served.
    ///
    /// # Errors
    ///
    /// When the address is in use, or none of this machine.
    pub fn bind(address: SocketAddr) -> Result<Self, MetricsError> {
        let failed = |cause| MetricsError::Listen { address, cause };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it is: with the port that the system chose, if it was to choose.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the figures from a thread of their own until the result is dropped.
    ///
    /// # Errors
    ///
    /// When the system gives no thread or no runtime.
    pub fn serve(self, metrics: Metrics) -> Result<Serving, MetricsError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(MetricsError::Start)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let Ok(listener) = tokio::net::TcpListener::from_std(self.listener) else {
                        return;
                    };
                    tokio::select! {
                        _ = axum::serve(listener, router(metrics)) => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(MetricsError::Start)?;
        Ok(Serving {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(async move || page(&metrics)))
}

fn page(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Figures that are being served. Dropping it ends that.
#[derive(Debug)]
pub struct Serving {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic in it is a bug of ours that must not hide how the run ended.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_refused_with_what_to_do() {
        let taken = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = Listener::bind(taken.address()).unwrap_err().to_string();
        assert!(
            error.contains(&taken.address().to_string()) && error.contains("name another port"),
            "{error}"
        );
    }
}
