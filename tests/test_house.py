"""The budgets of the house: how long, how tangled and how loose the code may get."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
from collections import Counter
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import grimp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "promptstudio_lab"

MODULE_LINES = 600
FUNCTION_LINES = 60
FOLDER_MODULES = 15

# The only places that may catch everything, each as `file:function` under the package.
BOUNDARIES: frozenset[str] = frozenset(
    {"engine/attempt.py:caught", "widgets/canvas.py:_heard", "server/routes.py:_outcome"}
)
MOST_BOUNDARIES = 3

TOP_LEVEL = {
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "docs",
    "extension",
    "notebooks",
    "promptstudio_lab",
    "pyproject.toml",
    "requirements.lock",
    "sql",
    "tests",
}
OPTIONAL_TOP_LEVEL = {"docs"}
NOT_NOUNS = {"base", "common", "core", "helper", "helpers", "manager", "service", "utils"}
LATE = ("altair", "dask", "ipywidgets", "openai", "pandas", "polars", "scipy", "statsmodels")

# Put together here, so that this file does not hold what it looks for.
REGISTRIES = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("npmmirror", "com"),
    ("conda", "anaconda", "org"),
)
REGISTRY = re.compile("|".join(re.escape(".".join(host)) for host in REGISTRIES))
MACHINE_PATH = re.compile(r"(?<![\w.~})*-])/(?:home|opt|root|tmp|Users|work)/[\w.-]")
# What a comment holds besides a reason.
REMARK = re.compile(r"type: ignore(\[[^]]*])?|noqa(: *[A-Z]+\d+(, *[A-Z]+\d+)*)?|\W")
RAW_HTML = re.compile("|".join(("inner" + "HTML", "insertAdjacent" + "HTML", "dangerouslySet")))


def test_modules_are_short() -> None:
    none_of(f"{name(at)}: {n} lines" for at in modules() if (n := lines(at)) > MODULE_LINES)


def test_functions_are_short() -> None:
    none_of(
        f"{name(at)}:{function.lineno} {function.name}: {size} lines"
        for at in modules()
        for function in functions(tree(at))
        if (size := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    )


def test_folders_hold_few_modules() -> None:
    counts = Counter(at.parent for at in modules() if at.stem != "__init__")
    none_of(f"{name(at)}: {n} modules" for at, n in counts.items() if n > FOLDER_MODULES)


def test_imports_never_go_in_circles() -> None:
    graph = grimp.build_graph(PACKAGE.name, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    none_of(circle(imports))


def test_only_named_boundaries_catch_everything() -> None:
    assert len(BOUNDARIES) <= MOST_BOUNDARIES
    catching = {f"{name(at)}:{where}" for at in modules() for where in broad(tree(at))}
    none_of(f"{where} catches everything" for where in catching - BOUNDARIES)
    none_of(f"{where} no longer catches everything" for where in BOUNDARIES - catching)


def test_loose_types_give_their_reason() -> None:
    none_of(f"{name(at)}:{line}" for at in modules() for line in unreasoned(at))


def test_top_level_is_fixed() -> None:
    there = {at.name for at in ROOT.iterdir() if not ignored(at) and not at.name.startswith(".")}
    none_of(f"{extra} has no place here" for extra in there - TOP_LEVEL)
    none_of(f"{lost} is missing" for lost in TOP_LEVEL - OPTIONAL_TOP_LEVEL - there)


def test_names_are_nouns() -> None:
    inside = [at.relative_to(ROOT) for at in files()]
    places = {at for file in inside for at in (file, *file.parents)}
    none_of(str(at) for at in places if at.name.split(".")[0].lower() in NOT_NOUNS)


def test_files_do_not_repeat_their_folder() -> None:
    none_of(name(at) for at in files() if at.suffix == ".py" and repeats_its_folder(at))


def test_no_registry_is_named() -> None:
    none_of(where for at in files() for where in found(REGISTRY, at))


def test_no_machine_is_named() -> None:
    none_of(where for at in files() for where in found(MACHINE_PATH, at))


def test_no_surface_writes_raw_html() -> None:
    surfaces = (ROOT / "extension" / "src", PACKAGE / "widgets")
    drawn = [at for at in files() if any(at.is_relative_to(surface) for surface in surfaces)]
    none_of(where for at in drawn for where in found(RAW_HTML, at))


def test_import_is_light() -> None:
    program = f"import sys, promptstudio_lab; print(*sorted(set({LATE!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    none_of(f"import promptstudio_lab loads {module}" for module in done.stdout.split())


def none_of(found: Iterable[str]) -> None:
    """Fail with every finding in full, one a line."""
    findings = sorted(found)
    assert not findings, "\n" + "\n".join(findings)


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """Return one circle as a sentence, or nothing."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return [" is imported by ".join(error.args[1])]
    return []


