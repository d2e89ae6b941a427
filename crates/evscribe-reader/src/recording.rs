//! Recordings, read as if they were devices.

mod error;
mod evemu;
mod format;
mod libinput;
mod lines;
mod text;
mod yaml;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use evscribe_model::{BootUs, Device, DeviceId, Frame, Input, RawEvent};

use crate::assembler::{Assembler, Cut};
pub use error::{Cause, RecordingError};
use format::{Format, Said, empty_device};
use lines::{LINE_MAX, LineError, Lines};

/// Events that are read before they are cut into frames.
const BATCH: usize = 1024;

/// Stamps from 2001 to 2100 are taken for wall time, microseconds since 1970.
const WALL_US: std::ops::Range<u64> = 978_307_200_000_000..4_102_444_800_000_000;

/// What the stamps of a recording count from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordingClock {
    /// From 1970-01-01 UTC.
    Wall,
    /// From some moment that the recording does not tell.
    Relative,
}

/// A recording by evemu or `libinput record`, streamed.
///
/// Says of each device `Open`, then its frames and what was dropped, then
/// `Gone`; the devices come one after the other, as they stand in the file,
/// although they were recorded at once. Neither format tells what was held at
/// the start or after a drop, so no `state` is ever given. Where stamps step
/// back, a `ClockStep` comes before the frame that does. A frame without its
/// end (the recorder was stopped within it) is told as dropped.
///
/// # Memory
/// One megabyte for text and some kilobytes for events, whatever the file says.
///
/// ```no_run
/// use evscribe_model::DeviceId;
/// use evscribe_reader::Recording;
///
/// # fn main() -> Result<(), evscribe_reader::RecordingError> {
/// let mut recording = Recording::open("mouse.evemu", DeviceId(1))?;
/// while let Some(input) = recording.next()? {
///     println!("{input:?}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Recording {
    path: PathBuf,
    lines: Lines,
    format: Format,
    clock: RecordingClock,
    assembler: Assembler,
    device: Device,
    /// Number of the next device; `None` when there is none left.
    next_id: Option<DeviceId>,
    batch: Vec<RawEvent>,
    /// Where in `batch` to go on.
    position: usize,
    stage: Stage,
    /// A description was begun since the last device ended.
    is_described: bool,
    /// The description that is over before its device was opened.
    described: Option<Box<Device>>,
    /// Why no more lines are read for now.
    boundary: Option<Boundary>,
    /// What was cut but waits for its `ClockStep` to be told.
    waiting: Option<Cut>,
    /// The last stamp told.
    last: BootUs,
}

/// Where in the life of a device the recording is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before its `Open`.
    Describing,
    /// Between `Open` and `Gone`.
    Reading,
    /// After its `Gone`.
    Over,
    /// After the last one.
    Done,
}

/// What stands behind the batch.
enum Boundary {
    NextDevice,
    End,
    Failed(RecordingError),
}

/// An [`Input`] by place.
enum Told {
    Open(BootUs),
    Cut(Cut),
    ClockStep(BootUs, BootUs),
    Gone(BootUs),
}

