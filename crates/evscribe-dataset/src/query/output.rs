//! What comes out of a query, in one of several forms.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::ValueEnum;
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::FileWriter;
use datafusion::arrow::json::writer::{LineDelimited, WriterBuilder as JsonBuilder};
use datafusion::arrow::util::display::FormatOptions;
use datafusion::arrow::util::pretty::pretty_format_batches_with_options;
use datafusion::arrow::{csv, json};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;

/// Rows of a row group, as in the files of a dataset.
const ROW_GROUP_ROWS: usize = 64 * 1024;
const ZSTD_LEVEL: i32 = 3;

const UTC: &str = "UTC";

/// A time, with all of its microseconds, so that every line has the same form.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.6f";
const TIME_UTC: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";
const TIME_ZONE: &str = "%Y-%m-%dT%H:%M:%S%.6f%:z";

/// Rows that people see as one table; more come as several.
const TABLE_ROWS: usize = 10_000;

/// The forms that rows come out in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// With a line of names.
    Csv,
    /// An object a line.
    Json,
    /// Parquet, zstd, not encrypted.
    Parquet,
    /// An Arrow IPC file, as Feather version 2.
    Arrow,
}

impl Format {
    /// Whether it is bytes that a terminal cannot show.
    pub(super) const fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }
}

/// Where rows go.
pub(super) type Sink = Box<dyn Write + Send>;

/// Rows, being written in one form.
pub(super) struct Output {
    schema: SchemaRef,
    form: Form,
    pub(super) rows: u64,
}

enum Form {
    Table { sink: Sink, waiting: Vec<RecordBatch>, rows: usize, is_first: bool },
    Csv(Box<csv::Writer<Sink>>),
    Json(Box<json::Writer<Sink, LineDelimited>>),
    Parquet(Box<ArrowWriter<Sink>>),
    Arrow(Box<FileWriter<Sink>>),
}

impl Output {
    /// Begins to write rows of `schema`.
    ///
    /// # Errors
    /// Where the form cannot hold such rows, or nothing more can be written; where two
    /// columns have one name, but in a table for people.
    pub(super) fn begin(format: Format, schema: &Schema, mut sink: Sink) -> Result<Self> {
        let mut names = HashSet::new();
        let twice = schema.fields().iter().find(|field| !names.insert(field.name()));
        if let Some(field) = twice.filter(|_| format != Format::Table) {
            // A reader of them would take the one for the other, or fail.
            bail!(
                "two columns are called `{0}`: name the columns that you want, and give one of \
                 them another name, as in SELECT events.{0}, devices.{0} AS other",
                field.name()
            );
        }
        let schema = written(schema, format);
        let form = match format {
            Format::Table => Form::Table { sink, waiting: Vec::new(), rows: 0, is_first: true },
            Format::Csv => {
                // The crate writes names with the first rows, and none without rows.
                let mut names = csv::WriterBuilder::new().with_header(true).build(&mut sink);
                names.write(&RecordBatch::new_empty(Arc::clone(&schema)))?;
                drop(names);
                let builder = csv::WriterBuilder::new()
                    .with_header(false)
                    .with_timestamp_format(TIME.into())
                    .with_timestamp_tz_format(zoned(&schema).into());
                Form::Csv(Box::new(builder.build(sink)))
            }
            Format::Json => {
                let builder = JsonBuilder::new()
                    .with_explicit_nulls(true)
                    .with_timestamp_format(TIME.into())
                    .with_timestamp_tz_format(zoned(&schema).into());
                Form::Json(Box::new(builder.build::<_, LineDelimited>(sink)))
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                    .build();
                let writer = ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties))?;
                Form::Parquet(Box::new(writer))
            }
            Format::Arrow => Form::Arrow(Box::new(FileWriter::try_new(sink, &schema)?)),
        };
        Ok(Self { schema, form, rows: 0 })
    }

    /// Writes these rows.
    ///
    /// # Errors
    /// As [`Output::begin`].
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        let batch = fit(batch, &self.schema)?;
        match &mut self.form {
            Form::Table { sink, waiting, rows, is_first } => {
                *rows += batch.num_rows();
                waiting.push(batch);
                if *rows >= TABLE_ROWS {
                    print(sink, &self.schema, waiting)?;
                    (*rows, *is_first) = (0, false);
                    waiting.clear();
                }
            }
            Form::Csv(writer) => writer.write(&batch)?,
            Form::Json(writer) => writer.write(&batch)?,
            Form::Parquet(writer) => writer.write(&batch)?,
            Form::Arrow(writer) => writer.write(&batch)?,
        }
        Ok(())
    }

    /// Writes what is left; returns how many rows there were.
    ///
    /// # Errors
    /// As [`Output::begin`].
    pub(super) fn finish(self) -> Result<u64> {
        match self.form {
            Form::Table { mut sink, waiting, is_first, .. } => {
                if is_first || !waiting.is_empty() {
                    print(&mut sink, &self.schema, &waiting)?;
                }
                sink.flush()?;
            }
            Form::Csv(writer) => writer.into_inner().flush()?,
            Form::Json(mut writer) => {
                writer.finish()?;
                writer.into_inner().flush()?;
            }
            Form::Parquet(writer) => writer.into_inner()?.flush()?,
            Form::Arrow(mut writer) => {
                writer.finish()?;
                writer.into_inner()?.flush()?;
            }
        }
        Ok(self.rows)
    }
}

