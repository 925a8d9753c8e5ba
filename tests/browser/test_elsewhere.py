"""Where else notebooks are read: in Notebook 7, without a kernel, on paper, and on a bare page."""

from __future__ import annotations

import http.server
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary

import promptstudio_lab as ps
from promptstudio_lab.lab.editing import Editing
from promptstudio_lab.widgets import canvas
from promptstudio_lab.widgets.graphs import bar
from tests.browser.room import PATIENCE_S, Room
from tests.server.visiting import ROOT, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route

FLOW = """
import promptstudio_lab as ps
f = ps.connect().flow("support/triage")
f.output(answer=f.llm("classify", prompt="Label: {{ ticket }}", ticket=f.input("ticket", "text")))
"""


def test_the_editor_works_in_notebook_7(room: Room) -> None:
    room.notebook("a.ipynb", f"{FLOW}\nf.edit()", "print(sorted(f.head().graph.by_key))")
    page = room.page
    page.goto(f"http://127.0.0.1:{room.server.port}/notebooks/a.ipynb?token={TOKEN}")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.locator("#jp-MainLogo, #jp-NotebookLogo").first.wait_for()
    run_by_keys(room, 0)
    page.locator(".psl-cell .react-flow__node").nth(2).wait_for()
    room.drawn()
    page.locator(".psl-until-live").first.wait_for(state="hidden")
    page.locator(".psl-cell .psl-desk").focus()
    room.pick("/", "transf")
    flow = ps.connect(str(room.warehouse)).flow("support/triage")
    room.kept(flow, lambda: "transform" in flow.head().graph.by_key, "a node added by its name")
    page.locator(".psl-cell .psl-key").get_by_text("transform", exact=True).wait_for()
    page.screenshot(path=room.results / "notebook-7.png")
    run_by_keys(room, 1)
    page.get_by_text("['classify', 'output', 'ticket', 'transform']").wait_for()


def run_by_keys(room: Room, cell: int) -> None:
    """Run a cell as a person does, who sees that there is a kernel."""
    room.idle()
    source = room.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".cm-content")
    source.click()
    there = "source => document.activeElement === source"
    room.page.wait_for_function(there, arg=source.element_handle())
    room.page.keyboard.press("Shift+Enter")


def saved(room: Room, name: str = "a.ipynb") -> Path:
    """Run a notebook of an editor and two graphs, save it, and return where it lies."""
    cells = ("f.edit()", "f.graph()", "f.run(ticket='x').graph()")
    room.notebook(name, FLOW, *cells, "print('all', 'over')")
    room.open(name)
    room.run_all()
    room.output(4).get_by_text("all over").wait_for()
    room.output(1).locator(".psl-cell .react-flow__node").first.wait_for()
    room.output(2).locator(".psl-graph canvas").first.wait_for()
    for cell in (1, 2):
        room.output(cell).locator(".psl-until-live").wait_for(state="hidden")
    room.idle()
    room.command("docmanager:save")
    return room.server.root / name


@pytest.mark.parametrize("trusted", [False, True])
def test_without_a_kernel_the_picture_is_there(room: Room, trusted: bool) -> None:
    written = saved(room)
    document = nbformat.read(written, as_version=4)
    # Nothing here runs it: JupyterLab asks, and the reader wants none.
    gone = {"name": "gone", "display_name": "Gone", "language": "gone"}
    document.metadata.update({"kernelspec": gone, "language_info": {"name": "gone"}})
    document.metadata.pop("widgets", None)
    shared = room.server.root / "shared.ipynb"
    nbformat.write(document, shared)
    if trusted:
        data = room.server.root.parent / "xdg_data_home" / "jupyter"
        NotebookNotary(data_dir=str(data)).sign(nbformat.read(shared, as_version=4))
    room.page.goto("about:blank")
    room.page.goto(f"http://127.0.0.1:{room.server.port}/lab/tree/shared.ipynb?reset&token={TOKEN}")
    room.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()
    images = room.page.locator("img.psl-still")
    for cell in (1, 2, 3):
        picture = room.output(cell).locator(".psl-until-live img, .psl-until-live svg")
        room.page.locator(".jp-Notebook .jp-Cell").nth(cell).scroll_into_view_if_needed()
        picture.locator("visible=true").first.wait_for()
        room.output(cell).get_by_text("Loading widget").wait_for(state="hidden")
        assert room.output(cell).get_by_text("<", exact=False).locator("visible=true").count() == 0
        # Whoever is trusted gets the picture that follows the theme.
        assert room.output(cell).locator(".psl-live svg").count() == trusted
    for theme in ("dark", "light"):
        room.theme(theme)
        assert images.first.evaluate("img => getComputedStyle(img).colorScheme") == theme
    room.picture(f"without-a-kernel-{'trusted' if trusted else 'untrusted'}")