impl Recording {
    /// Opens the recording at `path`; its devices are numbered from `first_id` on.
    ///
    /// The format is told by what the file says, not by its name.
    ///
    /// # Errors
    /// [`RecordingError::Io`] where the file cannot be read,
    /// [`RecordingError::NotARecording`] where its head is of no known format.
    pub fn open(path: impl AsRef<Path>, first_id: DeviceId) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        match File::open(path) {
            Ok(file) => Self::from_reader(path, file, first_id),
            Err(source) => Err(RecordingError::Io { path: path.into(), source }),
        }
    }

    /// Reads a recording from `source`; errors call it `name`.
    ///
    /// `source` needs no buffer of its own.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn from_reader(
        name: impl Into<PathBuf>,
        source: impl Read + Send + 'static,
        first_id: DeviceId,
    ) -> Result<Self, RecordingError> {
        let path = name.into();
        let lines = match Lines::new(Box::new(source)) {
            Ok(lines) => lines,
            Err(source) => return Err(RecordingError::Io { path, source }),
        };
        let Some(format) = Format::of(lines.ahead()) else {
            return Err(RecordingError::NotARecording { path });
        };
        Ok(Self {
            path,
            clock: clock_of(format.first_stamp(lines.ahead())),
            lines,
            format,
            assembler: Assembler::new(BootUs::new(0)),
            device: empty_device(),
            next_id: Some(first_id),
            batch: Vec::with_capacity(BATCH),
            position: 0,
            stage: Stage::Describing,
            is_described: false,
            described: None,
            boundary: None,
            waiting: None,
            last: BootUs::new(0),
        })
    }

    /// What the stamps count from: of the device opened last, before that of
    /// the first one.
    ///
    /// It can change only at an `Open`, where recordings were joined.
    #[must_use]
    pub fn clock(&self) -> RecordingClock {
        self.clock
    }

    /// Whether what was read so far says that key codes were replaced.
    ///
    /// `libinput record` replaces those of letters, digits and punctuation by
    /// that of `KEY_A` unless told otherwise. Version 1.22 says so at each such
    /// event; of an old version that does not, this cannot be told.
    #[must_use]
    pub fn obfuscated(&self) -> bool {
        self.format.obfuscated()
    }

    /// How many bytes of the file were read: what a progress bar shows.
    #[must_use]
    pub fn progress_bytes(&self) -> u64 {
        self.lines.consumed()
    }

    /// The next thing the recording says; `None` at its end.
    ///
    /// # Errors
    /// Where the file cannot be read on: once, after everything that stands
    /// before, the `Gone` of the device at fault included; then `None`. What
    /// was said before is valid; the caller decides whether to keep it.
    #[allow(clippy::should_implement_trait, reason = "it lends, an iterator cannot")]
    pub fn next(&mut self) -> Result<Option<Input<'_>>, RecordingError> {
        let device = self.device.id;
        Ok(match self.tell()? {
            None => None,
            Some(Told::Open(at)) => Some(Input::Open { at, device: &self.device, state: None }),
            Some(Told::ClockStep(from, to)) => Some(Input::ClockStep { device, from, to }),
            Some(Told::Gone(at)) => Some(Input::Gone { at, device }),
            Some(Told::Cut(Cut::Dropped { since, until })) => {
                Some(Input::Dropped { device, since, until, state: None })
            }
            Some(Told::Cut(cut @ (Cut::InBatch { at, .. } | Cut::Held { at }))) => {
                let events = self.assembler.events(cut, &self.batch);
                Some(Input::Frame(Frame { device, at, events }))
            }
        })
    }

    fn tell(&mut self) -> Result<Option<Told>, RecordingError> {
        if let Some(cut) = self.waiting.take() {
            return Ok(Some(Told::Cut(cut)));
        }
        loop {
            match self.stage {
                Stage::Describing => {
                    self.fill();
                    let has_failed = matches!(self.boundary, Some(Boundary::Failed(_)));
                    if self.batch.is_empty() && (has_failed || !self.is_described) {
                        self.stage = Stage::Over;
                    } else if let Some(at) = self.open_device() {
                        return Ok(Some(Told::Open(at)));
                    }
                }
                Stage::Reading => {
                    if let Some(cut) = self.assembler.cut(&self.batch, &mut self.position) {
                        return Ok(Some(self.in_time(cut)));
                    }
                    let last = match self.boundary {
                        None => {
                            self.fill();
                            continue;
                        }
                        Some(Boundary::Failed(_)) => self.assembler.abandon_cut(),
                        Some(_) => self.assembler.finish_cut(),
                    };
                    if let Some(cut) = last {
                        return Ok(Some(self.in_time(cut)));
                    } else {
                        self.stage = Stage::Over;
                        return Ok(Some(Told::Gone(self.last)));
                    }
                }
                Stage::Over => match self.boundary.take() {
                    Some(Boundary::NextDevice) => {
                        self.is_described = true;
                        self.batch.clear();
                        self.stage = Stage::Describing;
                    }
                    Some(Boundary::Failed(error)) => {
                        self.stage = Stage::Done;
                        return Err(error);
                    }
                    Some(Boundary::End) | None => self.stage = Stage::Done,
                },
                Stage::Done => return Ok(None),
            }
        }
    }

    /// Numbers the device that was described; `None` where no number is left.
    fn open_device(&mut self) -> Option<BootUs> {
        let Some(id) = self.next_id else {
            self.boundary = Some(Boundary::Failed(self.malformed(Cause::TooManyDevices)));
            self.stage = Stage::Over;
            return None;
        };
        self.next_id = id.0.checked_add(1).map(DeviceId);
        self.device = match self.described.take() {
            Some(device) => *device,
            None => self.format.take_device(),
        };
        self.device.id = id;
        if let Some(first) = self.batch.first() {
            self.last = first.at;
            if self.format.may_be_wall() {
                self.clock = clock_of(Some(first.at));
            }
        }
        self.assembler.clear(self.last);
        self.is_described = false;
        self.stage = Stage::Reading;
        Some(self.last)
    }

    /// Has the clock step told before a cut that is earlier than the last one.
    fn in_time(&mut self, cut: Cut) -> Told {
        let from = self.last;
        let (cut, to) = match cut {
            Cut::InBatch { at, .. } | Cut::Held { at } => (cut, at),
            // An empty report is not told, yet the assembler counts from it.
            Cut::Dropped { since, until } if until < from.max(since) => {
                (Cut::Dropped { since: until, until }, until)
            }
            Cut::Dropped { until, .. } => (cut, until),
        };
        self.last = to;
        if to < from {
            self.waiting = Some(cut);
            return Told::ClockStep(from, to);
        }
        Told::Cut(cut)
    }

    /// Reads lines until the batch is full or there is a boundary.
    fn fill(&mut self) {
        self.batch.clear();
        self.position = 0;
        while self.boundary.is_none() && self.batch.len() < BATCH {
            match self.line() {
                Ok(Some(Said::Nothing)) => {}
                Ok(Some(Said::Event(event))) => self.batch.push(event),
                Ok(Some(Said::NextDevice(before))) => {
                    let is_closed = self.stage == Stage::Describing;
                    if is_closed && self.batch.is_empty() && !self.is_described {
                        self.is_described = true;
                    } else {
                        self.described = is_closed.then_some(before);
                        self.boundary = Some(Boundary::NextDevice);
                    }
                }
                Ok(None) => self.boundary = Some(Boundary::End),
                Err(error) => self.boundary = Some(Boundary::Failed(error)),
            }
        }
    }

    /// Reads one line; `None` at the end.
    fn line(&mut self) -> Result<Option<Said>, RecordingError> {
        let cause = match self.lines.next() {
            Ok(Some(line)) => match self.format.line(line) {
                Ok(said) => return Ok(Some(said)),
                Err(cause) => cause,
            },
            Ok(None) => match self.format.end() {
                Ok(()) => return Ok(None),
                Err(cause) => cause,
            },
            Err(LineError::TooLong) => Cause::LineTooLong { max: LINE_MAX },
            Err(LineError::Io(source)) => {
                return Err(RecordingError::Io { path: self.path.clone(), source });
            }
        };
        Err(self.malformed(cause))
    }

    fn malformed(&self, cause: Cause) -> RecordingError {
        RecordingError::Malformed { path: self.path.clone(), line: self.lines.number(), cause }
    }
}

fn clock_of(first: Option<BootUs>) -> RecordingClock {
    match first {
        Some(at) if WALL_US.contains(&at.get()) => RecordingClock::Wall,
        _ => RecordingClock::Relative,
    }
}
