"""How servers are known: one TLS context for all that is sent, through the SDK or over connections of our own.

Trusted are the authorities of this system (truststore: OpenSSL's default paths on Linux, with SSL_CERT_FILE and
SSL_CERT_DIR; the keychain on macOS) and besides them those of one file, if somebody names one.  Certificate and host
name are checked alike for every service, every transport, through a proxy or not, and in every Python: 3.13's
``ssl.create_default_context`` refuses authorities older than RFC 5280, which companies have and every other AWS tool
takes, and writes the keys of a connection wherever SSLKEYLOGFILE says.  Neither is done here.
"""

from __future__ import annotations

import re
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import truststore
from aiohttp import ClientConnectorCertificateError, ClientConnectorError
from botocore.httpsession import get_cert_path

from glacier_purge.aws.profiles import Said
from glacier_purge.errors import ConfigurationFailed, UsageError
from glacier_purge.host_faults import if_the_host_fails

if TYPE_CHECKING:
    from glacier_purge.aws.profiles import Configuration

BUNDLE_BYTES_MAX = 16 * 1024 * 1024
"""Seventy times Mozilla's whole list: more is no file of certificates."""

_BEGIN = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE = re.compile(rf"{_BEGIN}[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII)

_UNTRUSTED = {
    "unable to get local issuer certificate",
    "unable to get issuer certificate",
    "self-signed certificate",
    "self-signed certificate in certificate chain",
}
"""OpenSSL's words for a chain that leads to nobody who is trusted here (X509_V_ERR 2, 18, 19, 20)."""

_NO_TLS = {
    "CERTIFICATE_REQUIRED": "it asks for a client certificate, and this program has none",
    "HANDSHAKE_FAILURE": "it asks for a client certificate, which this program has none of, or for ciphers of its own",
    "PROTOCOL": "it speaks no TLS 1.2 or newer",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
}
"""Parts of OpenSSL's reasons, and what they come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Authorities that somebody trusts besides the system's: a PEM file, what names it, and the certificates in it."""

    file: str
    named_by: str
    pem: str = field(repr=False)


def bundle_in_force(given: Path | None, configuration: Configuration) -> Bundle | None:
    """Read the file of authorities that is named, in botocore's order, ``given`` first; None when none is.

    Raises ``UsageError`` for a file given that can't be read, and ``ConfigurationFailed`` for another.
    """
    said = configuration.said("AWS_CA_BUNDLE", "ca_bundle") or configuration.of_environment("REQUESTS_CA_BUNDLE")
    if given is not None:
        said = Said(value=str(given), place="--ca-bundle or aws.ca_bundle")
    if said is None:
        return None
    try:
        with if_the_host_fails(f"{said.value} (named by {said.place}) can't be read"):
            pem = _certificates_in(Path(said.value))
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else str(fault)
        wrong = ConfigurationFailed if given is None else UsageError
        raise wrong(
            f"{said.value} (named by {said.place}) is no file of certificates in PEM form: {why}. Name the file of "
            "your company's authorities, or none: the system's are trusted in any case. Nothing was sent."
        ) from fault
    return Bundle(file=said.value, named_by=said.place, pem=pem)


def client_context(bundle: Bundle | None, *, checks: bool = True) -> ssl.SSLContext:
    """Make the context that every connection is opened with; without ``checks`` (loopback only) anybody will do.

    Takes some 20 ms, in which the system's authorities are read.
    """
    context, _ = _with_the_systems_authorities()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    context.sslobject_class = _Unwrapped
    if bundle is not None:
        context.load_verify_locations(cadata=bundle.pem)
    if not checks:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Unwrapped(ssl.SSLObject):
    """One connection's TLS, whose calls of every read and write are OpenSSL's own and not Python's around them.

    Three calls a delete less, 0.15 us. An event loop asks for them once, as it begins the handshake.
    """

    read = property(lambda self: self._sslobj.read)
    write = property(lambda self: self._sslobj.write)
    pending = property(lambda self: self._sslobj.pending)


def trust_in_words(bundle: Bundle | None) -> str:
    """Whose word is taken for a server's name, for people; takes as long as ``client_context``."""
    _, whose = _with_the_systems_authorities()
    return whose if bundle is None else f"{whose} and {bundle.file} ({bundle.named_by})"


def tls_fault(fault: BaseException | None) -> ssl.SSLError | None:
    """Find what TLS says below an exception of the SDK: the last is OpenSSL's own, others are aiohttp's."""
    found = None
    while fault is not None:
        found = fault if isinstance(fault, ssl.SSLError) else found
        fault = fault.__cause__ or fault.__context__
    return found


def host_asked(fault: BaseException) -> str:
    """Host and port that could not be spoken to: a proxy's, or those of the request the SDK's fault is about."""
    below = fault.__cause__ or fault.__context__
    if isinstance(below, ClientConnectorError | ClientConnectorCertificateError):
        return f"{below.host}:{below.port}"
    return urlsplit(getattr(fault, "kwargs", {}).get("endpoint_url", "")).netloc or "the service"


def check_trusted(fault: BaseException, what: str) -> None:
    """Raise ``ConfigurationFailed``, with ``what`` was not done, where a certificate that does not hold is why."""
    found = tls_fault(fault)
    if isinstance(found, ssl.SSLCertVerificationError):
        raise ConfigurationFailed(f"{what}: {fault_in_words(found, host_asked(fault))}. Nothing was sent.") from fault


def fault_in_words(fault: ssl.SSLError, where: str) -> str:
    """What kept a connection to ``where`` from being a safe one, and what can be done about it."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        why = fault.verify_message or str(fault)
        return f"the certificate of {where} does not hold: {why}. {_advice(why)}"
    reason = fault.reason or str(fault)
    why = next((words for part, words in _NO_TLS.items() if part in reason), reason.replace("_", " ").lower())
    return f"no TLS with {where}: {why}"


def _advice(why: str) -> str:
    if why.replace("self signed", "self-signed") in _UNTRUSTED:  # as OpenSSL 1.1 spelt it
        return (
            "Nobody who is trusted here vouches for it. If your company reads this traffic, give its authority with "
            "--ca-bundle or AWS_CA_BUNDLE; otherwise somebody stands in between"
        )
    if "expired" in why or "not yet valid" in why:
        return "Check this machine's clock; if it is right, whoever runs the server or the proxy has to renew it"
    return "Somebody else answers in the service's place, or a proxy does; look at what stands in between"


def _certificates_in(file: Path) -> str:
    """Read the PEM certificates of a file. Raises ``OSError``, and ``ValueError`` with the reason in words."""
    if file.is_dir():
        raise ValueError("it is a folder")
    if file.exists() and not file.is_file():
        raise ValueError("it is no regular file")
    with file.open("rb") as opened:
        content = opened.read(BUNDLE_BYTES_MAX + 1)
    if len(content) > BUNDLE_BYTES_MAX:
        raise ValueError(f"it is larger than {BUNDLE_BYTES_MAX:,} bytes")
    text = content.decode("latin-1")  # comments are in whatever code; certificates are ASCII
    found, begun = _CERTIFICATE.findall(text), text.count(_BEGIN)
    if not begun:
        raise ValueError(_what_else(content))
    if len(found) < begun:
        raise ValueError(f"one of its certificates ({begun}) is damaged or cut off")
    pem = "\n".join(found)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except ssl.SSLError as fault:
        raise ValueError(f"one of its certificates ({begun}) is damaged") from fault
    return pem


def _what_else(content: bytes) -> str:
    """Say what a file is that holds no certificate in PEM form."""
    if not content.strip():
        return "it is empty"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16; save it as plain text"
    if content.startswith(b"\x30"):
        return "it is DER; openssl x509 -inform DER -in FILE -out FILE.pem turns it into PEM"
    if b"PRIVATE KEY" in content:
        return "it holds a private key and no certificate"
    return "there is no certificate in it"


def _with_the_systems_authorities() -> tuple[ssl.SSLContext, str]:
    """An empty context, but for the authorities of this system, where it has none botocore's; and whose they are."""
    whose = "the system's authorities"
    checking = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.platform in {"darwin", "win32"}:
        return checking, whose
    checking.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    context: ssl.SSLContext = checking._ctx  # noqa: SLF001 - else it reads them all again, 17 ms, for each connection
    if not context.cert_store_stats()["x509"] and not _is_a_folder_of_authorities(
        ssl.get_default_verify_paths().capath
    ):
        context.load_verify_locations(cafile=get_cert_path(True))  # botocore's way to ask for its own list
        whose = "the authorities that AWS's SDK brings along, since this system has none"
    return context, whose


def _is_a_folder_of_authorities(folder: str | None) -> bool:
    """OpenSSL looks up authorities there by their hash, when they are needed."""
    return folder is not None and any(Path(folder).glob("*.0"))
