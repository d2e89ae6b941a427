//! Room for one batch of events, and how the kernel lays them out.

use std::fs::File;
use std::io::Read;

use evscribe_model::{BootUs, RawEvent};
use zeroize::Zeroize;

/// Events a read takes at most: more than any buffer of the kernel holds in
/// practice, so that one read empties it.
pub(crate) const BATCH_EVENTS: usize = 1024;

/// `struct input_event` on a 64-bit kernel, bytes.
pub const EVENT_BYTES: usize = 24;

/// Room for one batch of events; one serves all devices in turn. Between calls
/// that are handed it, it holds no event: each overwrites what it read.
#[derive(Debug)]
pub struct ReadBuffer {
    bytes: Box<[u8]>,
    events: Box<[RawEvent]>,
    /// How many of these are of the batch.
    length: usize,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self {
            bytes: vec![0; BATCH_EVENTS * EVENT_BYTES].into(),
            events: vec![RawEvent::default(); BATCH_EVENTS].into(),
            length: 0,
        }
    }
}

impl ReadBuffer {
    /// Reads one batch in place of the one before. Returns the bytes read: 0 at
    /// the end of the file.
    pub(crate) fn read(&mut self, mut from: &File) -> std::io::Result<usize> {
        self.wipe();
        let length = from.read(&mut self.bytes)?;
        let whole = self.bytes.get_mut(..length).unwrap_or_default();
        let events = whole.chunks_exact(EVENT_BYTES).map_while(event);
        for (place, event) in self.events.iter_mut().zip(events) {
            *place = event;
            self.length += 1;
        }
        whole.zeroize();
        Ok(length)
    }

    /// The batch that was read last.
    pub(crate) fn events(&self) -> &[RawEvent] {
        self.events.get(..self.length).unwrap_or_default()
    }

    /// Holds no event any more, and leaves no key code behind.
    pub(crate) fn wipe(&mut self) {
        self.events.get_mut(..self.length).unwrap_or_default().zeroize();
        self.length = 0;
    }
}

/// What the first [`EVENT_BYTES`] of `bytes` say, as this machine's kernel lays
/// out a `struct input_event`: seconds, microseconds, type, code, value. `None`
/// where there are fewer.
///
/// Source: `linux/input.h`.
#[cfg(target_pointer_width = "64")]
#[must_use]
pub fn event(bytes: &[u8]) -> Option<RawEvent> {
    let (seconds, rest) = bytes.split_first_chunk::<8>()?;
    let (micros, rest) = rest.split_first_chunk::<8>()?;
    let (kind, rest) = rest.split_first_chunk::<2>()?;
    let (code, rest) = rest.split_first_chunk::<2>()?;
    let value = rest.first_chunk::<4>()?;
    let at = u64::from_ne_bytes(*seconds)
        .wrapping_mul(1_000_000)
        .wrapping_add(u64::from_ne_bytes(*micros));
    Some(RawEvent {
        at: BootUs::new(at),
        kind: u16::from_ne_bytes(*kind),
        code: u16::from_ne_bytes(*code),
        value: i32::from_ne_bytes(*value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use evscribe_model::codes::{EV_KEY, EV_REL, REL_Y};
    use std::io::{Seek, Write};

    fn bytes_of(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(3_u64.to_ne_bytes());
        bytes.extend(5_u64.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    #[test]
    fn an_event_is_read_as_the_kernel_lays_it_out() {
        let bytes = bytes_of(EV_REL, REL_Y, -7);
        assert_eq!(bytes.len(), EVENT_BYTES);
        let at = BootUs::new(3_000_005);
        let read = event(&bytes);
        assert_eq!(read, Some(RawEvent { at, kind: EV_REL, code: REL_Y, value: -7 }));
    }

    #[test]
    fn after_use_the_buffer_holds_no_key_code() {
        let mut file = tempfile::tempfile().unwrap();
        for code in 16..=25 {
            file.write_all(&bytes_of(EV_KEY, code, 1)).unwrap();
        }
        file.rewind().unwrap();
        let mut buffer = ReadBuffer::default();
        buffer.read(&file).unwrap();
        assert_eq!(buffer.events().len(), 10);
        buffer.wipe();
        assert!(buffer.bytes.iter().all(|byte| *byte == 0));
        assert!(buffer.events.iter().all(|event| *event == RawEvent::default()));
    }
}
