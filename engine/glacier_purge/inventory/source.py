from __future__ import annotations

from collections.abc import Iterator


class Source:
    """with Source(file) as source: source.name; for chunk in source: ..."""

    name: str

    def __init__(self, file: str) -> None: ...

    def __enter__(self) -> Source:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[bytes]:
        raise NotImplementedError
