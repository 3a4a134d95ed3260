"""What is a place in a bucket, and what is none."""

from __future__ import annotations

import pytest

from glacier_purge.aws.bucket import BucketAddress, BucketAway
from glacier_purge.errors import Needs, UsageError


@pytest.mark.parametrize(
    ("text", "name", "prefix", "key", "plain"),
    [
        ("s3://purges/photos", "purges", "photos", "photos/a", "s3://purges/photos"),
        ("s3://purges/photos/", "purges", "photos", "photos/a", "s3://purges/photos"),
        ("s3://my.purges-1/a/b=c/d", "my.purges-1", "a/b=c/d", "a/b=c/d/a", "s3://my.purges-1/a/b=c/d"),
        ("s3://purges", "purges", "", "a", "s3://purges"),
        ("s3://purges/", "purges", "", "a", "s3://purges"),
    ],
)
def test_a_place_in_a_bucket_is_read(text: str, name: str, prefix: str, key: str, plain: str) -> None:
    address = BucketAddress.parse(text)
    assert (address.name, address.prefix, address.key("a"), str(address)) == (name, prefix, key, plain)
    assert BucketAddress.parse(plain) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "purges/photos",
        "s3:/purges/photos",
        "https://purges.s3.amazonaws.com/photos",
        "s3://",
        "s3://ab",
        "s3:///photos",
        "s3://Purges/photos",
        "s3://purges_1/photos",
        "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/purges",
        "s3://-purges/photos",
        "s3://" + "a" * 64,
        "s3://purges/a//b",
        "s3://purges//a",
        "s3://purges/../a",
        "s3://purges/a/.",
        "s3://purges/with space",
        "s3://purges/a\n",
        "s3://purges/größe",
    ],
)
def test_what_is_none_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match=r"write s3://bucket/prefix$"):
        BucketAddress.parse(text)


def test_only_what_is_denied_waits_for_somebody() -> None:
    assert BucketAway("no answer").needs is Needs.TIME
    assert BucketAway("403", is_denied=True).needs is Needs.OPERATOR
