//! The program: arguments in, exit code out. Its words are the cli room's.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringcached::cli::run(std::env::args_os()).into()
}
