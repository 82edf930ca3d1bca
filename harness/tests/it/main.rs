//! The program as its users meet it, one module for each part.

mod scenario;
mod tidy;
