//! How far it is: a line for each host that is under way and one for all, on a
//! terminal; and what came of each host as it ends.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evscribe_lake::pull::{Event, HostList, Watch};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::told;

/// Most hosts that have a line of their own.
const LINES: usize = 16;

/// What is on the terminal.
pub(super) struct Shown {
    state: Arc<State>,
}

struct State {
    names: Vec<String>,
    json: bool,
    bars: MultiProgress,
    all: ProgressBar,
    hosts: Mutex<HashMap<usize, ProgressBar>>,
}

impl Shown {
    pub(super) fn new(list: &HostList, json: bool) -> Self {
        let bars = MultiProgress::new();
        // With JSON on standard output, too, somebody may look.
        let all = if std::io::stderr().is_terminal() {
            bars.add(ProgressBar::new(list.hosts.len() as u64))
        } else {
            ProgressBar::hidden()
        };
        all.set_style(style("{pos} of {len} hosts {wide_bar} {elapsed}"));
        all.enable_steady_tick(Duration::from_millis(500));
        let names = list.hosts.iter().map(|host| host.name.clone()).collect();
        let state = State { names, json, bars, all, hosts: Mutex::default() };
        Self { state: Arc::new(state) }
    }

    /// Who is told what happens.
    pub(super) fn watch(&self) -> Watch {
        let state = Arc::clone(&self.state);
        Box::new(move |event| state.take(event))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.state.all.finish_and_clear();
    }
}

impl State {
    fn take(&self, event: Event<'_>) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Began { host } if hosts.len() < LINES && !self.all.is_hidden() => {
                let bar = self.bars.insert_before(&self.all, ProgressBar::new(0));
                bar.set_style(style("{msg} {wide_bar} {bytes} of {total_bytes}"));
                bar.set_message(self.names.get(host).cloned().unwrap_or_default());
                hosts.insert(host, bar);
            }
            Event::Planned { host, bytes, .. } => {
                if let Some(bar) = hosts.get(&host) {
                    bar.set_length(bytes);
                    bar.set_position(0);
                }
            }
            Event::Arrived { host, bytes } => {
                if let Some(bar) = hosts.get(&host) {
                    bar.inc(bytes);
                }
            }
            Event::Ended { host, report } => {
                if let Some(bar) = hosts.remove(&host) {
                    bar.finish_and_clear();
                }
                self.all.inc(1);
                if !self.json {
                    let line = told::host(report);
                    self.bars.suspend(|| println!("{line}"));
                }
            }
            _ => {}
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