def test_on_paper_the_picture_is_there(room: Room) -> None:
    document = nbformat.read(saved(room), as_version=4)
    html, _ = HTMLExporter().from_notebook_node(document)
    assert html.count("psl-until-live") == 3
    page = room.page
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(re.compile("^https?://"), refuse)
    page.set_content(html, wait_until="domcontentloaded")
    pictures = page.locator(".psl-until-live svg").locator("visible=true")
    assert pictures.count() == 3
    assert pictures.get_by_text("classify").locator("visible=true").count() == 3
    page.screenshot(path=room.results / "on-paper.png", full_page=True)


# A model as the anywidget contract has it, and nothing else; Python answers in its place.
BARE = """<!doctype html><meta charset="utf-8"><body><div id="here" style="width:900px"></div>
<script>
window.touched = [];
for (const name of ["fetch", "XMLHttpRequest", "WebSocket", "EventSource"])
  window[name] = function () { touched.push(name); throw new Error(name); };
navigator.sendBeacon = () => touched.push("sendBeacon");
for (const name of ["Jupyter", "jupyterapp", "jupyterlab", "IPython", "require", "requirejs",
                    "define", "JUPYTERLAB", "_JUPYTERLAB", "google"])
  Object.defineProperty(window, name, { get() { touched.push(name); return undefined; } });
const heard = new Map();
window.model = {
  state: {},
  get: name => model.state[name],
  set: (name, value) => { model.state[name] = value; },
  save_changes: () => {},
  on: (event, hear) => heard.set(event, [...(heard.get(event) ?? []), hear]),
  off: (event, hear) => heard.set(event, (heard.get(event) ?? []).filter(one => one !== hear)),
  send: message => window.answered(message).then(answer => answer && model.tell(answer)),
  tell: message => (heard.get("msg:custom") ?? []).forEach(hear => hear(message)),
};
window.shown = async () => {
  const { default: widget } = await import("/bundle.js");
  window.leave = await widget.render({ model, el: document.getElementById("here") });
};
</script>"""


