"""Expressions: a small, safe language over JSON values; read as a tree and never run as Python.

A name is a value, `ticket.title` and `ticket["title"]` look inside it. What there is: comparison,
`and or not`, `in`, `+ - * / // %`, `a if c else b`, lists, and the functions in `FUNCTIONS`.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from promptstudio_lab.errors import ExpressionRefused, did_you_mean
from promptstudio_lab.values import Json, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST = 2_000  # characters of an expression
MOST_STEPS = 10_000  # parts that one evaluation may work out
LARGEST = 100_000  # characters of a text, or items of a list, that it may make
_DEEPEST = 40
_MOST_BITS = 256
_CACHED = 512
_LITERALS = {"true": True, "false": False, "null": None}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dumps(value)


def _contains(whole: Json, part: Json) -> bool:
    return _text(part) in whole if isinstance(whole, str) else part in whole


def _round(value: Json, digits: Json = 0) -> Json:
    places = max(-_DEEPEST, min(_DEEPEST, int(digits)))
    return round(value, places) if places else round(value)


FUNCTIONS: Mapping[str, Callable[..., Json]] = {
    "len": len,
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "int": lambda value: int(value) if not isinstance(value, str) else int(value[:_MOST_BITS]),
    "float": float,
    "str": _text,
    "bool": bool,
    "round": _round,
    "min": min,
    "max": max,
    "sum": lambda values: math.fsum(values) if _has_float(values) else sum(values),
    "any": any,
    "all": all,
    "startswith": lambda text, start: _text(text).startswith(_text(start)),
    "endswith": lambda text, end: _text(text).endswith(_text(end)),
    "contains": _contains,
}

_BINARY: Mapping[type[ast.operator], Callable[[Json, Json], Json]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Json, Json], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda part, whole: part in whole,
    ast.NotIn: lambda part, whole: part not in whole,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Json], Json]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_ALLOWED = (
    ast.Expression,
    ast.Constant,
    ast.Name,
    ast.Load,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Compare,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.BinOp,
    ast.IfExp,
    ast.List,
    ast.Call,
    *_BINARY,
    *_COMPARE,
    *_UNARY,
)


def _has_float(values: Json) -> bool:
    return any(isinstance(value, float) for value in values)


@lru_cache(maxsize=_CACHED)
def parse_expression(text: str) -> ast.expr:
    """Return the tree of an expression, every part of it allowed.

    Raises:
        ExpressionRefused: naming the position of what is no expression of this language.

    >>> parse_expression("n > 1").__class__.__name__
    'Compare'
    >>> parse_expression("n.__class__")
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.ExpressionRefused: position 1: names with '__' are not values
    """
    if len(text) > LONGEST:
        message = f"an expression has at most {LONGEST:,} characters, and this one {len(text):,}"
        raise ExpressionRefused(message)
    try:
        with warnings.catch_warnings():
            # What Python warns of in a text is of no concern to whoever opens a flow.
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        message = f"position {error.offset or 1}: {error.msg}"
        raise ExpressionRefused(message) from None
    except (ValueError, RecursionError, MemoryError):
        message = "this is nested too deeply, or no text that can be read"
        raise ExpressionRefused(message) from None
    _check(tree.body, 1)
    return tree.body


def names(text: str) -> tuple[str, ...]:
    """Return the names of the values that an expression needs, in their order.

    Raises:
        ExpressionRefused: if it is none.

    >>> names("len(ticket.title) > limit and not ticket.closed")
    ('ticket', 'limit')
    """
    found = [
        node
        for node in ast.walk(parse_expression(text))
        if isinstance(node, ast.Name) and node.id not in FUNCTIONS and node.id not in _LITERALS
    ]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return tuple(dict.fromkeys(node.id for node in found))


def evaluate(text: str, values: Mapping[str, Json]) -> Json:
    """Return what an expression is worth.

    Args:
        text: the expression.
        values: JSON values by name.

    Raises:
        ExpressionRefused: if it is no expression, a value is missing or of another kind than the
            operation needs, or the work would be too much.

    >>> evaluate(
    ...     "ticket.words[0] == 'hello' and n + 1 < 3", {"ticket": {"words": ["hello"]}, "n": 1}
    ... )
    True
    """
    tree = parse_expression(text)
    try:
        return _Evaluation(values).value(tree)
    except ExpressionRefused:
        raise
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        message = f"{_shortly(text)} cannot be worked out: {error}"
        raise ExpressionRefused(message) from None


def _shortly(text: str) -> str:
    return repr(text if len(text) <= _DEEPEST else f"{text[:_DEEPEST]}…")


def _refuse(node: ast.AST, reason: str) -> ExpressionRefused:
    return ExpressionRefused(f"position {getattr(node, 'col_offset', 0) + 1}: {reason}")


def _check(node: ast.AST, depth: int) -> None:
    if depth > _DEEPEST:
        raise _refuse(node, f"an expression is nested at most {_DEEPEST} deep")
    if not isinstance(node, _ALLOWED):
        raise _refuse(node, f"{type(node).__name__.lower()} has no place in an expression")
    if isinstance(node, ast.Constant):
        _check_constant(node)
    if isinstance(node, ast.Call):
        _check_call(node)
    name = getattr(node, "attr", getattr(node, "id", ""))
    if "__" in name:
        raise _refuse(node, "names with '__' are not values")
    for child in ast.iter_child_nodes(node):
        _check(child, depth + 1)


def _check_constant(node: ast.Constant) -> None:
    if node.value is not None and not isinstance(node.value, (bool, int, float, str)):
        raise _refuse(node, f"{type(node.value).__name__} has no JSON form")
    if isinstance(node.value, int) and node.value.bit_length() > _MOST_BITS:
        raise _refuse(node, "the number is too large")


def _check_call(node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
        asked = node.func.id if isinstance(node.func, ast.Name) else "this"
        raise _refuse(node, f"{asked} is no function here.{did_you_mean(asked, FUNCTIONS)}")
    if node.keywords:
        raise _refuse(node, "functions take their arguments by place, without names")


@dataclass
class _Evaluation:
    values: Mapping[str, Json]
    steps: int = 0

    def value(self, node: ast.expr) -> Json:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise _refuse(node, "this is too much work for an expression")
        method: Callable[[Json], Json] = getattr(self, f"_{type(node).__name__.lower()}")
        return self._sized(node, method(node))

    def _sized(self, node: ast.expr, found: Json) -> Json:
        if isinstance(found, float) and not math.isfinite(found):
            raise _refuse(node, "the number has no JSON form")
        if isinstance(found, int) and found.bit_length() > _MOST_BITS:
            raise _refuse(node, "the number is too large")
        return found

    def _constant(self, node: ast.Constant) -> Json:
        return node.value

    def _name(self, node: ast.Name) -> Json:
        if node.id in self.values:
            return self.values[node.id]
        if node.id in _LITERALS:
            return _LITERALS[node.id]
        raise _refuse(node, f"{node.id!r} has no value.{did_you_mean(node.id, self.values)}")

    def _attribute(self, node: ast.Attribute) -> Json:
        return self._inside(node, self.value(node.value), node.attr)

    def _subscript(self, node: ast.Subscript) -> Json:
        whole = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            if not isinstance(whole, (str, list)):
                raise _refuse(node, "only a text or a list can be sliced")
            return whole[slice(*(None if part is None else self.value(part) for part in parts))]
        return self._inside(node, whole, self.value(node.slice))

    def _inside(self, node: ast.expr, whole: Json, key: Json) -> Json:
        if isinstance(whole, dict):
            if isinstance(key, str) and key in whole:
                return whole[key]
            raise _refuse(node, f"there is no {key!r}.{did_you_mean(str(key), map(str, whole))}")
        if isinstance(whole, (str, list)) and type(key) is int:
            if -len(whole) <= key < len(whole):
                return whole[key]
            raise _refuse(node, f"there are {len(whole)}, so there is no [{key}]")
        raise _refuse(node, f"there is nothing inside {_shortly(_text(whole))}")

    def _list(self, node: ast.List) -> Json:
        return [self.value(part) for part in node.elts]

    def _compare(self, node: ast.Compare) -> Json:
        left = self.value(node.left)
        for sign, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other)
            if not _COMPARE[type(sign)](left, right):
                return False
            left = right
        return True

    def _boolop(self, node: ast.BoolOp) -> Json:
        found: Json = None
        for part in node.values:
            found = self.value(part)
            if bool(found) == isinstance(node.op, ast.Or):
                return found
        return found

    def _unaryop(self, node: ast.UnaryOp) -> Json:
        return _UNARY[type(node.op)](self.value(node.operand))

    def _ifexp(self, node: ast.IfExp) -> Json:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _binop(self, node: ast.BinOp) -> Json:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            raise _refuse(node, "a text has no remainder")
        if _size(left, right, node.op) > LARGEST:
            raise _refuse(node, f"this would make more than {LARGEST:,} characters or items")
        return _BINARY[type(node.op)](left, right)

    def _call(self, node: ast.Call) -> Json:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        return FUNCTIONS[name](*map(self.value, node.args))


def _size(left: Json, right: Json, sign: ast.operator) -> int:
    """Return how large a text or a list an operation would make."""
    sizes = [len(part) for part in (left, right) if isinstance(part, (str, list))]
    if not sizes:
        return 0
    if isinstance(sign, ast.Mult):
        times = [part for part in (left, right) if isinstance(part, int)]
        return sizes[0] * max(0, *times, 0) if times else 0
    return sum(sizes)
