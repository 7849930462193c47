"""Faults that are planted into the engine, one at a time, to see that the comparison with the reference catches them."""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import pytest
from graphql import FragmentSpreadNode
from sqlalchemy import Text, and_, cast, func, literal_column, or_, select, true

from engine import arguments, compiled, flavours, pages, plan, shaping, showing, symbols, whole
from engine.selection import Reader
from engine.symbols import symbolic_context
from models.keys import Key
from resolvers.operations import ANYONE
from schema.fields import attribute_of

Plant = Callable[[pytest.MonkeyPatch], None]
FAULTS: dict[str, tuple[Plant, tuple[str, ...]]] = {}
"""By its name, how a fault is planted, and the root fields where it shows; none: everywhere."""
ORDERED, FOUND = ("services", "myBookings", "bookings"), ("booking", "service", "payment")


def fault(*roots: str) -> Callable[[Plant], Plant]:
    """Name a fault by its function."""

    def name(plant: Plant) -> Plant:
        FAULTS[plant.__name__.replace("_", " ")] = plant, roots
        return plant

    return name


class Loose(dict[Any, Any]):
    """A dictionary that looks only at a part of its keys."""

    def __init__(self, part: Callable[[Any], Any]) -> None:
        super().__init__()
        self.part = part

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self.part(key))

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.part(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(self.part(key), value)


def loosen(patch: pytest.MonkeyPatch, name: str, part: Callable[[Any], Any]) -> None:
    """Let every plan's dictionary of this name look only at a part of its keys."""
    make = plan.Plan.__init__

    def init(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        setattr(self, name, Loose(part))

    patch.setattr(plan.Plan, "__init__", init)


@fault()
def rows_without_their_joined_row_vanish(patch: pytest.MonkeyPatch) -> None:
    def select(self: plan.Plan, rows: Any) -> Any:
        shown = [(cast(each, Text) if text else each).label(f"c{n}") for n, (each, text) in enumerate(self.columns)]
        statement = rows.with_only_columns(*shown, maintain_column_froms=True)
        for target in self.targets:
            statement = statement.join(target)
        return statement

    patch.setattr(plan.Plan, "select", select)


@fault()
def the_condition_of_a_join_is_dropped(patch: pytest.MonkeyPatch) -> None:
    select = plan.Plan.select

    def everything(self: plan.Plan, rows: Any) -> Any:
        statement = select(dataclasses.replace(self, targets=[]), rows)
        for alias in self.joins.values():
            statement = statement.join(alias, true(), isouter=True)
        return statement

    patch.setattr(plan.Plan, "select", everything)


@fault()
def a_value_is_taken_from_the_column_before(patch: pytest.MonkeyPatch) -> None:
    leaf = plan.Planner._leaf

    def shifted(self: Any, *given: Any, **named: Any) -> Any:
        made = leaf(self, *given, **named)
        return dataclasses.replace(made, at=max(made.at - 1, 0))

    patch.setattr(plan.Planner, "_leaf", shifted)


@fault("myBookings", "bookings")
def a_relations_relation_is_taken_for_the_first(patch: pytest.MonkeyPatch) -> None:
    loosen(patch, "joins", lambda path: path[:1])


@fault(*ORDERED)
def lists_of_one_name_share_their_selection(patch: pytest.MonkeyPatch) -> None:
    loosen(patch, "known_batches", lambda key: key[:2])


@fault(*ORDERED)
def one_row_too_few_is_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pages.Page, "limit", property(lambda page: page.size))


@fault(*ORDERED)
def numbered_pages_begin_one_row_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pages.Page, "offset", property(lambda page: ((page.number or 1) - 1) * page.size + 1))


@fault()
def ties_are_ordered_the_other_way(patch: pytest.MonkeyPatch) -> None:
    keys_of = pages.keys_of

    def flipped(rows: Any, entity: Any) -> Any:
        *first, last = keys_of(rows, entity)
        return [*first, dataclasses.replace(last, is_descending=not last.is_descending)]

    for module in (pages, compiled):
        patch.setattr(module, "keys_of", flipped)


@fault(*ORDERED)
def cursors_look_the_other_way(patch: pytest.MonkeyPatch) -> None:
    beyond = pages._beyond
    patch.setattr(pages, "_beyond", lambda keys, values, flip: beyond(keys, values, not flip))


@fault(*ORDERED)
def the_row_of_the_cursor_comes_again(patch: pytest.MonkeyPatch) -> None:
    beyond = pages._beyond

    def again(keys: Any, values: Any, flip: bool) -> Any:
        same = and_(*[key.element == cast(value, key.element.type) for key, value in zip(keys, values, strict=True)])
        return or_(beyond(keys, values, flip), same)

    patch.setattr(pages, "_beyond", again)


