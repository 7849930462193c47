"""Documents of REST endpoints: what they may say, what stops the start, and how they shape an answer."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from graphql.execution import execute_sync

from engine.execute import Engine
from rest_compat.directives import with_directives
from rest_compat.documents import WrongDocument
from rest_compat.endpoint import read_endpoints
from rest_compat.shapes import Shaper
from settings import Settings

GOOD = 'query ListCategories @rest(get: "/api/categories/") { categories { id: number name } }'


@pytest.fixture(scope="module")
def schema(settings: Settings) -> GraphQLSchema:
    return Engine(settings, raw=True).schema


@pytest.fixture
def read(tmp_path: Path, schema: GraphQLSchema) -> Any:
    """Reads documents, given as text, as those of a system named "old"."""

    def read(*texts: str) -> Any:
        folder = tmp_path / "old"
        folder.mkdir()
        for number, text in enumerate(texts):
            (folder / f"part{number}.graphql").write_text(text)
        return read_endpoints(folder, schema)

    return read


def test_a_document_becomes_an_endpoint(read: Any) -> None:
    [endpoint] = read(
        """
        query GetService($slug: String!) @rest(get: "/api/services/{slug}/", status: 202, says: "Here it is", limit: "5/hour") {
          service(slug: $slug) { ...Service }
        }
        fragment Service on Service { id: number category @pluck(field: "slug") { slug } }
        """
    )
    assert (endpoint.method, endpoint.path, endpoint.parameters) == ("GET", "/api/services/{slug}/", ("slug",))
    assert (endpoint.status, endpoint.says, endpoint.limit) == (202, "Here it is", "5/hour")
    assert [each.name for each in endpoint.operations] == ["get_service"]
    assert endpoint.only_field == "service"
    assert endpoint.alternate == "/operations/old/GetService.graphql"


def test_the_text_of_the_replacing_operation_is_plain_graphql(read: Any, schema: GraphQLSchema) -> None:
    [endpoint] = read(
        """
        query ListServices($page: Int = 1) @rest(get: "/api/services/") {
          services(page: $page, perPage: 1000) {
            pageInfo @spread { next: hasNextPage @as(format: NEXT_LINK) }
            results: nodes { name }
          }
        }
        """
    )
    assert "@" not in endpoint.text
    assert validate(schema, parse(endpoint.text)) == []
    assert "perPage: 100)" in endpoint.text, "public clients may ask for 100 at most"


def test_an_endpoint_may_be_replaced_by_another_operation(read: Any) -> None:
    [endpoint] = read(
        """
        query Old @rest(get: "/a/", instead: "New") { categories { name } }
        query New { services { nodes { name } } }
        """
    )
    assert endpoint.alternate == "/operations/old/New.graphql"
    assert endpoint.text.startswith("query New {")


def test_arguments_are_known_by_their_old_names(read: Any) -> None:
    [endpoint] = read(
        """
        query ListServices($type: String, $size: Int) @rest(get: "/api/services/") {
          services(filter: { category: $type }, perPage: $size) { nodes { name } }
        }
        """
    )
    assert endpoint.old_names == {"category": "type", "per_page": "size"}
    assert [each.is_page_size for each in endpoint.variables] == [False, True]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('query A @rest(get: "/a/") {\n  categories { nothing }\n}', "part0.graphql:2: Cannot query field 'nothing'"),
        ('query A($x: Int)\n@rest(get: "/a/") { categories { name } }', "part0.graphql:1: Variable '$x' is never used"),
        ('query A @rest(get: "/a/{slug}/") { categories { name } }', "The path names 'slug', but there is no such variable."),
        ("query A { categories { name } }", "A has no @rest(...)."),
        ('{ categories @as(format: DAY) { name } }\nquery A @rest(get: "/a/") { categories { name } }', "A REST document needs a name."),
        ('query A @rest(get: "/a/", post: "/a/") { categories { name } }', "exactly one method"),
        ('query A @rest(get: "a/") { categories { name } }', "begins with a slash"),
        ('query A @rest(get: "/a/", status: 404) { categories { name } }', "200 to 299"),
        ('query A @rest(get: "/a/") { categories { name }', "part0.graphql:1: Syntax Error"),
        ('query A @rest(get: "/a/") { ...B }\nfragment B on Query { categories { name } }', "roots of a REST document are fields"),
        ('query A @rest(get: "/a/") { categories @pluck(field: "slug") { name } }', "There is no 'slug'"),
        ('query A @rest(get: "/a/") { categories @spread { name } }', "@spread belongs on one object."),
        ('query A @rest(get: "/a/") { services { pageInfo @keyBy(field: "total") { total } } }', "@keyBy belongs on a list."),
        ('query A @rest(get: "/a/") { services { pageInfo @spread { totalCount: total } totalCount } }', "would stand twice"),
        ('query A @rest(get: "/a/") { categories { name @as(format: ROMAN) } }', "Value 'ROMAN' does not exist in 'RestFormat' enum"),
        ('query A @rest(get: "/a/") { categories { name } }\nfragment B on Category { name }', "nobody spreads the fragment B"),
        ('query A @rest(get: "/a/", instead: "B") { categories { name } }', "There is no operation B without a route."),
        ("type A { b: Int }", "Only operations and fragments"),
    ],
)
def test_a_wrong_document_stops_the_start_with_file_and_line(read: Any, text: str, mistake: str) -> None:
    with pytest.raises(WrongDocument) as stopped:
        read(text)
    assert mistake in str(stopped.value)
    assert str(stopped.value).startswith("rest_compat/old/part0.graphql:")


def test_one_route_cannot_be_given_twice(read: Any) -> None:
    with pytest.raises(WrongDocument) as stopped:
        read(
            'query First($id: ID!) @rest(get: "/api/{id}/") { service(id: $id) { name } }',
            'query Second($slug: String!) @rest(get: "/api/{slug}/") { service(slug: $slug) { name } }',
        )
    assert "part1.graphql:1: GET /api/{slug}/ is answered by First (rest_compat/old/part0.graphql:1) already." in str(stopped.value)


def test_every_mistake_is_told_at_once(read: Any) -> None:
    with pytest.raises(WrongDocument) as stopped:
        read('query A @rest(get: "/a/") { nothing }', 'query B @rest(get: "/b/") { nothing }', GOOD)
    assert len(str(stopped.value).splitlines()) == 2


WORLD = """
enum Mood { HAPPY }
scalar Any
type Query { days: [Day!]! day: Day }
type Day { name: String mood: Mood amount: Any at: Any inner: Inner extras: [Extra!]! more: Boolean }
type Inner { a: Int b: Int }
type Extra { name: String price: Any }
"""
DAY = {
    "name": "Monday",
    "mood": "HAPPY",
    "amount": Decimal("1.50"),
    "at": datetime(2026, 1, 15, 14, 0, tzinfo=UTC),
    "inner": {"a": 1, "b": 2},
    "extras": [{"name": "x", "price": 1}, {"name": "y", "price": 2}],
    "more": True,
}


class TwoPages:
    """Links of a list whose neighbours are pages 1 and 3."""

    def beside(self, step: int) -> str:
        return f"page {2 + step}"


def shaped(text: str, *, spell_enum: Any = None) -> Any:
    """What a document makes of a fixed world."""
    schema = build_schema(WORLD)
    document = parse(text)
    assert validate(with_directives(schema), document) == []
    operation: Any = document.definitions[0]
    change = Shaper(schema, {}, spell_enum).change(operation.selection_set, schema.query_type)  # type: ignore[arg-type]
    found = execute_sync(with_directives(schema), document, {"day": DAY, "days": [DAY, {**DAY, "name": "Tuesday"}]})
    assert not found.errors
    return change(found.data, TwoPages()) if change else found.data


def test_pluck_puts_one_field_in_place_of_its_object() -> None:
    assert shaped('{ day { inner @pluck(field: "a") { a } } }') == {"day": {"inner": 1}}
    assert shaped('{ day { extras @pluck(field: "name") { name } } }') == {"day": {"extras": ["x", "y"]}}


def test_spread_puts_fields_beside_each_other_in_the_documents_order() -> None:
    answer = shaped("{ day { name inner @spread { a c: b } more } }")
    assert list(answer["day"].items()) == [("name", "Monday"), ("a", 1), ("c", 2), ("more", True)]


def test_key_by_turns_a_list_into_an_object() -> None:
    assert shaped('{ day { extras @keyBy(field: "name") { name price } } }') == {"day": {"extras": {"x": {"price": 1}, "y": {"price": 2}}}}


@pytest.mark.parametrize(
    ("field", "spelled"),
    [
        ("at @as(format: DAY)", datetime(2026, 1, 15, tzinfo=UTC).date()),
        ("at @as(format: TIME)", "14:00"),
        ("name @as(format: UPPER)", "MONDAY"),
        ("name @as(format: LOWER)", "monday"),
        ("more @as(format: NEXT_LINK)", "page 3"),
        ("more @as(format: PREVIOUS_LINK)", "page 1"),
    ],
)
def test_as_spells_a_value_in_another_way(field: str, spelled: Any) -> None:
    [value] = shaped(f"{{ day {{ {field} }} }}")["day"].values()
    assert value == spelled


def test_shapes_reach_into_lists_and_leave_the_rest_as_it_is() -> None:
    answer = shaped("{ days { name @as(format: UPPER) amount } }")
    assert answer == {"days": [{"name": "MONDAY", "amount": Decimal("1.50")}, {"name": "TUESDAY", "amount": Decimal("1.50")}]}


def test_enums_are_spelled_by_the_dialect() -> None:
    assert shaped("{ day { mood } }", spell_enum=str.capitalize) == {"day": {"mood": "Happy"}}
