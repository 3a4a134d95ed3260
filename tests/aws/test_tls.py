"""One context for whatever is sent: what it trusts, what it does not do, and that both transports go by it."""

from __future__ import annotations

import ssl
from types import BuiltinMethodType
from typing import TYPE_CHECKING

import pytest
import truststore
from truststore import _openssl

from glacier_purge.api.clients import Clients
from glacier_purge.archive import ArchiveId
from glacier_purge.aws.access import Access
from glacier_purge.aws.profiles import Configuration
from glacier_purge.aws.tls import Bundle, bundle_in_force, client_context, fault_in_words, trust_in_words
from glacier_purge.errors import ConfigurationFailed
from glacier_purge.glacier.reply import Meaning
from tests.clients import KEYS, VAULT, open_rest, open_sdk
from tests.e2e.company import Certified, authority, issued, server_side
from tests.glacier.one_delete import delete
from tests.glacier.raw_server import answers, reply, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from glacier_purge.archive import Vault
    from glacier_purge.glacier.port import Glacier

OLD = authority("Old", old=True)


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Make a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue


def added(certified: Certified) -> Bundle:
    return Bundle(file="company.pem", named_by="AWS_CA_BUNDLE", pem=certified.pem)


def test_an_authority_that_a_newer_python_refuses_is_taken_in_every_python(tmp_path: Path) -> None:
    server = server_side(issued(OLD), tmp_path)
    newer = ssl.create_default_context(cadata=OLD.pem)
    newer.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 begins with
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(newer, server)
    context = client_context(added(OLD))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.get_ciphers() == newer.get_ciphers(), "what is sent costs what it did"
    shaken(context, server)


@pytest.mark.parametrize("open_transport", [open_sdk, open_rest])
async def test_both_transports_take_it_and_neither_takes_anothers(
    open_transport: Callable[[Vault, Access], AbstractAsyncContextManager[Glacier]], tmp_path: Path
) -> None:
    (tmp_path / "old.pem").write_text(OLD.pem)
    for authority_of_server, meaning in ((OLD, Meaning.DELETED), (authority("Old", old=True), Meaning.UNTRUSTED)):
        tls = server_side(issued(authority_of_server), tmp_path)
        async with serving(answers(reply()), tls=tls) as server:
            reached = Access(endpoint_url=server.endpoint_url, credentials=KEYS, ca_bundle=tmp_path / "old.pem")
            async with open_transport(VAULT, reached) as glacier:
                assert (await delete(glacier, ArchiveId("a" * 138))).meaning is meaning
        assert len(server.requests) == (meaning is Meaning.DELETED)


async def test_neither_s3_nor_dynamodb_is_asked_where_a_certificate_does_not_hold(tmp_path: Path) -> None:
    async with serving(answers(reply()), tls=server_side(issued(OLD), tmp_path)) as server, Clients() as clients:
        stores = clients.stores(Access(endpoint_url=server.endpoint_url, credentials=KEYS), VAULT.region)
        async with stores.open_copies() as copies:
            with pytest.raises(ConfigurationFailed, match=r"^S3 was not asked for b/k: the certificate of "):
                await copies.object_size_bytes("b", "k")
        with pytest.raises(ConfigurationFailed, match=r"^table copies was not read: the certificate of"):
            async for _ in stores.scan_table("copies"):
                pass
    assert server.requests == []


def test_keys_are_written_nowhere_and_old_versions_not_spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = client_context(added(OLD))
    shaken(context, server_side(issued(OLD), tmp_path))
    assert not (tmp_path / "keys").exists()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_systems_authorities_are_read_once_and_not_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    context = client_context(None)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: pytest.fail("they were read again"))
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")


def test_a_system_without_authorities_has_the_sdks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a container without the package ca-certificates."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setattr(_openssl, "_CA_FILE_CANDIDATES", [])
    assert client_context(None).cert_store_stats()["x509_ca"] > 50
    assert "this system has none" in trust_in_words(None)
    (tmp_path / "0a0b0c0d.0").write_text(OLD.pem)
    assert client_context(None).cert_store_stats()["x509"] == 0, "a folder of them is looked into when it is needed"


def test_on_a_mac_the_keychain_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    context = client_context(added(OLD))
    assert type(context) is truststore.SSLContext
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname


def test_a_bundle_larger_than_any_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "large.pem").open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "large.pem"))
    with pytest.raises(Exception, match="larger than 16,777,216 bytes"):
        bundle_in_force(None, Configuration.of_profile(None))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", "it speaks no TLS 1.2 or newer"),
        ("UNSUPPORTED_PROTOCOL", "it speaks no TLS 1.2 or newer"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "it asks for a client certificate, which this program has none of"),
        ("TLSV1_ALERT_UNRECOGNIZED_NAME", "tlsv1 alert unrecognized name"),
    ],
)
def test_what_openssl_says_is_said_in_words(reason: str, words: str) -> None:
    fault = ssl.SSLError(1, reason)
    fault.reason = reason
    assert fault_in_words(fault, "a.example:443").startswith(f"no TLS with a.example:443: {words}")


def test_whom_is_trusted_is_told() -> None:
    assert trust_in_words(None) == "the system's authorities"
    assert trust_in_words(added(OLD)) == "the system's authorities and company.pem (AWS_CA_BUNDLE)"


def test_a_connection_reads_and_writes_with_openssl_s_own_calls_and_no_others() -> None:
    for bundle in (None, added(OLD)):
        tls = client_context(bundle).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
        for call in (tls.read, tls.write, tls.pending):
            assert isinstance(call, BuiltinMethodType)
