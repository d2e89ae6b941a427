//! Which physical device this is: the same mouse after replugging has the same
//! number, though its event node has another.

use evscribe_model::{Device, DeviceId};

/// What tells one device from another, as bytes to be hashed under a key: it
/// holds serial numbers and addresses, so it is never written or shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Model and unit: numbers, name, capabilities, serial number if any.
    pub unit: Vec<u8>,
    /// And where it is plugged in.
    pub port: Vec<u8>,
}

impl Identity {
    pub(crate) fn new(device: &Device, uniq: &str, phys: &str) -> Self {
        let numbers = (device.bus, device.vendor, device.product, device.version);
        let able = (&device.keys, &device.rels, &device.switches, &device.props, &device.axes);
        let unit = format!("{numbers:?}\0{:?}\0{able:?}\0{uniq}", device.name).into_bytes();
        let mut port = unit.clone();
        port.extend_from_slice(phys.as_bytes());
        Self { unit, port }
    }
}

/// A device that was seen on this boot, as the registry knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// Its number.
    pub id: DeviceId,
    /// Keyed hash of [`Identity::unit`].
    pub unit: String,
    /// Keyed hash of [`Identity::port`].
    pub port: String,
}

/// Numbers the devices of one host. Numbers are never given twice, so that a
/// device row of last week stays true.
#[derive(Debug)]
pub struct Registry {
    known: Vec<Known>,
    open: Vec<DeviceId>,
    next: i16,
}

impl Registry {
    /// Goes on from what an earlier run of the collector knew on this boot.
    #[must_use]
    pub const fn new(known: Vec<Known>, next: i16) -> Self {
        Self { known, open: Vec::new(), next }
    }

    /// The number of a device that was just opened, by its keyed hashes, and
    /// whether it is new. The same unit at the same port keeps its number, then
    /// the same unit at another port; two of one make that are open together
    /// have two. `None` when all 32,767 numbers are spent.
    pub fn admit(&mut self, unit: String, port: String) -> Option<(DeviceId, bool)> {
        let free = |known: &&Known| !self.open.contains(&known.id);
        let same_port = self.known.iter().filter(free).find(|known| known.port == port);
        let found =
            same_port.or_else(|| self.known.iter().filter(free).find(|known| known.unit == unit));
        let (id, new) = match found {
            Some(known) => (known.id, false),
            None => {
                let id = DeviceId(self.next);
                self.next = self.next.checked_add(1)?;
                self.known.push(Known { id, unit, port });
                (id, true)
            }
        };
        self.open.push(id);
        Some((id, new))
    }

    /// The device is not open any more.
    pub fn release(&mut self, id: DeviceId) {
        self.open.retain(|open| *open != id);
    }

    /// Has every device count as new from now on, so that each is described
    /// again; numbers go on.
    pub fn begin_anew(&mut self) {
        self.known.clear();
    }

    /// What is known, and the next number: to be kept for the next run.
    #[must_use]
    pub fn known(&self) -> (&[Known], i16) {
        (&self.known, self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(registry: &mut Registry, unit: &str, port: &str) -> (i16, bool) {
        let (id, new) = registry.admit(unit.into(), port.into()).unwrap();
        (id.0, new)
    }

    #[test]
    fn a_replugged_device_keeps_its_number() {
        let mut registry = Registry::new(Vec::new(), 5);
        assert_eq!(admit(&mut registry, "mouse", "mouse@1"), (5, true));
        registry.release(DeviceId(5));
        assert_eq!(admit(&mut registry, "mouse", "mouse@2"), (5, false));
    }

    #[test]
    fn two_of_one_make_have_two_numbers_while_both_are_open() {
        let mut registry = Registry::new(Vec::new(), 1);
        assert_eq!(admit(&mut registry, "mouse", "mouse@1"), (1, true));
        assert_eq!(admit(&mut registry, "mouse", "mouse@2"), (2, true));
        registry.release(DeviceId(1));
        registry.release(DeviceId(2));
        assert_eq!(admit(&mut registry, "mouse", "mouse@2"), (2, false));
    }

    #[test]
    fn begun_anew_a_device_is_new_and_numbers_go_on() {
        let mut registry = Registry::new(Vec::new(), 1);
        assert_eq!(admit(&mut registry, "mouse", "mouse@1"), (1, true));
        registry.begin_anew();
        registry.release(DeviceId(1));
        assert_eq!(admit(&mut registry, "mouse", "mouse@1"), (2, true));
    }

    #[test]
    fn spent_numbers_are_an_answer_and_no_reuse() {
        let mut registry = Registry::new(Vec::new(), i16::MAX);
        assert!(registry.admit("a".into(), "a".into()).is_none());
    }
}
