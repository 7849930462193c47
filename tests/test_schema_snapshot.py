"""schema.graphql is what clients are promised: a change of it must be seen in review."""

from migrations import ROOT
from schema.root import build_schema


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    assert (ROOT / "schema.graphql").read_text() == f"{build_schema().as_str()}\n", "write it anew with `make schema`"
