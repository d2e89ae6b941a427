//! A contact begins once, ends once, and nothing comes after.
//!
//! A finger or palm ends with `up`. Any other tool may touch several times while
//! it is near, and ends with `leave`.

use std::collections::BTreeMap;

/// A contact so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    pub(super) device: i16,
    pub(super) last_us: i64,
    pub(super) ended: bool,
    pub(super) file: usize,
    touching: bool,
    /// One problem is said once.
    faulty: bool,
}

/// The contacts of one host and boot, by session and number.
#[derive(Debug, Default)]
pub(super) struct Contacts(BTreeMap<(u32, i32), Contact>);

impl Contacts {
    /// Takes a row in; says what is wrong with it. Rows come in the order of
    /// their time. After a loss a begin, or an up before the next down, may be
    /// missing.
    pub(super) fn take(
        &mut self,
        key: (u32, i32),
        (phase, tool): (&str, &str),
        (at_us, device, file): (i64, i16, usize),
        has_lost: bool,
    ) -> Option<String> {
        let known = self.0.get(&key).copied();
        let fresh =
            Contact { device, last_us: at_us, ended: false, file, touching: false, faulty: false };
        let mut contact = known.unwrap_or(fresh);
        let fault = if known.is_none() && !matches!(phase, "down" | "hover") && !has_lost {
            Some(format!("contact {} begins with `{phase}`", key.1))
        } else if contact.ended {
            Some(format!("contact {} goes on after its end", key.1))
        } else if contact.device != device {
            Some(format!(
                "contact {} is of device {} and of device {device}",
                key.1, contact.device
            ))
        } else if contact.touching && phase == "down" && !has_lost {
            Some(format!("contact {} goes down twice", key.1))
        } else if at_us < contact.last_us {
            Some(format!("contact {} goes back in time", key.1))
        } else {
            None
        };
        contact.touching = matches!(phase, "down" | "move");
        contact.ended |= phase == "leave" || (phase == "up" && matches!(tool, "finger" | "palm"));
        contact.last_us = at_us;
        let is_first = !contact.faulty;
        contact.faulty |= fault.is_some();
        self.0.insert(key, contact);
        fault.filter(|_| is_first)
    }

    /// How many ended.
    pub(super) fn count(&self) -> u64 {
        self.0.values().filter(|contact| contact.ended).count() as u64
    }

    /// Those without an end.
    pub(super) fn open(&self) -> impl Iterator<Item = (i32, Contact)> + '_ {
        self.0
            .iter()
            .filter(|(_, contact)| !contact.ended)
            .map(|((_, number), contact)| (*number, *contact))
    }
}
