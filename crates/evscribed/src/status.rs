//! What the collector says of itself: in words, as JSON, as metrics.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::pipeline::Counts;

/// File in the runtime directory that `evscribe status` reads.
pub const STATUS_FILE: &str = "status.json";

/// File in the runtime directory for node_exporter's textfile collector.
pub const METRICS_FILE: &str = "evscribe.prom";

/// What the collector does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Devices are read.
    Collecting,
    /// Nothing is opened; the reason says why.
    Waiting,
    /// Nothing is opened: the person at the seat paused.
    Paused,
    /// Devices are read, but the disk takes nothing: rows wait, then are counted.
    Stalled,
    /// It is shutting down.
    Stopping,
}

impl State {
    /// The word on the bus.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collecting => "collecting",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Stalled => "stalled",
            Self::Stopping => "stopping",
        }
    }
}

/// One open device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenDevice {
    /// The link it was opened by.
    pub link: PathBuf,
    /// Its number in the dataset.
    pub device: i16,
    /// A remapper holds it by grab: its events reach nobody else.
    pub grabbed: bool,
}

/// A key that files are encrypted for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// What its files name it by.
    pub id: String,
    /// What the administrator calls it; may be empty.
    pub name: String,
}

/// What everybody may know; it names no person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// Why, as a clause.
    pub reason: String,
    /// Since when, seconds since 1970.
    pub since_unix_s: i64,
    /// What is kept of keys.
    pub keys: String,
    /// What is kept of the pointer.
    pub pointer: String,
    /// Version of the current notice.
    pub notice: Option<String>,
    /// The devices that are read.
    pub devices: Vec<OpenDevice>,
    /// Links that could not be opened, with the reason.
    pub refused: Vec<String>,
    /// What is wrong with the newest policy, while an older one is in force.
    pub policy_error: Option<String>,
    /// Where sealed files are.
    pub dataset: PathBuf,
    /// How sealed files lie there: `encrypted` or `plain`.
    pub at_rest: String,
    /// Whom they are encrypted for, the workstation itself aside.
    pub recipients: Vec<Recipient>,
    /// Sealed files stay this many days; `None` where no policy limits it.
    pub retention_days: Option<u32>,
    /// Rows of table `events` since the start.
    pub events: u64,
    /// Rows of table `touch` since the start.
    pub touch: u64,
    /// Times the kernel's buffer of a device overflowed since the start.
    pub kernel_drops: u64,
    /// Rows lost behind the reader since the start.
    pub rows_lost: u64,
    /// Files sealed since the start.
    pub sealed_files: u64,
    /// When a file was last sealed, seconds since 1970.
    pub sealed_unix_s: Option<i64>,
    /// The collector's process.
    pub pid: u32,
}

impl From<(String, String)> for Recipient {
    fn from((id, name): (String, String)) -> Self {
        Self { id, name }
    }
}

impl Status {
    pub(crate) fn count(&mut self, counts: Counts, kernel_drops: u64) {
        self.events = counts.events;
        self.touch = counts.touch;
        self.kernel_drops = kernel_drops;
        self.rows_lost = counts.rows_lost;
    }

    /// Losses since the start that are known: rows, and overflows of unknown size.
    pub(crate) fn losses(&self) -> u64 {
        self.rows_lost.saturating_add(self.kernel_drops)
    }

