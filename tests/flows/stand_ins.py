"""Small kinds with bodies and outside effects, where the installed ones are not there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes import Kind, Port, Ports, kinds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from promptstudio_lab.nodes import Known
    from promptstudio_lab.values import Json

_ANY: dict[str, Json] = {"type": "string"}


def _schema(required: tuple[str, ...] = (), **properties: Json) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


class _StandIn(Kind):
    title = summary = icon = "Stand-in"
    category = "Logic"
    schema: ClassVar[Mapping[str, Json]] = _schema()

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        return Ports()


class _Map(_StandIn):
    name = "map"
    container = True
    schema: ClassVar[Mapping[str, Json]] = _schema(concurrency={"type": "integer", "minimum": 1})

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        others = tuple(p for p in known.body.inputs if p.name not in ("item", "index", "items"))
        return Ports(
            (Port("items", "list"), *others), (Port("items", "list"), Port("errors", "list"))
        )


class _Loop(_StandIn):
    name = "loop"
    container = True
    schema: ClassVar[Mapping[str, Json]] = _schema(
        ("max_iterations",), max_iterations={"type": "integer", "default": 10}, until=_ANY
    )

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        return Ports(known.body.inputs, (*known.body.outputs, Port("iterations", "int")))


class _Subflow(_StandIn):
    name = "subflow"
    schema: ClassVar[Mapping[str, Json]] = _schema(("flow",), flow=_ANY)

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        found = known.flow(str(config.get("flow", "")))
        return Ports(found.inputs, found.outputs) if found else Ports(open=True)


class _Note(_StandIn):
    name = "note"
    schema: ClassVar[Mapping[str, Json]] = _schema(text=_ANY)


class _Batch(_StandIn):
    name = "stand_in_batch"
    once_a_batch = True

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        return Ports((Port("value", "any", required=False),), (Port("n", "int"),))


class _Unsafe(_StandIn):
    name = "stand_in_unsafe"
    side_effects = "unsafe"

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        return Ports((), (Port("text", "text"),))


@contextmanager
def registered() -> Iterator[None]:
    """Register those kinds that are not installed, for as long as it lasts."""
    stand_ins = (_Map(), _Loop(), _Subflow(), _Note(), _Batch(), _Unsafe())
    missing = [kind for kind in stand_ins if kind.name not in kinds]
    for kind in missing:
        kinds.register(kind.name)(kind)
    yield
    for kind in missing:
        del kinds._found[kind.name]
