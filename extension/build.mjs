// Bundles the canvas of a notebook cell, with its style, as one ES module beside the extension.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(resolve(here, 'package.json'), 'utf8'));

/** A style sheet with all that it imports, as the text of a module. */
const styleAsText = {
  name: 'style-as-text',
  setup(builder) {
    builder.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const done = await build({ entryPoints: [path], bundle: true, minify: true, write: false });
      return { contents: done.outputFiles[0].text, loader: 'text' };
    });
  }
};

const done = await build({
  entryPoints: [resolve(here, 'src/widget.ts')],
  outfile: resolve(here, '../promptstudio_lab/labextension/static/widget.js'),
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  legalComments: 'eof',
  metafile: true,
  define: { 'process.env.NODE_ENV': '"production"', VERSION: JSON.stringify(version) },
  plugins: [styleAsText]
});
for (const [file, { bytes }] of Object.entries(done.metafile.outputs)) {
  console.log(`${file.split('/').at(-1)} ${Math.round(bytes / 1024)} KiB`);
}
