//! The `tfpatch` command.

use clap::Parser as _;
use std::process::ExitCode;
use tfpatch::cli;

fn main() -> ExitCode {
    match cli::args::Arguments::try_parse() {
        Ok(arguments) => cli::main(arguments),
        Err(error) => cli::error::refuse(error),
    }
}
