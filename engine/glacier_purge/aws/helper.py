"""A program that gives credentials (``credential_process`` in the AWS configuration), started so that nothing it does
can harm: one that hangs is ended, one that never stops talking is cut short, and what went wrong is said in its words.

Of its command only the program is ever named: arguments may hold a password, and its answer is one.
"""

from __future__ import annotations

import json
import os
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

from aiobotocore.credentials import AioProcessProvider
from botocore.compat import compat_shell_split
from botocore.utils import parse_timestamp

from glacier_purge.aws.mfa import can_ask
from glacier_purge.aws.programs import run_program
from glacier_purge.errors import CredentialsFailed
from glacier_purge.host_faults import if_the_host_fails
from glacier_purge.redaction import redact

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

ANSWER_BYTES_MAX = 64 * 1024
"""A set of credentials with a session token is some 2 KB."""
_SAID_CHARACTERS_MAX = 300
_REQUIRED = ("AccessKeyId", "SecretAccessKey")
_ALL = (*_REQUIRED, "SessionToken", "Expiration")


class Helper(AioProcessProvider):  # type: ignore[misc]  # aiobotocore publishes no types
    """botocore's provider for such programs. ``begins`` is told, in words, which one is asked."""

    def __init__(self, profile: str, load_config: Callable[[], Any], begins: Callable[[str], None]) -> None:
        super().__init__(profile_name=profile, load_config=load_config)
        self._profile = profile
        self._begins = begins

    async def _retrieve_credentials_using(self, credential_process: str) -> dict[str, str | None]:
        """Ask the program. Raises ``CredentialsFailed`` for all that is no set of credentials."""
        try:
            program, *arguments = compat_shell_split(credential_process)
        except ValueError as fault:
            why = fault if credential_process.strip() else "it is empty"
            raise CredentialsFailed(
                f"credential_process of profile {self._profile} is no command ({why}). Correct it in the AWS "
                "configuration, then run the same command again."
            ) from fault
        asked = f"the helper {program} (credential_process of profile {self._profile})"
        self._begins(asked)
        return _read(asked, await _answer(asked, [program, *arguments]))


async def _answer(asked: str, command: list[str]) -> bytes:
    """Run the program to its end and return what it printed. It is killed when nobody waits for it any more.

    It may ask a person who is there.  Nowhere else is it let near a terminal, which would stop this process with it, or
    given our standard input, which may be an inventory; then it is killed with whatever it started.  Once it has ended
    its answer is whole: what it leaves at work (an agent, say) may hold its output open for days.
    """
    is_alone = not can_ask()
    printed, said = bytearray(), bytearray()
    try:
        with if_the_host_fails(f"{asked} cannot be started"):
            code = await run_program(
                [*command],
                out=lambda stream: _keep_printed(asked, stream, printed),
                errors=lambda stream: _keep_last_words(stream, said),
                stdin=None if os.isatty(0) and not is_alone else DEVNULL,
                is_alone=is_alone,
            )
    except (OSError, ValueError) as fault:
        raise CredentialsFailed(f"{asked} cannot be started: {fault}. Check the AWS configuration.") from fault
    if code != 0:
        how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise CredentialsFailed(f"{asked} {how}, saying {_shown(said)}. Log in again, then run the same command again.")
    return bytes(printed)


async def _keep_printed(asked: str, stream: asyncio.StreamReader, printed: bytearray) -> None:
    while piece := await stream.read(ANSWER_BYTES_MAX):
        printed += piece
        if len(printed) > ANSWER_BYTES_MAX:
            raise CredentialsFailed(f"{asked} answered with more than {ANSWER_BYTES_MAX:,} bytes: no credentials.")


async def _keep_last_words(stream: asyncio.StreamReader, words: bytearray) -> None:
    while piece := await stream.read(ANSWER_BYTES_MAX):
        words += piece
        del words[:-ANSWER_BYTES_MAX]


def _read(asked: str, printed: bytes) -> dict[str, str | None]:
    try:
        answer = json.loads(printed)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        what = f"{len(printed):,} bytes that are no JSON object" if printed.strip() else "nothing"
        raise _unusable(asked, what)
    if answer.get("Version") != 1:
        raise _unusable(asked, f"Version {answer.get('Version')!r} instead of 1")
    for name in _ALL:
        value = answer.get(name)
        if not (isinstance(value, str) and value) and (value is not None or name in _REQUIRED):
            raise _unusable(asked, f"no usable {name}")
    if answer.get("Expiration") is not None and not _is_moment(answer["Expiration"]):
        raise _unusable(asked, "an Expiration that is no moment with its time zone")
    return {
        "access_key": answer["AccessKeyId"],
        "secret_key": answer["SecretAccessKey"],
        "token": answer.get("SessionToken"),
        "expiry_time": answer.get("Expiration"),
        "account_id": None,
    }


def _is_moment(text: str) -> bool:
    try:
        return parse_timestamp(text).tzinfo is not None
    except ValueError:
        return False


def _unusable(asked: str, what: str) -> CredentialsFailed:
    return CredentialsFailed(
        f'{asked} answered with {what}; what it has to print is under "credential_process" in the AWS CLI\'s guide.'
    )


def _shown(said: bytearray) -> str:
    """The end of what a program complained of, in one line, without secrets."""
    words = redact(" ".join(said.decode(errors="replace").split())).replace(". ", "; ")
    return f'"{words[-_SAID_CHARACTERS_MAX:].rstrip(".")}"' if words else "nothing"
