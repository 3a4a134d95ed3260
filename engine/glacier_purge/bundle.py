"""Task groups raise bundles of errors, even of one; whoever calls a function wants the one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def one_error() -> Iterator[None]:
    """Raise the error inside a bundle of one, however deep it sits; a bundle of several is left as it is."""
    try:
        yield
    except BaseExceptionGroup as bundle:
        errors = list(_leaves(bundle))
        if len(errors) > 1:
            raise
        raise errors[0] from errors[0].__cause__


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
