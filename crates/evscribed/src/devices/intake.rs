//! From what a device says to the rows that wait: the hotkey hears it, the
//! normaliser makes rows of it, the pipeline takes out what the level forbids.
//!
//! One input at a time, so that nothing waits that is not reduced.

use evscribe_model::codes::EV_KEY;
use evscribe_model::{BootUs, DeviceId, Input, MarkKind, Row};
use evscribe_normalizer::{Counters, Normalizer};

use crate::hotkey::Hotkey;
use crate::pipeline::Pipeline;

/// Takes in what all devices say.
pub(super) struct Intake {
    pub(super) hotkey: Option<Hotkey>,
    pub(super) pipeline: Pipeline,
    normalizer: Normalizer,
    /// Room for the rows of one input; empty between inputs.
    fresh: Vec<Row>,
    kernel_drops: u64,
    /// A key or button was heard since last asked.
    typed: bool,
}

impl Intake {
    /// Numbers are given from `next` on.
    pub(super) fn new(next: Counters, pipeline: Pipeline) -> Self {
        Self {
            hotkey: None,
            pipeline,
            normalizer: Normalizer::new(next),
            fresh: Vec::new(),
            kernel_drops: 0,
            typed: false,
        }
    }

    /// Takes in one thing that a device says.
    pub(super) fn hear(&mut self, input: &Input<'_>) {
        self.kernel_drops += u64::from(matches!(input, Input::Dropped { .. }));
        self.typed |= match input {
            Input::Frame(frame) => frame.events.iter().any(|event| event.kind == EV_KEY),
            _ => true,
        };
        if let Some(hotkey) = &mut self.hotkey {
            hotkey.hear(input);
        }
        self.normalizer.feed(input, &mut self.fresh);
        self.pipeline.keep(&mut self.fresh);
    }

    /// Puts a row of the collector itself among the others.
    pub(super) fn push(&mut self, row: Row) {
        self.fresh.push(row);
        self.pipeline.keep(&mut self.fresh);
    }

    /// As [`Normalizer::close`].
    pub(super) fn close(&mut self, id: DeviceId, at: BootUs, kind: MarkKind, reason: &'static str) {
        if let Some(hotkey) = &mut self.hotkey {
            hotkey.close(id);
        }
        self.normalizer.close(id, at, kind, reason, &mut self.fresh);
        self.pipeline.keep(&mut self.fresh);
    }

    /// As [`Pipeline::discard_since`].
    pub(super) fn discard_since(&mut self, since: BootUs) -> bool {
        self.pipeline.discard_since(since, &mut self.normalizer)
    }

    /// As [`Pipeline::send`].
    pub(super) fn send(&mut self, waited: Option<BootUs>) {
        self.pipeline.send(waited, &mut self.normalizer);
    }

    /// The next numbers.
    pub(super) fn counters(&self) -> Counters {
        self.normalizer.counters()
    }

    /// See [`Normalizer::reserve_runs`].
    pub(super) fn reserve_runs(&mut self, count: i32) -> i32 {
        self.normalizer.reserve_runs(count)
    }

    /// Times the kernel's buffer of a device overflowed.
    pub(super) fn kernel_drops(&self) -> u64 {
        self.kernel_drops
    }

    /// Whether a key or button was heard since last asked.
    pub(super) fn take_typed(&mut self) -> bool {
        std::mem::take(&mut self.typed)
    }
}

// Unoptimised code copies what happens to lie on the stack into the padding of
// rows; the service is optimised, and so is this: scripts/test runs it.
#[cfg(all(test, not(debug_assertions)))]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use evscribe_model::{Device, DeviceState, Frame, KeyLevel, Level, PointerLevel, RawEvent};
    use evscribe_sink::{Config, Keys, Writer};
    use zeroize::{Zeroize, zeroize_stack};

    use super::*;

    /// A key that no code of this program names.
    const SECRET: u16 = 0x1ab;

    const TYPED: usize = 200;

    #[inline(never)]
    fn type_it(intake: &mut Intake, mask: u16) {
        let mut device = Device::empty(DeviceId(1));
        (1..600).for_each(|code| device.keys.set(code, true));
        let state = DeviceState::default();
        let at = BootUs::new(1);
        intake.hear(&Input::Open { at, device: &device, state: Some(&state) });
        for time in 2..TYPED as u64 {
            let at = BootUs::new(time);
            let value = i32::from(time % 2 == 0);
            let mut events = [RawEvent { at, kind: EV_KEY, code: mask ^ SECRET ^ mask, value }];
            intake.hear(&Input::Frame(Frame { device: DeviceId(1), at, events: &events }));
            events.zeroize();
        }
        intake.send(None);
    }

    /// How often the key's code stands in this process's memory: by chance now
    /// and then, as any number does.
    fn found() -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut count = 0;
        let mut page = [0_u8; 4096];
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (range, _) = line.split_once(' ').unwrap();
            let (from, to) = range.split_once('-').unwrap();
            let (from, to) =
                (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
            for at in (from..to).step_by(4096) {
                // A page that cannot be read is none of ours.
                if memory.read_exact_at(&mut page, at).is_ok() {
                    let is_it = |two: &&[u8]| !u16::from_ne_bytes([two[0], two[1]]) == !SECRET;
                    count += page.chunks(2).filter(is_it).count();
                }
                page.zeroize();
            }
        }
        count
    }

    #[test]
    fn what_was_typed_is_nowhere_in_memory_after_it_was_heard() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(folder.path().join("dataset"), folder.path().join("journal"));
        let (store, _) = evscribe_sink::recover(config, Keys::from_bytes([7; 32]), &mut 1).unwrap();
        let writer = Writer::spawn(store, Box::new(|_| {})).unwrap();
        let level = Level { keys: KeyLevel::Class, pointer: PointerLevel::Full };
        let mut intake = Intake::new(Counters::default(), Pipeline::new(level, writer));
        let before = found();
        type_it(&mut intake, std::process::id() as u16);
        zeroize_stack::<65536>();
        let after = found();
        // The last one may have gone along with the padding of what was sent.
        assert!(after < before + TYPED / 10, "{after} times, {before} before");
        assert!(intake.take_typed());
    }
}
