//! What is encrypted is read by whom it is for, as it was sealed, or not at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::{fs, path::Path};

use evscribe_model::Row;
use evscribe_sink::{
    Command, Dataset, Forget, SealedFile, SegmentId, SegmentWriter, SinkError, Table,
    crypt::{AtRest, Keyring, SecretKey},
    inspect, plain_copy, recover,
};
use support::*;

fn seal(root: &Path, at_rest: AtRest, rows: &[Row]) -> Vec<SealedFile> {
    let mut dataset = Dataset::create_or_open(root).unwrap();
    dataset.set_at_rest(at_rest);
    let id = SegmentId::of(b"encrypted");
    let mut segment = SegmentWriter::begin(&dataset, id, provenance()).unwrap();
    segment.write_rows(rows).unwrap();
    segment.finish(&mut dataset).unwrap()
}

fn own() -> AtRest {
    AtRest::default().and(keys().own().public())
}

fn ring(key: SecretKey) -> Keyring {
    let mut keyring = Keyring::default();
    keyring.add(key);
    keyring
}

fn error_of(root: &Path, table: Table, keys: &Keyring) -> SinkError {
    inspect::head(root, 1, table, keys).unwrap_err()
}

fn texts(error: &SinkError) -> String {
    let mut texts = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        texts += &format!(": {error}");
        cause = error.source();
    }
    texts
}