fn print(sink: &mut Sink, schema: &SchemaRef, rows: &[RecordBatch]) -> Result<()> {
    let options = FormatOptions::default()
        .with_timestamp_format(Some(TIME))
        .with_timestamp_tz_format(Some(zoned(schema)));
    let empty;
    let rows = if rows.is_empty() {
        empty = [RecordBatch::new_empty(Arc::clone(schema))];
        &empty
    } else {
        rows
    };
    writeln!(sink, "{}", pretty_format_batches_with_options(rows, &options)?)?;
    Ok(())
}

/// How times with a zone are written: those of our tables are of UTC.
fn zoned(schema: &Schema) -> &'static str {
    let are_utc = schema.fields().iter().all(|field| has_utc_only(field.data_type()));
    if are_utc { TIME_UTC } else { TIME_ZONE }
}

/// Whether each time with a zone is of UTC, at any depth.
fn has_utc_only(kind: &DataType) -> bool {
    match kind {
        DataType::Timestamp(_, Some(zone)) => is_utc(zone),
        DataType::Dictionary(_, values) => has_utc_only(values),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::RunEndEncoded(_, item)
        | DataType::Map(item, _) => has_utc_only(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| has_utc_only(field.data_type())),
        DataType::Union(fields, _) => {
            fields.iter().all(|(_, field)| has_utc_only(field.data_type()))
        }
        _ => true,
    }
}

fn is_utc(zone: &str) -> bool {
    [UTC, "+00:00", "Z"].contains(&zone)
}

/// The types that are written: times in microseconds of UTC, strings as every
/// reader knows them. The words of an Arrow file are plain strings, since the
/// format has one dictionary a column and ours change.
fn written(schema: &Schema, format: Format) -> SchemaRef {
    let field = |field: &Arc<Field>| {
        let kind = match field.data_type() {
            DataType::Timestamp(_, zone) => {
                let zone = zone.clone().map(|zone| if is_utc(&zone) { UTC.into() } else { zone });
                DataType::Timestamp(TimeUnit::Microsecond, zone)
            }
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            DataType::Dictionary(_, values) if format == Format::Arrow => (**values).clone(),
            other => other.clone(),
        };
        Arc::new(Field::new(field.name(), kind, true).with_metadata(field.metadata().clone()))
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn fit(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| match column.data_type() == field.data_type() {
        true => Ok(Arc::clone(column)),
        false => cast(column, field.data_type()),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<ArrayRef>, _>>()?)
}
