//! Whether the metadata of a Parquet file is written as it must be, before crate
//! parquet reads it: that one makes room for as many row groups and columns as are
//! said to come, and follows a schema as deep as it goes, and so a footer of a few
//! bytes ends the process.
//!
//! Crate parquet reads a field by its number and does not look at its type. Therefore
//! nothing is skipped here: a number or a type that is not in the tables below is
//! refused, else the two might read different things. Where a newer crate parquet
//! writes more, it belongs into them; the tests of every table of ours tell.
//!
//! Source: the Parquet format, parquet.thrift; Thrift's compact protocol.

/// Most elements of a list: row groups are numbered by 15 bits.
const ITEMS_MAX: u64 = i16::MAX as u64;
/// Deepest schema; ours have a list of structs at most.
const DEPTH_MAX: usize = 16;

// Types of Thrift's compact protocol.
const STOP: u8 = 0;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// What a field holds.
enum Kind {
    Flag,
    Byte,
    I16,
    I32,
    I64,
    Binary,
    List(&'static Kind),
    Struct(Fields),
    /// An element of the schema: a struct of [`ELEMENT`].
    Element,
    /// How many elements are below one.
    Children,
}

type Fields = &'static [(u8, Kind)];

const EMPTY: Fields = &[];
const KEY_VALUE: Fields = &[(1, Kind::Binary), (2, Kind::Binary)];
const UNIT: Fields =
    &[(1, Kind::Struct(EMPTY)), (2, Kind::Struct(EMPTY)), (3, Kind::Struct(EMPTY))];
const TIME: Fields = &[(1, Kind::Flag), (2, Kind::Struct(UNIT))];
const LOGICAL: Fields = &[
    (1, Kind::Struct(EMPTY)),
    (2, Kind::Struct(EMPTY)),
    (3, Kind::Struct(EMPTY)),
    (4, Kind::Struct(EMPTY)),
    (5, Kind::Struct(&[(1, Kind::I32), (2, Kind::I32)])),
    (6, Kind::Struct(EMPTY)),
    (7, Kind::Struct(TIME)),
    (8, Kind::Struct(TIME)),
    (10, Kind::Struct(&[(1, Kind::Byte), (2, Kind::Flag)])),
    (11, Kind::Struct(EMPTY)),
    (12, Kind::Struct(EMPTY)),
    (13, Kind::Struct(EMPTY)),
    (14, Kind::Struct(EMPTY)),
    (15, Kind::Struct(EMPTY)),
];
const ELEMENT: Fields = &[
    (1, Kind::I32),
    (2, Kind::I32),
    (3, Kind::I32),
    (4, Kind::Binary),
    (5, Kind::Children),
    (6, Kind::I32),
    (7, Kind::I32),
    (8, Kind::I32),
    (9, Kind::I32),
    (10, Kind::Struct(LOGICAL)),
];
const STATISTICS: Fields = &[
    (1, Kind::Binary),
    (2, Kind::Binary),
    (3, Kind::I64),
    (4, Kind::I64),
    (5, Kind::Binary),
    (6, Kind::Binary),
    (7, Kind::Flag),
    (8, Kind::Flag),
];
const SIZES: Fields = &[(1, Kind::I64), (2, Kind::List(&Kind::I64)), (3, Kind::List(&Kind::I64))];
const COLUMN: Fields = &[
    (1, Kind::I32),
    (2, Kind::List(&Kind::I32)),
    (3, Kind::List(&Kind::Binary)),
    (4, Kind::I32),
    (5, Kind::I64),
    (6, Kind::I64),
    (7, Kind::I64),
    (8, Kind::List(&Kind::Struct(KEY_VALUE))),
    (9, Kind::I64),
    (10, Kind::I64),
    (11, Kind::I64),
    (12, Kind::Struct(STATISTICS)),
    (13, Kind::List(&Kind::Struct(&[(1, Kind::I32), (2, Kind::I32), (3, Kind::I32)]))),
    (14, Kind::I64),
    (15, Kind::I32),
    (16, Kind::Struct(SIZES)),
];
/// Of the columns' keys: all have the footer's.
const CRYPTO: Fields = &[(1, Kind::Struct(EMPTY))];
const CHUNK: Fields = &[
    (1, Kind::Binary),
    (2, Kind::I64),
    (3, Kind::Struct(COLUMN)),
    (4, Kind::I64),
    (5, Kind::I32),
    (6, Kind::I64),
    (7, Kind::I32),
    (8, Kind::Struct(CRYPTO)),
];
const GROUP: Fields = &[
    (1, Kind::List(&Kind::Struct(CHUNK))),
    (2, Kind::I64),
    (3, Kind::I64),
    (4, Kind::List(&Kind::Struct(&[(1, Kind::I32), (2, Kind::Flag), (3, Kind::Flag)]))),
    (5, Kind::I64),
    (6, Kind::I64),
    (7, Kind::I16),
];
const FILE: Fields = &[
    (1, Kind::I32),
    (2, Kind::List(&Kind::Element)),
    (3, Kind::I64),
    (4, Kind::List(&Kind::Struct(GROUP))),
    (5, Kind::List(&Kind::Struct(KEY_VALUE))),
    (6, Kind::Binary),
    (7, Kind::List(&Kind::Struct(&[(1, Kind::Struct(EMPTY)), (2, Kind::Struct(EMPTY))]))),
];

/// Whether `thrift` is the metadata of a file, with no more in its lists than there
/// is, and a schema that is no deeper than any of ours.
pub(super) fn fits(thrift: &[u8]) -> bool {
    let mut walk = Walk { rest: thrift, children: Vec::new() };
    walk.fields(FILE).is_some() && is_shallow(&walk.children)
}

/// Whether elements with so many below them, in their order, are there and not deep.
fn is_shallow(children: &[i32]) -> bool {
    let mut open: Vec<usize> = Vec::new();
    for (at, below) in children.iter().enumerate() {
        if let Some(last) = open.last_mut() {
            *last -= 1;
        }
        match usize::try_from(*below) {
            Ok(below) if below >= children.len() - at => return false,
            Ok(0) => {}
            Ok(below) => open.push(below),
            Err(_) => return false,
        }
        if open.len() > DEPTH_MAX {
            return false;
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    true
}

struct Walk<'a> {
    rest: &'a [u8],
    /// Of each element of the schema, how many it says are below it.
    children: Vec<i32>,
}

impl Walk<'_> {
    fn fields(&mut self, fields: Fields) -> Option<()> {
        let mut number = 0_u8;
        loop {
            let head = self.byte()?;
            if head & 0xf == STOP {
                return Some(());
            }
            // Each number is more than the one before: none comes twice.
            let step = Some(head >> 4).filter(|step| *step > 0)?;
            number = number.checked_add(step)?;
            let (_, kind) = fields.iter().find(|(known, _)| *known == number)?;
            self.value(kind, head & 0xf)?;
        }
    }

    fn value(&mut self, kind: &Kind, wire: u8) -> Option<()> {
        match (kind, wire) {
            // A struct's truths are in their type.
            (Kind::Flag, 1 | 2) => Some(()),
            (Kind::Byte, 3) => self.byte().map(drop),
            (Kind::I16, 4) | (Kind::I32, 5) | (Kind::I64, 6) => self.number().map(drop),
            (Kind::Binary, 8) => {
                let length = usize::try_from(self.number()?).ok()?;
                self.rest = self.rest.get(length..)?;
                Some(())
            }
            (Kind::List(of), LIST) => self.list(of),
            (Kind::Struct(fields), STRUCT) => self.fields(fields),
            (Kind::Element, STRUCT) => {
                self.children.push(0);
                self.fields(ELEMENT)
            }
            (Kind::Children, 5) => {
                let zigzag = self.number()?;
                let half = i32::try_from(zigzag >> 1).ok()?;
                *self.children.last_mut()? = if zigzag & 1 == 0 { half } else { -1 };
                Some(())
            }
            _ => None,
        }
    }

    fn list(&mut self, of: &'static Kind) -> Option<()> {
        let head = self.byte()?;
        let items = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
        // Each takes a byte or more.
        if items > ITEMS_MAX.min(self.rest.len() as u64) {
            return None;
        }
        (0..items).try_for_each(|_| self.value(of, head & 0xf))
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}
