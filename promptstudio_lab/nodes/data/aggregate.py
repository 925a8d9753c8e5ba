"""Aggregate: sums up a whole batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import NodeFailed
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from promptstudio_lab.values import Json


def _quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile between the two nearest values, as numpy's default does."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


_MEASURES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda values: math.fsum(values) / len(values),
    "sum": math.fsum,
    "min": min,
    "max": max,
    "p50": lambda values: _quantile(values, 0.5),
    "p95": lambda values: _quantile(values, 0.95),
}
_OF = ["mean", "sum", "min", "max", "count", "share", "p50", "p95"]
_DEFAULT: list[Json] = [{"name": "mean", "of": "mean", "port": "value"}]


class Aggregate(Kind):
    """Works out figures over the rows of a batch; a row without a value does not count.

    Each figure is kept as a metric of the node too.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").flow("lengths")
    >>> n = f.transform("count", do="length", value=f.input("word"))
    >>> mean = {"name": "mean", "of": "mean", "port": "n"}
    >>> _ = f.aggregate("typical", metrics=[mean], n=n)
    >>> _ = f.output(n=n)
    >>> _ = f.batch([{"word": "a"}, {"word": "abc"}])
    >>> f.aggregates
    {'typical': {'mean': 2.0, 'n': 2}}
    """

    name = "aggregate"
    title = "Aggregate"
    summary = "Sums up the rows of a whole batch."
    category = "Data"
    icon = "aggregate"
    once_a_batch = True
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "metrics": {
                "title": "Metrics",
                "description": "The figures, each from one input; `share` is that of true values.",
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {
                            "title": "Name",
                            "description": "What the figure is called.",
                            "type": "string",
                            "pattern": "^[A-Za-z_]\\w*$",
                            "not": {"const": "n"},
                        },
                        "of": {
                            "title": "Measure",
                            "description": "What is worked out.",
                            "enum": _OF,
                        },
                        "port": {
                            "title": "Input",
                            "description": "The input that holds the values.",
                            "type": "string",
                            "pattern": "^[A-Za-z_]\\w*$",
                        },
                    },
                    "required": ["name", "of", "port"],
                    "additionalProperties": False,
                },
                "default": _DEFAULT,
            }
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one input a port that is named, and one float a figure."""
        wanted = _metrics(config)
        inputs = dict.fromkeys(str(metric.get("port")) for metric in wanted)
        outputs = dict.fromkeys(str(metric.get("name")) for metric in wanted)
        figures = tuple(Port(name, "float") for name in outputs)
        return Ports(tuple(map(Port, inputs)), (*figures, Port("n", "int")))

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Work out each figure; one that does not exist is null, and no metric."""
        found: dict[str, Json] = {}
        for metric in _metrics(config):
            name, port = metric["name"], metric["port"]
            figure = _figure(metric["of"], port, inputs[port])
            if figure is not None:
                context.metric(name, figure)
            found[name] = figure
        return {**found, "n": max(map(len, inputs.values()), default=0)}


def _metrics(config: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Return the figures; what is none is left to validation."""
    wanted = config.get("metrics", _DEFAULT)
    return [one for one in wanted if isinstance(one, dict)] if isinstance(wanted, list) else []


def _figure(measure: str, port: str, rows: Sequence[Json]) -> float | None:
    there = [(row, value) for row, value in enumerate(rows) if value is not None]
    if measure == "count":
        return float(len(there))
    if not there:
        return None
    if measure == "share":
        return sum(bool(value) for _, value in there) / len(there)
    try:
        figure = float(_MEASURES[measure]([_number(row, port, value) for row, value in there]))
    except OverflowError:
        figure = math.inf
    if not math.isfinite(figure):
        message = f"the {measure} of {port!r} is larger than a number can be"
        raise NodeFailed(message)
    return figure


def _number(row: int, port: str, value: Json) -> float:
    if isinstance(value, (bool, int, float)):
        return float(value)
    message = f"row {row} of {port!r} is {type(value).__name__} and no number"
    raise NodeFailed(message)


kinds.register("aggregate")(Aggregate())
