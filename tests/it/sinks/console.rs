//! The console sink.

use statuswatch::config::ConsoleFormat;
use statuswatch::sink::ConsoleSink;

use super::*;

#[test]
fn a_closed_or_full_console_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut sink = ConsoleSink::new(ConsoleFormat::Json, Box::new(full), false);
    assert!(matches!(sink.deliver(&[recorded(1)]), Err(SinkError::Io { .. })));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut sink = ConsoleSink::new(ConsoleFormat::Text, Box::new(writer), false);
    assert!(sink.deliver(&[recorded(1)]).unwrap_err().to_string().contains("standard output"));
}
