"""Twenty secrets that nobody may see, known to commands that fail in many ways at debug level."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.reliability.hostile.outputs import commanded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRETS = {
    "access key": "AKIACANARYCANARY0001",
    "temporary access key": "ASIACANARYCANARY0002",
    "secret key": "cAnArY03/K7MDENGbPxRfiCYEXAMPLEKEYcAnA03",
    "secret key of a profile": "cAnArY04+K7MDENGbPxRfiCYEXAMPLEKEYcAnA04",
    "session token": "IQoJb3JpZ2luX2VjCanary05//abcdefghijklmnopqrstuvwxyz0123456789+/==",
    "session token of a profile": "FwoGZXIvYXdzEBYaDCanary06abcdefghijklmnopqrstuvwxyz==",
    "proxy password": "Canary07hunter2",
    "password of an endpoint": "Canary08hunter2",
    "web identity token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJDYW5hcnkwOSJ9.Canary09",
    "bearer token": "Canary10abcdefghij",
    "signature": "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630canary11",
    "single sign-on token": "Canary12accessTokenabcdef",
    "refresh token": "Canary13refreshTokenabcdef",
    "client secret": "Canary14clientSecretabcdef",
    "secret of a process": "cAnArY15/K7MDENGbPxRfiCYEXAMPLEKEYcAnA15",
    "token of a process": "IQoJb3JpZ2luX2VjCanary16//abcdefghijklmnopqrstuvwxyz0123==",
    "passphrase": "Canary17passphrase",
    "signed url": "Canary18c377b0d5b9a8d7f0a4f4d5e6f7a8b9c0d1e2f3a4b5c6d7",
    "header token": "IQoJb3JpZ2luX2VjCanary19//abcdefghijklmnopqrstuvwxyz==",
    "password in a message": "Canary20hunter2",
}
_UNEXPECTED = (
    "Authorization: AWS4-HMAC-SHA256 Credential={access key}/2026/us-east-1/glacier, Signature={signature}",
    "x-amz-security-token: {header token}",
    "cannot reach http://jane:{proxy password}@127.0.0.1:9/",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential={temporary access key}%2F2026&X-Amz-Signature={signed url}",
    "Credentials(access_key='{access key}', secret_key='{secret key}', token='{session token}')",
    "{{'SecretAccessKey': '{secret of a process}', 'SessionToken': '{token of a process}'}}",
    "{secret key} {session token} {web identity token}",
    '{{"accessToken": "{single sign-on token}", "refreshToken": "{refresh token}", "clientSecret": "{client secret}"}}',
    "Authorization: Bearer {bearer token}",
    "password={password in a message} passphrase: {passphrase}",
    "{session token of a profile} of http://:{password of an endpoint}@h/ {secret key of a profile}",
)


def _broken(message: str) -> Callable[..., object]:
    def parse(*_: object) -> object:
        def fail() -> int:
            inner = KeyError(message)
            raise RuntimeError(message) from inner

        return fail

    return parse


def leaks(seed: int, folder: Path) -> Counter[str]:
    """Give commands that know secrets and fail; raise ``AssertionError`` where one of them comes out."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    variables = _knowing(home)
    tried = Counter[str]()
    verbs = _verbs(folder)
    for arguments in (verbs[seed % len(verbs)], verbs[(seed * 7 + 3) % len(verbs)]):
        form = ("console", "json")[seed % 2]
        _, out, err = commanded(*arguments, "--debug", "--log-format", form, variables=variables)
        _check(f"{arguments}", out + err, folder)
        tried["secrets: verb"] += 1
    with pytest.MonkeyPatch.context() as patch:
        message = _UNEXPECTED[seed % len(_UNEXPECTED)].format(**SECRETS)
        patch.setattr("glacier_purge.cli.app.parse", _broken(message))
        exit_code, out, err = commanded("status", "x", "--debug", variables=variables)
        assert exit_code == 255
        _check(message, out + err, folder)
        tried["secrets: unexpected"] += 1
    return tried


def _knowing(home: Path) -> dict[str, str]:
    """An environment and AWS files with all of them; nothing of it can be reached."""
    token = home / "token"
    token.write_text(SECRETS["web identity token"])
    printed = {
        "Version": 1,
        "AccessKeyId": SECRETS["temporary access key"],
        "SecretAccessKey": SECRETS["secret of a process"],
        "SessionToken": SECRETS["token of a process"],
        "Expiration": "2020-01-01T00:00:00Z",
    }
    helper = home / "helper.sh"
    helper.write_text(
        f"#!/bin/sh\necho '{json.dumps(printed)}'\necho 'secret {SECRETS['secret of a process']}' >&2\nexit 3\n"
    )
    helper.chmod(0o700)
    config = home / "config"
    config.write_text(
        f"[profile helped]\ncredential_process = {helper}\nregion = us-east-1\n"
        f"[profile plain]\naws_access_key_id = {SECRETS['access key']}\n"
        f"aws_secret_access_key = {SECRETS['secret key of a profile']}\n"
        f"aws_session_token = {SECRETS['session token of a profile']}\nregion = us-east-1\n"
        "[profile web]\nrole_arn = arn:aws:iam::123456789012:role/r\n"
        f"web_identity_token_file = {token}\nregion = us-east-1\n"
    )
    return {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ACCESS_KEY_ID": SECRETS["temporary access key"],
        "AWS_SECRET_ACCESS_KEY": SECRETS["secret key"],
        "AWS_SESSION_TOKEN": SECRETS["session token"],
        "HTTPS_PROXY": f"http://jane:{SECRETS['proxy password']}@127.0.0.1:9",
        "HOME": str(home),
    }


def _verbs(folder: Path) -> list[tuple[str, ...]]:
    listed = ("--account-id", "123456789012", "--run-dir", str(folder / "no-run"))
    return [
        ("config", "show"),
        ("config", "show", "--endpoint-url", f"https://jane:{SECRETS['password of an endpoint']}@example.com/"),
        ("inventory", "inspect", str(folder / "nothing")),
        ("status", str(folder)),
        ("show", str(folder)),
        ("apply", str(folder), "--confirm-digest", "x"),
        ("plan", "photos", "--inventory", str(folder / "home" / "config"), *listed),
        ("fleet", str(folder / "home" / "config"), "--run-dir", str(folder / "no-fleet")),
        ("doctor", "photos", "--profile", "helped", "--account-id", "-"),
        ("doctor", "photos", "--profile", "nobody"),
        ("run", "photos", "--profile", "helped", "--no-wait", "--run-dir", str(folder / "no-lifecycle")),
    ]


def _check(what: str, told: str, folder: Path) -> None:
    for name, secret in SECRETS.items():
        assert secret not in told, (
            f"the {name} is told by {what[:200]}: ...{told[max(0, told.find(secret) - 200) :][:400]}"
        )
        for file in folder.rglob("*"):
            if file.is_file() and "home" not in file.parts:
                assert secret.encode() not in file.read_bytes(), f"the {name} lies in {file.name}, by {what[:200]}"
