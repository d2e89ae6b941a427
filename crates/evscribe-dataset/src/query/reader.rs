//! Bytes and footers of the files of a lake, for DataFusion's Parquet reader. The
//! key of an encrypted file comes with its footer.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::error::Result;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::fault::Fault;
use super::lake::Lake;

/// Makes the readers of a lake's files.
#[derive(Debug)]
pub(super) struct Readers(pub(super) Arc<Lake>);

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let file = file.object_meta;
        let metrics = ParquetFileMetrics::new(partition_index, file.location.as_ref(), metrics);
        Ok(Box::new(Reader { lake: Arc::clone(&self.0), file, metrics }))
    }
}

struct Reader {
    lake: Arc<Lake>,
    file: ObjectMeta,
    metrics: ParquetFileMetrics,
}

impl Reader {
    fn count(&self, ranges: &[Range<u64>]) {
        let bytes: u64 = ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        self.metrics.bytes_scanned.add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    fn lost(&self, error: object_store::Error) -> ParquetError {
        ParquetError::External(Box::new(self.lake.lost(self.file.location.as_ref(), error)))
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(
        &mut self,
        range: Range<u64>,
    ) -> BoxFuture<'_, std::result::Result<Bytes, ParquetError>> {
        self.count(std::slice::from_ref(&range));
        async move {
            let bytes = self.lake.source.store.get_range(&self.file.location, range).await;
            bytes.map_err(|error| self.lost(error))
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, std::result::Result<Vec<Bytes>, ParquetError>> {
        self.count(&ranges);
        async move {
            let bytes = self.lake.source.store.get_ranges(&self.file.location, &ranges).await;
            bytes.map_err(|error| self.lost(error))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, std::result::Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            self.lake.footer(&self.file).await.map_err(|fault| match fault {
                Fault::File(why) => ParquetError::General(why),
                Fault::Store(error) => self.lost(error),
            })
        }
        .boxed()
    }
}
