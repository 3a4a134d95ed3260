"""A throwaway certificate for loopback, made by the system's ``openssl`` when the simulator starts.

The authority's key lives for the length of one command and is then deleted, so that nothing else can ever be signed
with an authority that somebody was told to trust.  Nothing here is a dependency: ``--tls`` needs the ``openssl``
command and says so when it is missing.
"""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from glacier_purge.errors import UsageError

_DAYS = "30"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


def make_certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make an authority and a certificate for loopback in ``folder``.

    Returns the server's TLS settings and the authority's certificate file, for clients to trust. Raises
    ``UsageError`` when there is no ``openssl`` or it fails.
    """
    authority, authority_key = folder / "ca.pem", folder / "ca-key.pem"
    certificate, key = folder / "server.pem", folder / "server-key.pem"
    request, extensions = folder / "server.csr", folder / "extensions"
    extensions.write_text(f"basicConstraints=CA:FALSE\n{_NAMES}\n", encoding="ascii")
    _openssl(
        *("req", "-x509", *_KEY, "-keyout", str(authority_key), "-out", str(authority), "-days", _DAYS),
        *("-subj", "/CN=glacier-purge simulator authority", "-addext", "keyUsage=critical,keyCertSign"),
    )
    _openssl("req", "-new", *_KEY, "-keyout", str(key), "-out", str(request), "-subj", "/CN=localhost")
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey", str(authority_key)),
        *("-CAcreateserial", "-out", str(certificate), "-days", _DAYS, "-extfile", str(extensions)),
    )
    authority_key.unlink()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, authority


def _openssl(*arguments: str) -> None:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, check=False, timeout=60)  # noqa: S603,S607 - our own arguments
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"TLS needs the openssl command to make a certificate, and it did not run: {error}."
        ) from error
    if done.returncode:
        raise UsageError(f"openssl made no certificate: {done.stderr.decode(errors='replace').strip()}")
