//! Who can open what, and that nothing else does.

use std::{fs, io::Cursor, os::unix::fs::PermissionsExt, path::Path};

use parquet::encryption::decrypt::KeyRetriever;

use super::*;
use crate::{Keys, keys::KEY_BYTES};

fn ring(keys: &[&SecretKey]) -> Keyring {
    let mut keyring = Keyring::default();
    keys.iter().for_each(|key| keyring.add((*key).clone()));
    keyring
}

fn sealed_for(keys: &[&SecretKey]) -> FileKey {
    let recipients = keys.iter().map(|key| key.public()).collect();
    AtRest::Encrypted { recipients }.file_key("events/a.parquet").unwrap().unwrap()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn each_recipient_gets_the_data_key_and_nobody_else() {
    let [team, host, other] = [(); 3].map(|()| SecretKey::generate().unwrap());
    let file = sealed_for(&[&team, &host]);
    for key in [&team, &host] {
        let opened = ring(&[&other, key]).data_key(&file.key_metadata).unwrap();
        assert_eq!(opened.as_bytes(), file.data_key.as_bytes());
    }
    for keyring in [ring(&[]), ring(&[&other])] {
        let error = keyring.data_key(&file.key_metadata).unwrap_err();
        assert!(matches!(&error, SinkError::NoKey { recipients }
            if recipients == &format!("{}, {}", team.public().id(), host.public().id())));
        // What an engine on top of crate parquet sees says it too.
        let seen = keyring.retrieve_key(&file.key_metadata).unwrap_err().to_string();
        assert!(seen.contains(&error.to_string()), "{seen}");
    }
}

#[test]
fn two_files_never_share_a_data_key() {
    let key = SecretKey::generate().unwrap();
    let [one, other] = [(); 2].map(|()| sealed_for(&[&key]));
    assert_ne!(one.data_key.as_bytes(), other.data_key.as_bytes());
    assert_ne!(one.key_metadata, other.key_metadata);
}

#[test]
fn a_flipped_bit_in_key_metadata_gives_the_same_key_or_an_error() {
    let key = SecretKey::generate().unwrap();
    let (file, keyring) = (sealed_for(&[&key]), ring(&[&key]));
    let wrapped = file.key_metadata.windows(16).position(|id| id == key.public().id().as_bytes());
    for place in 0..file.key_metadata.len() {
        let mut metadata = file.key_metadata.clone();
        metadata[place] ^= 1 << (place % 8);
        match keyring.data_key(&metadata) {
            // Names of a key service that is not asked.
            Ok(opened) => {
                assert_eq!(opened.as_bytes(), file.data_key.as_bytes());
                assert!(place < wrapped.unwrap() + 16, "byte {place}");
            }
            Err(SinkError::NoKey { .. } | SinkError::KeyMetadata { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn key_metadata_is_what_arrows_key_tools_write_and_read() {
    let key = SecretKey::generate().unwrap();
    let file = sealed_for(&[&key]);
    let json: serde_json::Value = serde_json::from_slice(&file.key_metadata).unwrap();
    let wrapped = json["wrappedDEK"].as_str().unwrap();
    let expected = serde_json::json!({
        "keyMaterialType": "PKMT1", "internalStorage": true, "isFooterKey": true,
        "kmsInstanceID": "DEFAULT", "kmsInstanceURL": "DEFAULT",
        "masterKeyID": "evscribe-recipients-1", "doubleWrapping": false, "wrappedDEK": wrapped,
    });
    assert_eq!(json, expected);
    // Another writer's: escapes, another order, more fields than ours.
    let others = format!(
        r#"{{"wrappedDEK":"{wrapped}","doubleWrapping":false,"masterKeyID":"k","more":[1],
        "kmsInstanceURL":"https:\/\/kms","kmsInstanceID":"x","isFooterKey":true,
        "internalStorage":true,"keyMaterialType":"PKMT1"}}"#
    );
    let opened = ring(&[&key]).data_key(others.as_bytes()).unwrap();
    assert_eq!(opened.as_bytes(), file.data_key.as_bytes());
}

#[test]
fn foreign_key_metadata_is_an_error() {
    let key = SecretKey::generate().unwrap();
    let good = String::from_utf8(sealed_for(&[&key]).key_metadata).unwrap();
    let many = format!("{}:AAAA;", key.public().id()).repeat(MAX_RECIPIENTS + 1);
    let id = key.public().id();
    for metadata in [
        String::new(),
        "kf".into(),
        "{}".into(),
        good.replace("PKMT1", "PKMT2"),
        good.replace(r#""doubleWrapping":false"#, r#""doubleWrapping":true"#),
        good.replace(r#""internalStorage":true"#, r#""internalStorage":false"#),
        good.replace(&id, ""),
        good.replace(&id, &many),
        good.replace(&format!("{id}:"), &format!("{id}:AAAA;{id}:!")),
        good.replace("DEFAULT", &"x".repeat(70_000)),
    ] {
        let error = ring(&[&key]).data_key(metadata.as_bytes()).unwrap_err();
        assert!(matches!(error, SinkError::KeyMetadata { .. }), "{metadata}: {error}");
    }
}

#[test]
fn nothing_is_encrypted_for_nobody_or_for_too_many() {
    assert!(matches!(AtRest::default().encryption("x"), Err(SinkError::NoRecipient)));
    assert!(AtRest::Plain.encryption("x").unwrap().is_none());
    let own = SecretKey::generate().unwrap().public();
    assert_eq!(AtRest::Plain.and(own.clone()), AtRest::Plain);
    let at_rest = AtRest::default().and(own.clone()).and(own.clone());
    assert_eq!(at_rest, AtRest::Encrypted { recipients: vec![own.clone()] });
    let properties = at_rest.encryption("events/x.parquet").unwrap().unwrap();
    assert_eq!(properties.aad_prefix().unwrap(), b"evscribe/1/events/x.parquet");
    assert!(properties.encrypt_footer() && properties.store_aad_prefix());
    let recipients = vec![own; MAX_RECIPIENTS + 1];
    let error = AtRest::Encrypted { recipients }.encryption("x").unwrap_err();
    assert!(matches!(error, SinkError::Recipients { found: 65 }));
}

#[test]
fn keys_come_back_from_their_texts() {
    let secret = SecretKey::generate().unwrap();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("team.key");
    write(&path, secret.to_text().as_bytes());
    assert_eq!(SecretKey::from_file(&path).unwrap().public(), secret.public());
    let public = secret.public().named("the data team").unwrap();
    let read: PublicKey = public.to_string().parse().unwrap();
    assert_eq!((read.name(), read.id()), (Some("the data team"), secret.public().id()));
    assert_eq!(read, secret.public());
    assert!(read.to_string().starts_with("evscribe-recipient-1:"));
    assert!(
        !format!("{secret:?}").contains(secret.to_text().trim_end().rsplit(' ').next().unwrap())
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = SecretKey::from_file(&path).unwrap_err();
    assert!(error.to_string().ends_with("others may read it: chmod 600"));
}

#[test]
fn what_is_no_key_is_said_to_be_none_and_no_secret_is_shown() {
    let secret = SecretKey::generate().unwrap();
    let low = format!("evscribe-recipient-1:{}", "A".repeat(43));
    for text in ["", "evscribe-recipient-1:", "evscribe-recipient-1:AAAA", "age1x", &low] {
        assert!(matches!(text.parse::<PublicKey>(), Err(SinkError::PublicKey { .. })), "{text}");
    }
    let text = secret.to_text();
    let error = text.parse::<PublicKey>().unwrap_err().to_string();
    assert!(!error.contains(text.trim_end().rsplit(' ').next().unwrap()), "{error}");
    assert!(secret.public().named("a\nb").is_err());
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in [("empty", ""), ("short", "EVSCRIBE-SECRET-KEY-1 AAAA"), ("other", "x")] {
        let path = root.path().join(name);
        write(&path, bytes.as_bytes());
        assert!(matches!(SecretKey::from_file(&path), Err(SinkError::Key { .. })), "{name}");
        assert!(matches!(Keyring::from_files(&[&path]), Err(SinkError::Key { .. })), "{name}");
    }
}

#[test]
fn a_workstations_key_opens_what_it_sealed_before_each_rotation() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("evscribe.key");
    let (mut bytes, mut files) = (Vec::new(), Vec::new());
    for rotation in 0..3_u8 {
        bytes.extend([rotation + 1; KEY_BYTES]);
        write(&path, &bytes);
        let keys = Keys::from_file(&path).unwrap();
        assert_eq!(keys.pseudonym("host", b"x"), Keys::from_bytes([1; 32]).pseudonym("host", b"x"));
        files.push(sealed_for(&[&keys.own()]));
        for keyring in [Keyring::of(&keys), Keyring::from_files(&[&path]).unwrap()] {
            assert_eq!(keyring.ids().count(), files.len());
            for file in &files {
                let opened = keyring.data_key(&file.key_metadata).unwrap();
                assert_eq!(opened.as_bytes(), file.data_key.as_bytes());
            }
        }
    }
    write(&path, &bytes[..33]);
    assert!(matches!(Keys::from_file(&path), Err(SinkError::Key { .. })));
}

#[test]
fn a_file_of_recipients_is_read_and_its_first_bad_line_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("recipients");
    let [one, other] = [(); 2].map(|()| SecretKey::generate().unwrap().public());
    let named = one.named("team").unwrap();
    fs::write(&path, format!("# who\n\n{named}\n  {other}\n{one}\n")).unwrap();
    let read = recipients(&path).unwrap();
    assert_eq!(read, [one.clone(), other]);
    assert_eq!(read[0].name(), Some("team"));
    fs::write(&path, format!("{one}\nnonsense\n")).unwrap();
    let error = recipients(&path).unwrap_err();
    assert!(matches!(error, SinkError::RecipientLine { line: 2, .. }), "{error}");
    let keys = |_| SecretKey::generate().unwrap().public().to_string();
    fs::write(&path, (0..MAX_RECIPIENTS).map(keys).collect::<Vec<_>>().join("\n")).unwrap();
    assert!(matches!(recipients(&path), Err(SinkError::Recipients { .. })));
    assert!(matches!(recipients(root.path()), Err(SinkError::Io { .. })));
}

#[test]
fn an_encrypted_file_is_known_by_its_end() {
    for (bytes, expected) in
        [(&b"PARE.....PARE"[..], true), (b"PAR1...PAR1", false), (b"PA", false)]
    {
        assert_eq!(is_encrypted(&mut Cursor::new(bytes)).unwrap(), expected);
    }
}

#[test]
fn no_nonce_is_used_twice_and_each_module_has_its_own_aad() {
    let key = SecretKey::generate().unwrap();
    let mut modules = modules::Modules::new(sealed_for(&[&key])).unwrap();
    let place = modules::ChunkPlace { group: 1, column: 2 };
    let mut nonces = std::collections::HashSet::new();
    for _ in 0..1000 {
        let sealed = modules.seal(modules::Module::DataPage(place), b"the same").unwrap();
        assert_eq!(sealed.len(), 4 + 12 + 8 + 16);
        assert_eq!(sealed[..4], 36_u32.to_le_bytes());
        assert!(nonces.insert(sealed[4..16].to_vec()));
    }
}

#[test]
fn what_is_in_the_clear_comes_back_from_the_end_of_a_file() {
    let key = SecretKey::generate().unwrap();
    let file = sealed_for(&[&key]);
    let (aad_prefix, key_metadata) = (file.aad_prefix.clone(), file.key_metadata.clone());
    let mut modules = modules::Modules::new(file).unwrap();
    let bytes = [&b"PARE, pages"[..], &modules.footer(b"metadata").unwrap()].concat();
    let read = |bytes: &[u8]| CryptoMetadata::read(&mut Cursor::new(bytes)).unwrap();
    let metadata = read(&bytes).unwrap();
    assert_eq!((metadata.aad_prefix, metadata.key_metadata), (aad_prefix, key_metadata));
    assert_eq!(metadata.unique.len(), 8);
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_none());
    }
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            // An error or something, never a panic.
            drop(read(&changed));
        }
    }
}

#[test]
fn the_document_states_what_a_reader_has_to_know() {
    let format = include_str!("../../../../docs/FORMAT.md");
    let stated = format.split("\n## ").find(|text| text.starts_with("Encryption\n")).unwrap();
    let text = |bytes| str::from_utf8(bytes).unwrap();
    for word in [
        text(wrap::INFO),
        text(crate::keys::FILE_INFO),
        text(MAGIC),
        wrap::TYPE,
        wrap::MASTER_KEY,
        key::SECRET,
        key::PUBLIC,
        AAD_PREFIX,
        "at most 64",
    ] {
        assert!(stated.contains(word), "`{word}` is missing");
    }
    assert_eq!(MAX_RECIPIENTS, 64);
}
