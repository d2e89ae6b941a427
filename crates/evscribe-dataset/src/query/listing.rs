//! Which files a query has to look at: dates first, so that the folders of other
//! dates are not even listed.

use datafusion::arrow::array::BooleanArray;
use datafusion::error::{DataFusionError, Result};
use evscribe_lake::DataPath;
use evscribe_sink::Table;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::{Date, date};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::changes;
use super::prune::Prune;
use super::source::Source;

/// The day that DATE counts from.
const EPOCH: Date = date(1970, 1, 1);

/// A file at its place.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) meta: ObjectMeta,
    pub(super) table: Table,
    /// Days since 1970-01-01.
    pub(super) date: i32,
    pub(super) host: String,
}

/// What was found of a table.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Files that may hold rows of the query, by place.
    pub(super) files: Vec<Found>,
    /// Parquet files that stand where none of the table does, and so.
    pub(super) misplaced: Vec<(String, String)>,
    /// Dates that there are, and how many of them were looked at.
    pub(super) dates: usize,
    pub(super) dates_listed: usize,
    /// Files that were listed.
    pub(super) files_listed: usize,
}

/// Lists the files of `table` that `prune` leaves.
pub(super) async fn list(source: &Source, table: Table, prune: &Prune) -> Result<Listing> {
    let folder = Path::from(table.name());
    let top = match source.store.list_with_delimiter(Some(&folder)).await {
        Ok(top) => top,
        Err(object_store::Error::NotFound { .. }) => return Ok(Listing::default()),
        Err(error) => return Err(error.into()),
    };
    let mut listing = Listing::default();
    let mut dates = Vec::new();
    let mut folders = Vec::new();
    for folder in top.common_prefixes.into_iter().filter(|folder| !is_hidden(folder)) {
        match folder.filename().and_then(day) {
            Some(day) => dates.push((folder, day)),
            // What is in it stands at no place of the table: to be named below.
            None => folders.push(folder),
        }
    }
    let days: Vec<i32> = dates.iter().map(|(_, day)| *day).collect();
    listing.dates = days.len();
    let kept = chosen(dates, &prune.dates(&days)?);
    listing.dates_listed = kept.len();
    folders.extend(kept.into_iter().map(|(folder, _)| folder));
    let below = stream::iter(folders)
        .map(|folder| source.store.list(Some(&folder)).try_collect::<Vec<_>>())
        .buffer_unordered(source.at_once);
    let below: Vec<Vec<ObjectMeta>> = below.try_collect().await?;
    let is_data = |file: &ObjectMeta| {
        !is_hidden(&file.location) && file.location.as_ref().ends_with(".parquet")
    };
    for meta in top.objects.into_iter().chain(below.into_iter().flatten()).filter(is_data) {
        match found(meta, table) {
            Ok(file) => listing.files.push(file),
            Err(meta) => listing.misplaced.push((
                meta.location.into(),
                format!(
                    "it stands where no file of a dataset does: \
                     {table}/date=YYYY-MM-DD/host=HOST/NAME.parquet",
                    table = table.name()
                ),
            )),
        }
    }
    listing.files_listed = listing.files.len();
    let mask = prune.files(&listing.files)?;
    listing.files = chosen(listing.files, &mask);
    listing.files.sort_by(|a, b| a.meta.location.cmp(&b.meta.location));
    changes::check(source, &listing.files).await?;
    Ok(listing)
}

/// Hidden from every engine: what begins with a dot or an underscore.
fn is_hidden(path: &Path) -> bool {
    path.parts().any(|part| part.as_ref().starts_with(['.', '_']))
}

fn chosen<T>(items: Vec<T>, mask: &BooleanArray) -> Vec<T> {
    items.into_iter().zip(mask).filter_map(|(item, keep)| keep?.then_some(item)).collect()
}

fn day(folder: &str) -> Option<i32> {
    let date: Date = folder.strip_prefix("date=")?.parse().ok()?;
    EPOCH.until(date).ok().map(|span| span.get_days())
}

fn found(meta: ObjectMeta, table: Table) -> std::result::Result<Found, ObjectMeta> {
    let at = DataPath::parse(meta.location.as_ref()).filter(|path| path.table() == table);
    let place = at.and_then(|path| {
        let date = day(&format!("date={}", path.date()))?;
        Some((date, path.host().to_owned()))
    });
    match place {
        Some((date, host)) => Ok(Found { meta, table, date, host }),
        None => Err(meta),
    }
}

/// As DataFusion takes an error of this program's own.
pub(super) fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
