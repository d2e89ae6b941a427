//! Rows to the payload of a record, and back.
//!
//! ```text
//! payload = section*     in the order devices, marks, events, touch; none is empty
//! section = table:u8 0[3] rows:u32 length:u32 bytes[length]
//! ```
//! What the header says once for all (`subject`, `session`, `boot`) is left out.
//! A section begins from nothing, so no record depends on another.

use evscribe_model::{Event, Row, Touch};
use zeroize::Zeroize;

use super::{MAX_RECORD_BYTES, TAG_BYTES, bytes::Cursor, section::Last};
use crate::{
    SinkError, Table,
    encode::{DeviceCells, MarkCells, table_of},
};

/// The order of tables in a payload: what explains rows comes first.
const ORDER: [Table; 4] = [Table::Devices, Table::Marks, Table::Events, Table::Touch];

const SECTION_BYTES: usize = 12;

/// Bytes of a table's rows at which a record is full. All four tables and one
/// row more are less than a record may hold.
const FULL_BYTES: usize = 64 * 1024;

/// Bytes of the largest row.
const MAX_ROW_BYTES: usize = 256 * 1024;

/// Rows on their way into a journal, as they will stand in it.
#[derive(Debug, Default)]
pub(crate) struct WaitingRows {
    /// Payloads that are full; mostly none.
    full: Vec<Payload>,
    open: Payload,
    rows: u64,
    bytes: usize,
}

/// A payload that is being put together.
#[derive(Debug, Default)]
pub(super) struct Payload {
    sections: [Section; 4],
}

#[derive(Debug, Default)]
struct Section {
    rows: u32,
    last: Last,
    bytes: Vec<u8>,
}

impl WaitingRows {
    /// Takes one row in.
    ///
    /// # Errors
    /// [`SinkError::TooLarge`] for a row that no record can hold.
    pub(crate) fn push(&mut self, row: &Row) -> Result<(), SinkError> {
        let table = table_of(row);
        let Some(section) = self.open.sections.get_mut(table as usize) else { return Ok(()) };
        let Section { rows, last, bytes } = section;
        let before = bytes.len();
        match row {
            Row::Event(row) => last.put_event(row, bytes),
            Row::Touch(row) => last.put_touch(row, bytes),
            Row::Mark(row) => last.put_mark(row, bytes),
            Row::Device(row) => Last::put_device(&DeviceCells::of(row), bytes)
                .map_err(|_| SinkError::TooLarge { table })?,
        }
        if bytes.len() - before > MAX_ROW_BYTES {
            bytes.truncate(before);
            return Err(SinkError::TooLarge { table });
        }
        *rows += 1;
        self.rows += 1;
        self.bytes += bytes.len() - before;
        if bytes.len() >= FULL_BYTES {
            self.full.push(std::mem::take(&mut self.open));
        }
        Ok(())
    }

    /// How many wait.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets them and wipes where they were; their room is used again.
    pub(crate) fn clear(&mut self) {
        for payload in &mut self.full {
            payload.sections.iter_mut().for_each(|section| section.bytes.zeroize());
        }
        self.full.clear();
        (self.rows, self.bytes) = (0, 0);
        for section in &mut self.open.sections {
            section.rows = 0;
            section.last = Last::default();
            section.bytes.as_mut_slice().zeroize();
            section.bytes.clear();
        }
    }

    pub(super) fn payloads(&self) -> impl Iterator<Item = &Payload> {
        self.full.iter().chain((!self.open.is_empty()).then_some(&self.open))
    }
}

impl Payload {
    fn is_empty(&self) -> bool {
        self.sections.iter().all(|section| section.rows == 0)
    }

    fn bytes(&self) -> usize {
        self.sections.iter().map(|section| section.bytes.len()).sum()
    }

    /// Appends the payload to `to`.
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        let room = self.bytes() + ORDER.len() * SECTION_BYTES + TAG_BYTES;
        debug_assert!(room <= MAX_RECORD_BYTES, "a record that no reader takes");
        to.reserve(room);
        for table in ORDER {
            let Some(section) = self.sections.get(table as usize) else { continue };
            if section.rows > 0 {
                to.extend_from_slice(&[table as u8, 0, 0, 0]);
                to.extend_from_slice(&section.rows.to_le_bytes());
                let length = u32::try_from(section.bytes.len()).unwrap_or(u32::MAX);
                to.extend_from_slice(&length.to_le_bytes());
                to.extend_from_slice(&section.bytes);
            }
        }
    }
}

/// The rows of a record, read back.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct RecordRows {
    pub(crate) devices: Vec<DeviceCells>,
    pub(crate) marks: Vec<MarkCells>,
    pub(crate) events: Vec<Event>,
    pub(crate) touch: Vec<Touch>,
}

impl RecordRows {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        let Self { devices, marks, events, touch } = self;
        (devices.len() + marks.len() + events.len() + touch.len()) as u64
    }

    pub(super) fn clear(&mut self) {
        let Self { devices, marks, events, touch } = self;
        devices.clear();
        marks.clear();
        events.clear();
        touch.clear();
    }

    /// Puts the rows of `payload` in the place of what was here; `None` for a
    /// payload that no writer of this version makes.
    pub(super) fn unpack(&mut self, payload: &[u8]) -> Option<()> {
        self.clear();
        let mut payload = Cursor(payload);
        while !payload.0.is_empty() {
            let [place, _, _, _, rest @ ..] = payload.take(SECTION_BYTES)? else { return None };
            let (rows, length) = rest.split_first_chunk::<4>()?;
            let length = u32::from_le_bytes(*length.first_chunk::<4>()?);
            let mut section = Cursor(payload.take(usize::try_from(length).ok()?)?);
            let table = ORDER.into_iter().find(|table| *table as u8 == *place)?;
            let mut last = Last::default();
            for _ in 0..u32::from_le_bytes(*rows) {
                match table {
                    Table::Events => self.events.push(last.take_event(&mut section)?),
                    Table::Touch => self.touch.push(last.take_touch(&mut section)?),
                    Table::Marks => self.marks.push(last.take_mark(&mut section)?),
                    Table::Devices => self.devices.push(Last::take_device(&mut section)?),
                }
            }
            section.0.is_empty().then_some(())?;
        }
        Some(())
    }
}
