"""Whatever a notebook gets into its hands shows itself; hostile text in it is only ever text."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.experiments.further import Further
from promptstudio_lab.experiments.wording import visible
from promptstudio_lab.metrics import Mean
from promptstudio_lab.stats.sequential.traffic import sequential_srm
from promptstudio_lab.stats.srm import srm
from promptstudio_lab.stats.sums import Sums
from promptstudio_lab.warehouse.archive.export import Archived
from promptstudio_lab.warehouse.archive.restore import Restored
from promptstudio_lab.widgets.prompting import tried
from tests.lab.public import ALSO, public_classes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.lab import Lab

HERE = Path(__file__).parent
FILES = (HERE / "golden", HERE.parent / "flows" / "golden")
# What our own cards, tables and pictures are made of; nothing that runs, asks or leads elsewhere.
TAGS = frozenset(
    """
    div p b i span dl dt dd pre table thead tbody tr th td style svg g title text
    tspan rect path line circle polygon polyline img h1 h2 h3 h4 ul ol li details
    summary code br wbr caption figure figcaption section strong em small defs
    """.split()  # noqa: SIM905 — forty quoted words are harder to read
)
LOUD = re.compile(
    r"^on|^(href|srcset|action|formaction|xlink:href|srcdoc)$|^data-command", re.IGNORECASE
)


def strings(value: object) -> Iterator[str]:
    """Give every text in a case, names of fields too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from (*strings(name), *strings(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def hostile() -> list[str]:
    """Return what the bad inputs of the faces' areas hold that is more than plain words."""
    cases = [
        case
        for folder in FILES
        for case in json.loads((folder / "bad_inputs.json").read_text(encoding="utf-8"))
        if case["area"] in {"widget", "flow", "template", "api"}
    ]
    found = {text for case in cases for text in strings(case["input"])}
    surrogates = re.compile("[\ud800-\udfff]")  # refused everywhere, so nothing can show them
    return sorted(
        text
        for text in found
        if len(text) < 200
        and not surrogates.search(text)
        and ("<" in text or "![" in text or not text.isprintable())
    )


EVIL = " ".join(hostile())
# A path's parts stand between slashes.
NAME = EVIL.replace("/", "\u2215").replace("@", "")[:120]


class Read(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        """Read it."""
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        if tag not in TAGS:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            text = value or ""
            if LOUD.search(name) or "javascript:" in text or "url(" in text:
                self.wrong.append(f"{tag} {name}={text[:40]}")
            if name == "src" and tag == "img":
                self._picture(text)
            elif name == "src":
                self.wrong.append(f"{tag} src")
            elif name in {"alt", "title", "aria-label"}:
                self.words.append(text)

    def handle_data(self, data: str) -> None:
        """Keep what can be read."""
        self.words.append(data)

    def _picture(self, source: str) -> None:
        kind, _, data = source.partition(",")
        if kind != "data:image/svg+xml;base64":
            self.wrong.append(f"img of {source[:40]}")
            return
        inner = Read(base64.b64decode(data).decode())
        self.wrong += inner.wrong
        self.words += inner.words


def test_the_hostile_strings_are_there() -> None:
    assert len(hostile()) >= 8
    for part in ("<script>", "onerror", "\u202e", "\x1b", "commandlinker", "!["):
        assert part in EVIL


def test_the_reader_sees_what_runs() -> None:
    for page in hostile():
        if "<" in page and "`" not in page:
            assert Read(page).wrong, page
    inner = base64.b64encode(b"<svg><script>1</script></svg>").decode()
    assert Read(f'<img src="data:image/svg+xml;base64,{inner}">').wrong == ["<script>"]


def session(lab: Lab) -> Iterator[object]:
    """Do everything with a lab that gives an object, hostile text wherever text may be."""
    template = lab.template(f"desk/{NAME}", f"Label: {{{{ ticket }}}} {EVIL}", EVIL)
    lab.template(f"desk/{NAME}", f"Which? {{{{ ticket }}}} {EVIL}", EVIL)
    template.describe(EVIL).tag(NAME)
    yield from (lab, lab.frames, lab.analytics, template, template.diff(1, 2))
    yield lab.library("desk")
    yield from (lab.find("Label"), *lab.find("Label").hits)
    flow = lab.flow(f"desk/{NAME}")
    ticket = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt={"ref": f"desk/{NAME}@2"}, ticket=ticket)
    with flow.switch(kind) as s:
        branch = s.case("billing")
        branch.llm("billing", prompt=f"{EVIL} {{{{ ticket }}}}", ticket=ticket)
        s.default.llm("other", prompt=f"{EVIL} {{{{ ticket }}}}", ticket=ticket)
    flow.note(EVIL)
    flow.output(answer=s.merge())
    yield from (flow, ticket, s, branch, flow.check(), flow.graph_now, *flow.graph_now.nodes)
    yield from (*flow.graph_now.edges, flow.head(), flow.edit())
    flow.save()
    yield from (flow.at(flow.head().seq), flow.version(1))
    node = flow.head().graph.by_key["other"]
    config = {**node.config, "prompt": {"text": f"{EVIL}! {{{{ ticket }}}}"}}
    yield flow.apply({"type": "configure", "node": node.id, "config": config})
    yield from (flow.diff(1), *flow.diff(1).nodes_changed, lab.draft().inside("x"))
    yield from forked(flow)
    broken = lab.draft()
    broken.llm("a", prompt=f"{{{{ gone }}}} {EVIL}", model=f"simulated:{NAME}")
    yield from (broken.check(), *broken.check())
    yield from ran(lab, flow)
    yield from compared(lab, flow)
    yield tried(lab, {"ticket": EVIL}, "desk/plain", f"{EVIL} {{{{ ticket }}}}")
    yield from (lab.verify(), Archived(NAME, 1, 1, None, (Path(NAME),)), Restored(NAME, 1))


def forked(flow: Any) -> Iterator[object]:  # a Flow
    fork = flow.fork(f"desk/{NAME}f")
    for one in (fork, flow):
        node = one.head().graph.by_key["other"]
        config = {**node.config, "prompt": {"text": f"{EVIL} {one.path} {{{{ ticket }}}}"}}
        one.apply({"type": "configure", "node": node.id, "config": config})
    merge = fork.merge_back()
    assert merge.clashes
    yield from (fork.origin, merge, *merge.hunks)


def ran(lab: Lab, flow: Any) -> Iterator[object]:  # a Flow
    run = flow.run(ticket=EVIL)
    yield from (run, run.graph(), flow.graph(), flow.graph("cost"), flow.stream(ticket=EVIL))
    found = lab.lineage(flow)
    yield from (found, found.graph(), found.plot())
    yield lab.compare(run, flow.run(ticket=f"{EVIL}?"))
    dataset = lab.dataset(NAME, [{"id": NAME, "ticket": EVIL}, {"id": "2", "ticket": "x"}])
    yield from (dataset, flow.cost(dataset))
    yield ps.Alert(NAME, "cost_usd", above=1)
    cost = lab.analytics.cost(["template", "model"])
    yield from (cost, lab.analytics.alerts([ps.Alert(NAME, "cost_usd", above=0)]))


def compared(lab: Lab, flow: Any) -> Iterator[object]:  # a Flow
    grid = ps.grid({"other.prompt": {NAME: f"{{{{ ticket }}}} {EVIL}", "b": "{{ ticket }}"}})
    yield from (grid, *grid.values())
    score = ps.exact("answer")
    data = [{"id": f"{n} {NAME}", "ticket": f"{n} {EVIL}", "answer": EVIL} for n in range(6)]
    experiment = lab.experiment(NAME, flow=flow, variants=grid, data=data, scorer=score)
    experiment.run()
    report = experiment.report(method="fixed")
    yield from (experiment, experiment.graph(), report, report.plot(), report.decision)
    yield from (*report.effects.values(), Further(NAME, 9, 1.0, EVIL), experiment.plan(0.1))
    yield from (report.forest, *report.health, report.self_check(times=20))
    yield from (
        score,
        score.score({"answer": EVIL}, {"answer": EVIL}),
        srm([9, 9], [1, 1]),
        sequential_srm([[4, 5], [8, 9]], [1, 1]),
    )
    many = {**{str(n): patch for n, patch in enumerate(grid.values())}, NAME: None}
    several = lab.experiment("several", flow=flow, variants=many, data=data, scorer=score)
    several.run()
    yield several.report(method="fixed")
    online = lab.experiment(f"o {NAME}", flow=flow, variants=dict(grid), unit=NAME)
    yield from (online, online.start(), online.graph(), online.plan(0.1))
    yield from (ps.Rate(NAME), Mean(NAME), ps.Quantile(NAME, 0.5), ps.RatioOfSums(NAME, "b"))
    yield from (ps.Schedule(5), ps.Prior(0.0, 0.3))
    yield Mean("a").arm(Sums.of({"a": [1.0, 2.0]}))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Return every object of one session."""
    from tests.lab.parts import opened

    with opened(str(tmp_path_factory.mktemp("shown") / "warehouse.db")) as lab:
        return [*session(lab)]


def hidden(text: str) -> bool:
    """Tell whether there is a character in a text that shows nothing or turns it around."""
    return any(visible(line) != line for line in re.split("[\\n\\t]", text))


def pages(thing: Any) -> Iterator[str]:  # whatever a notebook shows
    """Give each page or picture that an object offers."""
    if hasattr(thing, "_repr_mimebundle_"):
        bundle = thing._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        yield from (data[kind] for kind in ("text/html", "image/svg+xml") if kind in data)
        return
    for name in ("_repr_html_", "_repr_svg_"):
        if hasattr(thing, name):
            yield getattr(thing, name)()


def rich(thing: Any) -> bool:  # whatever a notebook shows
    """Tell whether an object shows more than plain text."""
    if not hasattr(thing, "_repr_mimebundle_"):
        return any(pages(thing))
    bundle = thing._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    return len(data) > 1


def test_every_class_of_the_public_api_is_shown(shown: list[object]) -> None:
    seen = {base for thing in shown for base in type(thing).__mro__}
    missing = sorted(one.__name__ for one in public_classes() - seen)
    assert not missing, f"nothing of these was looked at: {missing}"
    assert set(ALSO) <= public_classes()


def test_every_object_has_a_plain_and_a_rich_form(shown: list[object]) -> None:
    for one in {type(thing): thing for thing in shown}.values():
        assert type(one).__repr__ is not object.__repr__, type(one)
        assert rich(one), f"{type(one)} shows nothing"
        said = repr(one)
        assert said
        assert " object at 0x" not in said, said[:200]


def test_hostile_text_is_only_ever_text(shown: list[object]) -> None:
    quoted, wrong = 0, set()
    for one in shown:
        name = type(one).__name__
        if hidden(repr(one)):
            wrong.add(f"{name}: hidden characters in its plain form")
        for page in pages(one):
            read = Read(page)
            wrong |= {f"{name}: {what}" for what in read.wrong}
            if hidden(page):
                wrong.add(f"{name}: hidden characters in its rich form")
            quoted += "evil.example" in "".join(read.words)
    assert not wrong
    assert quoted > len(shown) / 3, "the text is there to be read"
