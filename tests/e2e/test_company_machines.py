"""TLS, endpoints and proxies as company machines have them: each row is a situation, and what a command comes to in it.

A row says how the situation is made, the exit code, what is said, whether requests got through, and is held to leaving
no file behind.  The command is ``doctor``, the preflight, which goes the way a purge would go; what goes through here
goes through there (the last tests).  Nothing leaves loopback: hosts of AWS are asked for at a proxy on loopback, which
answers in their place.
"""

from __future__ import annotations

import os
import ssl
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.e2e.company import Certified, Front, authority, front, issued, proxy, refusing, server_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Bench
    from tests.e2e.shell import Shell

COMPANY, OLD, OTHER = authority(), authority("Old", old=True), authority("Other")
BETWEEN = authority("Between", by=COMPANY)
SELF_SIGNED = issued(None)
NOT_TRUSTED = "Nobody who is trusted here vouches for it"


class Machine:
    """A company's machine: its environment, its files, and what answers it."""

    def __init__(self, shell: Shell, folder: Path, opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = shell
        self.folder = folder
        self._opened = opened
        self._monkeypatch = monkeypatch
        self.front: Front | None = None
        self.options: tuple[str, ...] = ()
        self.endpoint_url = shell.simulator.endpoint_url

    @property
    def port(self) -> int:
        port = urlsplit(self.shell.simulator.endpoint_url).port
        assert port is not None
        return port

    def serves(self, certified: Certified) -> Machine:
        """A server with this certificate stands before the service."""
        return self.serves_by(server_side(certified, self.folder))

    def serves_by(self, context: ssl.SSLContext | None) -> Machine:
        self.front = self._opened.enter_context(front(self.port, context))
        self.endpoint_url = f"https://127.0.0.1:{self.front.port}"
        return self

    def refused_by(self, context: ssl.SSLContext) -> Machine:
        self.front = self._opened.enter_context(refusing(context))
        self.endpoint_url = f"https://127.0.0.1:{self.front.port}"
        return self

    def behind_proxy(
        self, by: Certified = COMPANY, *, other_host: str | None = None, over_tls: bool = False, refusal: str = ""
    ) -> Machine:
        """A proxy is the only way out; it speaks for every host with a certificate by ``by``."""
        outside = server_side(issued(COMPANY), self.folder) if over_tls else None
        self.front = self._opened.enter_context(
            proxy(
                self.port,
                self.shell.simulator.account_id,
                lambda host: server_side(issued(by, [other_host or host]), self.folder),
                outside,
                refusal,
            )
        )
        self.endpoint_url = ""
        return self.with_variables(HTTPS_PROXY=f"http{'s' if over_tls else ''}://127.0.0.1:{self.front.port}")

    def with_variables(self, **variables: str) -> Machine:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value.replace("SIMULATOR", self.shell.simulator.endpoint_url))
        return self

    def with_profile(self, text: str) -> Machine:
        file = self.folder / "aws-config"
        file.write_text(text.replace("SIMULATOR", self.shell.simulator.endpoint_url))
        return self.with_variables(AWS_CONFIG_FILE=str(file))

    def live(self, *options: str, region: str = "us-east-1") -> Machine:
        """The command names no endpoint."""
        self.endpoint_url = ""
        return self.giving("--region", region, *options)

    def giving(self, *options: str) -> Machine:
        self.options += options
        return self

    def file(self, content: str | bytes, name: str = "bundle.pem") -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def trusts(self, *authorities: Certified, by: str = "AWS_CA_BUNDLE") -> Machine:
        name = f"{by}.pem"
        return self.with_variables(**{by: self.file("\n".join(each.pem for each in authorities), name)})