#[test]
fn a_flipped_bit_anywhere_gives_an_error_or_the_same_rows() {
    let root = tempfile::tempdir().unwrap();
    for file in seal(root.path(), own(), &session()) {
        let path = root.path().join(&file.path);
        let whole = fs::read(&path).unwrap();
        let rows = || inspect::head(root.path(), usize::MAX, file.table, &keyring());
        let expected = rows().unwrap();
        assert_eq!(expected.rows.len() as u64, file.rows);
        let (mut errors, mut same) = (0, Vec::new());
        // A module's length is of four bytes, its nonce of 12, its tag of 16.
        let places = (file.table as usize..whole.len()).step_by(4);
        let count = places.len();
        for place in places {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place / 4 % 8);
            fs::write(&path, &bytes).unwrap();
            match rows() {
                Err(error) => {
                    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
                    errors += 1;
                }
                Ok(found) => {
                    assert_eq!(found, expected, "{} byte {place}", file.path);
                    same.push(place);
                }
            }
        }
        fs::write(&path, &whole).unwrap();
        // What says nothing: the magic at the beginning, names in the key metadata
        // of a key service that is not asked, a truth about the AAD.
        let service = whole.windows(7).position(|part| part == b"DEFAULT").unwrap();
        let silent = |place: &usize| *place < 4 || (service - 300..service + 100).contains(place);
        assert!(same.len() < 25 && same.iter().all(silent), "{}: {same:?}", file.path);
        assert_eq!(errors + same.len(), count);
        for length in (0..whole.len()).step_by(97) {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(rows().is_err(), "{} cut to {length}", file.path);
        }
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn without_the_right_key_it_is_said_for_whom_a_file_is() {
    let root = tempfile::tempdir().unwrap();
    let team = SecretKey::generate().unwrap();
    let at_rest = own().and(team.public());
    seal(root.path(), at_rest, &session());
    for keys in [keyring(), ring(team.clone())] {
        let report = inspect::verify(root.path(), &keys).unwrap();
        assert!(report.is_sound(), "{:?}", report.problems);
        assert_eq!(inspect::stats(root.path(), &keys).unwrap().files, 4);
    }
    for keys in [Keyring::default(), ring(SecretKey::generate().unwrap())] {
        for table in Table::ALL {
            let error = error_of(root.path(), table, &keys);
            assert!(error.lacks_key());
            assert!(texts(&error).contains(&team.public().id()), "{}", texts(&error));
            assert!(texts(&error).ends_with("give the secret key of one (`--key`)"));
        }
        let problems = inspect::verify(root.path(), &keys).unwrap().problems;
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(inspect::stats(root.path(), &keys).unwrap_err().lacks_key());
    }
}

#[test]
fn a_file_that_is_moved_is_refused_and_one_that_is_made_to_fit_does_not_open() {
    let root = tempfile::tempdir().unwrap();
    let files = seal(root.path(), own(), &session());
    let file = files.iter().find(|file| file.table == Table::Events).unwrap();
    let moved = file.path.replace("host=ab01", "host=ab02");
    let (from, to) = (root.path().join(&file.path), root.path().join(&moved));
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(&from, &to).unwrap();
    let error = error_of(root.path(), Table::Events, &keyring());
    assert!(
        texts(&error).ends_with(&format!(
            "it was sealed for another place, {}: it must stand there",
            file.path
        )),
        "{}",
        texts(&error)
    );
    // As if it had been sealed there.
    let mut bytes = fs::read(&to).unwrap();
    let at = bytes.windows(file.path.len()).position(|part| part == file.path.as_bytes());
    bytes[at.unwrap()..][..moved.len()].copy_from_slice(moved.as_bytes());
    fs::write(&to, bytes).unwrap();
    let error = error_of(root.path(), Table::Events, &keyring());
    assert!(texts(&error).contains("was changed since it was sealed"), "{}", texts(&error));
}

#[test]
fn a_plain_file_needs_no_key_and_may_stand_beside_encrypted_ones() {
    let root = tempfile::tempdir().unwrap();
    seal(root.path(), AtRest::Plain, &session());
    assert!(inspect::verify(root.path(), &Keyring::default()).unwrap().is_sound());
    let mut dataset = open(root.path());
    let id = SegmentId::of(b"later");
    let mut segment = SegmentWriter::begin(&dataset, id, provenance()).unwrap();
    segment.write_rows(&[motion(100_000, 2, 2)]).unwrap();
    segment.finish(&mut dataset).unwrap();
    assert!(inspect::verify(root.path(), &keyring()).unwrap().is_sound());
    assert!(inspect::stats(root.path(), &Keyring::default()).unwrap_err().lacks_key());
}

#[test]
fn nothing_is_sealed_before_it_is_said_for_whom() {
    let root = tempfile::tempdir().unwrap();
    let dataset = Dataset::create_or_open(root.path()).unwrap();
    let begun = SegmentWriter::begin(&dataset, SegmentId::of(b"x"), provenance());
    assert!(matches!(begun, Err(SinkError::NoRecipient)));
}

#[test]
fn a_plain_copy_is_what_would_have_been_sealed_plain() {
    let [plain, encrypted, copied] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let mut rows: Vec<Row> = session();
    rows.pop();
    rows.extend((0..70_000).map(|row| motion(10_000 + row * 1000, 2, 2)));
    let expected = seal(plain.path(), AtRest::Plain, &rows);
    let files = seal(encrypted.path(), own(), &rows);
    for (file, expected) in files.iter().zip(expected) {
        let mut only = Keyring::default();
        let error = plain_copy(encrypted.path(), &file.path, &only, copied.path()).unwrap_err();
        assert!(error.lacks_key());
        // What the service hands to a person: the data key of that file alone.
        let handed = file_key(encrypted.path(), &file.path);
        only.add_data_key(&file.path, handed);
        let copy = plain_copy(encrypted.path(), &file.path, &only, copied.path()).unwrap();
        let sealed_at = copy.sealed_at.clone();
        let subject = copy.subject.clone();
        assert_eq!(copy, SealedFile { sealed_at, subject, ..expected });
        let [one, other] =
            [plain.path(), copied.path()].map(|root| fs::read(root.join(&file.path)).unwrap());
        assert!(one == other, "{}", file.path);
        let in_place = plain_copy(encrypted.path(), &file.path, &only, encrypted.path()).unwrap();
        assert_eq!(in_place.sha256, copy.sha256);
    }
}

fn file_key(root: &Path, place: &str) -> evscribe_sink::crypt::DataKey {
    let mut file = fs::File::open(root.join(place)).unwrap();
    evscribe_sink::crypt::data_key_of(&mut file, place, &keyring()).unwrap().unwrap()
}

#[test]
fn what_is_rewritten_to_forget_gets_a_fresh_key_for_the_recipients_of_now() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    let send = |command| handle.try_send(command).unwrap();
    for segment in 0..2 {
        send(Command::Begin(Box::new(provenance())));
        let from = segment * 100_000;
        send(Command::Rows((0..20).map(|row| motion(from + row * 1000, 2, 2)).collect()));
        send(Command::Seal);
    }
    let team = SecretKey::generate().unwrap();
    send(Command::AtRest(AtRest::Encrypted { recipients: vec![team.public()] }));
    send(Command::Forget(Box::new(Forget {
        ticket: 1,
        subjects: vec!["cafe".into()],
        from_us: WALL_US + 100_000,
        until_us: WALL_US + 105_000,
        fresh_run: 100,
        runs: 10,
        reason: "person_asked",
        erase: false,
    })));
    handle.stop().unwrap();
    drop(reports);
    let dataset = root.path().join("dataset");
    let files = Dataset::files_of(&dataset, &["cafe".into()], &keyring()).unwrap();
    let opens = |file: &SealedFile, keys: &Keyring| {
        let mut opened = fs::File::open(dataset.join(&file.path)).unwrap();
        evscribe_sink::crypt::data_key_of(&mut opened, &file.path, keys).is_ok()
    };
    let events: Vec<&SealedFile> =
        files.iter().filter(|file| file.table == Table::Events).collect();
    assert_eq!(events.iter().map(|file| file.rows).collect::<Vec<_>>(), [20, 15]);
    assert!(!opens(events[0], &ring(team.clone())), "it was not for the team when it was sealed");
    assert!(opens(events[1], &ring(team.clone())));
    assert!(files.iter().all(|file| opens(file, &keyring())), "the workstation opens all");
}
