from __future__ import annotations

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.aws.endpoints import (
    FIPS_REGIONS,
    REGIONS,
    check_endpoint_url,
    check_other_endpoint,
    check_region,
    endpoint_of,
    is_loopback,
)
from glacier_purge.errors import ConfigurationFailed, UsageError


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("http://127.0.0.1:8080", None),
        ("http://127.255.0.9", None),
        ("https://127.0.0.1:65535/", None),
        ("http://[::1]:5000", None),
        ("http://localhost:5000", None),
        ("HTTP://LocalHost:5000", None),
        ("https://glacier.us-east-1.amazonaws.com", "us-east-1"),
        ("https://glacier.us-east-1.amazonaws.com/", "us-east-1"),
        ("https://glacier.us-east-1.amazonaws.com:443", "us-east-1"),
        ("https://glacier-fips.us-west-2.amazonaws.com", "us-west-2"),
        ("https://glacier.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://glacier.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_loopback_and_amazon_glacier_are_endpoints(url: str, region: str | None) -> None:
    assert check_endpoint_url(url) == url.rstrip("/").lower()
    assert is_loopback(url) is (region is None)
    check_region(region or "eu-nowhere-9", check_endpoint_url(url))


HOSTILE = [
    "",
    "glacier.us-east-1.amazonaws.com",
    "//glacier.us-east-1.amazonaws.com",
    "http://glacier.us-east-1.amazonaws.com",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "https://",
    # other hosts that look like Amazon's
    "https://glacier.us-east-1.amazonaws.com.evil.example",
    "https://glacier.us-east-1.amazonaws.community",
    "https://glacier.us-east-1.amazonaws.co",
    "https://glacier.evil.example",
    "https://evil-glacier.us-east-1.amazonaws.com",
    "https://glacierevil.us-east-1.amazonaws.com",
    "https://evil.glacier.us-east-1.amazonaws.com",
    "https://glacier.evil.us-east-1.amazonaws.com",
    "https://glacier.amazonaws.com",
    "https://glacier..amazonaws.com",
    "https://glacier.us-east-1.amazonaws.com.",
    "https://glacierXus-east-1.amazonaws.com",
    "https://glacier.us-east-1.amazonawsXcom",
    "https://s3.us-east-1.amazonaws.com",
    "https://glacier.s3.amazonaws.com",
    "https://glacier-website.s3.us-east-1.amazonaws.com",
    "https://glacier.eu-nowhere-9.amazonaws.com",
    "https://glacier.us-east-1.amazonaws.com.cn",
    "https://glacier.cn-north-1.amazonaws.com",
    "https://glacier.us-east-1.amazonaws.com:8443",
    "https://glacier.us-east-1.amazonaws.com:",
    # somebody else's name or address after an @, or before it
    "https://glacier.us-east-1.amazonaws.com@evil.example",
    "https://user:password@glacier.us-east-1.amazonaws.com",
    "http://127.0.0.1@evil.example",
    "http://user@127.0.0.1",
    "http://127.0.0.1:80@evil.example",
    # paths, queries, fragments, backslashes
    "https://glacier.us-east-1.amazonaws.com/..",
    "https://glacier.us-east-1.amazonaws.com/-/vaults/other",
    "https://glacier.us-east-1.amazonaws.com//",
    "https://glacier.us-east-1.amazonaws.com?x=1",
    "https://glacier.us-east-1.amazonaws.com#x",
    "https://glacier.us-east-1.amazonaws.com\\@evil.example",
    "http://evil.example\\127.0.0.1",
    "http://127.0.0.1/../..",
    "http://127.0.0.1/%2e%2e",
    "http://127.0.0.1#@evil.example",
    "http://evil.example/?127.0.0.1",
    "http://evil.example#glacier.us-east-1.amazonaws.com",
    # characters that a URL parser drops or folds
    "https://glacier.us-east-1.amazonaws.com\n",
    "https://glacier.us-east-1\t.amazonaws.com",
    "\nhttp://127.0.0.1",
    " http://127.0.0.1",
    "http://127.0.0.1 ",
    "http://127.0.0.1\r\nHost: evil.example",
    "http://127.0.0.1\x00.evil.example",
    "https://glacier.us-east-1.amazonaws\u3002com",
    "https://glacier.us-east-1\uff0eamazonaws.com",
    "https://\uff47lacier.us-east-1.amazonaws.com",
    "https://glacier.u\u017f-east-1.amazonaws.com",
    "http://\u0661\u0662\u0667.0.0.1",
    "http://127.0.0.\u0661",
    "http://127.0.0.1:\u0668\u0660",
    "https://glacier%2eus-east-1.amazonaws.com",
    # addresses that are not loopback, or do not say so plainly
    "http://169.254.169.254",
    "http://[fe80::1]",
    "http://[fd00:ec2::254]",
    "http://0.0.0.0",
    "http://0",
    "http://[::]",
    "http://10.0.0.1",
    "http://192.168.1.1:5000",
    "http://127.1",
    "http://127.0.1",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.256",
    "http://127.0.0.01",
    "http://127.0.0.0.1",
    "http://0x7f.0.0.1",
    "http://0x7f000001",
    "http://2130706433",
    "http://0177.0.0.1",
    "http://[::ffff:127.0.0.1]",
    "http://[::ffff:169.254.169.254]",
    "http://[::1%25eth0]",
    "http://[::1",
    "http://::1",
    "http://localhost.evil.example",
    "http://localhost.",
    "http://notlocalhost",
    "http://evil.example.localhost",
    "http://127.0.0.1:0",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:-1",
    "http://127.0.0.1:80:80",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_every_other_url_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(UsageError, match="is refused: deletes go only to") as refused:
        check_endpoint_url(url)
    assert refused.value.exit_code == 2
    assert not is_loopback(url)


GOOD = {
    f"https://glacier{fips}.{region}.amazonaws.com{china}{port}"
    for region in REGIONS
    for china in ([".cn"] if region.startswith("cn-") else [""])
    for fips in ("", "-fips")
    for port in ("", ":443")
}


@given(st.text(max_size=60))
def test_nothing_inserted_into_a_good_endpoint_makes_another_host_good(text: str) -> None:
    good = "https://glacier.us-east-1.amazonaws.com"
    for url in (good + text, good.replace("//", "//" + text), good.replace(".amazonaws", text + ".amazonaws")):
        try:
            endpoint = check_endpoint_url(url)
        except UsageError:
            continue
        assert endpoint in GOOD


def test_a_real_endpoint_serves_its_own_region_only() -> None:
    check_region("us-east-1", None)
    check_region("us-east-1", check_endpoint_url("https://glacier.us-east-1.amazonaws.com"))
    with pytest.raises(UsageError, match=r"do not belong together\. Give --region us-east-1"):
        check_region("eu-west-1", check_endpoint_url("https://glacier.us-east-1.amazonaws.com"))


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("eu-nowhere-9", "Give another"),
        ("us-eats-1", "Did you mean us-east-1?"),
        ("eu-south-2", "Did you mean eu-south-1?"),
    ],
)
def test_a_region_without_vaults_is_refused_with_the_nearest_name(region: str, hint: str) -> None:
    with pytest.raises(UsageError, match="has no vaults in region") as refused:
        check_region(region, None)
    assert hint in str(refused.value)


