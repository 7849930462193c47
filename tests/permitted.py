"""The dearest documents that are just allowed, written from the schema; and how long a callback keeps the loop to itself."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from graphql import GraphQLSchema, get_named_type, is_composite_type, is_leaf_type, is_non_null_type, parse, print_ast

from settings import Settings

LEVELS = 5
CONNECTIONS = ("services", "bookings")


class Writer:
    """Writes selections that are as wide as allowed."""

    def __init__(self, schema: GraphQLSchema, fields: int) -> None:
        self._schema, self._left = schema, fields

    def operation(self, root: str, rows: int) -> str:
        """One page with everything that there is to ask of its nodes."""
        self._left -= 3
        assert self._schema.query_type is not None
        page = get_named_type(self._schema.query_type.fields[root].type)
        node = get_named_type(page.fields["nodes"].type)
        return f"{{ {root}(first: {rows}) {{ totalCount nodes {{ {self._below(node, LEVELS)} }} }} }}"

    def _below(self, kind: Any, levels: int) -> str:
        parts: list[str] = []
        for name, field in kind.fields.items():
            inner = get_named_type(field.type)
            if any(is_non_null_type(each.type) for each in field.args.values()) or self._left <= 0:
                continue
            if is_leaf_type(inner):
                self._left -= 1
                parts.append(name)
            elif levels and is_composite_type(inner):
                self._left -= 1
                parts.append(f"{name} {{ {self._below(inner, levels - 1)} __typename }}")
                self._left -= 1
        return " ".join(parts) or "__typename"


def documents(schema: GraphQLSchema, settings: Settings) -> dict[str, str]:
    """Documents at the limits, by what is large in them."""
    found = {f"everything of 100 {root}": Writer(schema, settings.max_fields - 20).operation(root, 100) for root in CONNECTIONS}
    wide = found["everything of 100 services"]
    whole = found["everything of 100 bookings"]
    size = len(whole.split()) - whole.count("{") - whole.count("}") - 1
    pages = range((settings.max_fields - 20) // size)
    rows = min(100, settings.max_cost // (len(pages) * 200))
    many = " ".join(f"page{n}: {whole[1:-1].replace('100', str(rows), 1)}" for n in pages)
    found["as many pages as fit"] = f"{{ {many} }}"
    found["a text of 100 kB"] = wide + " #" + "x" * (settings.max_query - len(wide) - 2)
    found["a document of white space"] = print_ast(parse(wide)).replace("\n", "\n" + " " * 180)[: settings.max_query]
    fragments = " ".join(f"query Q{n} {{ services(first: 100) {{ nodes {{ ...All }} }} }}" for n in range(settings.max_operations))
    found["ten operations"] = f"{fragments} fragment All on Service {{ {Writer(schema, 40)._below(schema.type_map['Service'], 2)} }}"
    aliases = " ".join(f"a{n}: name" for n in range(settings.max_aliases))
    found["every alias"] = f"{{ services(first: 100) {{ nodes {{ {aliases} }} }} }}"
    found["a literal of 99 kB"] = f'{{ service(slug: "{"x" * 99_000}") {{ name }} }}'
    return found


class Held:
    """How long the loop was held at most, in seconds of the processor."""

    longest = 0.0


@contextmanager
def watching_the_loop() -> Iterator[Held]:
    """Watch every callback that runs meanwhile."""
    held, run = Held(), asyncio.Handle._run

    def watched(self: asyncio.Handle) -> None:
        began = time.thread_time()
        run(self)
        held.longest = max(held.longest, time.thread_time() - began)

    with patch.object(asyncio.Handle, "_run", watched):
        yield held
