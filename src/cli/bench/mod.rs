//! `bench`: asks a running server as many clients would, and says how fast it
//! answered and at what cost.

mod args;
mod report;

pub(crate) use args::BenchArgs;

use super::check;
use super::output;
use super::progress::Progress;
use super::{CliError, Exit};
use crate::lab::load::{self, Report, Stage};

/// Steps of the progress bar.
const STEPS: u64 = 100;

/// Asks, prints and checks.
pub(crate) fn run(args: &BenchArgs) -> Result<Exit, CliError> {
    check::refuse_unknown(&args.check, &report::names())?;
    let load = args.load()?;
    let report = ask(&load)?;
    output::print(|out| report::write(out, &load, &report, args.output))?;
    if args.output.is_for_people() {
        report::explain(&report);
    }
    Ok(judge(args, &report))
}

fn ask(load: &load::Load) -> Result<Report, CliError> {
    let mut progress = Progress::new(STEPS);
    let mut watch = |stage: Stage| {
        let answered = output::thousands(stage.answered);
        progress.starts(format!("{}, {answered} requests answered", stage.name));
        progress.reaches((stage.part * STEPS as f64) as u64);
    };
    Ok(load::run(load, &mut watch)?)
}

/// A run with wrong answers has failed, whatever else was checked.
fn judge(args: &BenchArgs, report: &Report) -> Exit {
    let figures = report::figures(report);
    let checked = check::judge(&args.check, &figures);
    match &report.tally.first_error {
        Some(first) => {
            let count = output::thousands(report.tally.errors);
            output::note(format_args!("wrong answers: {count}, the first: {first}"));
            Exit::Failed
        }
        None => checked,
    }
}
