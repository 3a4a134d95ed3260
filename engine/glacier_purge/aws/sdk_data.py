"""What the SDK knows of AWS's endpoints, cut down to the services this program speaks to.

botocore decodes the whole of its ``endpoints.json``, three hundred services in eight partitions, to build any client at
all, and keeps it: 7 MB of a run that lasts days.  Here the rest is passed over undecoded.  A service that is not named
is one botocore falls back to its partition's pattern for, as it does for services newer than itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader
from msgspec import Raw
from msgspec.json import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.aws.profiles import Said

SERVICES = ("dynamodb", "glacier", "oidc", "portal.sso", "s3", "sts")
"""Ours, and those that AWS's credential chain asks, by the names they have in that file."""

_ENDPOINTS = "endpoints"
_DECIDE_ENDPOINTS = ("endpoints.*", "partitions.*", "glacier", "sts", "s3", "dynamodb", "sso", "sso-oidc")
"""Files and folders of the SDK's data by which it decides where requests of those services go."""


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


def altered_models(data_path: Said | None) -> Iterator[Path]:
    """Find what would take the place of the SDK's own data on our services, in ``~/.aws/models`` and ``data_path``."""
    folders = [Loader.CUSTOMER_DATA_PATH, *("" if data_path is None else data_path.value).split(os.pathsep)]
    for folder in filter(None, folders):
        for name in _DECIDE_ENDPOINTS:
            yield from Path(os.path.expanduser(folder)).glob(name)  # noqa: PTH111 - "~" where nobody has a home


def _without_other_services(content: bytes) -> dict[str, Any]:
    document = decode(content, type=dict[str, Raw])
    partitions = decode(document.pop("partitions"), type=list[dict[str, Raw]])
    return _decoded(document) | {"partitions": [_partition(raw) for raw in partitions]}


def _partition(raw: dict[str, Raw]) -> dict[str, Any]:
    services = decode(raw.pop("services"), type=dict[str, Raw])
    return _decoded(raw) | {"services": _decoded({name: services[name] for name in SERVICES if name in services})}


def _decoded(raw: dict[str, Raw]) -> dict[str, Any]:
    return {name: decode(value) for name, value in raw.items()}
