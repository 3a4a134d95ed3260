"""Spoils good inputs: by their bytes, and by their structure, since what a parser lets through is what finds faults.

A mutator takes a good input and a ``Random`` and gives another input, mostly not good, often nearly so.  Some grow one
part of it to a large size (``grown``): what costs a reader more than a little for each byte shows there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any

Mutator = Callable[[bytes, Random], bytes]

MARKS = (
    b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3\xa9", b"\xe2\x80\xae", b"\r", b"\n",
    b"\r\n", b"\t", b"\x0b", b"\x0c", b"\x1b[2J", b" ", b'"', b"'", b"\\", b'\\"', b"\\u0000", b"\\ud800",
    b"{", b"}", b"[", b"]", b"[[", b"}}", b",", b",,", b":", b";", b"=", b"#", b"/", b"..", b"../", b"-", b"--", b"+",
    b"%2e%2e", b"%00", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"0x10", b"1_000", b"9" * 25, b"0",
    b"\xd9\xa1", b"${x}", b"*", b"?", b"(", b"2038-01-19T03:14:08Z", b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:60Z",
)  # fmt: skip
"""Pieces that mean something to one reader or another."""

TOKENS = (
    b"null", b"true", b"false", b"0", b"-0", b"-1", b"1.0", b"1e3", b"1e999", b"-1e-999", b"NaN", b"Infinity", b"1_0",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"7" * 4_301,
    b'""', b'"x"', b'".."', b'"\\u0000"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u202e"', b'"\\u001b[2J"', b'"\xff"',
    b'"\n"', b'"-1"', b'"1"', b'"true"', b'"=1+1"', b'"' + b"x" * 1_025 + b'"', b'"' + b"\\u0061" * 200 + b'"', b"[]",
    b"{}", b"[null]", b'{"":null}', b'{"a":1,"a":2}', b"[[[[[[[[[[[]]]]]]]]]]]", b"'x'", b"/**/1", b"01", b"1.", b"",
    b'"2026-02-30T00:00:00Z"', b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:59.999999999Z"', b'"+99999-01-01"',
    b'"arn:aws:glacier:us-east-1:123456789012:vaults/.."', b'"arn:aws:glacier::0:vaults/\\u0000"',
)  # fmt: skip
"""Values in JSON, and what looks like them."""

GROWN_BYTES = 1_000_000


class Token(bytes):
    """A value as it is to be written."""


class Members(list[tuple[str, Any]]):
    """An object, whose keys may stand twice."""


def by_bytes(good: bytes, random: Random) -> bytes:
    """One to four changes anywhere: pieces put in, bytes changed, parts gone, doubled or exchanged, an end cut off."""
    content = bytearray(good)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        begin = random.randint(0, len(content))
        end = min(len(content), begin + random.choice((0, 1, 1, 2, 8, 40, 300)))
        match random.randrange(8):
            case 7 if begin < len(content):  # of the same length, as an id has to be
                content[begin] = random.choice(b'./%?#+=&~!@ \\"\0\x7f\xe9')
            case 0:
                content[begin:begin] = random.choice(MARKS)
            case 1:
                content[begin:end] = random.choice(MARKS)
            case 2:
                del content[begin:end]
            case 3:
                content[begin:begin] = content[begin:end] * random.choice((1, 1, 2, 50))
            case 4:
                elsewhere = random.randint(0, len(content))
                content[begin:begin] = content[elsewhere : elsewhere + random.choice((1, 8, 140))]
            case 5 if begin < len(content):
                content[begin] ^= 1 << random.randrange(8)
            case _:
                if not random.randrange(4):
                    del content[begin:]
    return bytes(content)


def by_json(good: bytes, random: Random) -> bytes:
    """One to three changes of the document as a tree: values, keys, order, depth; written in one of several styles."""
    try:
        tree = json.loads(good, object_pairs_hook=Members)
    except ValueError:  # it was spoilt before
        return by_bytes(good, random)
    for _ in range(random.choice((1, 1, 2, 3))):
        tree = _changed(tree, random)
    if random.randrange(4):
        comma, colon, gap = random.choice(((b",", b":", b""), (b", ", b": ", b""), (b",\r\n", b" :\t", b"\n")))
    else:
        comma, colon, gap = b",", b":", b""
    return gap + b"".join(_written(tree, comma, colon)) + gap


def by_lines(part: bytes) -> Callable[[Callable[[bytes, Random], bytes]], Mutator]:
    """Changes whole lines, or one line by a mutator of its own; ``part`` is what lines end with."""

    def of(inner: Mutator) -> Mutator:
        def mutated(good: bytes, random: Random) -> bytes:
            lines = good.split(part)
            for _ in range(random.choice((1, 1, 2))):
                at = random.randrange(len(lines))
                match random.randrange(8):
                    case 0:
                        del lines[at]
                    case 1:
                        lines.insert(random.randint(0, len(lines)), lines[at])
                    case 2:
                        lines.insert(at, random.choice(MARKS))
                    case 3:
                        other = random.randrange(len(lines))
                        lines[at], lines[other] = lines[other], lines[at]
                    case _:
                        if lines[at].strip():
                            lines[at] = inner(lines[at], random)
                if not lines:
                    return b""
            return part.join(lines)

        return mutated

    return of


def by_cells(comma: bytes = b",") -> Mutator:
    """Changes the cells of a line."""

    def mutated(line: bytes, random: Random) -> bytes:
        cells = line.split(comma)
        at = random.randrange(len(cells))
        match random.randrange(6):
            case 0:
                del cells[at]
            case 1:
                cells.insert(at, random.choice(MARKS))
            case 2:
                cells[at] = b'"' + cells[at] + b'"'
            case 3:
                cells[at] = random.choice((*MARKS, *TOKENS))
            case 4:
                other = random.randrange(len(cells))
                cells[at], cells[other] = cells[other], cells[at]
            case _:
                cells[at] = by_bytes(cells[at], random)
        return comma.join(cells)

    return mutated


_TOML = (
    b"nan", b"-inf", b"1e400", b"0x7fffffffffffffffffff", b"0b2", b"''", b'""', b'"""x\n"""', b"'\x1b[2J'", b"[[[]]]",
    b"{a={b={}}}", b"{}", b"[]", b"1979-05-27T07:32:00Z", b"07:32:00", b"true", b'"true"', b'"\\U0010FFFF"',
    b'"\\ud800"', b"-1", b"0", b"9" * 5_000, b'"' + b"x" * 300 + b'"', b"[" * 2_000, b"['a', 1]", b'"*"', b'"[a-"',
    b'"(?P<"', b'"' + b"(a+)+" * 5 + b'$"', b'"/(a+)+$/"', b'["a","a"]', b'"\\u0000"', b'"90d"', b'"999999999999d"',
    b'"10MiB"', b'"1e3GiB"', b'"../../x"', b'"/dev/zero"', b'"-"', b'"none"',
)  # fmt: skip


def _toml_line(line: bytes, random: Random) -> bytes:
    """Changes the key or the value of one line of TOML, or makes another kind of line of it."""
    key, equals, value = line.partition(b"=")
    match random.randrange(6):
        case 0 if equals:
            return b"%b=%b\n%b=%b" % (key, value, key, random.choice(_TOML))
        case 1:
            return random.choice((b"[x]", b"[[vaults]]", b"[[x]]", b"[a.b.c.d]", b"[]", b'["\\u0000"]'))
        case 2 if equals:
            return by_bytes(key, random) + equals + value
        case 3:
            return by_bytes(line, random)
        case _:
            return key + b"= " + random.choice(_TOML)


by_toml = by_lines(b"\n")(_toml_line)


def either(*mutators: Mutator) -> Mutator:
    """One of them each time."""
    return lambda good, random: random.choice(mutators)(good, random)


def grown(good: bytes, random: Random) -> bytes:
    """One part of it, or one piece that means something, many times over, up to a megabyte."""
    begin = random.randrange(len(good) or 1)
    part = random.choice(
        (
            good[begin : begin + random.choice((1, 5, 50, 700))],
            *(
                b"[",
                b'{"a":',
                b"9",
                b'"',
                b"\\",
                b'\\"',
                b",",
                b"\n",
                b"\r",
                b" ",
                b"a",
                b"\xff",
                b"(",
                b"#",
                b"=",
                b"*",
            ),
            *(b"[[vaults]]\n", b'"",', b"\\u0061", b"a.", b"../", b"0,", b"\x1b[", b"-\n", b"\xe2\x80\xae"),
        )
    )
    times = random.choice((1_000, 50_000, GROWN_BYTES)) // (len(part) or 1)
    at = random.randint(0, len(good))
    return good[:at] + part * times + good[at:]


def _nodes(tree: Any) -> Iterator[tuple[list[Any], int]]:
    """Every place in the tree that holds a value: the list or object it is in, and its index there."""
    if isinstance(tree, list):
        for index, one in enumerate(tree):
            yield tree, index
            yield from _nodes(one[1] if isinstance(tree, Members) else one)


def _changed(tree: Any, random: Random) -> Any:
    places = list(_nodes(tree))
    if not places or not random.randrange(40):
        return random.choice((Token(random.choice(TOKENS)), [tree], Members([("x", tree)])))
    below, index = random.choice(places)
    keyed = isinstance(below, Members)
    key, value = below[index] if keyed else ("", below[index])
    match random.randrange(9):
        case 0:
            del below[index]
        case 1:  # twice, with the same value or another
            other = value if random.randrange(2) else Token(random.choice(TOKENS))
            below.insert(random.randint(0, len(below)), (key, other) if keyed else other)
        case 2 if keyed:
            below[index] = (_misspelt(key, random), value)
        case 3:
            other, elsewhere = random.choice(places)
            taken = other[elsewhere][1] if isinstance(other, Members) else other[elsewhere]
            if _depth(taken) < 30:
                below[index] = (key, deepcopy(taken)) if keyed else deepcopy(taken)
        case 4:
            wrapped = random.choice(([value], Members([(key or "x", value)])))
            below[index] = (key, wrapped) if keyed else wrapped
        case 5 if isinstance(value, str):
            told = by_bytes(value.encode("utf-8", "surrogatepass"), random)
            text = Token(b'"' + told + b'"') if random.randrange(3) == 0 else told.decode("utf-8", "replace")
            below[index] = (key, text) if keyed else text
        case 6 if isinstance(value, int) and not isinstance(value, bool):
            other = value + random.choice((-1, 1, 1 << 31, -value, 1 << 62, 1 << 64))
            below[index] = (key, other) if keyed else other
        case _:
            token = Token(random.choice(TOKENS))
            below[index] = (key, token) if keyed else token
    return tree


def _depth(tree: Any) -> int:
    if not isinstance(tree, list):
        return 0
    return 1 + max((_depth(one[1] if isinstance(tree, Members) else one) for one in tree), default=0)


def _misspelt(key: str, random: Random) -> str:
    return random.choice((key.upper(), key.lower(), f"{key} ", f"{key}s", key[:-1], f"\0{key}", "", key[::-1]))


def _written(tree: Any, comma: bytes, colon: bytes) -> Iterator[bytes]:
    if isinstance(tree, Token):
        yield tree
    elif isinstance(tree, Members):
        yield b"{"
        for number, (key, value) in enumerate(tree):
            yield (comma if number else b"") + json.dumps(key).encode() + colon
            yield from _written(value, comma, colon)
        yield b"}"
    elif isinstance(tree, list):
        yield b"["
        for number, value in enumerate(tree):
            yield comma if number else b""
            yield from _written(value, comma, colon)
        yield b"]"
    else:
        yield json.dumps(tree).encode()


def cut(content: bytes, random: Random) -> Sequence[bytes]:
    """The content in slices of one size, from a byte (of small ones) to all of it."""
    sizes = [size for size in (1, 2, 3, 7, 64, 512, 4_096, 65_536) if len(content) <= size * 3_000]
    size = random.choice((*sizes, max(1, len(content))))
    return [content[begin : begin + size] for begin in range(0, len(content), size)]
