"""Which job a message in a queue names.  Pure.

Amazon Glacier announces a finished job to an SNS topic, as the text that DescribeJob gives.  A queue gets that text
either in SNS's envelope or, with raw delivery, as it is.  Nothing else of a message is read: whether the job is done is
asked of the service.

Source: Developer Guide, "Configuring vault notifications"; SNS Developer Guide, "Raw message delivery".
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

_T = TypeVar("_T")


class _Envelope(msgspec.Struct, rename="pascal"):
    type: str
    message: str


class _Described(msgspec.Struct, rename="pascal"):
    job_id: str


def announced_job(body: str) -> str | None:
    """The id of the job that a message with this body is about; None when it is not understood."""
    envelope = _read(body, _Envelope)
    described = _read(envelope.message if envelope and envelope.type == "Notification" else body, _Described)
    return described.job_id if described else None


def _read(text: str, shape: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
