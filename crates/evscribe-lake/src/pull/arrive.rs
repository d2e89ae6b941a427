//! A file that arrived whole: into the lake as it is or decrypted, or into
//! quarantine.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use evscribe_sink::crypt::Keyring;
use evscribe_sink::inspect::check_footer;
use evscribe_sink::{SealedFile, SinkError, plain_copy};
use parquet::file::metadata::ParquetMetaDataReader;
use serde::Serialize;

use super::error::{HostError, chain};
use super::stage::{self, Stage};
use crate::error::At;
use crate::place::blocking;
use crate::{LakeError, LakeFile, Place, Source};

/// Where that lies that did not pass, in the lake.
const QUARANTINE: &str = "_evscribe/quarantine";

/// What became of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// It is in the lake, at its path; what its record says.
    In(LakeFile),
    /// It did not pass: why.
    Refused(String),
}

/// Brings a file of `stage` into the lake that is as the manifest says, decrypted
/// where there are keys.
pub(super) async fn bring_in(
    place: &Place,
    stage: &Stage,
    keys: Option<&Keyring>,
    sealed: &SealedFile,
) -> Result<Arrival, HostError> {
    let (own, keys, file) = (stage.clone(), keys.cloned(), sealed.clone());
    let looked = blocking(move || Ok(look(&own, keys.as_ref(), &file))).await?;
    let (staged, lake_file) = match looked {
        Ok(looked) => looked,
        Err(Trouble::File(why)) => return Ok(Arrival::Refused(why)),
        Err(Trouble::Here(error)) => return Err(error.into()),
    };
    place.put(&staged, &sealed.path).await?;
    Ok(Arrival::In(lake_file))
}

/// What is wrong: with the file, or with this machine.
enum Trouble {
    File(String),
    Here(LakeError),
}

impl From<LakeError> for Trouble {
    fn from(error: LakeError) -> Self {
        Self::Here(error)
    }
}

/// Makes what goes into the lake, in the stage.
fn look(
    stage: &Stage,
    keys: Option<&Keyring>,
    sealed: &SealedFile,
) -> Result<(PathBuf, LakeFile), Trouble> {
    let at = stage.files().join(&sealed.path);
    let encrypted =
        stage::is_encrypted(&at)?.ok_or_else(|| Trouble::File("it is no Parquet file".into()))?;
    if !encrypted {
        check_plain(&at, sealed)?;
    }
    let lake_file = LakeFile {
        sha256: sealed.sha256.clone(),
        bytes: sealed.bytes,
        rows: sealed.rows,
        encrypted,
        sources: vec![Source { sealed: sealed.clone() }],
    };
    let Some(keys) = keys.filter(|_| encrypted) else {
        return Ok((stage.second_name(sealed)?, lake_file));
    };
    let plain = match plain_copy(&stage.files(), &sealed.path, keys, &stage.placing()) {
        Ok(plain) => plain,
        Err(SinkError::Io { doing, path, source }) => {
            return Err(Trouble::Here(LakeError::Io { doing, path, source }));
        }
        Err(error) => return Err(Trouble::File(chain(&error))),
    };
    if plain.rows != sealed.rows {
        return Err(Trouble::File(format!(
            "it holds {} rows, the manifest says {}",
            plain.rows, sealed.rows
        )));
    }
    let (sha256, bytes) = (plain.sha256, plain.bytes);
    let lake_file = LakeFile { sha256, bytes, encrypted: false, ..lake_file };
    Ok((stage.placing().join(&sealed.path), lake_file))
}

/// That a file without encryption is of the table, host and length that its place
/// and the manifest say. What is encrypted is looked at when it is opened.
fn check_plain(path: &Path, sealed: &SealedFile) -> Result<(), Trouble> {
    let mut file = File::open(path).at("open", path)?;
    check_footer(&mut file, Path::new(&sealed.path), None).map_err(|error| match error {
        error @ SinkError::Io { .. } => Trouble::Here(error.into()),
        error => Trouble::File(chain(&error)),
    })?;
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|error| {
        Trouble::File(format!("it is no Parquet file that can be read: {error}"))
    })?;
    let about = metadata.file_metadata();
    let value = |key: &str| {
        let all = about.key_value_metadata().into_iter().flatten();
        all.filter(|pair| pair.key == key).find_map(|pair| pair.value.as_deref())
    };
    let (table, host) = (value("evscribe.table"), value("evscribe.host"));
    if table != Some(sealed.table.name()) || host != Some(&sealed.host) {
        return Err(Trouble::File("it does not say that it is of that table and host".into()));
    }
    if u64::try_from(about.num_rows()).ok() != Some(sealed.rows) {
        return Err(Trouble::File(format!(
            "it holds {} rows, the manifest says {}",
            about.num_rows(),
            sealed.rows
        )));
    }
    Ok(())
}

