"""botocore with its endpoints cut down to ours, beside botocore with all of them."""

from __future__ import annotations

import json
from pathlib import Path

import botocore.session
import pytest
from botocore import BOTOCORE_ROOT
from botocore.loaders import JSONFileLoader, create_loader
from botocore.regions import EndpointResolver

from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.aws.chain import Chain
from glacier_purge.aws.credentials import CredentialSource
from glacier_purge.aws.sdk_data import SERVICES, OurServicesOnly
from glacier_purge.aws.session import AwsSession
from glacier_purge.clock import utc_now
from glacier_purge.glacier.request_ids import SeenRequestIds
from glacier_purge.glacier.sdk.wire import scrutiny
from glacier_purge.glacier.service_clock import ServiceClock

DATA = Path(BOTOCORE_ROOT) / "data"
ENDPOINTS = str(DATA / "endpoints")


@pytest.mark.parametrize("service", SERVICES)
def test_our_services_are_found_where_botocore_finds_them_in_every_region(service: str) -> None:
    whole = EndpointResolver(JSONFileLoader().load_file(ENDPOINTS))
    ours = EndpointResolver(OurServicesOnly().load_file(ENDPOINTS))
    partitions = whole.get_available_partitions()
    assert ours.get_available_partitions() == partitions
    assert whole.get_available_endpoints(service), "not a name botocore has"
    for partition in partitions:
        regions = whole.get_available_endpoints(service, partition, allow_non_regional=True)
        assert ours.get_available_endpoints(service, partition, allow_non_regional=True) == regions
        for region in regions:
            assert ours.construct_endpoint(service, region) == whole.construct_endpoint(service, region)


def test_other_services_are_left_out() -> None:
    for partition in OurServicesOnly().load_file(ENDPOINTS)["partitions"]:
        assert set(partition["services"]) <= set(SERVICES)


@pytest.mark.parametrize("content", ["[]", "{}", '{"partitions": [{}]}', '{"partitions": {}}'])
def test_a_file_of_another_shape_is_botocores_to_judge(content: str, tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text(content, "ascii")
    assert OurServicesOnly().load_file(str(tmp_path / "endpoints")) == json.loads(content)


def test_every_other_file_is_botocores(tmp_path: Path) -> None:
    loader = OurServicesOnly()
    model = str(DATA / "glacier" / "2012-06-01" / "service-2")
    assert loader.load_file(model) == JSONFileLoader().load_file(model)
    assert loader.load_file(str(tmp_path / "endpoints")) is None


async def test_clients_are_made_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.session, "create_loader", create_loader)  # tests share one, which others may have fed
    keys = StaticCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret")
    access = Access(endpoint_url=None, credentials=keys)
    session = AwsSession(
        access,
        "eu-west-1",
        scrutiny(None, SeenRequestIds(), ServiceClock(utc_now)),
        CredentialSource(Chain(access, "eu-west-1").begin),
    )
    async with session.client("glacier") as client:
        assert client.meta.endpoint_url == "https://glacier.eu-west-1.amazonaws.com"
    endpoints = session._core.get_component("data_loader").load_data("endpoints")
    assert all(set(partition["services"]) <= set(SERVICES) for partition in endpoints["partitions"])
