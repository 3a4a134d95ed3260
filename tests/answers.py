"""What a command printed for programs, held against the schema of its verb, and nothing in it that is not in there."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker

from glacier_purge.cli.schemas import VERBS, file_name
from glacier_purge.cli.verbs import GROUPS
from glacier_purge.cli.verbs import VERBS as VERBS_THERE_ARE

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMAS = Path(__file__).parents[1] / "config/schemas"


SEEN: set[tuple[str, str]] = set()
"""Verbs with the kinds of answers of theirs that were checked."""


def check_if_for_programs(arguments: Sequence[str], out: str) -> None:
    """Validate what a command printed, if it was asked for a document and printed anything."""
    if out and "--output" in arguments and arguments[arguments.index("--output") + 1] == "json":
        two = " ".join(arguments[:2])
        check_answer(two if two in VERBS else arguments[0], out)


def check_ending(arguments: Sequence[str], exit_code: int) -> None:
    """Hold what a command ended with against what the help of its verb says that it can end with."""
    called = " ".join(arguments[:2]) if arguments and arguments[0] in GROUPS else " ".join(arguments[:1])
    if called in VERBS_THERE_ARE:
        assert exit_code in VERBS_THERE_ARE[called].endings, f"{called} --help does not know exit code {exit_code}"


def check_answer(verb: str, out: str) -> dict[str, Any]:
    """Validate one document, alone on its line, by the schema in ``config/schemas``."""
    assert out.isascii()
    assert out.count("\n") == 1, f"{verb} printed not one document: {out!r}"
    answer: dict[str, Any] = json.loads(out)
    faults = [f"{fault.json_path}: {fault.message}" for fault in _validator(verb).iter_errors(answer)]
    assert not faults, f"{verb}: {faults}\n{out}"
    SEEN.add((verb, answer["result"]))
    return answer


@cache
def _validator(verb: str) -> Any:
    schema = json.loads((SCHEMAS / f"{file_name(verb)}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(_closed(schema), format_checker=FormatChecker())


def _closed(schema: Any) -> Any:
    """The schema with no room for what it does not name: programs must bear new members, tests must not."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(one) for name, one in schema.items()}
    return closed if "properties" not in closed or "type" not in closed else closed | {"additionalProperties": False}