@fault(*ORDERED)
def only_the_first_column_of_a_cursor_counts(patch: pytest.MonkeyPatch) -> None:
    beyond = pages._beyond
    patch.setattr(pages, "_beyond", lambda keys, values, flip: beyond(keys[:1], values[:1], flip))


@fault(*ORDERED)
def backward_pages_stay_backward(patch: pytest.MonkeyPatch) -> None:
    view = showing.Showing._view

    async def page(self: Any, outline: Any, statement: Any, counting: Any, positions: Any, page: Any, given: Any) -> Any:
        if page.is_backward:
            patched = lambda self, view_, records, cursors, run: view(self, view_, records[::-1], cursors, run)  # noqa: E731
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(showing.Showing, "_view", patched)
                return await original(self, outline, statement, counting, positions, page, given)
        return await original(self, outline, statement, counting, positions, page, given)

    original = showing.Showing.page
    patch.setattr(showing.Showing, "page", page)


@fault()
def the_total_forgets_what_was_filtered(patch: pytest.MonkeyPatch) -> None:
    def count(rows: Any) -> Any:
        return select(func.count()).select_from(rows.column_descriptions[0]["entity"])

    for module in (pages, compiled):
        patch.setattr(module, "count", count)


@fault()
def include_is_ignored(patch: pytest.MonkeyPatch) -> None:
    included = Reader._is_included

    def ignoring(self: Reader, node: Any) -> bool:
        return any(each.name.value == "include" for each in node.directives or ()) or included(self, node)

    patch.setattr(Reader, "_is_included", ignoring)


@fault(*ORDERED)
def conditions_of_spreads_are_ignored(patch: pytest.MonkeyPatch) -> None:
    included = Reader._is_included
    patch.setattr(Reader, "_is_included", lambda self, node: isinstance(node, FragmentSpreadNode) or included(self, node))


@fault()
def conditions_are_read_once_for_all_calls(patch: pytest.MonkeyPatch) -> None:
    def once(self: Any, variables: Any) -> Any:
        if () not in self._made:
            self._made[()] = self._compile(variables)
        if self._made[()] is None:
            raise shaping.Unusual
        return self._made[()]

    patch.setattr(compiled.Compiler, "compiled", once)


@fault()
def fields_of_one_key_are_not_merged(patch: pytest.MonkeyPatch) -> None:
    fields = Reader.fields
    patch.setattr(Reader, "fields", lambda self, nodes, name: fields(self, list(nodes)[:1], name))


@fault()
def fragments_on_interfaces_do_not_apply(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reader, "_applies", lambda self, condition, name: condition == name)


@fault("services")
def all_kinds_are_shown_as_the_first(patch: pytest.MonkeyPatch) -> None:
    made = plan.Planner._object

    def first(self: Any, *given: Any) -> Any:
        found = made(self, *given)
        return (
            found
            if found.kind_at is None
            else dataclasses.replace(found, types=dict.fromkeys(found.types, next(iter(found.types.values()))))
        )

    patch.setattr(plan.Planner, "_object", first)


@fault()
def a_row_that_is_not_there_is_shown(patch: pytest.MonkeyPatch) -> None:
    value = shaping.Writer._value

    def shown(self: Any, piece: Any, type_name: str) -> str:
        return self._inner(piece.object) if isinstance(piece, plan.One) else value(self, piece, type_name)

    patch.setattr(shaping.Writer, "_value", shown)


@fault(*ORDERED)
def lists_go_to_the_wrong_parent(patch: pytest.MonkeyPatch) -> None:
    pay = whole.Whole.pay

    def astray(self: Any, rest: Any, run: Any, ctx: Any) -> None:
        pay(self, rest, [dict(zip(each, [*list(each.values())[1:], *list(each.values())[:1]], strict=True)) for each in run], ctx)

    patch.setattr(whole.Whole, "pay", astray)


@fault("payment", "myPayments", "ledgerTransactions", "bookings")
def the_last_row_of_a_tree_is_lost(patch: pytest.MonkeyPatch) -> None:
    pay = whole.Whole.pay
    patch.setattr(whole.Whole, "pay", lambda self, rest, run, ctx: pay(self, rest[:-1], run, ctx))


@fault(*ORDERED)
def columns_of_one_type_share_a_place_too_many(patch: pytest.MonkeyPatch) -> None:
    place = whole._place

    def shared(plan_: Any, slots: list[Any], places: list[int], **how: Any) -> None:
        place(plan_, slots, places, **how)
        if not how:
            places[:] = [places[0] if slots[each] is slots[places[0]] else each for each in places]

    patch.setattr(whole, "_place", shared)


