//! The face of the service: sd_notify, the status file, the metrics file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::status::{Face, METRICS_FILE, STATUS_FILE, State, Status};

/// Counts in the files are at most this old while something goes on.
const LAG: Duration = Duration::from_secs(10);

/// Tells systemd and whoever reads the runtime directory.
#[derive(Debug)]
pub struct Systemd {
    runtime: PathBuf,
    said: Option<String>,
    ready: bool,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// Speaks to the systemd that started this process, if one did, and writes
    /// its files into `runtime`.
    #[must_use]
    pub fn new(runtime: &Path) -> Self {
        // Half of what systemd waits, as sd_watchdog_enabled(3) advises.
        let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Self { runtime: runtime.into(), said: None, ready: false, watchdog }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            log::debug!("systemd was not told: {error}");
        }
    }

    /// Replaces a file as a whole, so that no reader sees half of it.
    fn write(&self, name: &str, text: &str) {
        let (new, path) = (self.runtime.join(format!(".{name}")), self.runtime.join(name));
        let written = std::fs::write(&new, text).and_then(|()| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o644))?;
            std::fs::rename(&new, &path)
        });
        if let Err(error) = written {
            log::warn!("{} cannot be written: {error}", path.display());
        }
    }
}

impl Face for Systemd {
    fn show(&mut self, status: &Status) {
        let line = status.line();
        let mut states = Vec::new();
        if self.said.as_deref() != Some(line.as_str()) {
            states.push(NotifyState::Status(&line));
            log::info!("{line}");
        }
        if status.state == State::Stopping {
            states.push(NotifyState::Stopping);
        } else if !self.ready {
            states.push(NotifyState::Ready);
            self.ready = true;
        }
        if !states.is_empty() {
            self.tell(&states);
        }
        self.said = Some(line);
        self.write(STATUS_FILE, &serde_json::to_string(status).unwrap_or_default());
        self.write(METRICS_FILE, &status.metrics());
    }

    fn lag(&self) -> Duration {
        LAG
    }

    fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    fn alive(&mut self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    fn reloading(&mut self) {
        let Ok(now) = NotifyState::monotonic_usec_now() else { return };
        self.tell(&[NotifyState::Reloading, now]);
        self.ready = false;
    }
}
