import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import { defineConfig } from 'eslint/config';
import ts from 'typescript-eslint';

/** Which folder may import what: surfaces meet only through tokens.ts. */
const closed = (files, patterns, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: patterns, message }] }] }
});

export default defineConfig(
  { ignores: ['lib', 'node_modules', 'coverage'] },
  js.configs.recommended,
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [ts.configs.strictTypeChecked],
    plugins: { 'react-hooks': hooks },
    languageOptions: { parserOptions: { project: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }]
    }
  },
  closed(
    ['src/flow/**'],
    [
      'react*',
      '@xyflow/*',
      '@lumino/*',
      '@jupyterlab/*',
      '../canvas*',
      '../browser*',
      '../editor*'
    ],
    'flow/ is pure graph logic.'
  ),
  closed(
    ['src/canvas/**'],
    ['@lumino/*', '@jupyterlab/*', '../browser*', '../editor*', '../api*'],
    'The canvas knows only its Host.'
  ),
  closed(
    ['src/{browser,editor,api}/**', 'src/*.ts'],
    ['@xyflow/*'],
    'Only the canvas knows React Flow.'
  ),
  closed(['src/browser/**'], ['@xyflow/*', '../editor*'], 'Surfaces meet only through tokens.ts.'),
  closed(['src/editor/**'], ['@xyflow/*', '../browser*'], 'Surfaces meet only through tokens.ts.'),
  {
    files: ['*.{js,mjs}', 'src/__tests__/*.js'],
    languageOptions: {
      globals: {
        console: 'readonly',
        process: 'readonly',
        module: 'writable',
        URL: 'readonly',
        require: 'readonly'
      }
    }
  }
);
