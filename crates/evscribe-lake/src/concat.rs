//! One file out of sources that follow each other in time.
//!
//! Memory: one row group of 64 k rows, as it is encoded, whatever the size.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use evscribe_sink::crypt::{AtRest, Keyring};
use evscribe_sink::inspect::TableFile;
use evscribe_sink::{SegmentId, SinkError, Table, WRITER_VERSION, concatenated, sha256_file};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::At;
use crate::place::blocking;
use crate::{LakeError, LakeFile, Place, Source};

/// Before our keys of a file's metadata.
const OURS: &str = "evscribe.";
/// The key of what a merged file was made of.
pub(crate) const SOURCES: &str = "evscribe.sources";
const WRITER: &str = "writer_version";

/// A file of the lake, and which of its sources are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) path: String,
    pub(crate) file: LakeFile,
    pub(crate) keep: Vec<bool>,
}

impl Piece {
    pub(crate) fn whole(path: &str, file: &LakeFile) -> Self {
        Self { path: path.into(), file: file.clone(), keep: vec![true; file.sources.len()] }
    }

    /// The sources that are wanted, in their order.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Source> {
        let sources = self.file.sources.iter().zip(&self.keep);
        sources.filter(|(_, keep)| **keep).map(|(source, _)| source)
    }
}

/// One element of `evscribe.sources`: which rows, in their order, came from where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SourceNote {
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) rows: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    /// What its metadata said, without `evscribe.`, where sources differ in it.
    #[serde(flatten)]
    pub(crate) own: BTreeMap<String, String>,
}

/// What the metadata of a file says of each of its sources, in full.
pub(crate) fn notes(file: &TableFile, sources: &[Source]) -> Result<Vec<SourceNote>, String> {
    let ours = file.metadata().iter().filter(|(key, _)| *key != SOURCES);
    let common: BTreeMap<String, String> = ours
        .filter_map(|(key, value)| Some((key.strip_prefix(OURS)?.to_owned(), value.clone())))
        .collect();
    let Some(text) = file.metadata().get(SOURCES) else {
        let [source] = sources else {
            return Err(format!("it lacks `{SOURCES}`, and the record says it was merged"));
        };
        return Ok(vec![SourceNote { own: common, ..note(source) }]);
    };
    let mut notes: Vec<SourceNote> =
        serde_json::from_str(text).map_err(|_| format!("its `{SOURCES}` cannot be read"))?;
    let same = |(note, source): (&SourceNote, &Source)| {
        let of = &source.sealed;
        (&note.path, &note.sha256, note.rows) == (&of.path, &of.sha256, of.rows)
    };
    if notes.len() != sources.len() || !notes.iter().zip(sources).all(same) {
        return Err(format!("its `{SOURCES}` says other sources than the record"));
    }
    for note in &mut notes {
        let own = std::mem::replace(&mut note.own, common.clone());
        note.own.extend(own);
    }
    Ok(notes)
}

fn note(source: &Source) -> SourceNote {
    let of = &source.sealed;
    SourceNote {
        path: of.path.clone(),
        sha256: of.sha256.clone(),
        rows: of.rows,
        subject: of.subject.clone(),
        own: BTreeMap::new(),
    }
}

/// Where the file is that these sources make: named by the time of its first row
/// and by what it is made of.
pub(crate) fn place_of(pieces: &[Piece]) -> Option<Result<String, SinkError>> {
    let sources: Vec<&Source> = pieces.iter().flat_map(Piece::kept).collect();
    let first = &sources.first()?.sealed;
    let mut text = String::new();
    for source in &sources {
        text.extend([&source.sealed.path, " ", &source.sealed.sha256, "\n"]);
    }
    let id = SegmentId::of(text.as_bytes()).to_string();
    Some(evscribe_sink::place(first.table, &first.host, &id, first.first_us))
}