@pytest.fixture
def machine(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as opened:
        yield Machine(shell, tmp_path_factory.mktemp("machine"), opened, monkeypatch)


@dataclass(frozen=True)
class Row:
    """``made`` makes the situation and may give options; ``requests``: whether any got to whoever answers."""

    made: Callable[[Machine], Machine]
    exit_code: int
    said: tuple[str, ...]
    requests: bool
    hosts: tuple[str, ...] = ()


def gets_through(made: Callable[[Machine], Machine], *said: str, hosts: tuple[str, ...] = ()) -> Row:
    return Row(made, 0, ("fine      way: deletes go by", *said), True, hosts)


def refused(made: Callable[[Machine], Machine], exit_code: int, *said: str) -> Row:
    """One sentence or two, and not a request."""
    return Row(made, exit_code, said, False)


def named(content: str | bytes) -> Callable[[Machine], Machine]:
    """A bundle with this content, named by the environment."""
    return lambda m: m.serves(issued(COMPANY)).with_variables(AWS_CA_BUNDLE=m.file(content))


def by_name(m: Machine) -> Machine:
    """A server that has a certificate for every name it is greeted with, and a wrong one for who greets with none."""
    good, wrong = server_side(issued(COMPANY, ["localhost"]), m.folder), server_side(issued(OTHER, ["x"]), m.folder)

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = good if name == "localhost" else wrong

    wrong.sni_callback = choose
    m.serves_by(wrong)
    m.endpoint_url = m.endpoint_url.replace("127.0.0.1", "localhost")
    return m


def asks_for_client(m: Machine, version: ssl.TLSVersion) -> Machine:
    context = server_side(issued(COMPANY), m.folder)
    context.load_verify_locations(cadata=COMPANY.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    return m.refused_by(context).trusts(COMPANY)


def of_old_tls(m: Machine) -> Machine:
    context = server_side(issued(COMPANY), m.folder)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return m.refused_by(context).trusts(COMPANY)


def in_role(m: Machine) -> Machine:
    """A profile that takes a role, and a place to keep its session."""
    m.with_profile(
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n"
        f"[profile ops]\nrole_arn = arn:aws:iam::{m.shell.simulator.account_id}:role/purger\nsource_profile = base\n"
    )
    return m.with_variables(HOME=str(m.folder)).live("--profile", "ops")


VPC_STS = "https://vpce-0a1b2c3d-abcdefgh.sts.us-east-1.vpce.amazonaws.com"

TLS = {
    "an authority named by AWS_CA_BUNDLE": gets_through(
        lambda m: m.serves(issued(COMPANY)).trusts(COMPANY), "AWS_CA_BUNDLE.pem (AWS_CA_BUNDLE)"
    ),
    "by --ca-bundle": gets_through(
        lambda m: m.serves(issued(COMPANY)).giving("--ca-bundle", m.file(COMPANY.pem)), "(--ca-bundle or aws.ca_bundle)"
    ),
    "by the AWS profile": gets_through(
        lambda m: m.serves(issued(COMPANY)).with_profile(f"[default]\nca_bundle = {m.file(COMPANY.pem)}\n"),
        "(ca_bundle of AWS profile default)",
    ),
    "by REQUESTS_CA_BUNDLE": gets_through(
        lambda m: m.serves(issued(COMPANY)).trusts(COMPANY, by="REQUESTS_CA_BUNDLE"), "(REQUESTS_CA_BUNDLE)"
    ),
    "by the system": gets_through(
        lambda m: m.serves(issued(COMPANY)).trusts(COMPANY, by="SSL_CERT_FILE"), "trusting the system's authorities\n"
    ),
    "by the system, and another by a bundle": gets_through(
        lambda m: m.serves(issued(COMPANY)).trusts(COMPANY, by="SSL_CERT_FILE").trusts(OTHER)
    ),
    "--ca-bundle before AWS_CA_BUNDLE": gets_through(
        lambda m: (
            m.serves(issued(COMPANY)).with_variables(AWS_CA_BUNDLE="/none").giving("--ca-bundle", m.file(COMPANY.pem))
        )
    ),
    "AWS_CA_BUNDLE before the profile": gets_through(
        lambda m: m.serves(issued(COMPANY)).trusts(COMPANY).with_profile("[default]\nca_bundle = /nonexistent\n")
    ),
    "AWS_CA_BUNDLE before REQUESTS_CA_BUNDLE": refused(
        lambda m: m.serves(issued(COMPANY)).trusts(OTHER).trusts(COMPANY, by="REQUESTS_CA_BUNDLE"), 253, NOT_TRUSTED
    ),
    "an empty variable names nothing": gets_through(
        lambda m: m.serves(issued(COMPANY)).with_variables(AWS_CA_BUNDLE="").trusts(COMPANY, by="REQUESTS_CA_BUNDLE")
    ),
    "an authority older than RFC 5280": gets_through(lambda m: m.serves(issued(OLD)).trusts(OLD)),
    "a bundle with comments in other languages and a byte order mark": gets_through(
        lambda m: m.serves(issued(COMPANY)).with_variables(
            AWS_CA_BUNDLE=m.file(b"\xef\xbb\xbf" + f"# Société\r\n{OTHER.pem}# Größe\n{COMPANY.pem}".encode())
        )
    ),
    "a chain with its middle": gets_through(
        lambda m: m.serves(issued(BETWEEN, between=(BETWEEN.certificate,))).trusts(COMPANY)
    ),
    "a chain whose middle is in the bundle": gets_through(lambda m: m.serves(issued(BETWEEN)).trusts(COMPANY, BETWEEN)),
    "only the middle of a chain in the bundle": gets_through(lambda m: m.serves(issued(BETWEEN)).trusts(BETWEEN)),
    "a self-signed certificate in the bundle": gets_through(lambda m: m.serves(SELF_SIGNED).trusts(SELF_SIGNED)),
    "a certificate chosen by the name in the greeting": gets_through(lambda m: by_name(m).trusts(COMPANY)),
    "unchecked, which loopback may be": gets_through(lambda m: m.serves(SELF_SIGNED).giving("--no-verify-ssl")),
    "an authority nobody knows": refused(
        lambda m: m.serves(issued(OTHER)).trusts(COMPANY),
        253,
        "the certificate of 127.0.0.1:",
        NOT_TRUSTED,
        "--ca-bundle",
    ),
    "a self-signed certificate": refused(lambda m: m.serves(SELF_SIGNED), 253, NOT_TRUSTED),
    "a chain without its middle": refused(lambda m: m.serves(issued(BETWEEN)).trusts(COMPANY), 253, NOT_TRUSTED),
    "a certificate that ran out": refused(
        lambda m: m.serves(issued(COMPANY, days=(-9, -1))).trusts(COMPANY), 253, "has expired", "this machine's clock"
    ),
    "one that does not hold yet": refused(
        lambda m: m.serves(issued(COMPANY, days=(1, 9))).trusts(COMPANY), 253, "not yet valid", "this machine's clock"
    ),
    "one for another host": refused(
        lambda m: m.serves(issued(COMPANY, ["glacier.us-east-1.amazonaws.com"])).trusts(COMPANY),
        *(253, "IP address mismatch", "Somebody else answers in the service's place"),
    ),
    "TLS 1.1 only": refused(of_old_tls, 3, "it speaks no TLS 1.2 or newer"),
    "a client certificate asked for, TLS 1.3": refused(
        lambda m: asks_for_client(m, ssl.TLSVersion.TLSv1_3), 3, "it asks for a client certificate"
    ),
    "a client certificate asked for, TLS 1.2": refused(
        lambda m: asks_for_client(m, ssl.TLSVersion.TLSv1_2), 3, "it asks for a client certificate"
    ),
    "no TLS at all": refused(lambda m: m.serves_by(None), 3, "it does not speak TLS"),
    "a bundle that is not there": refused(
        lambda m: m.with_variables(AWS_CA_BUNDLE="/nonexistent.pem"),
        *(253, "/nonexistent.pem (named by AWS_CA_BUNDLE)", "No such file"),
    ),
    "one given that is not there": refused(
        lambda m: m.giving("--ca-bundle", "/nonexistent.pem"),
        2,
        "(named by --ca-bundle or aws.ca_bundle)",
        "No such file",
    ),
    "one of the profile that is not there": refused(
        lambda m: m.with_profile("[default]\nca_bundle = /nonexistent.pem\n"),
        *(253, "(named by ca_bundle of AWS profile default)"),
    ),
    "REQUESTS_CA_BUNDLE naming a folder": refused(
        lambda m: m.with_variables(REQUESTS_CA_BUNDLE=str(m.folder)), 253, "REQUESTS_CA_BUNDLE", "it is a folder"
    ),
    "an empty bundle": refused(named("\n"), 253, "it is empty"),
    "a bundle in DER": refused(named(COMPANY.der), 253, "it is DER; openssl x509"),
    "a bundle in UTF-16": refused(named(COMPANY.pem.encode("utf-16")), 253, "it is UTF-16"),
    "a key for a bundle": refused(named(COMPANY.key_pem), 253, "it holds a private key and no certificate"),
    "a page for a bundle": refused(named("<html>Log in</html>"), 253, "there is no certificate in it"),
    "a bundle cut off": refused(named(OTHER.pem + COMPANY.pem[:-40]), 253, "(2) is damaged or cut off"),
    "a damaged certificate in a bundle": refused(
        named(OTHER.pem + COMPANY.pem.replace("\nMII", "\nAAA", 1)), 253, "one of its certificates (2) is damaged"
    ),
    "a bundle without end": refused(
        lambda m: m.with_variables(AWS_CA_BUNDLE="/dev/zero"), 253, "it is no regular file"
    ),
    "a bundle below a file": refused(
        lambda m: m.with_variables(AWS_CA_BUNDLE=m.file("x") + "/ca.pem"), 253, "Not a directory"
    ),
    "SSLKEYLOGFILE is not honoured": gets_through(
        lambda m: m.serves(issued(COMPANY)).trusts(COMPANY).with_variables(SSLKEYLOGFILE=str(m.shell.folder / "keys"))
    ),
}

PROXIES = {
    "a proxy that reads along, its authority known": gets_through(
        lambda m: m.behind_proxy().trusts(COMPANY).live(),
        *("by sdk (HTTPS_PROXY is set", "through 127.0.0.1:"),
        hosts=("glacier.us-east-1.amazonaws.com:443", "sts.us-east-1.amazonaws.com:443"),
    ),
    "its authority old": gets_through(lambda m: m.behind_proxy(OLD).trusts(OLD).live()),
    "its authority the system's": gets_through(lambda m: m.behind_proxy().trusts(COMPANY, by="SSL_CERT_FILE").live()),
    "a proxy that is spoken to in TLS": gets_through(lambda m: m.behind_proxy(over_tls=True).trusts(COMPANY).live()),
    "a proxy that is spoken to in TLS, and whose own authority is unknown": refused(
        lambda m: m.behind_proxy(OTHER, over_tls=True).trusts(OTHER).live(),
        253,
        "the certificate of 127.0.0.1:",
        NOT_TRUSTED,
    ),
    "https_proxy, in small letters and without scheme": gets_through(
        lambda m: (
            m.behind_proxy()
            .trusts(COMPANY)
            .with_variables(
                HTTPS_PROXY="http://127.0.0.1:9", https_proxy=os.environ["HTTPS_PROXY"].removeprefix("http://")
            )
            .live()
        ),
        "https_proxy",
    ),
    "a proxy that reads along, its authority unknown": refused(
        lambda m: m.behind_proxy().live(), 253, "the certificate of glacier.us-east-1.amazonaws.com", NOT_TRUSTED
    ),
    "a proxy that answers in another's name": refused(
        lambda m: m.behind_proxy(other_host="proxy.company.example").trusts(COMPANY).live(), 253, "Hostname mismatch"
    ),
    "connections of our own, which go through none": Row(
        lambda m: m.behind_proxy().trusts(COMPANY).live("--transport", "rest"),
        *(2, ("HTTPS_PROXY sends requests through 127.0.0.1:", "Leave --transport rest away"), True),
    ),
    "a proxy that wants to know who one is": refused(
        lambda m: m.behind_proxy(refusal="407 Proxy Authentication Required").live(), 3, "407", "proxy"
    ),
    "a proxy that lets nobody through to there": refused(
        lambda m: m.behind_proxy(refusal="403 Forbidden").live(), 3, "403", "proxy"
    ),
    "a proxy that is not there": refused(
        lambda m: m.with_variables(HTTPS_PROXY="http://user:secret@127.0.0.1:9").live(), 3, "proxy", "127.0.0.1:9"
    ),
    "a proxy of another kind": refused(
        lambda m: m.behind_proxy().with_variables(HTTPS_PROXY="socks5h://127.0.0.1:1080").live(),
        *(253, "HTTPS_PROXY names a proxy that AWS's SDK can't go through"),
    ),
    "FIPS": gets_through(
        lambda m: m.behind_proxy().trusts(COMPANY).with_variables(AWS_USE_FIPS_ENDPOINT="true").live(),
        "endpoint: https://glacier-fips.us-east-1.amazonaws.com",
        hosts=("glacier-fips.us-east-1.amazonaws.com:443", "sts-fips.us-east-1.amazonaws.com:443"),
    ),
    "FIPS of the profile": gets_through(
        lambda m: m.behind_proxy().trusts(COMPANY).with_profile("[default]\nuse_fips_endpoint = true\n").live(),
        hosts=("glacier-fips.us-east-1.amazonaws.com:443", "sts-fips.us-east-1.amazonaws.com:443"),
    ),
    "FIPS of our own settings": gets_through(
        lambda m: m.behind_proxy().trusts(COMPANY).with_variables(GLACIER_PURGE_AWS__USE_FIPS_ENDPOINT="true").live(),
        hosts=("glacier-fips.us-east-1.amazonaws.com:443", "sts-fips.us-east-1.amazonaws.com:443"),
    ),
    "a role, whose STS is asked through the proxy": gets_through(lambda m: in_role(m.behind_proxy().trusts(COMPANY))),
    "a role, and the proxy's authority unknown": refused(
        lambda m: in_role(m.behind_proxy()), 253, "the certificate of sts.us-east-1.amazonaws.com", NOT_TRUSTED
    ),
    "a VPC's own endpoint for STS, for a role too": gets_through(
        lambda m: in_role(m.behind_proxy().trusts(COMPANY).with_variables(AWS_ENDPOINT_URL_STS=VPC_STS)),
        hosts=("glacier.us-east-1.amazonaws.com:443", f"{VPC_STS.removeprefix('https://')}:443"),
    ),
    "FIPS of our own settings, for a role too": gets_through(
        lambda m: in_role(m.behind_proxy().trusts(COMPANY).with_variables(GLACIER_PURGE_AWS__USE_FIPS_ENDPOINT="true")),
        hosts=("glacier-fips.us-east-1.amazonaws.com:443", "sts-fips.us-east-1.amazonaws.com:443"),
    ),
    "a VPC's own endpoint for STS": gets_through(
        lambda m: m.behind_proxy().trusts(COMPANY).with_variables(AWS_ENDPOINT_URL_STS=VPC_STS).live(),
        hosts=("glacier.us-east-1.amazonaws.com:443", f"{VPC_STS.removeprefix('https://')}:443"),
    ),
    "the one STS of old": gets_through(
        lambda m: m.behind_proxy().trusts(COMPANY).with_variables(AWS_STS_REGIONAL_ENDPOINTS="legacy").live(),
        hosts=("glacier.us-east-1.amazonaws.com:443", "sts.amazonaws.com:443"),
    ),
    "smart defaults": gets_through(
        lambda m: m.behind_proxy().trusts(COMPANY).with_variables(AWS_DEFAULTS_MODE="in-region").live(),
        hosts=("glacier.us-east-1.amazonaws.com:443", "sts.us-east-1.amazonaws.com:443"),
    ),
}


def profile(text: str) -> Callable[[Machine], Machine]:
    """An AWS profile, for a command that names no endpoint."""
    return lambda m: m.with_profile(f"[default]\n{text}").live()


def variables(**given: str) -> Callable[[Machine], Machine]:
    return lambda m: m.with_variables(**given).live()


STRANGER = "https://glacier.company.example"
ENDPOINTS = {
    "ALL_PROXY, which is no proxy of the SDK's": gets_through(
        variables(AWS_ENDPOINT_URL="SIMULATOR", ALL_PROXY="http://127.0.0.1:9"), "ALL_PROXY counts for nothing"
    ),
    "the profile's endpoint_url": gets_through(profile("endpoint_url = SIMULATOR\n"), "not AWS"),
    "its services section": gets_through(
        profile(
            f"services = s\nendpoint_url = {STRANGER}\n[services s]\nglacier =\n  endpoint_url = SIMULATOR\n"
            "sts =\n  endpoint_url = SIMULATOR\nsso =\n  endpoint_url = SIMULATOR\n"
            "sso_oidc =\n  endpoint_url = SIMULATOR\n"
        ),
        "not AWS",
    ),
    "AWS_ENDPOINT_URL": gets_through(variables(AWS_ENDPOINT_URL="SIMULATOR"), "not AWS"),
    "AWS_ENDPOINT_URL_GLACIER before the profile": gets_through(
        lambda m: profile(f"services = s\n[services s]\nglacier =\n  endpoint_url = {STRANGER}\n")(
            m.with_variables(AWS_ENDPOINT_URL_GLACIER="SIMULATOR")
        )
    ),
    "FIPS and dual-stack of a pretended service": gets_through(
        variables(AWS_ENDPOINT_URL="SIMULATOR", AWS_USE_FIPS_ENDPOINT="true", AWS_USE_DUALSTACK_ENDPOINT="true")
    ),
    "a stranger's, by the profile": refused(
        profile(f"endpoint_url = {STRANGER}\n"), 2, "endpoint_url of AWS profile default: ", "deletes go only to"
    ),
    "a stranger's, by a services section": refused(
        profile(f"services = s\n[services s]\nglacier =\n  endpoint_url = {STRANGER}\n"),
        *(2, "endpoint_url of glacier in [services s]: "),
    ),
    "a stranger's, by AWS_ENDPOINT_URL": refused(variables(AWS_ENDPOINT_URL=STRANGER), 2, "AWS_ENDPOINT_URL: "),
    "a services section that is not there": refused(
        profile("services = nowhere\n"), 253, "AWS profile default names the section [services nowhere]"
    ),
    "another region's, by the profile": refused(
        profile("endpoint_url = https://glacier.eu-west-1.amazonaws.com\n"), 2, "do not belong together"
    ),
    "STS elsewhere": refused(
        variables(AWS_ENDPOINT_URL_STS="https://sts.company.example"),
        *(253, "AWS_ENDPOINT_URL_STS sends what is asked of STS to https://sts.company.example"),
    ),
    "STS on loopback, for a real vault": refused(
        variables(AWS_ENDPOINT_URL_STS="SIMULATOR"), 253, "AWS_ENDPOINT_URL_STS"
    ),
    "STS at another service": refused(
        variables(AWS_ENDPOINT_URL_STS="https://s3.us-east-1.amazonaws.com"), 253, "AWS_ENDPOINT_URL_STS"
    ),
    "SSO elsewhere, by a services section": refused(
        profile("services = s\n[services s]\nsso =\n  endpoint_url = https://sso.company.example\n"),
        *(253, "endpoint_url of sso in [services s]"),
    ),
    "Glacier's endpoint for every service": refused(
        variables(AWS_ENDPOINT_URL="https://glacier.us-east-1.amazonaws.com"), 253, "set AWS_ENDPOINT_URL_STS to one"
    ),
    "FIPS where there is none": refused(
        lambda m: m.with_variables(AWS_USE_FIPS_ENDPOINT="true").live(region="eu-west-1"),
        *(253, "FIPS endpoints are asked for", "AWS_USE_FIPS_ENDPOINT=false"),
    ),
    "FIPS, and an endpoint that is none": refused(
        lambda m: m.with_variables(AWS_USE_FIPS_ENDPOINT="true").live(
            "--endpoint-url", "https://glacier.us-east-1.amazonaws.com"
        ),
        *(253, "https://glacier.us-east-1.amazonaws.com is none"),
    ),
    "dual-stack": refused(
        variables(AWS_USE_DUALSTACK_ENDPOINT="true"), 253, "AWS_USE_DUALSTACK_ENDPOINT asks for dual-stack endpoints"
    ),
    "dual-stack of the profile": refused(
        profile("use_dualstack_endpoint = true\n"), 253, "use_dualstack_endpoint of AWS profile default"
    ),
    "models that change where requests go": refused(
        lambda m: m.with_variables(AWS_DATA_PATH=m.file("{}", "endpoints.json").removesuffix("/endpoints.json")).live(),
        *(253, "endpoints.json changes what AWS's SDK knows of AWS"),
    ),
    "smart defaults that there are not": refused(
        variables(AWS_DEFAULTS_MODE="smartest"), 253, "AWS's configuration does not hold", "smartest"
    ),
    "a kind of STS that there is not": refused(
        variables(AWS_STS_REGIONAL_ENDPOINTS="galactic"), 253, "AWS's configuration does not hold", "galactic"
    ),
}


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize(
    "row", [*TLS.values(), *PROXIES.values(), *ENDPOINTS.values()], ids=[*TLS, *PROXIES, *ENDPOINTS]
)
def test_who_can_get_through_does_and_who_cannot_is_told_why(row: Row, machine: Machine) -> None:
    row.made(machine)
    at = ("--endpoint-url", machine.endpoint_url) if machine.endpoint_url else ()
    before, asked = sorted(machine.shell.folder.rglob("*")), machine.shell.requests()
    told = machine.shell("doctor", "photos", *at, *machine.options)
    assert told.exit_code == row.exit_code, told
    for words in row.said:
        assert words in told.out + told.err, (words, told)
    assert "Traceback" not in told.err
    assert "secret" not in told.out + told.err
    assert (machine.shell.requests() > asked) is row.requests
    assert sorted(machine.shell.folder.rglob("*")) == before
    if row.hosts:
        assert machine.front is not None
        assert set(machine.front.asked) == set(row.hosts)


def test_another_endpoint_than_was_planned_for_is_not_passed_over(machine: Machine) -> None:
    digest = machine.shell.planned()
    machine.with_variables(AWS_ENDPOINT_URL_GLACIER="http://127.0.0.1:9")
    asked = machine.shell.requests()
    told = machine.shell.apply(digest)
    assert told.exit_code == 2, told
    assert f"planned for {machine.shell.simulator.endpoint_url}, and http://127.0.0.1:9 is asked for" in told.err
    assert machine.shell.requests() == asked


@pytest.mark.in_process
@pytest.mark.parametrize("bench", [{"archives": 120}], indirect=True)
@pytest.mark.parametrize(("transport", "certified_by"), [("sdk", COMPANY), ("rest", OLD)])
def test_a_purge_goes_the_way_its_preflight_went(
    transport: str, certified_by: Certified, bench: Bench, tmp_path: Path
) -> None:
    """Through a proxy that reads along by the SDK, and straight to an old authority's server over our connections."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        bench.variables[name] = ""
    bench.variables["AWS_CA_BUNDLE"] = str(tmp_path / "authority.pem")
    (tmp_path / "authority.pem").write_text(certified_by.pem)
    port = urlsplit(bench.simulator.endpoint_url).port
    assert port is not None
    at = ["--region", "us-east-1"]
    with ExitStack() as opened:
        if transport == "sdk":
            inside = cache(lambda host: server_side(issued(certified_by, [host]), tmp_path))
            between = opened.enter_context(proxy(port, bench.simulator.account_id, inside))
            bench.variables["HTTPS_PROXY"] = f"http://127.0.0.1:{between.port}"
        else:
            between = opened.enter_context(front(port, server_side(issued(certified_by), tmp_path)))
            at += ["--endpoint-url", f"https://127.0.0.1:{between.port}"]
        assert f"deletes go by {transport}" in bench.run("doctor", bench.simulator.vault, *at).stdout
        inventory = bench.simulator.inventory(bench.folder / "inventory.json")
        planned = bench.json(
            *("plan", bench.simulator.vault, "--inventory", str(inventory), "--run-dir", str(bench.run_dir), *at)
        )
        bench.run(*bench.apply_arguments(planned["digest"]))
    assert {record["outcome"] for record in bench.check_invariants().values()} == {"deleted"}
    if transport == "sdk":
        assert set(between.asked) == {"glacier.us-east-1.amazonaws.com:443", "sts.us-east-1.amazonaws.com:443"}
