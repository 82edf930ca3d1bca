//! How a session learns that it has reached a step of the protocol: the driver itself knows requests alone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::scenario::Step;

/// Something that is ready once a step was reached.
pub type Moment = Pin<Box<dyn Future<Output = ()>>>;

/// Tells when a session, by its number from 1, reaches a step; at once if it has already.
#[derive(Clone)]
pub struct Reached(Rc<dyn Fn(u32, Step) -> Moment>);

impl Reached {
    /// By this function.
    pub fn by(tell: impl Fn(u32, Step) -> Moment + 'static) -> Self {
        Self(Rc::new(tell))
    }

    /// Ready when the session reaches the step.
    pub fn step(&self, session: u32, step: Step) -> Moment {
        (self.0)(session, step)
    }
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reached")
    }
}
