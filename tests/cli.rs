//! Help texts and short sessions, word for word: `TRYCMD=overwrite cargo test --test cli` writes
//! them anew after a change that is meant.

#[test]
fn help_and_errors_read_as_they_are_written_down() {
    let cases = trycmd::TestCases::new();
    for variable in ["VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "NO_COLOR"] {
        cases.env(variable, "");
    }
    cases.case("tests/cli/*.trycmd");
    cases.case("README.md");
}