@contextmanager
def served(bundle: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a bare page and one module on the loopback, and note what is asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            kind, body = (
                ("text/javascript", bundle.read_bytes())
                if self.path == "/bundle.js"
                else ("text/html", BARE.encode())
            )
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def bare(
    browser: Browser,
    bundle: Path,
    answer: Callable[[dict[str, Any]], object],  # JSON
    **state: Any,  # the model's
) -> Iterator[Page]:
    """Open a module as a widget on a bare page; it may reach for nothing but its model."""
    with served(bundle) as (place, asked):
        page = browser.new_page(viewport={"width": 960, "height": 640})
        page.set_default_timeout(PATIENCE_S * 1000)
        failed: list[str] = []
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.expose_function("answered", answer)
        page.goto(place)
        page.evaluate("state => { model.state = state; return window.shown(); }", state)
        yield page
        page.evaluate("window.leave()")
        assert page.locator("#here .react-flow").count() == 0
        assert page.evaluate("window.touched") == []
        assert [path for path in asked if path != "/favicon.ico"] == ["/", "/bundle.js"]
        assert failed == []
        page.close()


def test_the_canvas_needs_a_model_and_nothing_else(browser: Browser, room: Room) -> None:
    flow = ps.connect(str(room.warehouse)).flow("support/triage")
    flow.output(answer=flow.input("ticket", "text"))
    flow.head()
    editing = Editing(flow, client_id="a-bare-page")

    def answer(message: dict[str, Any]) -> dict[str, Any]:  # JSON
        asked = {name: value for name, value in message.items() if name != "id"}
        return {"id": message["id"], **editing.answer(asked)}

    with bare(browser, canvas.BUNDLE, answer) as page:
        shown = Room(page, room.server, room.warehouse, room.results)
        shown.drawn()
        page.locator(".psl-desk").focus()
        shown.pick("/", "transf")
        shown.kept(flow, lambda: "transform" in flow.head().graph.by_key, "a node by its name")
        page.locator(".psl-key").get_by_text("transform", exact=True).wait_for()
        page.screenshot(path=room.results / "bare-page.png")


def test_the_bar_of_a_graph_needs_a_model_and_nothing_else(browser: Browser, room: Room) -> None:
    shown = ps.connect(str(room.warehouse)).flow("support/triage").graph()
    heard: list[dict[str, Any]] = []  # JSON
    state = {**shown._bar.state, "boxes": [["n0", "<img src=x onerror=alert(1)>"]]}

    def answer(message: dict[str, Any]) -> None:  # JSON
        heard.append(message)

    with bare(browser, bar.BUNDLE, answer, state=state) as page:
        page.get_by_label("Colour by").select_option("cost")
        page.get_by_label("Choose a box by its name").select_option("<img src=x onerror=alert(1)>")
        room.until(lambda: {"do": "choose", "value": "n0"} in heard, "it tells what was chosen")
        assert page.locator("#here img").count() == 0
    assert {"do": "colour", "value": "cost"} in heard


# Whether an image is more light than dark, as it is drawn.
SEEN = """img => { const canvas = document.createElement('canvas');
  canvas.width = img.naturalWidth; canvas.height = img.naturalHeight;
  const pen = canvas.getContext('2d'); pen.drawImage(img, 0, 0);
  const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  let light = 0, dark = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 128) { continue; }
    const grey = (data[at] + data[at + 1] + data[at + 2]) / 3;
    light += grey > 200 ? 1 : 0; dark += grey < 80 ? 1 : 0; }
  return light > dark ? 'light' : 'dark'; }"""
GROUND = (
    "body => { const rgb = getComputedStyle(body.querySelector('.psl-live :is(.card, rect)')).fill;"
    " return rgb.match(/\\d+/g).map(Number)[0] > 128 ? 'light' : 'dark'; }"
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_is_as_light_or_dark_as_the_page_around_it(
    browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    flow = ps.connect("memory").flow("support/triage")
    ticket = flow.input("ticket", "text")
    with flow.switch(flow.llm("classify", prompt="Label {{ ticket }}", ticket=ticket)) as case:
        case.case("billing").llm("answer", prompt="Answer {{ ticket }}", ticket=ticket)
        case.default.llm("ask", prompt="Ask about {{ ticket }}", ticket=ticket)
    flow.output(said=case.merge("said"))
    run = flow.run(ticket="x")
    views = [flow, flow.graph(), run.graph(), run.graph(by="latency")]
    shown = [
        one._repr_html_() if one is flow else one._repr_mimebundle_()["text/html"] for one in views
    ]
    other = "dark" if scheme == "light" else "light"
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 1700})
    for html in shown:
        page.set_content(f"<meta name=color-scheme content='light dark'>{html}")
        assert page.locator("body").evaluate(GROUND) == scheme
        # As a notebook shows it to whoever does not trust it.
        page.locator("img").evaluate("img => img.decode().then(() => true)")
        assert page.locator("img").evaluate(SEEN) == scheme
        # A notebook's own theme counts before the reader's system.
        page.set_content(f"<body data-jp-theme-light={str(other == 'light').lower()}>{html}")
        if 'class="psl-flow"' not in html:
            assert page.locator("body").evaluate(GROUND) == other
    whole = "".join(shown) + "".join(re.sub(r"<style>.*?</div>", "", html) for html in shown)
    page.set_content(f"<meta name=color-scheme content='light dark'>{whole}")
    page.screenshot(path=ROOT / "test-results" / f"still-{scheme}.png")
    page.close()
