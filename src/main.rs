//! The `tfpatch` command.

use clap::Parser as _;
use std::process::ExitCode;
use tfpatch::cli;

fn main() -> ExitCode {
    cli::main(cli::args::Arguments::parse())
}
