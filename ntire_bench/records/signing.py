"""Signatures of records, Ed25519: a file of the record's name and ".sig" beside it.

The whole file is signed. A signature says that who holds the key has stored this record, and that no byte of
it was changed since; it does not say that what the key's holder measured is true. Keys and signatures are
made and checked by the package `cryptography`, which the extra "signing" installs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ntire_bench.errors import RecordError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["PrivateKey", "PublicKey", "make_keys", "signature_path"]

_CONTEXT = b"ntire_bench record\n"  # so that no signature of another kind of text fits
_ALGORITHM = "Ed25519"


@dataclass(frozen=True)
class _Signature:
    """What lies beside a record: which key, and the signature in base64."""

    algorithm: str
    key: str
    signature: str


def signature_path(record_path: Path) -> Path:
    """Return where the signature of a record lies.

    >>> signature_path(Path("00_RLFN/20261120T105331.123456Z.json")).name
    '20261120T105331.123456Z.json.sig'
    """
    return record_path.with_name(record_path.name + ".sig")


class PrivateKey:
    """Signs records.

    Args:
        path: Of the file that `make_keys` wrote.

    Raises:
        UsageError: There is no such file, it is no Ed25519 key, or the package is missing.
    """

    def __init__(self, path: Path) -> None:
        serialization, kinds = _package()
        try:
            key = serialization.load_pem_private_key(_read(path), password=None)
        except (ValueError, TypeError) as error:
            raise _no_key(path, "a private key of `ntire-bench keygen`") from error
        if not isinstance(key, kinds.Ed25519PrivateKey):
            raise _no_key(path, "a private key of `ntire-bench keygen`")
        self._key: Ed25519PrivateKey = key

    def sign(self, record_path: Path) -> Path:
        """Write the signature of a record beside it, whole or not at all.

        Args:
            record_path: Of a record.

        Returns:
            The path of the signature.

        Raises:
            RecordError: It cannot be written.
        """
        signature = self._key.sign(_CONTEXT + record_path.read_bytes())
        told = _Signature(
            algorithm=_ALGORITHM,
            key=_fingerprint(self._key.public_key()),
            signature=base64.b64encode(signature).decode(),
        )
        path = signature_path(record_path)
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
            os.replace(temporary, path)
        except OSError as error:
            raise RecordError(
                "the signature cannot be written",
                file=path,
                found=error.strerror or str(error),
                remedy="free space there, or name another folder with --results",
            ) from error
        return path


class PublicKey:
    """Checks signatures.

    Args:
        path: Of the file that `make_keys` wrote beside the private key.

    Raises:
        UsageError: There is no such file, it is no public Ed25519 key, or the package is missing.
    """

    def __init__(self, path: Path) -> None:
        serialization, kinds = _package()
        expected = "a public key of `ntire-bench keygen` (its name ends in .pub)"
        try:
            key = serialization.load_pem_public_key(_read(path))
        except ValueError as error:
            raise _no_key(path, expected) from error
        if not isinstance(key, kinds.Ed25519PublicKey):
            raise _no_key(path, expected)
        self._key: Ed25519PublicKey = key

    def objection(self, record_path: Path) -> str | None:
        """Return why a record does not count as signed by this key; None where it is."""
        from cryptography.exceptions import InvalidSignature

        path = signature_path(record_path)
        try:
            told = msgspec.json.decode(path.read_bytes(), type=_Signature)
            signature = base64.b64decode(told.signature, validate=True)
        except FileNotFoundError:
            return "it is not signed"
        except OSError as error:
            return f"its signature cannot be read ({error.strerror or error})"
        except (msgspec.DecodeError, binascii.Error, UnicodeDecodeError):
            return "what lies beside it is no signature"
        try:
            self._key.verify(signature, _CONTEXT + record_path.read_bytes())
        except InvalidSignature:
            if told.key != _fingerprint(self._key):
                return f"it is signed with another key ({told.key[:16]})"
            return "it was changed after it was signed"
        except OSError as error:
            return f"it cannot be read ({error.strerror or error})"
        return None


def make_keys(path: Path) -> tuple[Path, Path]:
    """Make a pair of keys; nothing that is there is replaced.

    Args:
        path: Of the private key, which this user alone may read; the public one gets ".pub" appended.

    Returns:
        The paths of the private and the public key.

    Raises:
        UsageError: A file of one of these names exists, it cannot be written, or the package is missing.
    """
    serialization, kinds = _package()
    public = path.with_name(path.name + ".pub")
    key = kinds.Ed25519PrivateKey.generate()
    private_pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public_pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if there := next((file for file in (path, public) if os.path.lexists(file)), None):
        raise UsageError(
            "the key is not made: there is a file of its name",
            file=there,
            remedy="name another, or move this one away; records signed with it need its public key",
        )
    for file, data, mode in ((path, private_pem, 0o600), (public, public_pem, 0o644)):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
                out.write(data)
        except OSError as error:
            raise UsageError(
                "the key cannot be written",
                file=file,
                found=error.strerror or str(error),
                remedy="name a file in a folder that this user may write to",
            ) from error
    return path, public


def _fingerprint(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _package() -> tuple[Any, Any]:
    """Return the parts of `cryptography` that are needed.

    Raises:
        UsageError: It is not installed.
    """
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise UsageError(
            "signatures need a package that is not installed",
            expected="cryptography",
            remedy="pip install 'ntire-bench[signing]', or pip install cryptography",
        ) from error
    return serialization, ed25519


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            "the key cannot be read",
            file=path,
            found=error.strerror or str(error),
            remedy="name the file that `ntire-bench keygen` wrote",
        ) from error


def _no_key(path: Path, expected: str) -> UsageError:
    return UsageError("the file is not such a key", file=path, expected=expected)
