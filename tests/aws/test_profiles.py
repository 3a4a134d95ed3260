"""Where AWS's own configuration sends requests, held against what botocore makes of the same environment and files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.session import Session

from glacier_purge.aws.profiles import Configuration, Said
from glacier_purge.errors import ConfigurationFailed

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[default]
endpoint_url = http://127.0.0.1:1
[profile both]
endpoint_url = http://127.0.0.1:2
services = ours
[profile ignoring]
endpoint_url = http://127.0.0.1:3
ignore_configured_endpoint_urls = TRUE
[profile others]
services = others
[profile empty]
endpoint_url =
[services ours]
glacier =
    endpoint_url = http://127.0.0.1:4
sso_oidc =
    endpoint_url = http://127.0.0.1:5
[services others]
s3 =
    endpoint_url = http://127.0.0.1:6
"""
GENERAL, OWN = {"AWS_ENDPOINT_URL": "http://127.0.0.1:7"}, {"AWS_ENDPOINT_URL_GLACIER": "http://127.0.0.1:8"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").write_text(FILE)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("service", ["glacier", "sts", "s3", "sso_oidc"])
@pytest.mark.parametrize("profile", [None, "both", "others", "empty", "nobody"])
@pytest.mark.parametrize("environment", [{}, GENERAL, OWN, GENERAL | OWN, {"AWS_ENDPOINT_URL": ""}])
def test_an_endpoint_is_where_botocore_finds_it(
    service: str, profile: str | None, environment: dict[str, str], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    session = Session(profile=None if profile == "nobody" else profile)
    scoped = {} if profile == "nobody" else session.get_scoped_config()
    theirs = ConfiguredEndpointProvider(session.full_config, scoped, service.replace("_", "-"), os.environ).provide()
    ours = Configuration.of_profile(profile).endpoint(service)
    assert (ours and ours.value) == theirs


@pytest.mark.parametrize(
    ("profile", "environment", "said"),
    [
        (None, {}, Said(value="http://127.0.0.1:1", place="endpoint_url of AWS profile default")),
        ("both", {}, Said(value="http://127.0.0.1:4", place="endpoint_url of glacier in [services ours]")),
        ("both", GENERAL, Said(value="http://127.0.0.1:7", place="AWS_ENDPOINT_URL")),
        ("both", GENERAL | OWN, Said(value="http://127.0.0.1:8", place="AWS_ENDPOINT_URL_GLACIER")),
        ("ignoring", GENERAL | OWN, None),
        ("both", GENERAL | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, None),
        (
            "ignoring",
            GENERAL | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
            Said(value="http://127.0.0.1:7", place="AWS_ENDPOINT_URL"),
        ),
    ],
)
def test_who_says_it_is_known(
    profile: str | None,
    environment: dict[str, str],
    said: Said | None,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Configuration.of_profile(profile).endpoint("glacier") == said


def test_without_files_the_environment_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Configuration.of_profile("nobody").endpoint("glacier") is None
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "True")
    configuration = Configuration.of_profile(None)
    assert configuration.wants("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint") is not None
    assert configuration.wants("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint") is None


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("[default]\nservices = nowhere\n", r"AWS profile default names the section \[services nowhere\]"),
        ("no section at all\n", "AWS's configuration does not hold: .*config"),
    ],
)
def test_what_cannot_be_read_is_not_none(content: str, what: str, files: Path) -> None:
    (files / "config").write_text(content)
    with pytest.raises(ConfigurationFailed, match=what):
        Configuration.of_profile(None).endpoint("glacier")