def test_the_regions_are_those_the_sdk_knows() -> None:
    session = botocore.session.get_session()
    partitions = ("aws", "aws-cn", "aws-us-gov")
    assert {region for name in partitions for region in session.get_available_regions("glacier", name)} == REGIONS


def test_any_region_will_do_on_loopback() -> None:
    check_region("eu-nowhere-9", check_endpoint_url("http://127.0.0.1:5000"))


def test_fips_is_where_the_sdk_knows_it() -> None:
    """The SDK's own list; what its rules would make up for other regions does not exist."""
    known = botocore.session.get_session().get_component("data_loader").load_data("endpoints")
    theirs = {
        region: variant["hostname"]
        for partition in known["partitions"]
        for region, found in partition["services"].get("glacier", {}).get("endpoints", {}).items()
        for variant in found.get("variants", [])
        if variant["tags"] == ["fips"] and region in REGIONS
    }
    assert theirs == {region: endpoint_of(region, fips=True).removeprefix("https://") for region in FIPS_REGIONS}
    for region in REGIONS - FIPS_REGIONS:
        with pytest.raises(ConfigurationFailed, match="FIPS endpoints are asked for"):
            endpoint_of(region, fips=True)


OF_AWS = [
    ("sts", "https://sts.amazonaws.com"),
    ("sts", "https://sts.eu-west-1.amazonaws.com/"),
    ("sts", "https://sts-fips.us-east-1.amazonaws.com:443"),
    ("sts", "https://sts.cn-north-1.amazonaws.com.cn"),
    ("sts", "https://sts.us-gov-west-1.amazonaws.com"),
    ("sts", "https://vpce-0123-abcd.sts.eu-west-1.vpce.amazonaws.com"),
    ("sts", "https://vpce-0123-abcd-eu-west-1a.sts.eu-west-1.vpce.amazonaws.com"),
    ("s3", "https://s3.dualstack.eu-west-1.amazonaws.com"),
    ("s3", "https://bucket.vpce-0123-abcd.s3.eu-west-1.vpce.amazonaws.com"),
    ("dynamodb", "https://dynamodb.eu-west-1.amazonaws.com"),
    ("dynamodb", "https://dynamodb.eu-west-1.api.aws"),
    ("sso", "https://portal.sso.eu-west-1.amazonaws.com"),
    ("sso_oidc", "https://oidc.eu-west-1.amazonaws.com"),
]
OF_OTHERS = [
    ("sts", "http://sts.eu-west-1.amazonaws.com"),
    ("sts", "https://sts.eu-west-1.amazonaws.com.evil.example"),
    ("sts", "https://sts.eu-west-1.s3.amazonaws.com"),
    ("sts", "https://sts.s3.eu-west-1.amazonaws.com"),
    ("sts", "https://sts-bucket.s3.amazonaws.com"),
    ("sts", "https://vpce-0123.evil.example/.sts.eu-west-1.vpce.amazonaws.com"),
    ("sts", "https://evil.sts.eu-west-1.amazonaws.com"),
    ("sts", "https://sts.eu-west-1.amazonaws.com@evil.example"),
    ("sts", "https://user@sts.eu-west-1.amazonaws.com"),
    ("sts", "https://sts.eu-west-1.amazonaws.com/x"),
    ("sts", "https://sts.eu-west-1.amazonaws.com\n"),
    ("sts", "https://s3.eu-west-1.amazonaws.com"),
    ("sts", "https://abcdef.execute-api.eu-west-1.amazonaws.com"),
    ("sts", "https://sts.lambda-url.eu-west-1.on.aws"),
    ("s3", "https://minio.company.example"),
    ("sts", "http://169.254.169.254"),
]


@pytest.mark.parametrize(("service", "url"), OF_AWS)
def test_endpoints_of_other_services_are_awss(service: str, url: str) -> None:
    check_other_endpoint(service, url, "AWS_ENDPOINT_URL", pretended=False)


@pytest.mark.parametrize(("service", "url"), [*OF_OTHERS, ("sts", "http://127.0.0.1:5000")])
def test_other_services_are_not_asked_elsewhere(service: str, url: str) -> None:
    with pytest.raises(ConfigurationFailed, match=f"^AWS_ENDPOINT_URL sends what is asked of {service.upper()} to"):
        check_other_endpoint(service, url, "AWS_ENDPOINT_URL", pretended=False)
    if not is_loopback(url):
        with pytest.raises(ConfigurationFailed):
            check_other_endpoint(service, url, "AWS_ENDPOINT_URL", pretended=True)


def test_a_pretended_service_has_its_others_on_loopback() -> None:
    check_other_endpoint("s3", "http://127.0.0.1:9000", "AWS_ENDPOINT_URL_S3", pretended=True)