/// What stands beside a file in quarantine.
#[derive(Serialize)]
struct Why<'a> {
    why: &'a str,
    at: String,
    /// The line of the manifest.
    manifest: &'a SealedFile,
}

/// Puts what lies at the file's place aside, with why.
pub(super) async fn quarantine(
    place: &Place,
    stage: &Stage,
    name: &str,
    sealed: &SealedFile,
    why: &str,
) -> Result<(), HostError> {
    let aside = aside(name, &sealed.path);
    let (own, file) = (stage.clone(), sealed.clone());
    let staged = blocking(move || {
        own.second_name(&file).map(Some).or_else(|error| match error {
            // Nothing that could be put aside: no file.
            LakeError::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                ) =>
            {
                Ok(None)
            }
            error => Err(error),
        })
    });
    if let Some(staged) = staged.await? {
        place.put(&staged, &aside).await?;
    }
    let why = Why { why, at: jiff::Timestamp::now().to_string(), manifest: sealed };
    let text = serde_json::to_vec_pretty(&why)
        .map_err(|error| HostError::Here(format!("cannot say why it is put aside: {error}")))?;
    place.write(&format!("{aside}.why.json"), text).await?;
    let (own, path) = (stage.clone(), sealed.path.clone());
    blocking(move || own.is_done_with(&path)).await?;
    Ok(())
}

/// Takes away what was put aside of a file: it is forgotten, or here after all.
pub(super) async fn clear_quarantine(
    place: &Place,
    name: &str,
    path: &str,
) -> Result<(), HostError> {
    let aside = aside(name, path);
    place.remove(&aside).await?;
    place.remove(&format!("{aside}.why.json")).await?;
    Ok(())
}

/// The paths of all that is in quarantine, by the host's name.
pub(super) async fn in_quarantine(
    place: &Place,
) -> Result<HashMap<String, BTreeSet<String>>, LakeError> {
    let mut all = HashMap::<String, BTreeSet<String>>::new();
    for file in place.list(QUARANTINE).await? {
        let inside = file.path.strip_prefix(QUARANTINE).and_then(|rest| rest.strip_prefix('/'));
        if let Some((name, path)) = inside.and_then(|inside| inside.split_once('/')) {
            let path = path.strip_suffix(".why.json").unwrap_or(path);
            all.entry(name.to_owned()).or_default().insert(path.to_owned());
        }
    }
    Ok(all)
}

fn aside(name: &str, path: &str) -> String {
    format!("{QUARANTINE}/{name}/{path}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use evscribe_sink::Table;

    use super::*;
    use crate::tests::lakes::{Lake, for_team, sitting};

    #[tokio::test]
    async fn a_footer_that_ends_who_parses_it_is_refused_and_ours_is_not() {
        let lake = Lake::new();
        let stage = Stage::open(lake.place.work(), "desk").unwrap();
        let mut sealed = sitting("ab01", "cafe", 0).seal(lake.dataset.path(), for_team()).remove(0);
        let at = stage.files().join(&sealed.path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        // A version, a schema, a number of rows, and 2^31 - 1 row groups.
        let thrift = [
            [0x15, 4, 0x19, 0x1c, 0x48, 1, b'r', 0, 0x16, 2].as_slice(),
            &[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0],
        ]
        .concat();
        let length = u32::try_from(thrift.len()).unwrap().to_le_bytes();
        fs::write(&at, [b"PAR1", thrift.as_slice(), &length, b"PAR1"].concat()).unwrap();
        let arrival = bring_in(&lake.place, &stage, None, &sealed).await.unwrap();
        assert!(matches!(&arrival, Arrival::Refused(why) if why.contains("footer")), "{arrival:?}");
        for table in Table::ALL {
            let plain = Lake::new();
            let files = sitting("ab01", "cafe", 0)
                .seal(plain.dataset.path(), evscribe_sink::crypt::AtRest::Plain);
            sealed = files.into_iter().find(|file| file.table == table).unwrap();
            let at = stage.files().join(&sealed.path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::copy(plain.dataset.path().join(&sealed.path), &at).unwrap();
            let arrival = bring_in(&lake.place, &stage, None, &sealed).await.unwrap();
            assert!(matches!(arrival, Arrival::In(_)), "{arrival:?}");
        }
    }
}
