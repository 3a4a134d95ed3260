"""Signatures by ``ssh-keygen``: what was signed holds, what was not does not, and what stands in the way is said."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import UsageError
from glacier_purge.storage import ssh_signature
from glacier_purge.storage.ssh_signature import SignatureWrong, key_of, sign, signer_of
from tests.storage.keys import Keys, made_keys

if TYPE_CHECKING:
    from pathlib import Path

TEXT, PURPOSE = b"five words that are signed\n", "a-purpose"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return made_keys(tmp_path_factory.mktemp("keys"))


def test_what_was_signed_is_of_who_signed_it(keys: Keys) -> None:
    signature = sign(TEXT, keys.anna, PURPOSE)
    fingerprint = key_of(TEXT, signature, PURPOSE)
    assert fingerprint.startswith("ED25519 key SHA256:")
    assert signer_of(TEXT, signature, PURPOSE, keys.allowed_signers) == f"anna@example ({fingerprint})"


def test_another_text_purpose_or_person_is_found(keys: Keys) -> None:
    by_anna, by_mallory = sign(TEXT, keys.anna, PURPOSE), sign(TEXT, keys.mallory, PURPOSE)
    for text, signature, purpose in [
        (TEXT + b" ", by_anna, PURPOSE),
        (TEXT, by_anna, "another-purpose"),
        (TEXT, by_mallory, PURPOSE),
        (TEXT, b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n", PURPOSE),
        (TEXT, b"", PURPOSE),
    ]:
        with pytest.raises(SignatureWrong):
            signer_of(text, signature, purpose, keys.allowed_signers)


def test_a_name_for_another_purpose_does_not_hide_the_one_for_this(keys: Keys, tmp_path: Path) -> None:
    public = " ".join((keys.folder / "anna.pub").read_text().split()[:2])
    allowed = tmp_path / "allowed"
    allowed.write_text(f'git@example namespaces="git" {public}\nanna@example namespaces="{PURPOSE}" {public}\n')
    assert signer_of(TEXT, sign(TEXT, keys.anna, PURPOSE), PURPOSE, allowed).startswith("anna@example (")
    allowed.write_text(f'git@example namespaces="git" {public}\n')
    with pytest.raises(SignatureWrong, match=f"{allowed}:1: key is not permitted"):
        signer_of(TEXT, sign(TEXT, keys.anna, PURPOSE), PURPOSE, allowed)


def test_an_agent_signs_by_its_public_key(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        while subprocess.run(["ssh-add", "-q", str(keys.anna)], capture_output=True, check=False).returncode:
            assert agent.poll() is None
        public = tmp_path / "only.pub"
        public.write_bytes(keys.anna.with_suffix(".pub").read_bytes())
        assert signer_of(TEXT, sign(TEXT, public, PURPOSE), PURPOSE, keys.allowed_signers).startswith("anna@example")
    finally:
        agent.terminate()
        agent.wait()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("locked", "asks for a passphrase, and nobody is asked here. Put it into an agent"),
        ("missing", "No such file"),
        ("allowed_signers", "Give a private key of SSH"),
        ("alone.pub", "No agent has that key: ssh-add -l"),
    ],
)
def test_a_key_that_can_not_sign_is_said_with_what_to_do(
    name: str, told: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(UsageError, match=told):
        sign(TEXT, keys.folder / name, PURPOSE)


def test_a_host_without_the_program_is_told_what_to_install(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"ssh-keygen is not on this host.*Install OpenSSH"):
        sign(TEXT, keys.anna, PURPOSE)


def test_a_program_that_does_not_answer_is_not_waited_for(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh-keygen"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(ssh_signature, "_SECONDS_MAX", 0.1)
    with pytest.raises(UsageError, match=r"gave no answer in 0.1 seconds. Is it a key that has to be touched"):
        sign(TEXT, keys.anna, PURPOSE)


def test_a_file_of_allowed_signers_that_is_not_there_is_said(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't be read: .*Give a file of allowed signers"):
        signer_of(TEXT, sign(TEXT, keys.anna, PURPOSE), PURPOSE, tmp_path / "nobody")
