//! Data keys, wrapped for those who may have them.
//!
//! HPKE in base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! ChaCha20-Poly1305. Around it the key material of Arrow's key tools, PKMT1
//! with internal storage, whose `wrappedDEK` holds
//! `<key id>:<base64url(enc || ciphertext)>` for each recipient, joined by `;`.
//!
//! Source: RFC 9180; Apache Arrow, `parquet/encryption/key_material.h`.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hpke::{
    Deserializable, HpkeError, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256, single_shot_open, single_shot_seal,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{DataKey, PublicKey, SecretKey};
use crate::SinkError;

pub(super) type Kem = X25519HkdfSha256;

pub(super) const INFO: &[u8] = b"evscribe data key v1";
/// Bytes of an encapsulated key.
const ENC_BYTES: usize = 32;
/// How many may read one file.
pub const MAX_RECIPIENTS: usize = 64;
/// Longest key metadata that is read: [`MAX_RECIPIENTS`] need 9 KiB.
const MAX_BYTES: usize = 64 * 1024;

pub(super) const TYPE: &str = "PKMT1";
/// Which wrapping key of which service: none and none, but readers want names.
pub(super) const MASTER_KEY: &str = "evscribe-recipients-1";
const DEFAULT: &str = "DEFAULT";

/// Key material as Arrow's key tools write and read it. Fields it does not name
/// are left alone: other writers may add some.
#[derive(Serialize, Deserialize)]
struct KeyMaterial<'a> {
    #[serde(rename = "keyMaterialType", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "internalStorage")]
    is_internal: bool,
    #[serde(rename = "isFooterKey")]
    is_footer: bool,
    #[serde(rename = "kmsInstanceID", borrow, default)]
    service: Cow<'a, str>,
    #[serde(rename = "kmsInstanceURL", borrow, default)]
    address: Cow<'a, str>,
    #[serde(rename = "masterKeyID", borrow, default)]
    master_key: Cow<'a, str>,
    #[serde(rename = "doubleWrapping")]
    is_double: bool,
    #[serde(rename = "wrappedDEK", borrow)]
    wrapped: Cow<'a, str>,
}

/// Whether a file can be for these.
pub(super) fn check(recipients: &[PublicKey]) -> Result<(), SinkError> {
    match recipients.len() {
        0 => Err(SinkError::NoRecipient),
        found if found > MAX_RECIPIENTS => Err(SinkError::Recipients { found }),
        _ => Ok(()),
    }
}

/// The key metadata of a file with that data key.
pub(super) fn key_metadata(
    data_key: &DataKey,
    recipients: &[PublicKey],
) -> Result<Vec<u8>, SinkError> {
    check(recipients)?;
    let wrapped = recipients.iter().map(|recipient| {
        let wrapped = wrap(data_key.as_bytes(), recipient).map_err(|_| SinkError::PublicKey {
            text: recipient.to_string(),
            why: "nothing can be encrypted for it",
        })?;
        Ok(format!("{}:{}", recipient.id(), URL_SAFE_NO_PAD.encode(wrapped)))
    });
    let wrapped = wrapped.collect::<Result<Vec<_>, SinkError>>()?.join(";");
    let material = KeyMaterial {
        kind: TYPE.into(),
        is_internal: true,
        is_footer: true,
        service: DEFAULT.into(),
        address: DEFAULT.into(),
        master_key: MASTER_KEY.into(),
        is_double: false,
        wrapped: wrapped.into(),
    };
    serde_json::to_vec(&material).map_err(|_| malformed("it cannot be written"))
}

/// The key ids and wrapped keys that key metadata holds.
pub(super) fn wrapped_keys(key_metadata: &[u8]) -> Result<Vec<(String, Vec<u8>)>, SinkError> {
    if key_metadata.len() > MAX_BYTES {
        return Err(malformed("it is far too long"));
    }
    let material: KeyMaterial<'_> = serde_json::from_slice(key_metadata)
        .map_err(|_| malformed("it is not the JSON of key material PKMT1"))?;
    if material.kind != TYPE || !material.is_internal || material.is_double {
        return Err(malformed("it is not of type PKMT1, stored in the file and wrapped once"));
    }
    let wrapped: Vec<&str> = material.wrapped.split(';').collect();
    if wrapped.len() > MAX_RECIPIENTS {
        return Err(malformed("it names more recipients than a file may have"));
    }
    let pair = |text: &&str| {
        let (id, wrapped) = text.split_once(':')?;
        let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(())?;
        Some((id.to_owned(), URL_SAFE_NO_PAD.decode(wrapped).ok()?))
    };
    let pairs: Option<Vec<_>> = wrapped.iter().map(pair).collect();
    pairs.ok_or_else(|| malformed("its wrapped keys are no `id:base64url`, joined by `;`"))
}

/// Ids of the keys that key metadata is for, in its order.
pub(crate) fn key_ids(key_metadata: &[u8]) -> Result<Vec<String>, SinkError> {
    Ok(wrapped_keys(key_metadata)?.into_iter().map(|(id, _)| id).collect())
}

pub(super) fn malformed(why: &'static str) -> SinkError {
    SinkError::KeyMetadata { why }
}

/// `enc || ciphertext`.
pub(super) fn wrap(key: &[u8], recipient: &PublicKey) -> Result<Vec<u8>, HpkeError> {
    // It takes random numbers, and panics where the kernel has none: whoever
    // makes a data key has asked the kernel just before.
    let (enc, sealed) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeS::Base,
        &recipient.kem()?,
        INFO,
        key,
        &[],
    )?;
    let mut wrapped = enc.to_bytes().to_vec();
    wrapped.extend(sealed);
    Ok(wrapped)
}

/// The key in `wrapped`; `None` where it is damaged or for another.
pub(super) fn unwrap(wrapped: &[u8], secret: &SecretKey) -> Option<Zeroizing<Vec<u8>>> {
    let (enc, sealed) = wrapped.split_at_checked(ENC_BYTES)?;
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc).ok()?;
    let key = single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeR::Base,
        &secret.kem().ok()?,
        &enc,
        INFO,
        sealed,
        &[],
    );
    key.ok().map(Zeroizing::new)
}
