// Bundles the canvas of a notebook cell, with its style, as one ES module beside the extension.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(resolve(here, 'package.json'), 'utf8'));

/** Parts of React Flow that the canvas does not use: its own nodes, controls, dark colours, … */
const UNUSED =
  /react-flow(\.dark|__(controls|resize|arrowhead|edge-text|edge\.animated|handle-(top|bottom)|background-pattern\.(lines|cross)|node-(input|default|output|group)))/;

/** A style sheet without the rules that are only for what is not used. */
function trimmed(style) {
  return style.replace(/[^{}]+\{[^{}]*\}/g, rule =>
    rule
      .split('{')[0]
      .split(',')
      .every(selector => UNUSED.test(selector))
      ? ''
      : rule
  );
}

/** A style sheet with all that it imports, as the text of a module. */
const styleAsText = {
  name: 'style-as-text',
  setup(builder) {
    builder.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const done = await build({ entryPoints: [path], bundle: true, minify: true, write: false });
      return { contents: trimmed(done.outputFiles[0].text), loader: 'text' };
    });
  }
};

/** React Flow with its unused parts left out: they are made by calls that look as if they did more. */
const fewerParts = {
  name: 'fewer-parts',
  setup(builder) {
    builder.onLoad({ filter: /@xyflow\/react\/dist\/esm\/index\.m?js$/ }, ({ path }) => {
      const made = /= (memo|forwardRef|fixedForwardRef|createContext)\(/g;
      return { contents: readFileSync(path, 'utf8').replace(made, '= /* @__PURE__ */ $1(') };
    });
  }
};

const done = await build({
  entryPoints: [resolve(here, 'src/widget.ts')],
  outfile: resolve(here, '../promptstudio_lab/labextension/static/widget.js'),
  bundle: true,
  minify: true,
  format: 'esm',
  charset: 'utf8',
  target: 'es2022',
  jsx: 'automatic',
  legalComments: 'eof',
  metafile: true,
  define: { 'process.env.NODE_ENV': '"production"', VERSION: JSON.stringify(version) },
  plugins: [styleAsText, fewerParts]
});
for (const [file, { bytes }] of Object.entries(done.metafile.outputs)) {
  console.log(`${file.split('/').at(-1)} ${Math.round(bytes / 1024)} KiB`);
}
