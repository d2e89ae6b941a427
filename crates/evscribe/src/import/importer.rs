//! One recording on its way to a dataset.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use evscribe_model::{
    Anchor, BootUs, DeviceId, DeviceRow, Input, Level, Mark, MarkKind, Row, WallUs,
};
use evscribe_normalizer::{Counters, Normalizer};
use evscribe_policy::Redactor;
use evscribe_reader::{Recording, RecordingClock};
use evscribe_sink::{Clock, Dataset, Provenance, SegmentId, SegmentWriter};

use super::Imported;
use crate::args::ImportArgs;

/// What the mark says that ends a recording before its end.
const BROKEN_OFF: &str = "damaged_recording";

/// The years 1 to 9998, microseconds since 1970: what the sink can date.
const CALENDAR_US: RangeInclusive<i64> = -62_135_596_800_000_000..=253_370_764_799_999_999;

/// Rows are written when this many have come together.
const BATCH_ROWS: usize = 4_096;

/// One recording on its way: a segment for each device, for the devices stand
/// one after the other in the file although they were recorded at once.
pub(super) struct Importer {
    /// Names the recording in the dataset.
    name: String,
    /// What the names of its files come from.
    origin: String,
    redactor: Redactor,
    level: Level,
    normalizer: Normalizer,
    rows: Vec<Row>,
    segment: Option<SegmentWriter>,
    /// Whole segments wait for the end of the file: all appear, or none.
    whole: Vec<SegmentWriter>,
    /// The device that is open.
    device: Option<DeviceId>,
    last: BootUs,
    anchor: Anchor,
}

impl Importer {
    pub(super) fn new(sha256: &str, args: &ImportArgs) -> Self {
        let level = Level { keys: args.level.level, pointer: args.level.pointer };
        let start = args.started_at.map(|start| start.as_microsecond());
        Self {
            name: format!("recording-{}", sha256.get(..12).unwrap_or(sha256)),
            origin: format!("{sha256} {level} {start:?}"),
            redactor: Redactor::new(level),
            level,
            normalizer: Normalizer::new(Counters::default()),
            rows: Vec::new(),
            segment: None,
            whole: Vec::new(),
            device: None,
            last: BootUs::default(),
            anchor: Anchor { boot: BootUs::new(0), wall: WallUs::new(0) },
        }
    }

    /// The same recording at the same level has the same names: importing it
    /// again replaces its files by the same.
    fn id(&self, segment: usize) -> SegmentId {
        SegmentId::of(format!("{} {segment}", self.origin).as_bytes())
    }

