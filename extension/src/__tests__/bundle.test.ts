import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const BUNDLE = join(__dirname, '../../../promptstudio_lab/labextension/static/widget.js');
const MOST_KIB = 500;
const MOST_PACKED_KIB = 160;

test('what a cell loads stays small', () => {
  const bundle = readFileSync(BUNDLE);
  expect(bundle.length / 1024).toBeLessThan(MOST_KIB);
  expect(gzipSync(bundle).length / 1024).toBeLessThan(MOST_PACKED_KIB);
});