@cache
def ignored_patterns() -> tuple[str, ...]:
    text = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return (".git", *(line for line in text if line and not line.startswith("#")))


def ignored(at: Path) -> bool:
    """Tell what git ignores, without git: the tests also run in an unpacked archive."""
    anchored = f"/{at.relative_to(ROOT).as_posix()}"
    return any(fnmatch(at.name, one) or anchored == one for one in ignored_patterns())


@cache
def files() -> tuple[Path, ...]:
    def walk(folder: Path) -> Iterator[Path]:
        for at in sorted(folder.iterdir()):
            if ignored(at):
                continue
            if at.is_dir():
                yield from walk(at)
            else:
                yield at

    return tuple(walk(ROOT))


def modules() -> list[Path]:
    return [at for at in files() if at.suffix == ".py" and at.is_relative_to(PACKAGE)]


def name(at: Path) -> str:
    return at.relative_to(PACKAGE if at.is_relative_to(PACKAGE) else ROOT).as_posix()


def lines(at: Path) -> int:
    return len(at.read_text(encoding="utf-8").splitlines())


@cache
def tree(at: Path) -> ast.Module:
    return ast.parse(at.read_text(encoding="utf-8"))


def functions(module: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def broad(node: ast.AST, where: str = "") -> Iterator[str]:
    """Give the innermost function around everything that catches any exception."""
    if catches_everything(node):
        yield where
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        where = node.name
    for child in ast.iter_child_nodes(node):
        yield from broad(child, where)


def catches_everything(node: ast.AST) -> bool:
    match node:
        case ast.ExceptHandler(type=None):
            return True
        case ast.ExceptHandler(type=caught) if caught is not None:
            return names_everything(caught)
        case ast.Call(func=ast.Name("suppress") | ast.Attribute(attr="suppress"), args=caught):
            return any(map(names_everything, caught))
        case _:
            return False


def names_everything(caught: ast.expr) -> bool:
    names = [part.id for part in ast.walk(caught) if isinstance(part, ast.Name)]
    return not {"Exception", "BaseException"}.isdisjoint(names)


def unreasoned(at: Path) -> Iterator[int]:
    """Give the statements that say `Any` or `type: ignore` and do not say why."""
    for statement in statements(at):
        words = [token.string for token in statement if token.type == tokenize.NAME]
        comments = [token.string for token in statement if token.type == tokenize.COMMENT]
        loose = "Any" in words and "import" not in words
        ignores = any("type: ignore" in comment for comment in comments)
        if (loose or ignores) and not any(REMARK.sub("", comment) for comment in comments):
            yield statement[0].start[0]


def statements(at: Path) -> Iterator[list[tokenize.TokenInfo]]:
    """Give the tokens of each statement with the comments inside and behind it, not above it."""
    statement: list[tokenize.TokenInfo] = []
    with tokenize.open(at) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.NEWLINE:
                yield statement
                statement = []
            elif statement or token.type in {tokenize.NAME, tokenize.OP}:
                statement.append(token)


def repeats_its_folder(at: Path) -> bool:
    words = at.stem.removeprefix("test_").split("_")
    return singular(at.parent.name) in map(singular, words)


def singular(word: str) -> str:
    return re.sub("ies$", "y", word).removesuffix("s")


def found(pattern: re.Pattern[str], at: Path) -> Iterator[str]:
    try:
        text = at.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if hit := pattern.search(line):
            yield f"{name(at)}:{number} {hit.group()}"
