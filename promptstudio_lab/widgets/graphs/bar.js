// The bar above a graph. It shows text as text, and asks Python for everything else.

function made(tag, parts = {}, ...inside) {
  const node = Object.assign(document.createElement(tag), parts);
  node.append(...inside);
  return node;
}

// Themes say what they are on the page's body; without a word it is what the system prefers.
function isDark() {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (vscodeThemeKind) return vscodeThemeKind.includes("dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// The wheel scrolls the notebook until one has pressed on the graph.
function tameWheel(el, signal) {
  let within = false;
  const graph = () => el.closest(".psl-graph");
  const options = { capture: true, signal };
  addEventListener("pointerdown", (e) => (within = !!graph()?.contains(e.target)), options);
  addEventListener(
    "wheel",
    (event) => {
      if (!within && graph()?.contains(event.target)) event.stopPropagation();
    },
    { ...options, passive: true },
  );
}

// What is drawn before it has its height is drawn in the wrong middle.
function refit(el, signal, fit) {
  let timer;
  const sizes = new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(fit, 150);
  });
  const begin = (left) => {
    const drawing = el.closest(".psl-graph")?.querySelector(".custom-widget");
    if (drawing) sizes.observe(drawing);
    else if (left && !signal.aborted) setTimeout(begin, 50, left - 1);
  };
  begin(100);
  signal.addEventListener("abort", () => sizes.disconnect());
}

function render({ model, el, signal: given }) {
  const ending = new AbortController();
  const signal = given ?? ending.signal;
  const ask = (what, value) => model.send({ do: what, value });

  const colour = made("select", { ariaLabel: "Colour by" });
  const legend = made("ul", { className: "psl-graph-legend", ariaLabel: "What the colours mean" });
  const find = made("select", { ariaLabel: "Choose a box by its name" });
  const note = made("span", { className: "psl-graph-note" });
  const count = made("span", { className: "psl-graph-count" });
  count.setAttribute("role", "status");
  const clear = made("button", { type: "button", textContent: "Clear" });
  const fit = made("button", { type: "button", textContent: "Fit", title: "Show all of it" });
  const row = made("label", { className: "psl-graph-by" }, "Colour by ", colour);
  el.classList.add("psl-graph-bar");
  el.replaceChildren(row, legend, note, made("span", { className: "psl-graph-gap" }), find, count, clear, fit);

  function option([value, text]) {
    return made("option", { value, textContent: text });
  }

  function meaning([fill, border, text]) {
    const swatch = made("i");
    swatch.style.background = fill;
    swatch.style.borderColor = border;
    return made("li", {}, swatch, text);
  }

  function draw() {
    const { by, modes = [], legend: lines = [], boxes = [], chosen = [], ...more } = model.get("state");
    colour.replaceChildren(...modes.map(option));
    colour.value = by;
    legend.replaceChildren(...lines.map(meaning));
    const mark = ([number, label]) => [number, `${chosen.includes(number) ? "✓ " : ""}${label}`];
    find.replaceChildren(option(["", "Choose…"]), ...boxes.map(mark).map(option));
    find.value = "";
    note.textContent = [more.simulated ? "simulated" : "", more.note].filter(Boolean).join(" · ");
    count.textContent = `${chosen.length} chosen`;
    clear.disabled = !chosen.length;
  }

  colour.addEventListener("change", () => ask("colour", colour.value));
  find.addEventListener("change", () => find.value && ask("choose", find.value));
  clear.addEventListener("click", () => ask("clear"));
  fit.addEventListener("click", () => ask("fit"));
  model.on("change:state", draw);
  tameWheel(el, signal);
  refit(el, signal, () => ask("fit"));

  let dark = null;
  const look = () => {
    if (dark !== isDark()) ask("paper", (dark = isDark()));
  };
  const themes = new MutationObserver(look);
  themes.observe(document.body, { attributes: true });
  look();
  draw();
  return () => {
    ending.abort();
    themes.disconnect();
    model.off("change:state", draw);
  };
}

export default { render };
