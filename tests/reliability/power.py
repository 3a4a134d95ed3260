"""What a power cut makes of a pretended disk: the ways in which what was not synced may be found afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.storage.pretend_disk import SECTOR_BYTES, PretendDisk, Survival

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Found = Callable[[random.Random, int, bytes], bytes]
    """What is found of bytes that were appended at an offset and not synced."""


class PowerCut(Exception):
    """The power goes: nothing is done any more by whoever hears this."""


def everything(_: random.Random, __: int, data: bytes) -> bytes:
    return data


def nothing(_: random.Random, __: int, ___: bytes) -> bytes:
    return b""


def cut(rng: random.Random, _: int, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def zero_tail(rng: random.Random, _: int, data: bytes) -> bytes:
    kept = rng.randint(0, len(data))
    return data[:kept] + bytes(len(data) - kept)


def all_zeros(_: random.Random, __: int, data: bytes) -> bytes:
    return bytes(len(data))


def sectors(rng: random.Random, offset: int, data: bytes, lost: Callable[[int, int], bool] | None = None) -> bytes:
    found, last = bytearray(data), (offset + len(data)) // SECTOR_BYTES
    for sector in range(offset // SECTOR_BYTES, last + 1):
        if rng.random() < 0.5 if lost is None else lost(sector - offset // SECTOR_BYTES, last):
            start = max(0, sector * SECTOR_BYTES - offset)
            end = min(len(data), max(0, (sector + 1) * SECTOR_BYTES - offset))
            found[start:end] = bytes(end - start)
    return bytes(found)


def first_sector_lost(rng: random.Random, offset: int, data: bytes) -> bytes:
    return sectors(rng, offset, data, lambda place, _: place == 0)


def later_sectors_lost(rng: random.Random, offset: int, data: bytes) -> bytes:
    from_sector = rng.randint(1, 6)
    return sectors(rng, offset, data, lambda place, _: place >= from_sector)


def cut_and_sectors(rng: random.Random, offset: int, data: bytes) -> bytes:
    return sectors(rng, offset, cut(rng, offset, data))


ANYTHING = (everything, nothing, cut, zero_tail, all_zeros, sectors, first_sector_lost, later_sectors_lost)
KINDS: dict[str, tuple[Found | None, str]] = {
    "all of it is there": (everything, "all"),
    "only what was promised": (nothing, "none"),
    "cut anywhere": (cut, "some"),
    "zeros to the end": (zero_tail, "some"),
    "nothing but zeros": (all_zeros, "some"),
    "random sectors lost": (sectors, "some"),
    "the first sector lost": (first_sector_lost, "some"),
    "later sectors lost": (later_sectors_lost, "some"),
    "cut, and sectors lost": (cut_and_sectors, "some"),
    "bytes there, names lost": (everything, "none"),
    "names there, bytes lost": (nothing, "all"),
    "each file another way": (None, "some"),
    "checkpoints lost": (None, "some"),
    "checkpoint damaged": (None, "some"),
}
"""By what it is called: what is found of bytes (None: of each file something else), and how many changes of names."""


def power_cut(rng: random.Random, disk: PretendDisk, kind: str) -> PretendDisk:
    """One of the disks that may be found after a power cut, of a kind of ``KINDS``."""
    appended, names = KINDS[kind]

    def how_many(count: int) -> int:
        return {"all": count, "none": 0, "some": rng.randint(0, count)}[names]

    image = disk.after_power_cut(
        Survival(
            appended=lambda _, offset, data: (appended or rng.choice(ANYTHING))(rng, offset, data),
            names=lambda _, count: how_many(count),
            cut=lambda _: rng.random() < 0.5,
        )
    )
    return _without_checkpoints(rng, image, kind) if kind.startswith("checkpoint") else image


def _without_checkpoints(rng: random.Random, image: PretendDisk, kind: str) -> PretendDisk:
    files = image.contents()
    for name in [name for name in files if name.rpartition("/")[2].startswith("checkpoint")]:
        if kind == "checkpoints lost":
            del files[name]
        elif files[name]:
            place = rng.randrange(len(files[name]))
            files[name] = files[name][:place] + bytes([files[name][place] ^ 1 << rng.randrange(8)])
    return PretendDisk(files, folders=image.folders())
