//! What the tables of one query share: the files, the keys, and the book of what
//! was read and what could not be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::parquet::file::metadata::ParquetMetaData;
use evscribe_sink::SinkError;
use evscribe_sink::crypt::Keyring;
use futures::{StreamExt, stream};
use object_store::ObjectMeta;

use super::fault::{Bad, Fault, Refused, is_of_the_bytes};
use super::footer;
use super::listing::{Found, Listing, external};
use super::source::Source;

/// Footers that are kept between their check and the reading of their file;
/// others are read twice.
const KEPT_BYTES: usize = 64 << 20;

/// What a query is asked of.
#[derive(Debug)]
pub(super) struct Lake {
    pub(super) source: Source,
    keys: Keyring,
    skip_bad: bool,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// What is wrong with a file, by its place.
    bad: BTreeMap<String, String>,
    good: HashMap<String, Good>,
    kept: HashMap<String, Arc<ParquetMetaData>>,
    kept_bytes: usize,
    /// Whether a file turned out bad when rows of it may have been passed on.
    is_tainted: bool,
    scans: Vec<Scan>,
}

/// What the footer of a file said that was in order.
#[derive(Clone, Debug)]
pub(super) struct Good {
    pub(super) rows: usize,
    pub(super) times: Option<(i64, i64)>,
    levels: Arc<BTreeSet<String>>,
}

/// What one use of a table in a query came to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
pub(super) struct Scan {
    pub(super) table: &'static str,
    /// Dates that there are, and how many of them were listed.
    pub(super) dates: usize,
    pub(super) dates_listed: usize,
    /// Files of these dates, and how many of them are read.
    pub(super) files_listed: usize,
    pub(super) files: usize,
}

impl Lake {
    pub(super) fn new(source: Source, keys: Keyring, skip_bad: bool) -> Self {
        Self { source, keys, skip_bad, book: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Every entry is put in whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bad(&self, place: &str, why: &str) -> Bad {
        Bad { file: self.source.shown(place), why: why.to_owned() }
    }

    /// Opens and checks the footers of what was listed, many at once. Files that
    /// cannot be read are left out where that is asked for.
    ///
    /// # Errors
    /// The files that cannot be read, or what is wrong with the storage.
    pub(super) async fn check(
        self: &Arc<Self>,
        table: &'static str,
        listing: Listing,
    ) -> Result<Vec<(Found, Good)>> {
        let Listing { files, misplaced, dates, dates_listed, files_listed } = listing;
        let mut bad = misplaced;
        let check = |found: Found| {
            let lake = Arc::clone(self);
            // A task each: opening a footer is work for a processor, too.
            tokio::spawn(async move {
                let good = lake.good(&found).await;
                (found, good)
            })
        };
        let mut checks = stream::iter(files).map(check).buffered(self.source.at_once);
        let mut good = Vec::new();
        while let Some(checked) = checks.next().await {
            match checked.map_err(external)? {
                (found, Ok(footer)) => good.push((found, footer)),
                (found, Err(Fault::File(why))) => bad.push((found.meta.location.into(), why)),
                (found, Err(Fault::Store(error))) => {
                    return Err(self.lost(found.meta.location.as_ref(), error));
                }
            }
        }
        drop(checks);
        let mut book = self.book();
        book.bad.extend(bad);
        if !self.skip_bad && !book.bad.is_empty() {
            let all = book.bad.iter().map(|(place, why)| self.bad(place, why)).collect();
            return Err(external(Refused(all)));
        }
        book.scans.push(Scan { table, dates, dates_listed, files_listed, files: good.len() });
        Ok(good)
    }

    async fn good(&self, found: &Found) -> std::result::Result<Good, Fault> {
        let place = found.meta.location.as_ref();
        if let Some(good) = self.book().good.get(place) {
            return Ok(good.clone());
        }
        if let Some(why) = self.book().bad.get(place) {
            return Err(Fault::File(why.clone()));
        }
        let metadata = footer::load(&self.source.store, &found.meta, &self.keys).await?;
        let footer = footer::check(found, &metadata).map_err(Fault::File)?;
        let mut book = self.book();
        let good = Good { rows: footer.rows, times: footer.times, levels: Arc::new(footer.levels) };
        book.good.insert(place.to_owned(), good.clone());
        let bytes = metadata.memory_size();
        if book.kept_bytes + bytes <= KEPT_BYTES {
            book.kept_bytes += bytes;
            book.kept.insert(place.to_owned(), metadata);
        }
        Ok(good)
    }

    /// The footer of a file that was checked before.
    pub(super) async fn footer(
        &self,
        file: &ObjectMeta,
    ) -> std::result::Result<Arc<ParquetMetaData>, Fault> {
        if let Some(metadata) = self.book().kept.get(file.location.as_ref()) {
            return Ok(Arc::clone(metadata));
        }
        footer::load(&self.source.store, file, &self.keys).await
    }

    /// Takes down why the file at `place` was not read to its end; `None` where it
    /// is to be left out.
    pub(super) fn failed(&self, place: &str, error: DataFusionError) -> Option<DataFusionError> {
        if !is_of_the_bytes(&error) {
            return Some(error);
        }
        let what = error.find_root().to_string();
        let what = what.trim_start_matches("Parquet error: ").to_owned();
        self.damaged(place, what)
    }

    /// As [`Lake::failed`], where it is known that the file's bytes are at fault.
    pub(super) fn damaged(&self, place: &str, what: String) -> Option<DataFusionError> {
        let why = SinkError::Tampered { what }.to_string();
        let bad = self.bad(place, &why);
        let mut book = self.book();
        book.bad.insert(place.to_owned(), why);
        book.good.remove(place);
        if self.skip_bad {
            book.is_tainted = true;
            return None;
        }
        Some(external(Refused(vec![bad])))
    }

    /// What is said where the storage does not give a file.
    pub(super) fn lost(&self, place: &str, error: object_store::Error) -> DataFusionError {
        let file = self.source.shown(place);
        if matches!(error, object_store::Error::NotFound { .. }) {
            let why = "it was removed or merged while the query ran: ask again".to_owned();
            return external(Bad { file, why });
        }
        DataFusionError::from(error).context(format!("{file} cannot be read"))
    }

    /// Whether rows of a file that was found to be bad are among what came out
    /// since this was asked last.
    pub(super) fn was_tainted(&self) -> bool {
        let mut book = self.book();
        let was = std::mem::take(&mut book.is_tainted);
        if was {
            book.scans.clear();
        }
        was
    }

    /// Files that were left out.
    pub(super) fn left_out(&self) -> Vec<Bad> {
        self.book().bad.iter().map(|(place, why)| self.bad(place, why)).collect()
    }

    /// Each use of a table, in the order of their names.
    pub(super) fn scans(&self) -> Vec<Scan> {
        let mut scans = self.book().scans.clone();
        // Planned side by side, they come in any order.
        scans.sort();
        scans
    }

    /// How many of the files that were read have which level; one that was merged may
    /// have several.
    pub(super) fn levels(&self) -> BTreeMap<String, usize> {
        let mut levels = BTreeMap::new();
        for level in self.book().good.values().flat_map(|good| good.levels.iter()) {
            *levels.entry(level.clone()).or_default() += 1;
        }
        levels
    }
}
