//! A log for the foreground: one line a message, no time, no colour.

use log::{Log, Metadata, Record};

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("evscribe: {}", record.args());
        }
    }

    fn flush(&self) {}
}

/// Sends the log to standard error.
pub fn log_to_stderr() {
    // A log that is set already stays.
    let _ = log::set_logger(&Stderr);
    log::set_max_level(log::LevelFilter::Warn);
}