/// Writes the wanted sources of `pieces`, one after the other, to a file in the
/// work folder of the lake that shall stand at `to`.
///
/// # Errors
/// [`LakeError::File`] names the piece that is not what the record says, or does
/// not open; [`LakeError::Io`], [`LakeError::Store`], [`LakeError::Sink`].
pub(crate) async fn concat(
    place: &Place,
    (pieces, to): (&[Piece], &str),
    (at_rest, keyring): (&AtRest, &Keyring),
) -> Result<(PathBuf, LakeFile), LakeError> {
    let staged = place.work().join("merge").join(to.replace('/', "+"));
    let table = pieces.iter().flat_map(|piece| &piece.file.sources).next();
    let table = table.map(|source| source.sealed.table);
    let table = table.ok_or_else(|| LakeError::bad(place, to, "it has no source"))?;
    let mut writer = {
        let (staged, to, at_rest) = (staged.clone(), to.to_owned(), at_rest.clone());
        blocking(move || Concat::begin(staged, &to, table, &at_rest)).await?
    };
    for piece in pieces {
        let fetched = match place.fetch(&piece.path).await {
            Err(LakeError::Store { source: object_store::Error::NotFound { .. }, .. }) => {
                return Err(LakeError::bad(place, &piece.path, "it is missing"));
            }
            fetched => fetched?,
        };
        let (place, piece, keyring) = (place.clone(), piece.clone(), keyring.clone());
        writer = blocking(move || {
            writer.take(&fetched.root, &piece, &keyring).map_err(|why| match why {
                Why::Piece(source) => LakeError::file(&place, &piece.path, source),
                Why::Writing(error) => error,
            })?;
            Ok(writer)
        })
        .await?;
    }
    let is_encrypted = matches!(at_rest, AtRest::Encrypted { .. });
    let file = blocking(move || writer.finish(is_encrypted)).await?;
    Ok((staged, file))
}

/// Whose fault it is.
enum Why {
    Piece(SinkError),
    Writing(LakeError),
}

impl From<SinkError> for Why {
    fn from(error: SinkError) -> Self {
        Self::Piece(error)
    }
}

struct Concat {
    staged: PathBuf,
    table: Table,
    writer: ArrowWriter<Hashed>,
    last_us: i64,
    rows: u64,
    sources: Vec<(Source, SourceNote)>,
}

