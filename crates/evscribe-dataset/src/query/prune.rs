//! What a query's conditions say about files, before one of them is opened.
//!
//! Conditions on `date` and `host` alone are decided here for good, whatever they
//! look like. Conditions on `time` rule out dates.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{and, cast};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::datasource::listing::helpers::expr_applicable_for_cols;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::PhysicalExpr;
use evscribe_sink::Table;

use super::listing::Found;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// The columns that come from a file's place, behind those of the file.
pub(super) fn partitions() -> [Field; 2] {
    let word = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    [Field::new("date", DataType::Date32, false), Field::new("host", word, false)]
}

/// Whether `filter` is decided by a file's place alone.
pub(super) fn is_of_the_place(filter: &Expr) -> bool {
    expr_applicable_for_cols(&["date", "host"], filter) && !filter.is_volatile()
}

/// Conditions of one scan.
#[derive(Debug)]
pub(super) struct Prune {
    of_date: Option<Arc<dyn PhysicalExpr>>,
    of_place: Option<Arc<dyn PhysicalExpr>>,
    of_time: Option<PruningPredicate>,
}

impl Prune {
    /// What `filters` say.
    pub(super) fn of(session: &dyn Session, filters: &[Expr]) -> Result<Self> {
        let places: SchemaRef = Arc::new(Schema::new(partitions().to_vec()));
        let whole = |columns: &[&str], schema: &SchemaRef| {
            let usable = filters.iter().filter(|filter| {
                expr_applicable_for_cols(columns, filter) && !filter.is_volatile()
            });
            let Some(filter) = conjunction(usable.cloned()) else { return Ok(None) };
            let schema = DFSchema::try_from(Arc::clone(schema))?;
            session.create_physical_expr(filter, &schema).map(Some)
        };
        let time: SchemaRef = Arc::new(Table::Events.schema().project(&[0])?);
        // What cannot be said about a whole day does not rule it out.
        let build = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&time));
        let of_time = whole(&["time"], &time)?.and_then(|expr| build.try_build(expr).ok());
        Ok(Self {
            of_date: whole(&["date"], &places)?,
            of_place: whole(&["date", "host"], &places)?,
            of_time,
        })
    }

    /// Which of these dates to look at.
    pub(super) fn dates(&self, days: &[i32]) -> Result<BooleanArray> {
        let hosts = vec![""; days.len()];
        let kept = decide(self.of_date.as_ref(), days, &hosts)?;
        let Some(of_time) = &self.of_time else { return Ok(kept) };
        let kept_by_time = BooleanArray::from(of_time.prune(&Days(days))?);
        Ok(and(&kept, &kept_by_time)?)
    }

    /// Which of these files to look at.
    pub(super) fn files(&self, files: &[Found]) -> Result<BooleanArray> {
        let (days, hosts): (Vec<_>, Vec<_>) =
            files.iter().map(|file| (file.date, file.host.as_str())).unzip();
        decide(self.of_place.as_ref(), &days, &hosts)
    }
}

fn decide(
    expr: Option<&Arc<dyn PhysicalExpr>>,
    days: &[i32],
    hosts: &[&str],
) -> Result<BooleanArray> {
    let Some(expr) = expr else { return Ok(BooleanArray::from(vec![true; days.len()])) };
    let [date, host] = partitions();
    let hosts = cast(&StringArray::from(hosts.to_vec()), host.data_type())?;
    let days: ArrayRef = Arc::new(Date32Array::from(days.to_vec()));
    let schema = Arc::new(Schema::new(vec![date, host]));
    let count = days.len();
    let batch = RecordBatch::try_new(schema, vec![days, hosts])?;
    let decided = expr.evaluate(&batch)?.into_array(count)?;
    let decided = decided.as_any().downcast_ref::<BooleanArray>().cloned();
    decided.ok_or_else(|| DataFusionError::Plan("a condition is neither true nor false".into()))
}

/// Between which times the rows of each date lie.
struct Days<'a>(&'a [i32]);

impl Days<'_> {
    fn times(&self, column: &Column, offset: i64) -> Option<ArrayRef> {
        if column.name() != "time" {
            return None;
        }
        let time = |day: &i32| i64::from(*day) * DAY_US + offset;
        let times = TimestampMicrosecondArray::from_iter_values(self.0.iter().map(time));
        Some(Arc::new(times.with_timezone("UTC")))
    }
}

impl PruningStatistics for Days<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column, 0)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column, DAY_US - 1)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
