"""Documents and bodies that were made to hurt, each with the codes that may refuse it."""

import json
from dataclasses import dataclass, field
from typing import Any

REFUSED = frozenset({"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "DOCUMENT_TOO_LARGE", "BAD_USER_INPUT", "BAD_REQUEST"})
TOO_LARGE = frozenset({"DOCUMENT_TOO_LARGE", "GRAPHQL_PARSE_FAILED"})
SERVICES = (
    "query($after: String, $first: Int, $search: String) { services(after: $after, first: $first, search: $search) { nodes { name } } }"
)


@dataclass(frozen=True)
class Hostile:
    """One document with its variables; `codes` are what it may be refused with."""

    name: str
    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    codes: frozenset[str] = REFUSED

    @property
    def body(self) -> bytes:
        """As it is posted; lone surrogates as JSON escapes them."""
        return json.dumps({"query": self.query, "variables": self.variables}).encode()


def _chain(length: int, spreads: int) -> str:
    links = [f"fragment F{n} on Service {{ name {f'...F{n + 1} ' * spreads} }}" for n in range(length)]
    return "{ services { nodes { ...F0 } } }" + " ".join(links) + f" fragment F{length} on Service {{ name }}"


def _nested(levels: int) -> str:
    return "{ services { nodes " + "{ category " * levels + "{ name }" + " }" * levels + " } }"


DOCUMENTS = [
    Hostile("exponential fragments", _chain(40, 2), codes=TOO_LARGE),
    Hostile("exponential fragments that hold nothing", _chain(40, 2).replace("name ...", "..."), codes=REFUSED),
    Hostile("three thousand spreads", "{ services { nodes {" + " ...F" * 3000 + "} } } fragment F on Service { name }", codes=TOO_LARGE),
    Hostile("fragments in a ring", "{ services { nodes { ...A } } } fragment A on Service { ...B } fragment B on Service { ...A }"),
    Hostile("a fragment within itself", "{ services { nodes { ...A } } } fragment A on Service { category { ...A } addons { ...A } }"),
    Hostile("a hundred thousand brackets", "{" * 100_000, codes=TOO_LARGE),
    Hostile("brackets of lists", "{ services(after: " + "[" * 400 + "]" * 400 + ") { nodes { name } } }"),
    Hostile("fifty levels", _nested(50)),
    Hostile("two children per level", "{ services { nodes " + "{ a: category b: category " * 40 + "{ name }" + "}" * 40 + "} }"),
    Hostile("a hundred aliases", "{" + "".join(f" a{n}: services {{ nodes {{ name }} }}" for n in range(100)) + "}", codes=TOO_LARGE),
    Hostile("six hundred fields", "{ services { nodes {" + " name" * 600 + "} } }", codes=TOO_LARGE),
    Hostile("two hundred directives", "{ services { nodes { name" + " @include(if: true)" * 140 + " } } }"),
    Hostile("unknown directives", "{ services { nodes { name" + " @what" * 400 + " } } }"),
    Hostile("twenty operations", "".join(f"query Q{n} {{ services {{ nodes {{ name }} }} }} " for n in range(20)), codes=TOO_LARGE),
    Hostile("three hundred arguments", "{ services(" + "first: 1 " * 300 + ") { nodes { name } } }"),
    Hostile("unknown fields below each other", "{" + " a { b }" * 240 + "}"),
    Hostile("conflicting fields", "{ services { nodes {" + " category { name slug } category { slug: name }" * 60 + "} } }"),
    Hostile(
        "fifty tries at a password",
        "mutation {" + "".join(f' a{n}: signIn(email: "a@b.co", password: "wrong-{n}") {{ accessToken }}' for n in range(20)) + "}",
        codes=frozenset({"ONCE_PER_DOCUMENT"}),
    ),
    Hostile("a very long document", "{ services { nodes { name } } } #" + "x" * 200_000, codes=TOO_LARGE),
    Hostile("a hundred thousand digits", "{ services(first: " + "9" * 99_000 + ") { nodes { name } } }"),
    Hostile("a long exponent", "{ services(first: 1e" + "9" * 90_000 + ") { nodes { name } } }"),
    Hostile("a huge literal", '{ services(after: "' + "a" * 99_000 + '") { nodes { name } } }'),
    Hostile("a NUL in a literal", '{ services(after: "\\u0000") { nodes { name } } }'),
    Hostile("a NUL in the document", "{ services(after: \0) { nodes { name } } }"),
    Hostile("a lone surrogate in a literal", '{ services(search: "\\ud800") { nodes { name } } }'),
    Hostile("a lone surrogate in the document", '{ services(search: "\ud800") { nodes { name } } }'),
    Hostile("a lone surrogate in a variable", SERVICES, {"search": "\udfff"}),
    Hostile("a NUL in a variable", SERVICES, {"search": "a\0b"}),
    Hostile("2^63 as a size", SERVICES, {"first": 2**63}),
    Hostile("2^31 as a size", SERVICES, {"first": 2**31}),
    Hostile("-1 as a size", SERVICES, {"first": -1}),
    Hostile("101 as a size", SERVICES, {"first": 101}),
    Hostile("a truth as a size", SERVICES, {"first": True}),
    Hostile("infinity", SERVICES, {"first": float("1e400")}, codes=REFUSED),
    Hostile("a list as a text", SERVICES, {"search": ["a"] * 1000}),
    Hostile("deep variables", SERVICES, {"search": json.loads("[" * 90 + "]" * 90)}),
    Hostile("a hundred thousand values", SERVICES, {"search": [1] * 100_000}),
    Hostile("a cursor of nobody", SERVICES, {"after": "bm9uc2Vuc2U="}),
    Hostile("a foreign id", '{ service(id: "VXNlcjox") { name } }', codes=frozenset({"BAD_USER_INPUT", "NOT_FOUND"})),
    Hostile(
        "an id beyond 64 bits", '{ service(id: "99999999999999999999999") { name } }', codes=frozenset({"BAD_USER_INPUT", "NOT_FOUND"})
    ),
    Hostile("a missing variable", "query($first: Int!) { services(first: $first) { nodes { name } } }"),
    Hostile("no operation", "fragment F on Service { name }"),
    Hostile("nothing", ""),
    Hostile("names that are Python's", "{ __class__ __dict__ }"),
]

BODIES = {
    "null": b"null",
    "a number": b"7",
    "a text": b'"query"',
    "a list": b'[{"query": "{ __typename }"}]',
    "nothing": b"",
    "not JSON": b"{query",
    "not UTF-8": b'{"query": "\xff\xfe"}',
    "UTF-16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand braces": b'{"a":' * 100_000,
    "a hundred thousand digits": b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 100_000 + b"}}",
    "three hundred thousand lists": b'{"query": "{ __typename }", "variables": {"a": [' + b"[]," * 300_000 + b"1]}}",
    "half a million numbers": b'{"query": "{ __typename }", "variables": {"a": [' + b"1," * 480_000 + b"1]}}",
    "twice as much as allowed": b'{"query": "{ __typename }", "variables": {"a": "' + b"a" * 2_000_000 + b'"}}',
    "a query that is a number": b'{"query": 7}',
    "variables that are a list": b'{"query": "{ __typename }", "variables": [1]}',
    "a name that is an object": b'{"query": "{ __typename }", "operationName": {}}',
    "extensions that are a text": b'{"query": "{ __typename }", "extensions": "x"}',
}

FRAMES = {
    "a list": "[]",
    "a text": '"x"',
    "a number": "7",
    "null": "null",
    "not JSON": "{",
    "brackets": "[" * 100_000,
    "an unknown type": '{"type": "what"}',
    "no type": "{}",
    "an id that is a list": '{"type": "subscribe", "id": [], "payload": {"query": "{ __typename }"}}',
    "a payload that is a text": '{"type": "subscribe", "id": "1", "payload": "x"}',
    "a query that is a number": '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
    "a deep ping": '{"type": "ping", "payload": {"a": ' + "[" * 500 + "]" * 500 + "}}",
    "many values": '{"type": "ping", "payload": {"a": [' + "1," * 100_000 + "1]}}",
    "bytes": b"\x00\xff",
    "too much": '{"type": "ping", "payload": {"a": "' + "a" * 1_500_000 + '"}}',
}
