"""Reads encrypted evscribe files with pyarrow: an example to copy.

pyarrow leaves it to a KMS client to unwrap the key of each file. Here no service
is asked: whoever holds a secret key of `evscribe keys generate` unwraps it.

    import evscribe_kms
    events = evscribe_kms.dataset("dataset/events", "team.key").to_table()

Needs `pyarrow` and `cryptography`. docs/FORMAT.md, "Encryption", has the bytes.
"""

import base64
import hashlib
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet.encryption as pe
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
INFO = b"evscribe data key v1"
SECRET = "EVSCRIBE-SECRET-KEY-1 "


def b64decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def secret_key(text: str) -> X25519PrivateKey:
    """What a secret key file holds."""
    if not text.startswith(SECRET):
        raise ValueError("this is no secret key of evscribe")
    return X25519PrivateKey.from_private_bytes(b64decode(text.removeprefix(SECRET).strip()))


class RecipientKms(pe.KmsClient):
    """Unwraps data keys by one secret key."""

    def __init__(self, text: str):
        super().__init__()
        self.secret = secret_key(text)
        self.id = hashlib.sha256(self.secret.public_key().public_bytes_raw()).hexdigest()[:16]

    def unwrap_key(self, wrapped_key, master_key_identifier):
        """`wrappedDEK` of a file: `<key id>:<base64url>` for each recipient, joined by `;`."""
        wrapped = dict(pair.split(":", 1) for pair in wrapped_key.split(";"))
        if self.id not in wrapped:
            raise PermissionError(f"it is encrypted for {', '.join(wrapped)}, not for {self.id}")
        try:
            return SUITE.decrypt(b64decode(wrapped[self.id]), self.secret, INFO)
        except InvalidTag as error:
            raise ValueError("its wrapped key is damaged") from error

    def wrap_key(self, key_bytes, master_key_identifier):
        raise NotImplementedError("evscribe writes the files, this reads them")


def factory(key_file) -> pe.CryptoFactory:
    """What pyarrow asks for keys."""
    text = Path(key_file).read_text()
    return pe.CryptoFactory(lambda _: RecipientKms(text))


def dataset(folder, key_file) -> ds.Dataset:
    """The files of a table, `<dataset>/<table>`, partitioned as they lie."""
    decryption = ds.ParquetDecryptionConfig(
        factory(key_file), pe.KmsConnectionConfig(), pe.DecryptionConfiguration()
    )
    options = ds.ParquetFragmentScanOptions(decryption_config=decryption)
    reading = ds.ParquetFileFormat(default_fragment_scan_options=options)
    return ds.dataset(folder, format=reading, partitioning="hive")
