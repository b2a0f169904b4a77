//! The `tfpatch` command.

fn main() -> std::process::ExitCode {
    tfpatch::main()
}
