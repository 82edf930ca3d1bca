//! The command line: what was typed, what it means, what is said. Only this module prints and chooses exit codes.

mod args;
mod attach;
mod bisect;
mod compare;
mod doctor;
mod exit_code;
mod explain;
mod explore;
mod failure;
mod gym;
mod install;
mod judge;
mod list;
mod many;
mod matrix;
mod output;
mod plan;
mod progress;
mod repro;
mod run;
mod screen;
mod soak;

use std::process;

use clap::{CommandFactory, Parser};

use self::args::{Arguments, Command, SchemaOf};
use self::exit_code::ExitCode;
use self::failure::Failure;
use crate::compare::schema as compare_schema;
use crate::report::schema as report_schema;
use crate::scenario::schema as scenario_schema;

/// The program `leak-harness`.
pub fn main() -> process::ExitCode {
    // Before anything else, and before any thread: this may be the inner process of a run.
    if crate::isolation::inner::is_inner() {
        return crate::run::inner();
    }
    let arguments = Arguments::parse();
    match carry_out(arguments) {
        Ok(code) => code.into(),
        Err(failure) => {
            output::error(&failure);
            failure.code().into()
        }
    }
}

fn carry_out(arguments: Arguments) -> Result<ExitCode, Failure> {
    let quiet = arguments.quiet;
    match arguments.command {
        Command::Run(arguments) => run::run(&arguments, quiet),
        Command::Soak(arguments) => soak::soak(&arguments, quiet),
        Command::Repro(arguments) => repro::repro(&arguments, quiet),
        Command::Matrix(arguments) => matrix::matrix(&arguments, quiet),
        Command::Bisect(arguments) => bisect::bisect(&arguments, quiet),
        Command::Gym(arguments) => gym::gym(&arguments, quiet),
        Command::Explore(arguments) => explore::explore(&arguments, quiet),
        Command::Attach(arguments) => attach::attach(&arguments, quiet),
        Command::Judge(arguments) => judge::judge(&arguments),
        Command::Report(arguments) => judge::report(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments, quiet),
        Command::Install(arguments) => install::install_all(&arguments, quiet),
        Command::List { folder } => list::list(&folder),
        Command::Explain { rule } => explain::explain(rule.as_deref()),
        Command::Doctor => doctor::doctor(),
        Command::Schema { of } => {
            let schema = match of {
                SchemaOf::Scenario => scenario_schema::schema(),
                SchemaOf::Report => report_schema::schema(),
                SchemaOf::Compare => compare_schema::schema(),
            };
            output::result(&format!("{schema:#}\n"))
        }
        Command::Completions { shell } => {
            // Into memory first: the generator panics where it cannot write, and a reader who has gone is no error.
            let mut script = Vec::new();
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "leak-harness",
                &mut script,
            );
            output::result(&String::from_utf8_lossy(&script))
        }
    }
}
