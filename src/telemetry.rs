//! Diagnostics, through tracing and tracing-appender.
