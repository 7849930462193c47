"""Python that is generated from a plan: a function that turns a record straight into the answer's object."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from engine.plan import TYPE_NAME, Call, Global, Leaf, Many, Object, One, Piece, TypeName
from models.keys import global_id

Run = list[dict[Any, list[list[Any]]]]
"""What one reading still owes: for each batch, the lists to fill, by the parents' key."""
Shape = Callable[[Any, Run, Any], Any]
"""Makes an object of a record, given what is owed and the context."""
IDS_KEPT = 10_000
Spellers = Mapping[str, "Callable[[Any], Any] | dict[Any, str | None]"]
"""How values of a type are spelled: by a function, or by looking them up; types that are missing stay as they are."""


class Unusual(Exception):
    """What only the reference executor knows how to treat: a null where none may be, a computation that raised, an odd value."""

    def __init__(self) -> None:
        super().__init__()
        self.done: dict[str, Any] = {}
        """What mutations have done already, by their key: it must not be done again."""


class Ids(dict[int, str]):
    """The opaque ids of one type by their numbers, written once and kept for a while."""

    def __init__(self, type_name: str) -> None:
        super().__init__()
        self._type_name = type_name

    def __missing__(self, number: int) -> str:
        if len(self) >= IDS_KEPT:
            self.clear()
        made = self[number] = global_id(self._type_name, number)
        return made


@cache
def ids_of(type_name: str) -> Ids:
    """The ids of a type, for all plans."""
    return Ids(type_name)


class Writer:
    """Writes the functions of one plan."""

    def __init__(self, spellers: Spellers, *, for_reference: bool, at: Callable[[int], int] = int) -> None:
        self._at = at
        self._spellers = spellers
        self._for_reference = for_reference
        calls = {"must": _pass, "run_call": _error_or_value} if for_reference else {"must": must, "run_call": _run_call}
        self._names: dict[str, Any] = {"owe": owe, **calls}
        self._lines: list[str] = []

    def function(self, made: Object) -> Shape:
        """The function that makes an object of a record; for the reference executor it names types and leaves faults to it."""
        name = self._object(made)
        exec("\n".join(self._lines), self._names)  # noqa: S102 - the text is written here, from the schema and never from a request
        function: Shape = self._names[name]
        return function

    def _object(self, made: Object) -> str:
        """Write the function of an object and return its name."""
        bodies = {kind: self._literal(name, pieces) for kind, (name, pieces) in made.types.items()}
        name = self._named("shape", None)
        if made.kind_at is None:
            self._lines.append(f"def {name}(r, run, ctx):\n    return {bodies[None]}")
            return name
        self._lines.append(f"def {name}(r, run, ctx):\n    kind = r[{self._at(made.kind_at)}]")
        for kind, body in bodies.items():
            self._lines.append(f"    if kind == {kind!r}:\n        return {body}")
        self._lines.append("    return must(None)")
        return name

    def _literal(self, type_name: str, pieces: tuple[Piece, ...]) -> str:
        shown = [f"{TYPE_NAME!r}: {type_name!r}"] if self._for_reference else []
        shown += [f"{each.key!r}: {self._value(each, type_name)}" for each in pieces]
        return "{" + ", ".join(shown) + "}"

    def _value(self, piece: Piece, type_name: str) -> str:
        match piece:
            case Leaf():
                value = f"r[{self._at(piece.at)}]"
                return self._spelled(f"must({value})" if piece.may_lack else value, piece)
            case Global():
                return f"{self._named('ids', ids_of(type_name))}[r[{self._at(piece.at)}]]"
            case TypeName():
                return repr(type_name)
            case Many():
                return f"owe(run[{piece.batch}], r[{self._at(piece.parent_at)}])"
            case One():
                inner = self._inner(piece.object)
                absent = "must(None)" if piece.is_required else "None"
                return f"({absent} if r[{self._at(piece.present_at)}] is None else {inner})"
            case Call():
                return self._call(piece)

    def _inner(self, made: Object) -> str:
        if made.kind_at is None:
            type_name, pieces = made.types[None]
            return self._literal(type_name, pieces)
        return f"{self._object(made)}(r, run, ctx)"

    def _call(self, piece: Call) -> str:
        needs = "{" + ", ".join(f"{name!r}: r[{self._at(at)}]" for name, at in piece.needs) + "}"
        function = self._named("call", piece.function)
        called = f"run_call({function}, {needs}{', ctx' if piece.takes_context else ''})"
        return self._spelled(f"must({called})" if piece.is_required else called, piece)

    def _spelled(self, value: str, piece: Leaf | Call) -> str:
        speller = self._spellers.get(piece.type_name)
        if speller is None:
            return value
        if piece.is_list:
            return f"{self._named('spell', _each(speller))}({value})"
        name = self._named("spell", speller)
        if isinstance(speller, dict):
            return f"{name}[{value}]"
        return f"{name}({value})"

    def _named(self, kind: str, value: Any) -> str:
        name = f"{kind}_{len(self._names)}"
        self._names[name] = value
        return name


def _each(speller: Callable[[Any], Any] | dict[Any, str | None]) -> Callable[[Any], Any]:
    spell = speller.__getitem__ if isinstance(speller, dict) else speller
    return lambda found: None if found is None else [spell(each) for each in found]


def must(value: Any) -> Any:
    """A value that may not be null."""
    if value is None:
        raise Unusual
    return value


def owe(lists: dict[Any, list[list[Any]]], key: Any) -> list[Any]:
    """A list that is filled when the batch of its relation is read."""
    made: list[Any] = []
    lists.setdefault(key, []).append(made)
    return made


def _run_call(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except Exception as error:  # whatever it is, the reference executor reports it at its place
        raise Unusual from error


def _error_or_value(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except Exception as error:  # the reference executor raises it where the value stands
        return error


def _pass(value: Any) -> Any:
    return value
