//! Switches: lids, tablet mode, jacks.

use evscribe_model::{Bits, DeviceState, What};

use crate::page::Page;

/// Which switches are on, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Switches {
    on: Bits<1>,
    known: Bits<1>,
}

impl Switches {
    pub(crate) fn of(state: Option<&DeviceState>) -> Self {
        let mut switches = Self::default();
        if let Some(state) = state {
            switches.learn(state);
        }
        switches
    }

    /// A change is a row; so is the first word about a switch that nothing was
    /// known of, as the kernel speaks only of changes.
    pub(crate) fn switch(&mut self, code: u16, value: i32, page: &mut Page<'_>) {
        let down = value != 0;
        if code >= Bits::<1>::CAPACITY || (self.known.has(code) && self.on.has(code) == down) {
            return;
        }
        self.on.set(code, down);
        self.known.set(code, true);
        page.event(What::Switch { code, down, inferred: page.inferred });
    }

    pub(crate) fn repair(&mut self, state: &DeviceState, page: &mut Page<'_>) {
        for code in self.known.iter() {
            let down = state.switches.has(code);
            if self.on.has(code) != down {
                page.event(What::Switch { code, down, inferred: true });
            }
        }
        self.learn(state);
    }

    /// Nothing is known any more.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    fn learn(&mut self, state: &DeviceState) {
        self.on = state.switches;
        for code in 0..Bits::<1>::CAPACITY {
            self.known.set(code, true);
        }
    }
}
