"""Long polls: a request to a queue on its way out, waiting until there is a message or its seconds are over.

A connection walks the steps of a reply, so a long poll is one whose first steps are waits.  It waits in real seconds,
as its client does, and looks again so often that at the scaled clock's speed a message is noticed about when it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.simulator import sqs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glacier_purge.simulator.clock import SimulatorClock
    from glacier_purge.simulator.exchange import Request, Response
    from glacier_purge.simulator.wire import Step

_LOOK_EVERY_SECONDS = (0.01, 1.0)
"""Real seconds between two looks: at the most scaled clock and at the slowest."""


def is_for_a_queue(request: Request) -> bool:
    """Tell whether this is a request to Amazon SQS."""
    return request.headers.get("x-amz-target", "").startswith(sqs.TARGET)


def long_poll(
    request: Request, clock: SimulatorClock, answer: Callable[[], Response], render: Callable[[Response], bytes]
) -> Iterator[Step]:
    """Give the steps of the reply to ``request``: ``answer`` is asked until it has a message or time is up."""
    until = clock.real_seconds() + sqs.wait_seconds(request)
    response = answer()
    while sqs.is_empty(response) and (left_seconds := until - clock.real_seconds()) > 0:
        shortest, longest = _LOOK_EVERY_SECONDS
        yield min(left_seconds, longest, max(shortest, 1.0 / max(clock.scale, 1e-9)))
        response = answer()
    yield render(response)
