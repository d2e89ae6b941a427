//! What an erasure did, for who asked for it: kept in the lake while it is under
//! way, so that one that was interrupted still says all of it.

use std::collections::{BTreeMap, BTreeSet};

use evscribe_sink::Table;
use serde::{Deserialize, Serialize};

use crate::record::{read_json, write_json};
use crate::{LakeError, Noted, Place};

const ERASURES: &str = "_evscribe/erasures";
const VERSION: u32 = 1;

/// A file of the workstation whose rows the lake had.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErasedSource {
    /// Its path, as on the workstation.
    pub path: String,
    /// SHA-256 of its bytes, as it came, hex.
    pub sha256: String,
    /// Its table.
    pub table: Table,
    /// Pseudonym of its host.
    pub host: String,
    /// How many rows it had.
    pub rows: u64,
    /// The file of the lake that held them, and its SHA-256.
    pub was_in: (String, String),
}

/// What is left over after counting.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Proof {
    /// Hosts whose files were looked at: all that had rows of that person, or all
    /// of the lake where none had.
    pub hosts: Vec<String>,
    /// Files that were opened and read.
    pub files: u64,
    /// Rows of that person in these: 0.
    pub rows: u64,
    /// Files that were not read, and why.
    pub not_opened: Vec<Noted>,
    /// Files of `devices`, whose rows do not say whose they are; what the
    /// manifests say of them was gone by.
    pub by_manifest: u64,
    /// Sources of that person that the records still have: 0.
    pub sources: u64,
}

/// What was erased of one person, and whether it is proven.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Receipt {
    version: u32,
    /// The pseudonym.
    pub subject: String,
    /// The lake.
    pub lake: String,
    /// When it was begun, RFC 3339.
    pub begun_at: String,
    /// When it was last done.
    pub ended_at: String,
    /// What went, by its path on the workstation.
    pub erased: BTreeMap<String, ErasedSource>,
    /// Files of the lake that were written anew without that person's rows: path
    /// before and after.
    pub rewritten: BTreeMap<String, String>,
    /// What else went: from quarantine, from work folders, of no record.
    pub others: Vec<String>,
    /// Work folders of this machine that were looked into.
    #[serde(default)]
    pub work: BTreeSet<String>,
    /// What could not be erased, and why: none.
    pub left: Vec<Noted>,
    /// What was counted afterwards.
    pub proof: Proof,
    /// Whether everything that could hold rows of that person was read, and
    /// holds none, and nothing is left.
    pub proven: bool,
}

impl Receipt {
    /// That of an earlier, interrupted or finished, erasure; or a new one.
    pub(super) async fn of(place: &Place, subject: &str) -> Result<Self, LakeError> {
        let read = read_json(place, &path(subject), |receipt: &Self| receipt.version).await?;
        Ok(read.unwrap_or_else(|| Self {
            version: VERSION,
            subject: subject.into(),
            lake: place.shown(""),
            begun_at: jiff::Timestamp::now().to_string(),
            ..Self::default()
        }))
    }

    pub(super) async fn write(&self, place: &Place) -> Result<(), LakeError> {
        write_json(place, &path(&self.subject), self).await
    }

    /// Notes where storage keeps what was removed: as it says of the receipt, which
    /// was written.
    pub(super) async fn note_versions(&mut self, place: &Place) -> Result<(), LakeError> {
        if place.keeps_versions(&path(&self.subject)).await? {
            let why = "this storage keeps versions: what was removed or replaced is still there \
                       as an older one, and has to be removed there, by a lifecycle rule or by hand";
            self.left.push(Noted { path: place.shown(""), why: why.into() });
        }
        Ok(())
    }
}

fn path(subject: &str) -> String {
    format!("{ERASURES}/{subject}.json")
}