    /// One line for systemd and for people.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = match self.state {
            State::Waiting => format!("waiting, nothing is opened: {}", self.reason),
            State::Paused => format!("paused, nothing is opened: {}", self.reason),
            State::Stopping => format!("stopping: {}", self.reason),
            State::Collecting | State::Stalled => {
                let count = self.devices.len();
                let plural = if count == 1 { "" } else { "s" };
                format!(
                    "collecting at keys={} pointer={}: {count} device{plural}",
                    self.keys, self.pointer
                )
            }
        };
        if self.state == State::Stalled {
            let _ = write!(line, "; the disk takes nothing: {}", self.reason);
        }
        let grabbed: Vec<_> = self.devices.iter().filter(|device| device.grabbed).collect();
        if let [first, ..] = grabbed.as_slice() {
            let link = first.link.display();
            let others = match grabbed.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            let _ = write!(line, "; {link}{others} is held by a remapper and silent");
        }
        if !self.refused.is_empty() {
            let _ = write!(line, "; {} could not be opened", self.refused.len());
        }
        if self.policy_error.is_some() {
            line.push_str("; the new policy is wrong, the one before stays in force");
        }
        line
    }

    /// The metrics in Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        let collecting = u64::from(matches!(self.state, State::Collecting | State::Stalled));
        let grabbed = self.devices.iter().filter(|device| device.grabbed).count() as u64;
        let open = self.devices.len() as u64;
        let refused = self.refused.len() as u64;
        let sealed_at = self.sealed_unix_s.unwrap_or(0).unsigned_abs();
        let (bad_policy, stalled) =
            (u64::from(self.policy_error.is_some()), u64::from(self.state == State::Stalled));
        [
            ("evscribe_collecting", "gauge", "1 while devices are read", collecting),
            ("evscribe_stalled", "gauge", "1 while the disk takes nothing", stalled),
            ("evscribe_devices_open", "gauge", "devices that are read", open),
            ("evscribe_devices_grabbed", "gauge", "devices that a remapper holds", grabbed),
            ("evscribe_devices_refused", "gauge", "devices that could not be opened", refused),
            ("evscribe_policy_error", "gauge", "1 while the newest policy is wrong", bad_policy),
            ("evscribe_event_rows_total", "counter", "rows of table events", self.events),
            ("evscribe_touch_rows_total", "counter", "rows of table touch", self.touch),
            (
                "evscribe_kernel_drops_total",
                "counter",
                "times a device's kernel buffer overflowed, or went unread with its device",
                self.kernel_drops,
            ),
            (
                "evscribe_rows_lost_total",
                "counter",
                "rows lost behind the reader, each marked",
                self.rows_lost,
            ),
            ("evscribe_sealed_files_total", "counter", "files sealed", self.sealed_files),
            (
                "evscribe_last_seal_timestamp_seconds",
                "gauge",
                "when a file was last sealed, 0 for never",
                sealed_at,
            ),
        ]
        .iter()
        .fold(String::new(), |mut text, (name, kind, help, value)| {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
            text
        })
    }

    /// Reads what a running collector last said.
    ///
    /// # Errors
    /// Where there is no such file, for example because none runs.
    pub fn read(runtime: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(runtime.join(STATUS_FILE))?;
        serde_json::from_str(&text).map_err(std::io::Error::other)
    }
}

/// Whom the collector shows what it does.
pub trait Face {
    /// The status changed.
    fn show(&mut self, status: &Status);

    /// How long counts may lag behind in what is shown.
    fn lag(&self) -> std::time::Duration;

    /// How often a sign of life is due; `None` for never.
    fn watchdog(&self) -> Option<std::time::Duration> {
        None
    }

    /// Gives a sign of life.
    fn alive(&mut self) {}

    /// A reload began.
    fn reloading(&mut self) {}
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn status() -> Status {
        Status {
            state: State::Collecting,
            reason: "the person at the seat acknowledged notice 1".into(),
            since_unix_s: 1_800_000_000,
            keys: "class".into(),
            pointer: "full".into(),
            notice: Some("1".into()),
            devices: vec![OpenDevice {
                link: "/dev/input/evscribe/event3".into(),
                device: 1,
                grabbed: true,
            }],
            refused: Vec::new(),
            policy_error: None,
            dataset: "/var/lib/evscribe/dataset".into(),
            at_rest: "encrypted".into(),
            recipients: Vec::new(),
            retention_days: Some(30),
            events: 7,
            touch: 0,
            kernel_drops: 0,
            rows_lost: 0,
            sealed_files: 0,
            sealed_unix_s: None,
            pid: 1,
        }
    }

    #[test]
    fn the_line_names_a_device_that_a_remapper_holds() {
        assert_eq!(
            status().line(),
            "collecting at keys=class pointer=full: 1 device; \
             /dev/input/evscribe/event3 is held by a remapper and silent"
        );
    }

    #[test]
    fn the_line_says_why_nothing_is_opened() {
        let waiting = Status {
            state: State::Waiting,
            reason: "/etc/evscribe/policy.toml does not exist".into(),
            ..status()
        };
        assert_eq!(
            waiting.line().split("; ").next(),
            Some("waiting, nothing is opened: /etc/evscribe/policy.toml does not exist")
        );
    }

    #[test]
    fn every_metric_has_help_type_and_value() {
        let metrics = status().metrics();
        let lines: Vec<_> = metrics.lines().collect();
        assert!(lines.chunks(3).all(|lines| {
            lines[0].starts_with("# HELP evscribe_")
                && lines[1].starts_with("# TYPE evscribe_")
                && lines[2].split(' ').nth(1).is_some_and(|value| value.parse::<u64>().is_ok())
        }));
        assert!(metrics.contains("evscribe_event_rows_total 7\n"));
    }
}
