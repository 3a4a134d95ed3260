"""What the SDK knows of AWS's endpoints, cut down to the services this program speaks to.

botocore decodes the whole of its ``endpoints.json``, three hundred services in eight partitions, to build any client at
all, and keeps it: 7 MB of a run that lasts days.  Here the rest is passed over undecoded.  A service that is not named
is one botocore falls back to its partition's pattern for, as it does for services newer than itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader
from msgspec import Raw
from msgspec.json import decode

SERVICES = ("dynamodb", "glacier", "oidc", "portal.sso", "s3", "sts")
"""Ours, and those that AWS's credential chain asks, by the names they have in that file."""

_ENDPOINTS = "endpoints"


class OurServicesOnly(JSONFileLoader):  # type: ignore[misc]  # botocore publishes no types
    """botocore's reader of its data files. Whatever it does not know it leaves to botocore."""

    def load_file(self, file_path: str) -> Any:
        """Return the content of ``file_path`` plus ``.json``, or what botocore makes of it (None: no such file)."""
        path = Path(f"{file_path}.json")
        if path.stem != _ENDPOINTS or not path.is_file():
            return super().load_file(file_path)
        try:
            return _without_other_services(path.read_bytes())
        except (msgspec.MsgspecError, KeyError):
            return super().load_file(file_path)


def _without_other_services(content: bytes) -> dict[str, Any]:
    document = decode(content, type=dict[str, Raw])
    partitions = decode(document.pop("partitions"), type=list[dict[str, Raw]])
    return _decoded(document) | {"partitions": [_partition(raw) for raw in partitions]}


def _partition(raw: dict[str, Raw]) -> dict[str, Any]:
    services = decode(raw.pop("services"), type=dict[str, Raw])
    return _decoded(raw) | {"services": _decoded({name: services[name] for name in SERVICES if name in services})}


def _decoded(raw: dict[str, Raw]) -> dict[str, Any]:
    return {name: decode(value) for name, value in raw.items()}
