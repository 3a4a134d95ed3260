"""What an archive's description says to people: the name of the file, where the program that uploaded it wrapped it up.

The service keeps no names, so programs put them into the description, each in a form of its own.  Whatever is not
exactly such a form is shown as it is.  The formats are those that the programs' makers published: FastGlacier's
"metadata format" page (QNAP's and CrushFTP's uploads look the same), mt-aws-glacier's MetaData.pm, and CloudBerry's
answer to users (its JSON).  Synology's and Arq's archives have ids of their own as descriptions: there is nothing in
them to unwrap.  Pure.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable

_FASTGLACIER = re.compile(r"<m>\s*<v>[234]</v>\s*<p>([A-Za-z0-9+/]+={0,2})</p>.*</m>", re.DOTALL).fullmatch
_MTGLACIER = re.compile(r"(mt[12]) ([A-Za-z0-9_-]+)").fullmatch


def readable(description: str) -> str:
    """The file's name or path in ``description``; the description itself where none is wrapped up in it.

    What comes back may hold any characters, like the description: it is not yet safe for a terminal.
    """
    read = _READERS.get(description[:3])
    if read is None:
        return description
    try:
        name = read(description)
        (name or "").encode()  # half of a pair of surrogates is no text
    except (binascii.Error, UnicodeError, ValueError, RecursionError):
        name = None
    return name or description


def _fastglacier(description: str) -> str | None:
    found = _FASTGLACIER(description)
    return None if found is None else b64decode(found[1], validate=True).decode()


def _mtglacier(description: str) -> str | None:
    found = _MTGLACIER(description)
    if found is None:
        return None
    text = urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4)).decode()
    if found[1] == "mt1":  # encoded twice, by mistake
        text = text.encode("latin-1").decode()
    return _text_of(json.loads(text), "filename")


def _cloudberry(description: str) -> str | None:
    path = _text_of(json.loads(description), "Path")
    if path is None or not path.isascii():
        return path
    try:
        return path.encode().decode("utf-7")
    except UnicodeError:
        return path


def _text_of(value: object, key: str) -> str | None:
    text = value.get(key) if isinstance(value, dict) else None
    return text if isinstance(text, str) else None


_READERS: dict[str, Callable[[str], str | None]] = {
    "<m>": _fastglacier,
    "mt1": _mtglacier,
    "mt2": _mtglacier,
    '{"P': _cloudberry,
    '{"U': _cloudberry,
    '{"F': _cloudberry,
}
