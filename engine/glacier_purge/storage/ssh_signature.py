"""Signatures by ``ssh-keygen -Y`` (SSHSIG): the one mechanism for everything that is ever signed here.

Whoever has to prove something has an SSH key, or its agent, or a token; whoever checks needs OpenSSH and a line in a
file of allowed signers, and nothing of ours.  A ``namespace`` names the purpose: a signature for one thing is none for
another.  No key is ever made here.  The program gets no terminal, no questions and a few seconds: a key that asks
for its passphrase, or an agent that does not answer, is said in words, and nobody waits.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from glacier_purge.errors import UsageError
from glacier_purge.storage.ownership import check_writable_by_us_alone

_PROGRAM = "ssh-keygen"
_SECONDS_MAX = 5.0
"""A signature takes 10 ms; a process that is told to stop has ten seconds (I17)."""
_KEY = re.compile(r" with (\S+ key \S+)")
_REVOKED_BYTES_MAX = 1 << 24
_KRL = b"SSHKRL\n\0"
_PUBLIC_KEY = re.compile(rb"(?:ssh|ecdsa|sk)-\S+\s+AAAA[A-Za-z0-9+/=]+(?:\s.*)?")


class SignatureWrong(ValueError):
    """It is no signature of whom it should be of, over this very text; the message says why."""


def sign(text: bytes, key: Path, namespace: str) -> bytes:
    """Sign with a private key without a passphrase, or with an agent's key, whose public key the file ``key`` then has.

    Raises ``UsageError`` in words for all that keeps it from being signed.
    """
    try:
        signature = _answer(["-Y", "sign", "-n", namespace, "-f", str(key)], text)
    except SignatureWrong as failed:
        raise UsageError(f"{key} can't sign: {_explained(str(failed))}") from failed
    if not signature.startswith(b"-----BEGIN SSH SIGNATURE-----\n"):
        raise UsageError(f"{key} can't sign: {_PROGRAM} gave no signature. OpenSSH 8.1 or newer is needed.")
    return signature


def key_of(text: bytes, signature: bytes, namespace: str) -> str:
    """The key that signed, as ``ED25519 key SHA256:...``; nothing is said of whose it is. Raises ``SignatureWrong``."""
    with _as_file(signature) as file:
        return _key_in(_answer(["-Y", "check-novalidate", "-n", namespace, "-s", file], text))


def signer_of(text: bytes, signature: bytes, namespace: str, allowed_signers: Path) -> str:
    """Who signed, by a file of allowed signers: the name in it, and the key.

    Raises ``SignatureWrong``, and ``UsageError`` where that file can't be read.
    """
    try:
        lines = allowed_signers.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise UsageError(
            f"{allowed_signers} can't be read: {error.strerror}. Give a file of allowed signers: NAME KEY-TYPE KEY, a "
            "line each."
        ) from error
    wrong = SignatureWrong(f"signed by nobody in {allowed_signers}")
    for line in lines:  # each alone: asked for names, the program stops at the first line with the key
        with _as_file(signature) as file, _as_file(line) as allowed:
            try:
                [name, *_] = _answer(["-Y", "find-principals", "-f", allowed, "-s", file], b"").decode().splitlines()
            except (SignatureWrong, ValueError):
                continue
            try:
                told = _answer(["-Y", "verify", "-f", allowed, "-I", name, "-n", namespace, "-s", file], text)
            except SignatureWrong as refused:
                wrong = SignatureWrong(str(refused).replace(allowed, str(allowed_signers)))
            else:
                return f"{name} ({_key_in(told)})"
    raise wrong


def verified(
    text: bytes,
    signature: bytes,
    namespace: str,
    name: str,
    *,
    allowed_signers: str,
    at: datetime,
    revoked: Mapping[Path, bytes],
) -> str:
    """The key by which ``name`` signed, by what a file of allowed signers says of the moment ``at``.

    ``revoked`` are files of keys that count no more, as ``revoked_keys`` read them.  Raises ``SignatureWrong``.
    """
    try:
        key = key_of(text, signature, namespace)
    except SignatureWrong as refused:
        if "namespace does not match" in str(refused):
            raise SignatureWrong("it was signed for another purpose") from refused
        raise SignatureWrong("its signature is damaged, or over other words: it was changed") from refused
    with _as_file(signature) as file, _as_file(allowed_signers.encode()) as allowed:
        asked = ["-Y", "verify", "-f", allowed, "-I", name, "-n", namespace, "-s", file]
        asked += ["-O", f"verify-time={at.astimezone(UTC):%Y%m%d%H%M%S}"]
        try:
            _answer(asked, text)
        except SignatureWrong as refused:
            why = str(refused).replace(f"{allowed}:", "line ").removesuffix("Could not verify signature.").strip()
            raise SignatureWrong(
                f"the allowed signers do not have {key} as {name}'s" + (f" ({why})" if why else "")
            ) from refused
        for path, content in revoked.items():
            with _as_file(content) as these:
                try:
                    _answer([*asked, "-r", these], text)
                except SignatureWrong as refused:
                    raise SignatureWrong(f"{key} was revoked, by {path}") from refused
    return key


def revoked_keys(path: Path) -> bytes:
    """Read a file of revoked keys: OpenSSH's own (KRL), or public keys, a line each.

    Raises ``UsageError`` for anything else and where it can't be read: what was revoked is not known then.
    """
    advice = "Nobody knows which keys count then, so nothing was sent. Give the file as ssh-keygen -k makes it."
    try:
        with path.open("rb") as file:
            check_writable_by_us_alone(path, os.fstat(file.fileno()))
            content = file.read(_REVOKED_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(
            f"{path}, which says what keys are revoked, can't be read: {error.strerror}. {advice}"
        ) from error
    if len(content) > _REVOKED_BYTES_MAX:
        raise UsageError(f"{path} has more than {_REVOKED_BYTES_MAX:,} bytes. {advice}")
    if content.startswith(_KRL):
        with _as_file(content) as file:
            try:
                _answer(["-Q", "-l", "-f", file], b"")
            except SignatureWrong as refused:
                raise UsageError(f"{path} is damaged ({str(refused).replace(file, path.name)}). {advice}") from refused
        return content
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith(b"#") and not _PUBLIC_KEY.fullmatch(line.strip()):
            raise UsageError(f"{path}, line {number}, is no public key. {advice}")
    return content


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A file of that content, which is how the program takes it."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415  # rarely wanted, and dear to load

    with TemporaryDirectory(prefix="glacier-purge-") as folder:
        file = Path(folder, "content")
        file.write_bytes(content)
        yield str(file)


def _answer(arguments: list[str], text: bytes) -> bytes:
    """What the program prints. Raises ``SignatureWrong`` with its complaint, ``UsageError`` where it is missing."""
    kept = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "SSH_ASKPASS"}}
    quiet = kept | {"LC_ALL": "C", "TZ": "UTC", "SSH_ASKPASS_REQUIRE": "never"}
    try:
        done = subprocess.run(  # noqa: S603 - arguments, and no shell
            [_PROGRAM, *arguments],
            input=text,
            capture_output=True,
            timeout=_SECONDS_MAX,
            start_new_session=True,  # without a terminal to ask at
            env=quiet,
            check=False,
        )
    except FileNotFoundError as missing:
        raise UsageError(
            f"{_PROGRAM} is not on this host, and signatures are made and checked by it. Install OpenSSH's client."
        ) from missing
    except OSError as error:
        raise UsageError(f"{_PROGRAM} can't be started: {error.strerror}.") from error
    except subprocess.TimeoutExpired as late:
        raise SignatureWrong(f"{_PROGRAM} gave no answer in {_SECONDS_MAX:g} seconds") from late
    if done.returncode != 0:
        said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if not line.startswith("Signing")]
        raise SignatureWrong(" ".join(" ".join(said).split())[-300:] or f"{_PROGRAM} ended with {done.returncode}")
    return done.stdout


def _key_in(told: bytes) -> str:
    match = _KEY.search(told.decode("utf-8", "replace"))
    return match[1] if match else "a key that is not named"


def _explained(complaint: str) -> str:
    if "passphrase" in complaint:
        return (
            "it asks for a passphrase, and nobody is asked here. Put it into an agent (ssh-add) and give its public "
            "key, the file that ends in .pub."
        )
    if "gave no answer" in complaint:
        return f"{complaint}. Is it a key that has to be touched, or an agent that does not answer?"
    if "No private key found" in complaint:
        return f"{complaint}. No agent has that key: ssh-add -l lists those it has, and SSH_AUTH_SOCK says which agent."
    return f"{complaint}. Give a private key of SSH, or the public key of one that an agent has."
