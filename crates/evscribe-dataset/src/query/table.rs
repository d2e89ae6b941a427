//! A table of a lake, as DataFusion sees it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion_datasource::compute_all_files_statistics;
use evscribe_sink::Table;

use super::lake::{Good, Lake};
use super::listing::{self, Found};
use super::named::Named;
use super::prune::{Prune, is_of_the_place, partitions};
use super::reader::Readers;

/// What the lake is called inside of DataFusion; its paths are places in it.
pub(super) const STORE: &str = "evscribe://lake";

/// Files of which each is known by its own first and last time; of more, it would
/// take too much memory.
const TIMED_FILES: usize = 10_000;

/// A table of a lake.
#[derive(Debug)]
pub(super) struct LakeTable {
    lake: Arc<Lake>,
    table: Table,
    schema: TableSchema,
}

impl LakeTable {
    pub(super) fn new(lake: Arc<Lake>, table: Table) -> Self {
        let columns: Vec<FieldRef> = partitions().map(Arc::new).into();
        let schema = TableSchema::builder(table.schema()).with_table_partition_cols(columns);
        Self { lake, table, schema: schema.build() }
    }

    fn partitioned(&self, found: Found, good: &Good, is_timed: bool) -> Result<PartitionedFile> {
        let [_, host] = partitions();
        let host = ScalarValue::Utf8(Some(found.host)).cast_to(host.data_type())?;
        let values = vec![ScalarValue::Date32(Some(found.date)), host];
        let file = PartitionedFile::from(found.meta).with_partition_values(values);
        if !is_timed {
            return Ok(file);
        }
        let mut statistics = Statistics::new_unknown(self.schema.file_schema());
        statistics.num_rows = Precision::Exact(good.rows);
        // Time is the first column of every table.
        if let (Some((first, last)), Some(time)) =
            (good.times, statistics.column_statistics.first_mut())
        {
            let exact = |us| {
                Precision::Exact(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())))
            };
            *time = ColumnStatistics {
                min_value: exact(first),
                max_value: exact(last),
                null_count: Precision::Exact(0),
                ..ColumnStatistics::new_unknown()
            };
        }
        Ok(file.with_statistics(Arc::new(statistics)))
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match is_of_the_place(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let prune = Prune::of(session, filters)?;
        let listing = listing::list(&self.lake.source, self.table, &prune).await?;
        let files = self.lake.check(self.table.name(), listing).await?;
        if files.is_empty() {
            let schema = project_schema(&self.schema(), projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let is_timed = files.len() <= TIMED_FILES;
        let files = files.into_iter().map(|(found, good)| self.partitioned(found, &good, is_timed));
        let files = FileGroup::new(files.collect::<Result<_>>()?);
        let groups = files.split_files(session.config().target_partitions());
        let (groups, statistics) =
            compute_all_files_statistics(groups, self.schema(), is_timed, false)?;

        let source = ParquetSource::new(self.schema.clone())
            .with_parquet_file_reader_factory(Arc::new(Readers(Arc::clone(&self.lake))))
            // Our files have neither; those of others are not trusted in it.
            .with_enable_page_index(false)
            .with_bloom_filter_on_read(false);
        let source: Arc<dyn FileSource> =
            Arc::new(Named::new(Arc::new(source), Arc::clone(&self.lake)));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE)?, source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
