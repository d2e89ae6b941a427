//! Whether what was listed is being changed. Where folders can change places a
//! change is seen whole or not at all; in S3, and in a folder of a file system that
//! cannot do that, files that are being merged are there beside what comes of them,
//! and a query would count their rows twice.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use datafusion::error::{DataFusionError, Result};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fault::Bad;
use super::listing::{Found, external};
use super::source::Source;

/// Where a lake says what it is about to do.
const INTENTS: &str = "_evscribe/intents";

/// What is about to be done to one host's files.
#[derive(Deserialize)]
struct Intent {
    partition: String,
    remove: BTreeSet<String>,
    add: BTreeMap<String, IgnoredAny>,
    /// Whether folders change places.
    is_swap: bool,
}

/// Refuses files of which some are about to be replaced by others of them.
///
/// Not seen: a change that begins and ends while the files are being listed.
///
/// # Errors
/// What is being changed.
pub(super) async fn check(source: &Source, files: &[Found]) -> Result<()> {
    let listed: HashSet<&str> = files.iter().map(|file| file.meta.location.as_ref()).collect();
    let said: Vec<_> = source.store.list(Some(&Path::from(INTENTS))).try_collect().await?;
    let read = |said: object_store::ObjectMeta| async move {
        match source.store.get(&said.location).await {
            // Done meanwhile.
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => found?.bytes().await.map(Some),
        }
    };
    let mut intents = stream::iter(said).map(read).buffer_unordered(source.at_once);
    while let Some(bytes) = intents.try_next().await? {
        let intent = bytes.map(|bytes| serde_json::from_slice::<Intent>(&bytes)).transpose();
        let intent = intent.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let is_twice = |intent: &Intent| {
            let is_listed = |path: &String| listed.contains(path.as_str());
            !intent.is_swap
                && intent.remove.iter().any(is_listed)
                && intent.add.keys().any(is_listed)
        };
        if let Some(intent) = intent.filter(is_twice) {
            let file = source.shown(&intent.partition);
            let why = "its files are being changed: ask again in a moment; where whatever \
                       changed them was ended, `evscribe-data merge` finishes it"
                .into();
            return Err(external(Bad { file, why }));
        }
    }
    Ok(())
}
