"""Our signatures against botocore's, for random vaults, regions, keys, tokens and times."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from glacier_purge.glacier.http.sigv4 import API_VERSION, DeleteSigner, SigningKeys

REGIONS = {
    "us-east-1": "amazonaws.com",
    "eu-central-1": "amazonaws.com",
    "ap-southeast-3": "amazonaws.com",
    "cn-north-1": "amazonaws.com.cn",
    "us-gov-west-1": "amazonaws.com",
}
VAULT_CHARACTERS = string.ascii_letters + string.digits + "_.-"
ID_CHARACTERS = string.ascii_letters + string.digits + "_-"
SECRET_CHARACTERS = string.ascii_letters + string.digits + "/+="


def by_botocore(keys: SigningKeys, region: str, url: str, now: datetime, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now)
    request = AWSRequest(method="DELETE", url=url, headers={"x-amz-glacier-version": API_VERSION}, data=b"")
    credentials = ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    botocore.auth.SigV4Auth(credentials, "glacier", region).add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("seed", range(10))
def test_every_signature_is_botocores(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)

    def text(characters: str, length: int) -> str:
        return "".join(chance.choices(characters, k=length))

    for _ in range(40):
        region, suffix = chance.choice(list(REGIONS.items()))
        host = chance.choice([f"glacier.{region}.{suffix}", "127.0.0.1:4566", "[::1]:5000"])
        keys = SigningKeys(
            access_key_id=text(string.ascii_uppercase, 20),
            secret_access_key=text(SECRET_CHARACTERS, 40),
            session_token=chance.choice([None, text(SECRET_CHARACTERS, chance.randrange(1, 1200))]),
        )
        path = f"/{chance.randrange(10**12):012}/vaults/v{text(VAULT_CHARACTERS, chance.randrange(254))}/archives/"
        signer = DeleteSigner(keys, region=region, host=host, path=path)
        for _ in range(3):  # the second and third use the key of the day that was derived for the first, or a new one
            epoch_seconds = chance.randrange(10**9, 2 * 10**9)
            now = datetime.fromtimestamp(epoch_seconds, UTC)
            moment = signer.at(epoch_seconds)
            archive_ids = [text(ID_CHARACTERS, 138) for _ in range(3)]
            signatures = moment.signatures([archive_id.encode() for archive_id in archive_ids])
            for archive_id, signature in zip(archive_ids, signatures, strict=True):
                ours = moment.authorization + signature.decode()
                scheme = "https" if host.startswith("glacier") else "http"
                assert ours == by_botocore(keys, region, f"{scheme}://{host}{path}{archive_id}", now, monkeypatch)


def test_secrets_do_not_show() -> None:
    keys = SigningKeys(access_key_id="AKID", secret_access_key="hidden-key", session_token="hidden-token")
    assert "hidden" not in repr(keys)
