"""Archives that exist only as a rule: archive ``index`` of a seed has always the same size, age and description.

Ten million of them cost nothing until somebody looks.  Sizes and the form of descriptions repeat every
``PERIOD`` archives, which makes the total size and the length of an inventory a matter of arithmetic; the part
of a description that varies has a fixed width.  Upload times ascend with the index.  Descriptions are in the
forms that real uploaders write, and a few in the forms that break readers.  The bytes of these archives do not
exist: a retrieval serves filler, and the tree hash is a stand-in that no bytes match.
"""

from __future__ import annotations

import random
from binascii import b2a_base64
from functools import lru_cache
from itertools import accumulate
from json.encoder import encode_basestring
from typing import Literal, NamedTuple

import msgspec

PERIOD = 4096

_DIGITS = 9  # holds any index of a vault worth simulating, and is whole base64 groups

Variable = Literal["none", "digits", "base64"]


class Form(NamedTuple):
    """A description: fixed text around a part that varies with the index, already escaped for JSON in ``json_``."""

    before: str
    variable: Variable
    after: str
    json_before: str
    json_after: str
    quoted_in_csv: bool

    def describe(self, index: int) -> str:
        """The description of archive ``index``."""
        return f"{self.before}{self.vary(index)}{self.after}"

    def vary(self, index: int) -> str:
        """The part that differs from archive to archive; it needs no escaping anywhere."""
        if self.variable == "digits":
            return f"{index:0{_DIGITS}d}"
        if self.variable == "base64":
            return b2a_base64(b"%09d" % index, newline=False).decode()
        return ""

    @property
    def width(self) -> int:
        """How many characters vary."""
        return {"none": 0, "digits": _DIGITS, "base64": _DIGITS // 3 * 4}[self.variable]


def _form(before: str, variable: Variable = "none", after: str = "") -> Form:
    text = before + after
    return Form(
        before,
        variable,
        after,
        encode_basestring(before)[1:-1],
        encode_basestring(after)[1:-1],
        '"' in text or "," in text,
    )


def _base64_form(before: str, path: str, suffix: str, after: str) -> Form:
    """A base64 of ``path``, nine digits and ``suffix``, padded so that the digits stand in whole groups of it."""
    head = path.encode()
    head += b"_" * (-len(head) % 3)
    start = b2a_base64(head, newline=False).decode()
    end = b2a_base64(suffix.encode(), newline=False).decode()
    return _form(before + start, "base64", end + after)


def _forms() -> list[tuple[int, Form]]:
    """How archives are described, and how often of a hundred: uploaders first, then what breaks readers."""
    fast_glacier = "</p><lm>20140507T164543Z</lm></m>"
    return [
        (22, _base64_form("<m><v>4</v><p>", "Photos/2014/Summer/IMG_", ".jpg", fast_glacier)),
        (8, _base64_form("<m><v>4</v><p>", "Архив/Фото/", ".tif", fast_glacier)),
        (14, _form('{"Path":"D:\\\\Backup\\\\Documents\\\\', "digits", '.docx","UTCDateModified":"20150312T101502Z"}')),
        (12, _base64_form("mt2 ", '{"filename":"archive/2013/', '.tar","mtime":"20130505T101010Z"}', "")),
        (10, _form("4F1C2E9A-77B0-4D55-9C3E-", "digits", "0AE1FB")),
        (8, _form("Synology_GlacierBackup/NAS_@app/vol1/", "digits", ".glacier")),
        (14, _form("")),
        (3, _form("Fotoalbum Größe ", "digits", " – été à Nîmes, 日本.zip")),  # noqa: RUF001 - as people write
        (2, _form('box "', "digits", '", shelf 3, said "fragile"')),
        (2, _form("C:\\Users\\ops\\Archive ", "digits", "\\")),
        (1, _form('"},{"A', "digits", '"')),
        (1, _form("},{")),
        (1, _form('","', "digits", "\\\\")),
        (1, _form("=HYPERLINK(", "digits", ")")),
        (1, _form("🗄 ", "digits")),
    ]


class Pattern(NamedTuple):
    """What one seed makes of indices: everything here repeats every ``PERIOD``."""

    forms: list[Form]
    sizes: list[int]
    summed_sizes: list[int]
    json_widths: list[int]
    csv_widths: list[int]


@lru_cache(maxsize=8)
def pattern(seed: int) -> Pattern:
    """Draw the pattern of a seed."""
    draw = random.Random(f"archives {seed}")  # noqa: S311 - a simulation has to be repeatable
    weighted = _forms()
    forms = draw.choices([form for _, form in weighted], [weight for weight, _ in weighted], k=PERIOD)
    # The first archives show every form once, so that small vaults have them all.
    forms[: len(weighted)] = draw.sample([form for _, form in weighted], len(weighted))
    # Log-normal round 300 KB with a long tail, as backups of documents and photos are; cut at 40 GB.
    sizes = [min(max(1, int(draw.lognormvariate(12.6, 2.2))), 40 * 10**9) for _ in range(PERIOD)]
    pairs = list(zip(forms, sizes, strict=True))
    return Pattern(
        forms,
        sizes,
        list(accumulate(sizes, initial=0)),
        [
            len(form.json_before.encode()) + form.width + len(form.json_after.encode()) + len(str(size))
            for form, size in pairs
        ],
        [_csv_width(form) + len(str(size)) for form, size in pairs],
    )


def _csv_width(form: Form) -> int:
    text = form.before + form.after
    plain = len(text.encode()) + form.width
    return plain + 2 + text.count('"') if form.quoted_in_csv else plain


class Generated(msgspec.Struct, frozen=True):
    """``count`` archives of a seed, uploaded evenly between two moments (epoch seconds, ``newest`` not reached)."""

    seed: int
    count: int
    oldest: float
    newest: float

    def created(self, index: int) -> float:
        """When archive ``index`` was uploaded."""
        return self.oldest + (self.newest - self.oldest) * index / self.count

    def total_size_bytes(self) -> int:
        """The size of all archives together."""
        summed = pattern(self.seed).summed_sizes
        rounds, rest = divmod(self.count, PERIOD)
        return rounds * summed[PERIOD] + summed[rest]
