"""Whose certificates are trusted with TLS."""

import ssl
from pathlib import Path


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Read the certificates to trust: those of a file, or the system's.

    Raises:
        OSError: they cannot be read, or are none (`ssl.SSLError` is an `OSError`).
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        # From Python 3.13 on a CA must say what its key is for; those made at home often do not.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
