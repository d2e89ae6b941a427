//! A footer that says more than there is ends nothing but its own file.

use std::fs;

use parquet::file::metadata::ParquetMetaDataReader;
use proptest::prelude::*;

use super::*;
use crate::crypt::{AtRest, Keyring, SecretKey, seal_footer};
use crate::inspect::TableFile;
use crate::{Dataset, SegmentId, SegmentWriter, support};

const PLACE: &str = "events/date=2026-11-23/host=ab01/a.parquet";
/// Version 2.
const VERSION: &[u8] = &[0x15, 4];
/// One element, the root, named `r`.
const SCHEMA: &[u8] = &[0x19, 0x1c, 0x48, 1, b'r', 0];
/// As many as a list may have: 2^31 - 1.
const MOST: &[u8] = &[0xff, 0xff, 0xff, 0xff, 7];

/// What ends the process, or might, where it is parsed as it is.
fn harmful() -> Vec<(&'static str, Vec<u8>)> {
    let rows: &[u8] = &[0x16, 2];
    let deep = |elements: u32| {
        let mut thrift = [VERSION, &[0x19, 0xfc]].concat();
        thrift.extend([
            elements as u8 | 0x80,
            (elements >> 7) as u8 | 0x80,
            (elements >> 14) as u8,
        ]);
        // Repetition, no name, one below.
        (0..elements).for_each(|_| thrift.extend([0x35, 0, 0x18, 0, 0x15, 2, 0]));
        [thrift.as_slice(), rows, &[0x19, 0x0c, 0]].concat()
    };
    vec![
        ("row groups", [VERSION, SCHEMA, rows, &[0x19, 0xfc], MOST, &[0]].concat()),
        // A list that says that it is a number.
        ("another type", [VERSION, SCHEMA, rows, &[0x15, 0xfc], MOST, &[0]].concat()),
        // The same behind a text that is a list.
        ("text", [VERSION, SCHEMA, rows, &[0x28, 8, 0x0c, 0xf9, 0xfc], MOST, &[0], &[0]].concat()),
        // The field is 4, in the long form.
        ("long form", [VERSION, SCHEMA, rows, &[0x09, 8, 0xfc], MOST, &[0]].concat()),
        ("twice", [VERSION, SCHEMA, SCHEMA, rows, &[0x19, 0xfc], MOST, &[0]].concat()),
        (
            "below the root",
            [VERSION, &[0x19, 0x1c, 0x48, 1, b'r', 0x15, 0xfe], &MOST[1..], &[0, 0]].concat(),
        ),
        ("deep", deep(200_000)),
    ]
}

fn plain(thrift: &[u8]) -> Vec<u8> {
    let length = u32::try_from(thrift.len()).unwrap().to_le_bytes();
    [b"PAR1", thrift, &length, b"PAR1"].concat()
}

#[test]
fn a_footer_that_says_more_than_there_is_is_an_error_and_the_process_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let at = root.path().join(PLACE);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    for (what, thrift) in harmful() {
        fs::write(&at, plain(&thrift)).unwrap();
        let error = TableFile::open(root.path(), PLACE, &Keyring::default()).unwrap_err();
        assert!(matches!(error, SinkError::Malformed { .. }), "{what}: {error:?}");
    }
}

#[test]
fn nor_does_one_that_was_encrypted_for_us() {
    let team = SecretKey::generate().unwrap();
    let mut keys = Keyring::default();
    keys.add(team.clone());
    let at_rest = AtRest::Encrypted { recipients: vec![team.public()] };
    let root = tempfile::tempdir().unwrap();
    let at = root.path().join(PLACE);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    for (what, thrift) in harmful() {
        let sealed = seal_footer(at_rest.file_key(PLACE).unwrap().unwrap(), &thrift);
        fs::write(&at, [MAGIC.as_slice(), &sealed].concat()).unwrap();
        let error = TableFile::open(root.path(), PLACE, &keys).unwrap_err();
        assert!(matches!(error, SinkError::Malformed { .. }), "{what}: {error:?}");
        let error = TableFile::open(root.path(), PLACE, &Keyring::default()).unwrap_err();
        assert!(error.lacks_key(), "{what}: {error:?}");
    }
}

#[test]
fn a_footer_that_is_said_to_be_as_long_as_its_file_is_not_read() {
    let root = tempfile::tempdir().unwrap();
    let at = root.path().join(PLACE);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    let file = fs::File::create(&at).unwrap();
    // Nothing of it takes room.
    file.set_len(3 << 30).unwrap();
    let end = [&((3_u32 << 30) - 12).to_le_bytes(), b"PAR1".as_slice()].concat();
    std::os::unix::fs::FileExt::write_all_at(&file, &end, (3 << 30) - 8).unwrap();
    let error = TableFile::open(root.path(), PLACE, &Keyring::default()).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
}

/// The thrift of each table's footer, as we seal it.
fn of_tables() -> Vec<Vec<u8>> {
    let root = tempfile::tempdir().unwrap();
    let mut dataset = Dataset::create_or_open(root.path()).unwrap();
    dataset.set_at_rest(AtRest::Plain);
    let id = SegmentId::of(b"footers");
    let mut segment = SegmentWriter::begin(&dataset, id, support::provenance()).unwrap();
    let rows = [
        support::device(0, 1),
        support::mark(0, evscribe_model::MarkKind::Start, "asked", None, None),
        support::key(500, 1, true),
        support::touch(600, 1, evscribe_model::Phase::Down),
    ];
    segment.write_rows(&rows).unwrap();
    let files = segment.finish(&mut dataset).unwrap();
    assert_eq!(files.len(), 4);
    let footer = |file: &crate::SealedFile| {
        let bytes = fs::read(root.path().join(&file.path)).unwrap();
        let (rest, _) = bytes.split_last_chunk::<4>().unwrap();
        let (rest, length) = rest.split_last_chunk::<4>().unwrap();
        rest[rest.len() - u32::from_le_bytes(*length) as usize..].to_vec()
    };
    files.iter().map(footer).collect()
}

#[test]
fn what_we_seal_passes() {
    assert!(of_tables().iter().all(|thrift| grammar::fits(thrift)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is made of a footer of ours: what passes is parsed or refused, by
    /// crate parquet, and the process goes on.
    #[test]
    fn prop_what_passes_ends_nothing(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        thread_local!(static ALL: Vec<Vec<u8>> = of_tables());
        for mut thrift in ALL.with(Clone::clone) {
            for (at, byte) in &changes {
                let at = at.index(thrift.len());
                thrift[at] = *byte;
            }
            if let Some(cut) = cut {
                thrift.truncate(cut.index(thrift.len()));
            }
            if grammar::fits(&thrift) {
                let _ = ParquetMetaDataReader::decode_metadata(&thrift);
            }
        }
    }
}