@fault(*ORDERED)
def rows_of_a_tree_come_in_any_order(patch: pytest.MonkeyPatch) -> None:
    compile_statement = symbols.compile_statement

    def backwards(statement: Any) -> Any:
        columns: list[Any] = [literal_column(str(number)) for number in range(1, len(statement.selected_columns) + 1)]
        return compile_statement(statement.order_by(columns[0], *[each.desc() for each in columns[1:]]))

    patch.setattr(whole, "compile_statement", backwards)


@fault(*ORDERED)
def lists_lose_their_order(patch: pytest.MonkeyPatch) -> None:
    many = plan.Planner._many

    def disordered(self: Any, made: Any, *given: Any) -> Any:
        found = many(self, made, *given)
        batch = made.batches[found.batch]
        batch.rows = batch.rows.order_by(None).order_by(attribute_of(batch.remote.class_, "id").desc())
        return found

    patch.setattr(plan.Planner, "_many", disordered)


@fault()
def names_of_enums_are_mixed_up(patch: pytest.MonkeyPatch) -> None:
    names = flavours._names

    def rotated(found: Any) -> dict[Any, str | None]:
        known = {value: name for value, name in names(found).items() if value is not None}
        values = list(known.values())
        return {**dict(zip(known, [*values[1:], values[0]], strict=True)), None: None}

    patch.setattr(flavours, "_names", rotated)


@fault(*ORDERED)
def ids_name_the_interface(patch: pytest.MonkeyPatch) -> None:
    value = shaping.Writer._value

    def general(self: Any, piece: Any, type_name: str) -> str:
        return value(self, piece, type_name.replace("Spa", "") if isinstance(piece, plan.Global) else type_name)

    patch.setattr(shaping.Writer, "_value", general)


@fault("me", "myBookings", "myPayments")
def the_first_viewer_is_everybody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiled, "symbolic_context", lambda ctx: ctx)


@fault(*FOUND)
def the_first_arguments_are_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiled, "symbolic", lambda value, _: value)


@fault("history")
def arguments_change_places(patch: pytest.MonkeyPatch) -> None:
    arguments = symbols.Statement.arguments

    def mixed(self: Any, given: Any) -> Any:
        names = [slot for slot, _, _ in self.slots if slot is not None and " " not in slot and slot in given]
        swapped = dict(zip(names, [*names[1:], *names[:1]], strict=True))
        return arguments(self, {**given, **{name: given[other] for name, other in swapped.items()}})

    patch.setattr(symbols.Statement, "arguments", mixed)


def rekeyed(patch: pytest.MonkeyPatch, key: Callable[[Any, Any], Any]) -> None:
    """Let plans be kept by something else."""

    def plan_of(self: Any, ctx: Any, asked: Any, make: Any) -> Any:
        chosen = key(ctx, asked)
        if chosen not in self._plans:
            self._plans[chosen] = make(symbolic_context(ctx))
        return self._plans[chosen]

    patch.setattr(compiled.Root, "_plan_of", plan_of)


@fault(*FOUND)
def plans_are_shared_by_all_roles(patch: pytest.MonkeyPatch) -> None:
    rekeyed(patch, lambda ctx, asked: asked)


@fault()
def plans_are_shared_whatever_was_asked(patch: pytest.MonkeyPatch) -> None:
    rekeyed(patch, lambda ctx, _: ctx.viewer.roles)


@fault(*FOUND)
def uuids_are_taken_for_numbers(patch: pytest.MonkeyPatch) -> None:
    signature = symbols.signature
    patch.setattr(compiled, "signature", lambda value: "key" if isinstance(value, Key) else signature(value))


@fault(*ORDERED)
def enums_do_not_count_as_different_arguments(patch: pytest.MonkeyPatch) -> None:
    signature = symbols.signature
    patch.setattr(compiled, "signature", lambda value: type(value) if isinstance(value, enum.Enum) else signature(value))


@fault()
def defaults_of_variables_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    variables_of = arguments.variables_of

    def forgetting(schema: Any, operation: Any) -> Any:
        read = variables_of(schema, operation)
        return lambda given: {name: value for name, value in read(given).items() if name in given}

    patch.setattr(compiled, "variables_of", forgetting)


@fault()
def everybody_is_admitted(patch: pytest.MonkeyPatch) -> None:
    make = compiled.Root.__init__

    def open_to_all(self: Any, *given: Any) -> None:
        make(self, *given)
        self.operation = dataclasses.replace(self.operation, who=frozenset({ANYONE}))

    patch.setattr(compiled.Root, "__init__", open_to_all)
