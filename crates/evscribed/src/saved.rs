//! What is kept from one run of the collector to the next: which numbers are
//! given, and which device has which.

use std::path::Path;

use evscribe_model::DeviceId;
use evscribe_normalizer::Counters;
use evscribe_reader::{Known, Registry};
use evscribe_sink::Highest;
use serde::{Deserialize, Serialize};

/// The file in the state directory.
pub(crate) const FILE: &str = "numbers.json";

/// Numbers and devices. Devices are known within one boot, by keyed hashes;
/// device and run numbers go on for the life of the host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    boot: String,
    next_device: i16,
    next_run: i32,
    next_stroke: i32,
    next_contact: i32,
    devices: Vec<SavedDevice>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedDevice {
    device: i16,
    unit: String,
    port: String,
}

impl Saved {
    fn first(boot: &str) -> Self {
        Self {
            boot: boot.into(),
            next_device: 1,
            next_run: 1,
            next_stroke: 1,
            next_contact: 1,
            devices: Vec::new(),
        }
    }

    /// What the last run kept, carried over into this boot. A file that cannot
    /// be read is told and begun anew; `go_on_above` then keeps numbers unique.
    pub(crate) fn load(state: &Path, boot: &str) -> Self {
        let path = state.join(FILE);
        let saved = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).unwrap_or_else(|error| {
                log::warn!("{} cannot be read and is begun anew: {error}", path.display());
                Self::first(boot)
            }),
            Err(_) => Self::first(boot),
        };
        if saved.boot == boot {
            saved
        } else {
            let Self { next_device, next_run, .. } = saved;
            Self { next_device, next_run, ..Self::first(boot) }
        }
    }

    /// Raises the numbers above what a recovered journal used, and runs above
    /// what recovery itself gave out.
    pub(crate) fn go_on_above(&mut self, highest: &Highest, next_run: i32) {
        let above = |highest: Option<i32>| highest.map_or(1, |highest| highest.saturating_add(1));
        let device = highest.device.map_or(1, |highest| highest.saturating_add(1));
        self.next_device = self.next_device.max(device);
        self.next_run = self.next_run.max(above(highest.run)).max(next_run);
        self.next_stroke = self.next_stroke.max(above(highest.stroke));
        self.next_contact = self.next_contact.max(above(highest.contact));
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters { run: self.next_run, stroke: self.next_stroke, contact: self.next_contact }
    }

    pub(crate) fn registry(&self) -> Registry {
        let known = |device: &SavedDevice| Known {
            id: DeviceId(device.device),
            unit: device.unit.clone(),
            port: device.port.clone(),
        };
        Registry::new(self.devices.iter().map(known).collect(), self.next_device)
    }

    /// The file's bytes for these numbers.
    pub(crate) fn bytes(boot: &str, counters: Counters, registry: &Registry) -> Vec<u8> {
        let (known, next_device) = registry.known();
        let saved = Self {
            boot: boot.into(),
            next_device,
            next_run: counters.run,
            next_stroke: counters.stroke,
            next_contact: counters.contact,
            devices: known
                .iter()
                .map(|known| SavedDevice {
                    device: known.id.0,
                    unit: known.unit.clone(),
                    port: known.port.clone(),
                })
                .collect(),
        };
        serde_json::to_vec(&saved).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, boot: &str) {
        let mut registry = Registry::new(Vec::new(), 4);
        registry.admit("u".into(), "p".into()).unwrap();
        let counters = Counters { run: 7, stroke: 8, contact: 9 };
        std::fs::write(folder.join(FILE), Saved::bytes(boot, counters, &registry)).unwrap();
    }

    #[test]
    fn within_a_boot_everything_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "b1");
        let saved = Saved::load(folder.path(), "b1");
        assert_eq!(saved.counters(), Counters { run: 7, stroke: 8, contact: 9 });
        assert_eq!(saved.registry().admit("u".into(), "p".into()), Some((DeviceId(4), false)));
    }

    #[test]
    fn in_a_new_boot_devices_are_new_and_their_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "b1");
        let saved = Saved::load(folder.path(), "b2");
        assert_eq!(saved.counters(), Counters { run: 7, stroke: 1, contact: 1 });
        assert_eq!(saved.registry().admit("u".into(), "p".into()), Some((DeviceId(5), true)));
    }

    #[test]
    fn a_damaged_file_is_begun_anew_above_what_was_recovered() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        let mut saved = Saved::load(folder.path(), "b1");
        let highest = Highest { run: Some(40), stroke: Some(50), contact: None, device: Some(3) };
        saved.go_on_above(&highest, 44);
        assert_eq!(saved.counters(), Counters { run: 44, stroke: 51, contact: 1 });
        assert_eq!(saved.registry().known(), (&[][..], 4));
    }
}
