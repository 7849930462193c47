"""The rule that fields under one name can be merged decides as graphql-core's does, only faster."""

import random

import pytest
from graphql import build_schema, parse, validate
from graphql.validation import OverlappingFieldsCanBeMergedRule

from engine import overlaps
from engine.overlaps import MergeableFieldsRule, TooEntangled

SCHEMA = build_schema("""
interface Animal { name: String  nick: String!  age(in: Int): Int  friend: Animal  friends: [Animal!]  owner: Person }
type Dog implements Animal { name: String  nick: String!  age(in: Int): Int  friend: Animal  friends: [Animal!]  owner: Person  size: Int  tag: Tag }
type Cat implements Animal { name: String  nick: String!  age(in: Int): Int  friend: Animal  friends: [Animal!]  owner: Person  size: String  tag: Tag }
type Person { name: String  age(in: Int): Int  pet: Animal  pets: [Animal!]  tag: Tag }
type Tag { name: String  size: Float }
type Query { pet: Animal  pets: [Animal!]  person: Person }
""")  # noqa: E501 - a type is a line
FIELDS = {
    "Animal": ["name", "nick", "age", "friend", "friends", "owner"],
    "Dog": ["name", "nick", "age", "friend", "owner", "size", "tag"],
    "Cat": ["name", "nick", "age", "friend", "owner", "size", "tag"],
    "Person": ["name", "age", "pet", "pets", "tag"],
    "Tag": ["name", "size"],
    "Query": ["pet", "pets", "person"],
}
BELOW = {"friend": "Animal", "friends": "Animal", "owner": "Person", "pet": "Animal", "pets": "Animal", "person": "Person", "tag": "Tag"}
ARGUMENTS = ["", "", "(in: 1)", "(in: 2)"]


class Writer:
    """Writes random documents, of which about half are in conflict with themselves."""

    def __init__(self, seed: int) -> None:
        self._any = random.Random(seed)  # noqa: S311 - tests
        self._fragments = {f"F{number}": self._any.choice(["Animal", "Dog", "Cat", "Person"]) for number in range(3)}

    def document(self) -> str:
        kept = f"query {{ {self._selection('Query', 4)} }}"
        for number, (name, kind) in enumerate(self._fragments.items()):
            later = dict(list(self._fragments.items())[number + 1 :])
            if f"...{name}" in kept:  # what no operation spreads is another rule's
                kept += f"\nfragment {name} on {kind} {{ {self._selection(kind, 2, later)} }}"
        return kept

    def _selection(self, kind: str, depth: int, fragments: dict[str, str] | None = None) -> str:
        known = self._fragments if fragments is None else fragments
        return " ".join(self._piece(kind, depth, known) for _ in range(self._any.randint(1, 3)))

    def _piece(self, kind: str, depth: int, fragments: dict[str, str]) -> str:
        way = self._any.random()
        fits = [name for name, on in fragments.items() if on == kind or ("Animal" in (on, kind) and {on, kind} <= {"Animal", "Dog", "Cat"})]
        if way < 0.15 and fits:
            return f"...{self._any.choice(fits)}"
        if way < 0.35 and kind == "Animal" and depth:
            on = self._any.choice(["Dog", "Cat", "Animal"])
            return f"... on {on} {{ {self._selection(on, depth - 1, fragments)} }}"
        name = self._any.choice([each for each in FIELDS[kind] if depth or each not in BELOW] or ["__typename"])
        alias = self._any.choice(["", "", "", "a: ", "b: "])
        given = self._any.choice(ARGUMENTS) if name == "age" else ""
        below = f" {{ {self._selection(BELOW[name], depth - 1, fragments)} }}" if name in BELOW else ""
        return f"{alias}{name}{given}{below}"


def test_random_documents_are_judged_as_by_graphql_core() -> None:
    verdicts = []
    for seed in range(1500):
        text = Writer(seed).document()
        document = parse(text)
        theirs = bool(validate(SCHEMA, document, [OverlappingFieldsCanBeMergedRule]))
        assert bool(validate(SCHEMA, document, [MergeableFieldsRule])) == theirs, text
        verdicts.append(theirs)
    assert 0.1 < sum(verdicts) / len(verdicts) < 0.9


@pytest.mark.parametrize(
    "text",
    [
        "{ pet { ...A } } fragment A on Animal { friend { ...A } }",
        "{ pet { ...A } } fragment A on Animal { friend { ...B } } fragment B on Animal { friend { ...A } }",
        "{ nothing { of this } pet { exists { here } } }",
    ],
)
def test_cycles_and_unknown_fields_are_left_to_other_rules(text: str) -> None:
    assert validate(SCHEMA, parse(text), [MergeableFieldsRule]) == []


def test_a_document_that_overlaps_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlaps, "MOST_STEPS", 100)
    with pytest.raises(TooEntangled):
        validate(SCHEMA, parse("{ pet {" + "friend { name }" * 60 + "} }"), [MergeableFieldsRule])
