//! Opens devices and closes those that were deselected.

use std::path::{Path, PathBuf};

use evscribe_model::{BootUs, DeviceRow, Input, KeyLevel, MarkKind, PointerLevel, Row};
use evscribe_reader::{KeyMask, LiveDevice, Opened, ReadError};
use mio::unix::SourceFd;
use mio::{Interest, Token};
use zeroize::zeroize_stack;

use super::{Devices, STACK_BYTES};
use crate::gate::chain;
use crate::hotkey::Hotkey;

impl Devices {
    /// Opens what is new among `links` and closes what is no longer there.
    pub(crate) fn sync(&mut self, links: &[PathBuf], now: BootUs) {
        let vanished: Vec<usize> = self
            .open
            .iter()
            .filter(|(_, device)| !links.iter().any(|link| link == device.path()))
            .map(|(token, _)| *token)
            .collect();
        for token in vanished {
            self.drain_to_the_end(token);
            self.finish(token);
            self.close(token, now, MarkKind::Unplug, "deselected");
        }
        self.refused.retain(|link, _| links.contains(link));
        for link in links {
            if !self.open.values().any(|device| device.path() == link) {
                self.try_open(link);
            }
        }
        zeroize_stack::<STACK_BYTES>();
    }

    #[inline(never)]
    fn try_open(&mut self, link: &Path) {
        match self.open_one(link) {
            Ok(()) => drop(self.refused.remove(link)),
            Err(why) if self.refused.get(link) == Some(&why) => {}
            Err(why) => {
                log::warn!("{why}; the other devices are read on");
                self.refused.insert(link.into(), why);
            }
        }
    }

    fn open_one(&mut self, link: &Path) -> Result<(), String> {
        let keys = self.level.keys > KeyLevel::Off;
        let codes = self.intake.hotkey.as_ref().map(Hotkey::codes).unwrap_or_default();
        let mask = if keys { KeyMask::All } else { KeyMask::Only(&codes) };
        let Opened { mut live, state, identity, at } = match LiveDevice::open(link, mask) {
            Ok(opened) => opened,
            // It was unplugged; udev takes its link away in a moment.
            Err(ReadError::Gone { .. }) => return Ok(()),
            Err(error) => return Err(chain(&error)),
        };
        let says_keys = keys && live.device().has_keys();
        if !says_keys && self.level.pointer == PointerLevel::Off {
            return Ok(());
        }
        // Numbered and described for each person: what is erased of one, or taken
        // along, is whole without what is another's.
        let theirs = |identity: &[u8]| [self.subject.as_bytes(), b"\0", identity].concat();
        let unit = self.keys.pseudonym("device", &theirs(&identity.unit));
        let port = self.keys.pseudonym("port", &theirs(&identity.port));
        let spent = || format!("{}: all 32,767 device numbers are spent", link.display());
        let (id, new) = self.registry.admit(unit, port).ok_or_else(spent)?;
        live.number(id);
        let token = self.next_token;
        self.next_token += 1;
        let registered =
            self.poll.register(&mut SourceFd(&live.fd()), Token(token), Interest::READABLE);
        if let Err(error) = registered {
            self.registry.release(id);
            return Err(format!("{} cannot be waited on: {error}", link.display()));
        }
        if new {
            self.known_changed = true;
            let row = DeviceRow { at, device: live.device().clone() };
            self.intake.push(Row::Device(Box::new(row)));
        }
        self.intake.hear(&Input::Open { at, device: live.device(), state: Some(&state) });
        self.open.insert(token, live);
        // What came between open and registering may have raised no edge.
        self.drain(token);
        Ok(())
    }
}
