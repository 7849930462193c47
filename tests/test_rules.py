"""docs/rules.md: every documented rule has its row, and whatever a row names exists."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from migrations import ROOT
from settings import Settings

CONTRACTS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "tests/contract").glob("*.json"))}
TITLES = {"coresync": "CoreSync", "events": "Events", "crm": "CRM"}
TO_COME: dict[str, set[str]] = {
    "coresync": set(),
    "events": set(),
    "crm": set(),
}
"""Rules that nothing holds yet. This only ever gets shorter."""

WAITING = "to come"
ROW = re.compile(r"\| `([a-z0-9-]+)` \| (.+) \|")
TEST = re.compile(r"`(tests/\w+\.py)(?:::(\w+))?`")
PAGE = re.compile(r"`(docs/[\w./-]+)`")
SETTING = re.compile(r"`([A-Z]+(?:_[A-Z]+)*)`")


def rows(system: str) -> list[tuple[str, str]]:
    """The rules of one system with what holds them."""
    page = (ROOT / "docs/rules.md").read_text()
    section = page.split(f"\n## {TITLES[system]}\n", 1)[1].split("\n## ", 1)[0]
    return ROW.findall(section)


@cache
def functions(path: Path) -> set[str]:
    """The names of the tests in a file."""
    return {each.name for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_contract_is_in_the_page() -> None:
    assert set(CONTRACTS) == set(TITLES) == set(TO_COME)


@pytest.mark.parametrize("system", TITLES)
def test_every_rule_has_exactly_one_row_in_the_documents_order(system: str) -> None:
    assert [rule for rule, _ in rows(system)] == CONTRACTS[system]["rules"]


@pytest.mark.parametrize("system", TITLES)
def test_what_is_to_come_is_known(system: str) -> None:
    assert {rule for rule, held in rows(system) if held == WAITING} == TO_COME[system]


@pytest.mark.parametrize("system", TITLES)
def test_every_row_names_what_exists_or_says_why_there_is_nothing_to_build(system: str) -> None:
    for rule, held in rows(system):
        tests, pages, settings = TEST.findall(held), PAGE.findall(held), SETTING.findall(held)
        assert held == WAITING or held.startswith(("a fact: ", "decided: ")) or tests or pages or settings, rule
        for file, test in tests:
            assert (ROOT / file).is_file(), f"{rule}: {file}"
            assert not test or test in functions(ROOT / file), f"{rule}: {test}"
        assert [each for each in pages if not (ROOT / each).is_file()] == [], rule
        assert [each for each in settings if each.lower() not in Settings.model_fields] == [], rule
