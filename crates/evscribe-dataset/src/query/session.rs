//! DataFusion, set up for one query: memory, processors, tables.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use evscribe_sink::Table;

use super::lake::Lake;
use super::spill::Spills;
use super::table::{LakeTable, STORE};

/// Memory that a partition of a query wants at least.
const PARTITION_MIB: usize = 64;

/// What a sort keeps back for putting together what it spilled: DataFusion's own
/// default, less where there is little.
const MERGE_BYTES: usize = 10 << 20;
const MERGE_SHARE: usize = 8;

/// Rows in memory are sorted as one up to this many bytes. DataFusion's default is
/// to sort each batch and to merge them, which takes more memory than it kept back
/// where rows are as short as ours: a sort would fail instead of spilling. More
/// than this, and offsets of strings could overflow.
const SORTED_AS_ONE_BYTES: usize = 3 << 30;

/// Who is named where memory runs out.
const CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// A context with the tables of `lake`.
///
/// # Errors
/// Where `temp`, the folder for what does not fit into memory, cannot be used.
pub(super) fn context(lake: &Arc<Lake>, memory_mib: usize, temp: &Path) -> Result<SessionContext> {
    let memory = memory_mib.saturating_mul(1 << 20);
    let pool = FairSpillPool::new(memory);
    let spills = Spills::below(temp)
        .with_context(|| format!("{} cannot be used for what is too large", temp.display()))?;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, CONSUMERS)))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_temp_file_factory(Arc::new(spills)),
        )
        .build_arc()?;
    let url = ObjectStoreUrl::parse(STORE)?;
    runtime.register_object_store(url.as_ref(), Arc::clone(&lake.source.store));

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let partitions = cores.min(memory_mib / PARTITION_MIB).max(1);
    let mut config =
        SessionConfig::new().with_information_schema(true).with_target_partitions(partitions);
    let execution = &mut config.options_mut().execution;
    execution.time_zone = Some("UTC".into());
    execution.sort_spill_reservation_bytes = MERGE_BYTES.min(memory / partitions / MERGE_SHARE);
    execution.sort_in_place_threshold_bytes = SORTED_AS_ONE_BYTES;
    let context = SessionContext::new_with_config_rt(config, runtime);
    for table in Table::ALL {
        context.register_table(table.name(), Arc::new(LakeTable::new(Arc::clone(lake), table)))?;
    }
    Ok(context)
}
