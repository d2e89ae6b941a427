//! Takes out of rows what the level forbids, before anything is kept.

use evscribe_model::{Event, KeyLevel, Level, PointerLevel, Row, What};
use zeroize::Zeroize;

/// Reduces rows to a level.
///
/// Runs on the reading thread, between normaliser and queue: what it takes out
/// never reaches the writer, the journal, a log or a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Redactor {
    level: Level,
}

impl Redactor {
    /// Reduces to `level`.
    #[must_use]
    pub const fn new(level: Level) -> Self {
        Self { level }
    }

    /// What it reduces to.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Takes the forbidden rows out of `rows` and the forbidden parts out of
    /// the rest. Marks stay: they tell of absence, not of content.
    ///
    /// What is taken out is overwritten in memory, in the rows that are removed
    /// too: no key code below `full` is left in `rows`, past its end either.
    pub fn reduce(&self, rows: &mut Vec<Row>) {
        rows.retain_mut(|row| match row {
            Row::Event(event) => self.permits(event),
            Row::Touch(_) => self.level.pointer == PointerLevel::Full,
            Row::Mark(_) => true,
            Row::Device(row) => {
                if self.level.keys < KeyLevel::Full {
                    row.device.name = None;
                }
                true
            }
        });
    }

    fn permits(&self, event: &mut Event) -> bool {
        let What::Key { code, class, .. } = &mut event.what else {
            return self.level.pointer == PointerLevel::Full;
        };
        if self.level.keys < KeyLevel::Full {
            // `None` alone would leave the number where it is, to be copied along;
            // that the option zeroises itself may end with a `None` of any padding.
            if let Some(number) = code {
                number.zeroize();
            }
            *code = None;
        }
        if self.level.keys < KeyLevel::Class {
            *class = None;
        }
        self.level.keys > KeyLevel::Off
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evscribe_model::{BootUs, Device, DeviceId, DeviceRow, KeyClass, Run};

    fn rows() -> Vec<Row> {
        let event =
            |what| Row::Event(Event { at: BootUs::new(1), run: Run(1), device: DeviceId(1), what });
        let mut device = Device::empty(DeviceId(1));
        device.name = Some("a name".into());
        vec![
            event(What::Motion { dx: 1, dy: 2 }),
            event(What::Key {
                code: Some(30),
                class: Some(KeyClass::Letter),
                down: true,
                stroke: 7,
                inferred: false,
            }),
            Row::Device(Box::new(DeviceRow { at: BootUs::new(1), device })),
        ]
    }

    fn kept(keys: KeyLevel, pointer: PointerLevel) -> Vec<Row> {
        let mut rows = rows();
        Redactor::new(Level { keys, pointer }).reduce(&mut rows);
        rows
    }

    fn key(rows: &[Row]) -> Option<(Option<u16>, Option<KeyClass>, i32)> {
        rows.iter().find_map(|row| match row {
            Row::Event(Event { what: What::Key { code, class, stroke, .. }, .. }) => {
                Some((*code, *class, *stroke))
            }
            _ => None,
        })
    }

    #[test]
    fn class_keeps_the_class_and_never_the_code() {
        let rows = kept(KeyLevel::Class, PointerLevel::Full);
        assert_eq!(key(&rows), Some((None, Some(KeyClass::Letter), 7)));
    }

    #[test]
    fn timing_keeps_neither_class_nor_code() {
        assert_eq!(key(&kept(KeyLevel::Timing, PointerLevel::Full)), Some((None, None, 7)));
    }

    #[test]
    fn off_keeps_no_row_of_its_kind() {
        assert_eq!(key(&kept(KeyLevel::Off, PointerLevel::Full)), None);
        assert_eq!(kept(KeyLevel::Off, PointerLevel::Off).len(), 1);
    }

    #[test]
    fn a_devices_name_is_kept_at_full_only() {
        let name = |keys| match kept(keys, PointerLevel::Full).pop() {
            Some(Row::Device(row)) => row.device.name,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(KeyLevel::Class), None);
        assert_eq!(name(KeyLevel::Full).as_deref(), Some("a name"));
    }

    /// The number that stands at that place in this process's memory.
    fn number_at(address: u64) -> u16 {
        use std::os::unix::fs::FileExt;
        let mut bytes = [0; 2];
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        memory.read_exact_at(&mut bytes, address).unwrap();
        u16::from_ne_bytes(bytes)
    }

    #[test]
    fn below_full_a_code_is_overwritten_where_it_stood() {
        const CODE: u16 = 0x2bd;
        let what =
            What::Key { code: Some(CODE), class: None, down: true, stroke: 1, inferred: false };
        let event = Event { at: BootUs::new(1), run: Run(1), device: DeviceId(1), what };
        for keys in [KeyLevel::Off, KeyLevel::Timing, KeyLevel::Class] {
            let mut rows = vec![Row::Event(event); 8];
            let places = rows.iter().map(|row| match row {
                Row::Event(Event { what: What::Key { code: Some(code), .. }, .. }) => {
                    std::ptr::from_ref(code).addr() as u64
                }
                other => panic!("{other:?}"),
            });
            let places: Vec<u64> = places.collect();
            assert!(places.iter().all(|place| number_at(*place) == CODE));
            Redactor::new(Level { keys, pointer: PointerLevel::Full }).reduce(&mut rows);
            assert!(places.iter().all(|place| number_at(*place) != CODE), "{keys}");
        }
    }
}
