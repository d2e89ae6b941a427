//! Lines of a recording, in bounded memory and without a copy.

use std::io::{self, ErrorKind, Read};

/// Bytes held at once; also how far a recording is looked into beforehand.
const BUFFER_BYTES: usize = 1 << 20;

/// Longest line. The longest real one lists a keyboard's keys: some thousand bytes.
pub(super) const LINE_MAX: usize = 1 << 16;

/// A line without its line break.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// Whether a line break follows; only the last line can lack it.
    pub(super) ended: bool,
}

/// Why there is no next line.
#[derive(Debug)]
pub(super) enum LineError {
    Io(io::Error),
    TooLong,
}

/// Lends the lines of a source one after the other.
///
/// Holds 1 MiB, whatever the source says.
pub(super) struct Lines {
    source: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    /// First byte that is not lent yet.
    start: usize,
    /// End of what was read.
    end: usize,
    /// The source has no more.
    exhausted: bool,
    number: u64,
    consumed: u64,
}

impl Lines {
    /// Reads the first megabyte of `source`, or all if it is shorter.
    pub(super) fn new(source: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut lines = Self {
            source,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            exhausted: false,
            number: 0,
            consumed: 0,
        };
        while !lines.exhausted && lines.end < lines.buffer.len() {
            lines.read()?;
        }
        Ok(lines)
    }

    /// What is read and not lent yet; starts at the start of a line.
    pub(super) fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Number of the line lent last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes lent so far.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, LineError> {
        let mut searched = 0;
        let length = loop {
            let ahead = self.ahead();
            let fresh = ahead.get(searched..).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', fresh) {
                break searched + found;
            }
            searched = ahead.len();
            if searched > LINE_MAX {
                self.number += 1;
                return Err(LineError::TooLong);
            }
            if self.exhausted {
                if searched == 0 {
                    return Ok(None);
                }
                break searched;
            }
            self.read().map_err(LineError::Io)?;
        };
        self.number += 1;
        if length > LINE_MAX {
            return Err(LineError::TooLong);
        }
        let start = self.start;
        let ended = start + length < self.end;
        let used = length + usize::from(ended);
        self.start += used;
        self.consumed += used as u64;
        let text = self.buffer.get(start..start + length).unwrap_or_default();
        Ok(Some(Line { text: text.strip_suffix(b"\r").unwrap_or(text), ended }))
    }

    /// Reads more behind what is there, after moving that to the front.
    fn read(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.source.read(room) {
            Ok(0) => self.exhausted = true,
            Ok(count) => self.end += count.min(room.len()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: impl Read + Send + 'static) -> Lines {
        Lines::new(Box::new(source)).unwrap()
    }

    fn texts(mut lines: Lines) -> Vec<(String, bool)> {
        let mut out = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            out.push((String::from_utf8_lossy(line.text).into_owned(), line.ended));
        }
        out
    }

    #[test]
    fn only_the_last_line_can_lack_its_break() {
        let all = texts(lines(&b"a\r\n\nb"[..]));
        assert_eq!(all, [("a".into(), true), (String::new(), true), ("b".into(), false)]);
        assert_eq!(texts(lines(&b""[..])), []);
    }

    #[test]
    fn a_line_across_the_buffers_end_is_whole() {
        let text = "0123456789abcdef\n".repeat(200_000);
        let source = io::Cursor::new(text.clone().into_bytes());
        let mut lines = lines(source);
        let mut count = 0;
        while let Some(line) = lines.next().unwrap() {
            assert_eq!(line.text, b"0123456789abcdef");
            count += 1;
        }
        assert_eq!(
            (count, lines.number(), lines.consumed()),
            (200_000, 200_000, text.len() as u64)
        );
    }

    #[test]
    fn a_line_without_end_is_too_long_and_not_held() {
        let mut lines = lines(io::repeat(b'x').take(100 << 20));
        assert!(matches!(lines.next(), Err(LineError::TooLong)));
        assert_eq!((lines.number(), lines.buffer.len()), (1, BUFFER_BYTES));
    }

    #[test]
    fn a_line_of_the_longest_length_is_lent() {
        let mut text = vec![b'x'; LINE_MAX];
        text.push(b'\n');
        assert_eq!(
            lines(io::Cursor::new(text.clone())).next().unwrap().unwrap().text.len(),
            LINE_MAX
        );
        text.insert(0, b'x');
        assert!(matches!(lines(io::Cursor::new(text)).next(), Err(LineError::TooLong)));
    }
}