impl Concat {
    fn begin(staged: PathBuf, to: &str, table: Table, at_rest: &AtRest) -> Result<Self, LakeError> {
        let folder = staged.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).at("create", folder)?;
        let file = File::create(&staged).at("create", &staged)?;
        let hashed = Hashed { file, hash: Sha256::new(), bytes: 0 };
        let in_staged = |source: ParquetError| SinkError::Parquet { path: staged.clone(), source };
        let properties = concatenated(table, at_rest.encryption(to)?).map_err(in_staged)?;
        let writer = ArrowWriter::try_new(hashed, table.schema(), Some(properties));
        let writer = writer.map_err(in_staged)?;
        Ok(Self { staged, table, writer, last_us: i64::MIN, rows: 0, sources: Vec::new() })
    }

    fn take(&mut self, root: &Path, piece: &Piece, keyring: &Keyring) -> Result<(), Why> {
        let path = root.join(&piece.path);
        let bad = |why: String| SinkError::Malformed { path: path.clone(), why };
        let (sha256, bytes) = sha256_file(&path)?;
        if (&sha256, bytes) != (&piece.file.sha256, piece.file.bytes) {
            return Err(bad(format!("it has {bytes} bytes, or others, than it came with")).into());
        }
        let file = TableFile::open(root, &piece.path, keyring)?;
        let notes = notes(&file, &piece.file.sources).map_err(bad)?;
        let (first, rows) = (notes.first(), piece.file.sources.iter().map(|s| s.sealed.rows));
        let host = first.and_then(|note| note.own.get("host").cloned());
        let expected = piece.file.sources.first().map(|source| source.sealed.host.clone());
        if file.table() != self.table || host != expected {
            return Err(bad("it is of another table or host than its place".into()).into());
        }
        if file.rows() != piece.file.rows || rows.sum::<u64>() != piece.file.rows {
            return Err(bad("it does not hold as many rows as the record says".into()).into());
        }
        let columns: Vec<String> =
            self.table.schema().fields().iter().map(|field| field.name().clone()).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut ends = Vec::new();
        let mut end = 0;
        for source in &piece.file.sources {
            end += source.sealed.rows;
            ends.push(end);
        }
        let (mut at, mut number) = (0_u64, 0);
        let mut failed = None;
        let read = file.read(&columns, |batch| {
            let (mut from, count) = (0, batch.num_rows());
            while from < count {
                while ends.get(number).is_some_and(|end| *end <= at) {
                    number += 1;
                }
                let left = ends.get(number).map_or(0, |end| end - at);
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(count - from);
                let (Some(source), true) = (piece.file.sources.get(number), length > 0) else {
                    return Err(bad("it holds more rows than its footer says".into()));
                };
                let part = batch.slice(from, length);
                if piece.keep.get(number) == Some(&true) {
                    let is_first = at == ends.get(number).map_or(0, |end| end - source.sealed.rows);
                    self.check(&part, source, is_first).map_err(bad)?;
                    if let Err(error) = self.write(&part) {
                        failed = Some(error);
                        return Err(bad("what is written fails".into()));
                    }
                }
                (from, at) = (from + length, at + length as u64);
            }
            Ok(())
        });
        match (failed, read) {
            (Some(error), _) => return Err(Why::Writing(error)),
            (None, read) => read?,
        }
        if at != piece.file.rows {
            return Err(bad("it holds fewer rows than its footer says".into()).into());
        }
        let kept = piece.file.sources.iter().zip(notes).zip(&piece.keep);
        let kept =
            kept.filter(|(_, keep)| **keep).map(|((source, note), _)| (source.clone(), note));
        self.sources.extend(kept);
        Ok(())
    }

    /// Whether these rows of a source go on where the last ones ended.
    fn check(&mut self, part: &RecordBatch, source: &Source, is_first: bool) -> Result<(), String> {
        let of = &source.sealed;
        let times = part.column_by_name("time");
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        let times = times.ok_or("it has no times")?.values();
        let begins = is_first && times.first() != Some(&of.first_us);
        let is_ordered = times.is_sorted() && times.first().is_some_and(|at| *at >= self.last_us);
        let last_us = times.last().copied().unwrap_or(self.last_us);
        if begins || !is_ordered || last_us > of.last_us {
            return Err(format!("rows of {} are not of the times that the record says", of.path));
        }
        self.last_us = last_us;
        Ok(())
    }

    fn write(&mut self, part: &RecordBatch) -> Result<(), LakeError> {
        let in_staged =
            |source: ParquetError| SinkError::Parquet { path: self.staged.clone(), source };
        let batch = RecordBatch::try_new(self.table.schema(), part.columns().to_vec())
            .map_err(|source| SinkError::Arrow { table: self.table, source })?;
        self.rows += batch.num_rows() as u64;
        Ok(self.writer.write(&batch).map_err(in_staged)?)
    }

    fn finish(mut self, encrypted: bool) -> Result<LakeFile, LakeError> {
        for (key, value) in self.metadata() {
            self.writer.append_key_value_metadata(KeyValue::new(key, value));
        }
        let (staged, rows) = (self.staged, self.rows);
        let hashed = self.writer.into_inner();
        let hashed =
            hashed.map_err(|source| SinkError::Parquet { path: staged.clone(), source })?;
        hashed.file.sync_all().at("make durable", &staged)?;
        let digest = hashed.hash.finalize();
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let sources = self.sources.into_iter().map(|(source, _)| source).collect();
        Ok(LakeFile { sha256, bytes: hashed.bytes, rows, encrypted, sources })
    }

    /// What is the same of all sources, as it is; the rest by source.
    fn metadata(&self) -> Vec<(String, String)> {
        let notes = || self.sources.iter().map(|(_, note)| note);
        let mut common = notes().next().map(|note| note.own.clone()).unwrap_or_default();
        common.retain(|key, value| notes().all(|note| note.own.get(key) == Some(value)));
        common.insert(WRITER.into(), WRITER_VERSION.into());
        let own = |note: &SourceNote| {
            let mut note = note.clone();
            note.own.retain(|key, value| common.get(key) != Some(value));
            note
        };
        let sources: Vec<SourceNote> = notes().map(own).collect();
        let sources = serde_json::to_string(&sources).unwrap_or_default();
        let common = common.iter().map(|(key, value)| (format!("{OURS}{key}"), value.clone()));
        common.chain([(SOURCES.to_owned(), sources)]).collect()
    }
}

/// A file that is hashed as it is written.
struct Hashed {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hash.update(buffer.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
