//! stub
use serde::{Deserialize,Serialize};
use crate::judge::Judgement;
use crate::scenario::Verdict;
#[derive(Debug,Serialize,Deserialize)]
pub struct F { pub signature: String }
#[derive(Debug,Serialize,Deserialize)]
pub struct Report { pub verdict: Verdict, pub as_expected: bool, pub text: String, pub findings: Vec<F> }
pub struct RunIdentity { pub scenario: String, pub seed: u64, pub time_scale: f64, pub compress: f64, pub worker: String, pub worker_version: String, pub cleanup: Vec<String>, pub again: String }
impl Report { pub fn new(_: &RunIdentity, j: Judgement) -> Self { Report { verdict: j.verdict, as_expected: j.as_expected, text: format!("{j:#?}"), findings: vec![] } } }
pub mod json { pub fn render(r: &super::Report) -> String { r.text.clone() } }
pub mod markdown { pub fn render(r: &super::Report) -> String { r.text.clone() } }
pub mod junit { pub fn render(r: &super::Report) -> String { r.text.clone() } }
pub mod terminal { pub fn render(r: &super::Report, _: bool) -> String { r.text.clone() } }
