"""The two promises of S3 on which lease and replica rest, at a bucket that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.aws.access import Access
from glacier_purge.aws.bucket import BucketAccess, BucketAddress, BucketAway, ObjectTaken
from tests.clients import KEYS, VAULT
from tests.conformance.witnesses import needs_witness
from tests.e2e.test_foreign import by_boto3, moto

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.aws.bucket import Bucket
    from tests.e2e.simulator import Simulator

__all__ = ["moto"]

MAKE = """
import sys, boto3
boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1").create_bucket(Bucket="purges")
"""


@pytest.mark.witness
@needs_witness
async def test_one_of_several_writers_wins_and_all_are_told(witness: Path, moto: Simulator) -> None:
    by_boto3(witness, MAKE, moto.endpoint_url)
    async with Clients() as clients:

        async def there(prefix: str, name: str = "purges") -> Bucket:
            wanted = BucketAccess(BucketAddress(name, prefix), "us-east-1", moto.endpoint_url)
            return await clients.bucket(wanted, Access(credentials=KEYS), VAULT.region)

        bucket = await there("photos")
        await kept_promises(bucket)
        assert await (await there("other")).keys("") == []
        assert await (await there("")).keys("photos/lo") == ["photos/log/1", "photos/log/2"]
        missing = await there("photos", "nowhere")
        with pytest.raises(BucketAway, match="NoSuchBucket") as away:
            await missing.create("lease", b"1")
        assert away.value.is_denied


async def kept_promises(bucket: Bucket) -> None:
    """Create once, replace as seen, and of eight that race for either one."""
    assert await bucket.read("lease") is None
    first = await bucket.create("lease", b"1")
    assert await bucket.create("lease", b"1") == first, "its own bytes, written once more"
    with pytest.raises(ObjectTaken):
        await bucket.create("lease", b"2")
    second = await bucket.replace("lease", b"2", first)
    with pytest.raises(ObjectTaken):
        await bucket.replace("lease", b"3", first)
    held = await bucket.read("lease")
    assert held == (b"2", second)
    with pytest.raises(ObjectTaken):
        await bucket.replace("nothing", b"1", first)
    for _ in range(5):
        held = await bucket.read("lease")
        assert held is not None
        winners = list[bytes]()

        async def race(content: bytes, etag: str = held.etag, winners: list[bytes] = winners) -> None:
            try:
                await bucket.replace("lease", content, etag)
            except ObjectTaken:
                return
            winners.append(content)

        async with anyio.create_task_group() as racing:
            for number in range(8):
                racing.start_soon(race, b"%d after %s" % (number, held.content[:60]))
        after = await bucket.read("lease")
        assert after is not None
        assert winners == [after.content]
    await bucket.create("log/2", b"x" * 100_000)
    await bucket.create("log/1", b"")
    assert await bucket.keys("log/") == ["log/1", "log/2"]
    whole = await bucket.read("log/2")
    assert whole is not None
    assert whole.content == b"x" * 100_000