    /// Whether the dataset holds this recording under other names. Its rows
    /// would then stand there twice.
    pub(super) fn stands_otherwise_in(&self, dataset: &Path) -> bool {
        let below = |folder: PathBuf| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path())
        };
        let host = format!("host={}", self.name);
        let files: Vec<_> = below(dataset.into())
            .flat_map(below)
            .flat_map(|date| below(date.join(&host)))
            .collect();
        // Devices and clock steps of a file; more are not told from others.
        let own: HashSet<String> =
            (0..files.len()).map(|segment| format!("{}.parquet", self.id(segment))).collect();
        let is_own = |file: &PathBuf| {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
            name.and_then(|name| name.rsplit_once('-').map(|(_, id)| own.contains(id)))
        };
        files.iter().any(|file| is_own(file) == Some(false))
    }

    pub(super) fn read(
        &mut self,
        mut recording: Recording,
        args: &ImportArgs,
        dataset: &Dataset,
        imported: &mut Imported,
        mut progressed: impl FnMut(u64),
    ) -> Result<()> {
        while let Some(input) = recording.next()? {
            match input {
                Input::Open { at, device, .. } => {
                    self.whole.extend(self.segment.take());
                    let row = DeviceRow { at, device: device.clone() };
                    self.rows.push(Row::Device(Box::new(row)));
                    self.last = at;
                    self.mark(MarkKind::Start, "import");
                    self.normalizer.feed(&input, &mut self.rows);
                    self.device = Some(device.id);
                    imported.devices += 1;
                    self.anchor.wall = wall_zero(recording.clock(), args, imported);
                    self.dated(at)?;
                    self.begin(dataset)?;
                }
                Input::Gone { at, device } => {
                    let end = (MarkKind::Stop, "end_of_recording");
                    self.normalizer.close(device, at, end.0, end.1, &mut self.rows);
                    self.device = None;
                    self.flush(imported)?;
                }
                Input::ClockStep { to, .. } => {
                    self.dated(to)?;
                    // In a file times only grow, so the next begins with the
                    // mark of the step; what it ends belongs to the one before.
                    self.normalizer.feed(&input, &mut self.rows);
                    let is_step =
                        |row: &Row| matches!(row, Row::Mark(mark) if mark.kind == MarkKind::Clock);
                    let step = self.rows.iter().rposition(is_step).unwrap_or(self.rows.len());
                    let after = self.rows.split_off(step);
                    self.flush(imported)?;
                    self.whole.extend(self.segment.take());
                    self.begin(dataset)?;
                    self.rows = after;
                    self.last = to;
                }
                Input::Frame(frame) => {
                    self.dated(frame.at)?;
                    self.last = frame.at;
                    self.normalizer.feed(&input, &mut self.rows);
                }
                Input::Dropped { until, .. } => {
                    self.dated(until)?;
                    self.last = until;
                    self.normalizer.feed(&input, &mut self.rows);
                }
            }
            if self.rows.len() >= BATCH_ROWS {
                self.flush(imported)?;
                progressed(recording.progress_bytes());
            }
        }
        if recording.obfuscated() {
            imported.notes.push(
                "its recorder hid the keys: letters and digits all stand as one key; \
                 record with --show-keycodes to have classes"
                    .into(),
            );
        }
        self.flush(imported)
    }

    fn mark(&mut self, kind: MarkKind, reason: &'static str) {
        let at = self.last;
        let (until, run, device, lost) = (None, None, None, None);
        self.rows.push(Row::Mark(Mark { at, until, run, device, kind, reason, lost }));
    }

    /// Whether a calendar holds that moment of the recording.
    fn dated(&self, at: BootUs) -> Result<()> {
        let wall_us = self.anchor.wall_of(at).get();
        if !CALENDAR_US.contains(&wall_us) {
            bail!("a time {wall_us} µs from 1970 is outside the years 1 to 9998");
        }
        Ok(())
    }

    /// The recording ends here although it has more to say.
    pub(super) fn break_off(&mut self) {
        if let Some(device) = self.device.take() {
            let end = (MarkKind::Stop, BROKEN_OFF);
            self.normalizer.close(device, self.last, end.0, end.1, &mut self.rows);
        } else {
            self.mark(MarkKind::Stop, BROKEN_OFF);
        }
    }

    fn begin(&mut self, dataset: &Dataset) -> Result<()> {
        let id = self.id(self.whole.len());
        let name = self.name.clone();
        let provenance = Provenance {
            host: name.clone(),
            boot: name.clone(),
            subject: name.clone(),
            session: name,
            anchor: self.anchor,
            clock: Clock::Recording,
            level: self.level,
            notice_sha256: None,
            acknowledgement_sha256: None,
            policy_sha256: None,
            ledger_head: None,
        };
        self.segment = Some(SegmentWriter::begin(dataset, id, provenance)?);
        Ok(())
    }

    fn flush(&mut self, imported: &mut Imported) -> Result<()> {
        let Some(segment) = &mut self.segment else { return Ok(()) };
        self.redactor.reduce(&mut self.rows);
        segment.write_rows(&self.rows)?;
        imported.rows += self.rows.len() as u64;
        self.rows.clear();
        Ok(())
    }

    pub(super) fn finish(mut self, dataset: &mut Dataset, imported: &mut Imported) -> Result<()> {
        self.flush(imported)?;
        self.whole.extend(self.segment.take());
        for segment in self.whole {
            let sealed = segment.finish(dataset)?;
            imported.files.extend(sealed.into_iter().map(|file| file.path));
        }
        Ok(())
    }
}

/// Wall time of the recording's zero.
fn wall_zero(clock: RecordingClock, args: &ImportArgs, imported: &mut Imported) -> WallUs {
    match (clock, args.started_at) {
        (RecordingClock::Wall, _) => WallUs::new(0),
        (RecordingClock::Relative, Some(start)) => WallUs::new(start.as_microsecond()),
        (RecordingClock::Relative, None) => {
            if imported.notes.is_empty() {
                imported.notes.push(
                    "it does not say when it began, so its times count from 1970-01-01; \
                     --started-at sets them right"
                        .into(),
                );
            }
            WallUs::new(0)
        }
    }
}
