"""What may be asked of a run while it goes on: five orders, as the lines of JSON they travel in. Pure.

``{"order":"rate","by":"dave@host","per_second":40}``: each says what and who.  An order holds for the process it was
given to and for no later one: who starts a run again has decided anew that it should send.
"""

from __future__ import annotations

import msgspec

from glacier_purge.errors import UsageError
from glacier_purge.json_document import NO_JSON


class _Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="order"):
    by: str
    """User and host, for the record."""

    @property
    def name(self) -> str:
        """The verb."""
        return str(self.__struct_config__.tag)


class Pause(_Order, frozen=True, kw_only=True, tag="pause"):
    """Send nothing until ``Resume``."""


class Resume(_Order, frozen=True, kw_only=True, tag="resume"):
    """End the pause that ``Pause`` began; other sides may still hold dispatch."""


class SetRate(_Order, frozen=True, kw_only=True, tag="rate"):
    """Never send faster than ``per_second`` from now on; None leaves the rate to the service."""

    per_second: float | None


class Stop(_Order, frozen=True, kw_only=True, tag="stop"):
    """Send nothing new, settle what is in flight, end the process; the run can be resumed."""


class AskStatus(_Order, frozen=True, kw_only=True, tag="status"):
    """Change nothing; say how the run stands. The only one that is not written down."""


Change = Pause | Resume | SetRate | Stop
Order = Change | AskStatus

_DECODER: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


def write_order(order: Order) -> bytes:
    """The order as one line."""
    return msgspec.json.encode(order) + b"\n"


def read_order(line: bytes) -> Order:
    """Read one line. Raises ``UsageError`` for anything but an order."""
    try:
        return _DECODER.decode(line)
    except NO_JSON as error:
        raise UsageError(f"that is no order this version understands ({error}); nothing was changed.") from error
