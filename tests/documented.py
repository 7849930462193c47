"""The oracle of old clients: does an answer have the keys, the types and the spelling of the documented example?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SPELLINGS = (
    r"\d{4}-\d\d-\d\d",
    r"\d\d:\d\d",
    r"\d+\.\d\d",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    r"#[0-9a-fA-F]{6}",
    r"CS-\d{4}-\d+",
    r"(pi|pm)_\w+",
    r"\+\d{7,15}",
)
WORD, WORD_KEYS = r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", re.compile(r"(.*_)?(status|type|category|currency|slug|brand)")


class Contract:
    """What one system's document shows."""

    def __init__(self, system: str) -> None:
        found = json.loads((Path(__file__).parent / "contract" / f"{system}.json").read_text())
        self.error: Any = found["error"]
        self.endpoints: list[dict[str, Any]] = found["endpoints"]
        self.sockets: dict[str, Any] = {each["id"]: each["messages"][0] for each in found["websockets"]}
        self._by_id = {each["id"].partition(".")[2]: each for each in self.endpoints}

    def __getitem__(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._by_id[id]
        return found

    def shown(self, id: str) -> Any:
        """The documented answer."""
        return self[id]["response"]

    def sent(self, id: str, **changes: Any) -> dict[str, Any]:
        """The documented request with some fields changed."""
        return {**self[id]["request"], **changes}


def differences(shown: Any, got: Any, at: str = "$") -> Iterator[str]:
    """What is not as documented; more keys than documented are welcome."""
    if shown is None or (isinstance(shown, dict) and "$any" in shown and len(shown) == 1):
        return
    if isinstance(shown, bool) or isinstance(got, bool) or not isinstance(shown, dict | list | str):
        if isinstance(shown, bool) is not isinstance(got, bool) or not isinstance(got, int | float):
            yield f"{at}: {got!r} where {shown!r} is documented"
    elif type(shown) is not type(got):
        yield f"{at}: {got!r} where {shown!r} is documented"
    elif isinstance(shown, dict):
        for key, inner in shown.items():
            if key not in got:
                yield f"{at}.{key} is missing"
            else:
                yield from differences(inner, got[key], f"{at}.{key}")
    elif isinstance(shown, list):
        if shown and not got:
            yield f"{at} is empty"
        for each in got if shown else []:
            yield from differences(shown[0], each, f"{at}[]")
    elif isinstance(shown, str):
        words = [WORD] if WORD_KEYS.fullmatch(at.rpartition(".")[2]) else []
        spelling = next((each for each in (*SPELLINGS, *words) if re.fullmatch(each, str(shown))), ".*")
        if not re.fullmatch(spelling, str(got), re.DOTALL):
            yield f"{at}: {got!r} is spelled otherwise than {shown!r}"
