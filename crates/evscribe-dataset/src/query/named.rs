//! DataFusion's Parquet source, so that what goes wrong in a file names it, and a
//! panic of the reader is an error.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use object_store::ObjectStore;

use super::fault::{GAVE_UP, guarded};
use super::lake::Lake;

/// A source whose errors name the file.
#[derive(Clone)]
pub(super) struct Named {
    inner: Arc<dyn FileSource>,
    lake: Arc<Lake>,
}

impl Named {
    pub(super) fn new(inner: Arc<dyn FileSource>, lake: Arc<Lake>) -> Self {
        Self { inner, lake }
    }

    fn again(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, lake: Arc::clone(&self.lake) })
    }
}

impl FileSource for Named {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(store, config, partition)?;
        Ok(Box::new(NamedMorselizer { inner, lake: Arc::clone(&self.lake) }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.again(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_extra(kind, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        min_size: usize,
        ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        self.inner.repartitioned(target_partitions, min_size, ordering, config)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut pushed = self.inner.try_pushdown_filters(filters, config)?;
        pushed.updated_node = pushed.updated_node.map(|inner| self.again(inner));
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_sort(order, properties)?;
        Ok(pushed.map(|inner| self.again(inner)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_projection(projection)?;
        Ok(pushed.map(|inner| self.again(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

/// Whose file it is, and where to say what is wrong with it.
#[derive(Clone, Debug)]
struct Name {
    place: Arc<str>,
    lake: Arc<Lake>,
}

impl Name {
    /// What came of reading; `None` where the file is left out from here on.
    fn done<T>(&self, read: impl FnOnce() -> Result<T>) -> Option<Result<T>> {
        let failed = match guarded(read) {
            Ok(Ok(done)) => return Some(Ok(done)),
            Ok(Err(error)) => self.lake.failed(&self.place, error),
            Err(_) => self.lake.damaged(&self.place, GAVE_UP.into()),
        };
        failed.map(Err)
    }
}

#[derive(Debug)]
struct NamedMorselizer {
    inner: Box<dyn Morselizer>,
    lake: Arc<Lake>,
}

impl Morselizer for NamedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let place = file.object_meta.location.as_ref().into();
        let name = Name { place, lake: Arc::clone(&self.lake) };
        let planned = name.done(|| self.inner.plan_file(file)).transpose()?;
        Ok(Box::new(NamedPlanner { inner: planned, name }))
    }
}

#[derive(Debug)]
struct NamedPlanner {
    /// `None` where its file is left out.
    inner: Option<Box<dyn MorselPlanner>>,
    name: Name,
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, name } = *self;
        let Some(inner) = inner else { return Ok(None) };
        let Some(mut plan) = name.done(|| inner.plan()).transpose()?.flatten() else {
            return Ok(None);
        };
        let planner = |inner| {
            Box::new(NamedPlanner { inner: Some(inner), name: name.clone() })
                as Box<dyn MorselPlanner>
        };
        let morsel = |inner| Box::new(NamedMorsel { inner, name: name.clone() }) as Box<dyn Morsel>;
        let mut named = MorselPlan::new()
            .with_morsels(plan.take_morsels().into_iter().map(morsel).collect())
            .with_planners(plan.take_ready_planners().into_iter().map(planner).collect());
        if let Some(pending) = plan.take_pending_planner() {
            let mut pending = pending.into_future();
            named.set_pending_planner(poll_fn(move |context| {
                // A poll that is ready has its result in it.
                let polled = name.done(|| match pending.poll_unpin(context) {
                    Poll::Pending => Ok(Poll::Pending),
                    Poll::Ready(planner) => planner.map(Poll::Ready),
                });
                let inner = match polled.transpose() {
                    Ok(Some(Poll::Pending)) => return Poll::Pending,
                    Ok(Some(Poll::Ready(inner))) => Some(inner),
                    Ok(None) => None,
                    Err(error) => return Poll::Ready(Err(error)),
                };
                Poll::Ready(Ok(Box::new(NamedPlanner { inner, name: name.clone() }) as _))
            }));
        }
        Ok(Some(named))
    }
}

#[derive(Debug)]
struct NamedMorsel {
    inner: Box<dyn Morsel>,
    name: Name,
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, name } = *self;
        let mut rows = inner.into_stream();
        stream::poll_fn(move |context| {
            let polled = name.done(|| match rows.poll_next_unpin(context) {
                Poll::Pending => Ok(Poll::Pending),
                Poll::Ready(batch) => batch.transpose().map(Poll::Ready),
            });
            match polled.transpose() {
                Ok(Some(Poll::Pending)) => Poll::Pending,
                Ok(Some(Poll::Ready(batch))) => Poll::Ready(batch.map(Ok)),
                Ok(None) => Poll::Ready(None),
                Err::<_, DataFusionError>(error) => Poll::Ready(Some(Err(error))),
            }
        })
        .boxed()
    }
}
