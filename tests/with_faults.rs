//! The program with a wall clock that a test can set wrong: `STATUSWATCH_TEST_CLOCK` names a file
//! with the offset in seconds, which may change while the program runs.

fn main() -> std::process::ExitCode {
    if let Some(file) = std::env::var_os("STATUSWATCH_TEST_CLOCK") {
        statuswatch::clock::faults::read_offset_from(file.into());
    }
    statuswatch::cli::main()
}
