//! `evscribe import`: recordings to a dataset, the way of live events.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use evscribe_model::{
    Anchor, BootUs, DeviceId, DeviceRow, Input, Level, Mark, MarkKind, Row, WallUs,
};
use evscribe_normalizer::{Counters, Normalizer};
use evscribe_policy::Redactor;
use evscribe_reader::{Recording, RecordingClock};
use evscribe_sink::{Clock, Dataset, Provenance, SegmentId, SegmentWriter};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::args::ImportArgs;

/// Rows are written when this many have come together.
const BATCH_ROWS: usize = 4_096;

/// What became of one recording.
#[derive(Debug, Default, Serialize)]
struct Imported {
    file: PathBuf,
    devices: u32,
    rows: u64,
    files: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(args: &ImportArgs, as_json: bool) -> Result<ExitCode> {
    let mut dataset = Dataset::create_or_open(&args.out).context("nothing was imported")?;
    let bar = progress(&args.files, as_json);
    let mut all = Vec::new();
    for file in &args.files {
        bar.set_message(file.display().to_string());
        let mut imported = Imported { file: file.clone(), ..Imported::default() };
        if let Err(error) = import(file, args, &mut dataset, &bar, &mut imported) {
            imported.error = Some(format!("{error:#}"));
        }
        all.push(imported);
    }
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        for imported in &all {
            say(&mut out, imported)?;
        }
    }
    let failed = all.iter().any(|imported| imported.error.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn say(out: &mut impl Write, imported: &Imported) -> std::io::Result<()> {
    let Imported { file, devices, rows, files, notes, error } = imported;
    if let Some(error) = error {
        eprintln!("evscribe: {error}");
    }
    if error.is_none() || !files.is_empty() {
        let count = files.len();
        writeln!(out, "{}: {devices} devices, {rows} rows, {count} files", file.display())?;
    }
    notes.iter().try_for_each(|note| writeln!(out, "  {note}"))
}

fn progress(files: &[PathBuf], as_json: bool) -> ProgressBar {
    if as_json {
        return ProgressBar::hidden();
    }
    let sizes = files.iter().filter_map(|file| file.metadata().ok());
    let bar = ProgressBar::new(sizes.map(|metadata| metadata.len()).sum());
    let style = "{bar:32} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
    // Without a terminal indicatif draws nothing.
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

fn import(
    path: &Path,
    args: &ImportArgs,
    dataset: &mut Dataset,
    bar: &ProgressBar,
    imported: &mut Imported,
) -> Result<()> {
    let sha256 = sha256(path)?;
    let recording = Recording::open(path, DeviceId(1))?;
    let level = Level { keys: args.level.level, pointer: args.level.pointer };
    let mut importer = Importer::new(&sha256, level);
    let before = bar.position();
    let read =
        importer.read(recording, args, dataset, imported, |bytes| bar.set_position(before + bytes));
    match read {
        Ok(()) => importer.finish(dataset, imported),
        Err(error) if args.partial => {
            importer.mark(MarkKind::Stop, "damaged_recording");
            importer.finish(dataset, imported)?;
            Err(error.context("what came before the damage was imported"))
        }
        Err(error) => {
            importer.forget(imported);
            Err(error.context("nothing of it was imported; --partial keeps what comes before"))
        }
    }
}

/// One recording on its way: a segment for each device, for the devices stand
/// one after the other in the file although they were recorded at once.
struct Importer {
    sha256: String,
    redactor: Redactor,
    level: Level,
    normalizer: Normalizer,
    rows: Vec<Row>,
    segment: Option<SegmentWriter>,
    /// Whole segments wait for the end of the file: all appear, or none.
    whole: Vec<SegmentWriter>,
    last: BootUs,
    anchor: Anchor,
}

impl Importer {
    fn new(sha256: &str, level: Level) -> Self {
        Self {
            sha256: sha256.into(),
            redactor: Redactor::new(level),
            level,
            normalizer: Normalizer::new(Counters::default()),
            rows: Vec::new(),
            segment: None,
            whole: Vec::new(),
            last: BootUs::default(),
            anchor: Anchor { boot: BootUs::new(0), wall: WallUs::new(0) },
        }
    }

    fn read(
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
                    let row = DeviceRow { at, device: device.clone() };
                    self.rows.push(Row::Device(Box::new(row)));
                    self.last = at;
                    self.mark(MarkKind::Start, "import");
                    self.normalizer.feed(&input, &mut self.rows);
                    imported.devices += 1;
                    self.anchor.wall = wall_zero(recording.clock(), args, imported);
                    self.begin(dataset)?;
                }
                Input::Gone { at, device } => {
                    let end = (MarkKind::Stop, "end_of_recording");
                    self.normalizer.close(device, at, end.0, end.1, &mut self.rows);
                    self.flush(imported)?;
                    self.whole.extend(self.segment.take());
                }
                Input::ClockStep { to, .. } => {
                    // In a file times only grow, so the next begins here.
                    self.flush(imported)?;
                    self.whole.extend(self.segment.take());
                    self.begin(dataset)?;
                    self.normalizer.feed(&input, &mut self.rows);
                    self.last = to;
                }
                Input::Frame(frame) => {
                    self.last = frame.at;
                    self.normalizer.feed(&input, &mut self.rows);
                }
                Input::Dropped { until, .. } => {
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

    fn begin(&mut self, dataset: &Dataset) -> Result<()> {
        let short = self.sha256.get(..12).unwrap_or(&self.sha256);
        let number = self.whole.len();
        // The same recording at the same level has the same names: importing
        // it again replaces its files by the same.
        let id = SegmentId::of(format!("{} {} {number}", self.sha256, self.level).as_bytes());
        let name = format!("recording-{short}");
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

    fn finish(mut self, dataset: &mut Dataset, imported: &mut Imported) -> Result<()> {
        self.flush(imported)?;
        self.whole.extend(self.segment.take());
        for segment in self.whole {
            let sealed = segment.finish(dataset)?;
            imported.files.extend(sealed.into_iter().map(|file| file.path));
        }
        Ok(())
    }

    fn forget(self, imported: &mut Imported) {
        imported.rows = 0;
        imported.devices = 0;
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

fn sha256(path: &Path) -> Result<String> {
    let failed = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut buffer).with_context(failed)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
