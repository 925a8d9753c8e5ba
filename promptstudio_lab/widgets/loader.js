// Finds the canvas: the JupyterLab extension serves it where it is installed, else Python sends it.

const found = (globalThis.promptstudioCanvas ??= new Map());

async function served(model) {
  const page = document.getElementById("jupyter-config-data");
  const base = page && JSON.parse(page.textContent).fullLabextensionsUrl;
  if (!base) return null;
  const place = `${base}/@promptstudio/lab/static/widget.js?${model.get("bundle_hash")}`;
  const module = await import(new URL(place, location.origin).href).catch(() => null);
  return module?.version === model.get("version") ? module : null;
}

function sent(model) {
  const id = crypto.randomUUID();
  return new Promise((resolve, reject) => {
    model.on("msg:custom", function hear(answer) {
      if (answer.id !== id) return;
      model.off("msg:custom", hear);
      if (!answer.ok) return reject(new Error(answer.message));
      const url = URL.createObjectURL(new Blob([answer.bundle], { type: "text/javascript" }));
      resolve(import(url).finally(() => URL.revokeObjectURL(url)));
    });
    model.send({ id, do: "bundle" });
  });
}

function canvas(model) {
  const key = `${model.get("version")} ${model.get("bundle_hash")}`;
  if (!found.has(key)) {
    const coming = served(model).then((module) => module ?? sent(model));
    coming.catch(() => found.delete(key));
    found.set(key, coming);
  }
  return found.get(key);
}

export default {
  async render({ model, el, signal }) {
    try {
      const module = await canvas(model);
      return module.default.render({ model, el, signal });
    } catch (error) {
      el.textContent = error.message;
    }
  },
};
