import type { Client } from '../api/client';
import { LabError } from '../api/errors';
import type { Library, Question, Status, Template, Tree } from '../api/types';
import { formOf, parsed } from '../browser/answer';
import { pieces } from '../literal';
import { BrowserModel } from '../browser/model';
import { shortName, shortPaths } from '../browser/places';
import { asCode, closedAtFirst, isEmpty, rowsOf, step } from '../browser/rows';

function library(path: string, more: Partial<Library> = {}): Library {
  const made = { libraries: [], flows: [], templates: [], ...more };
  const name = path.split('/').at(-1) ?? path;
  const inside = made.libraries.reduce((sum, one) => sum + one.flow_count + one.template_count, 0);
  return {
    name,
    path,
    flow_count: made.flows.length + inside,
    template_count: made.templates.length,
    ...made
  };
}

const flow = (path: string, version = 0) => ({
  id: `id-${path}`,
  name: path.split('/').at(-1) ?? path,
  path,
  version,
  nodes: 3
});

function tree(libraries: Library[] = []): Tree {
  const flow_count = libraries.reduce((sum, one) => sum + one.flow_count, 0);
  return { labs: [{ id: 'l', name: 'default', flow_count, template_count: 0, libraries }] };
}

const TREE = tree([
  library('support', {
    libraries: [library('support/answers', { flows: [flow('support/answers/route', 1)] })],
    flows: [flow('support/triage')],
    templates: [flow('support/classify', 2)]
  }),
  library('Drafts', { flows: [flow('Drafts/greeting')] })
]);

const open = new Set<string>();
const names = (query = '', closed: ReadonlySet<string> = open): string[] =>
  rowsOf(TREE, closed, query).map(row => `${'.'.repeat(row.level - 1)}${row.name}`);

test('the tree shows libraries before flows, and flows before templates', () => {
  expect(names()).toEqual([
    'default',
    '.support',
    '..answers',
    '...route',
    '..triage',
    '..classify',
    '.Drafts',
    '..greeting'
  ]);
});

test('a closed library hides what it holds', () => {
  expect(names('', new Set(['lab:l/support']))).toEqual([
    'default',
    '.support',
    '.Drafts',
    '..greeting'
  ]);
});

test('a search opens what leads to its finds and nothing else', () => {
  expect(names('ANS rou', new Set(['lab:l', 'lab:l/support']))).toEqual([
    'default',
    '.support',
    '..answers',
    '...route'
  ]);
  expect(names('nowhere')).toEqual([]);
});

test('every row knows its place among its siblings', () => {
  const rows = rowsOf(TREE, open, '');
  const inSupport = rows.filter(row => row.level === 3);
  expect(inSupport.map(row => [row.position, row.siblings])).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
    [1, 1]
  ]);
  expect(new Set(rows.map(row => row.key)).size).toBe(rows.length);
});

test('a large warehouse opens with its libraries closed', () => {
  const many = Array.from({ length: 300 }, (_, index) => flow(`big/${index}`));
  const large = tree([library('big', { flows: many })]);
  expect(rowsOf(large, closedAtFirst(large), '')).toHaveLength(2);
  expect(closedAtFirst(TREE).size).toBe(0);
});

test('arrows walk the tree as ARIA says', () => {
  const rows = rowsOf(TREE, open, '');
  expect(step(rows, 0, 'ArrowUp')).toBe(0);
  expect(step(rows, 0, 'ArrowDown')).toBe(1);
  expect(step(rows, rows.length - 1, 'ArrowDown')).toBe(rows.length - 1);
  expect(step(rows, 5, 'Home')).toBe(0);
  expect(step(rows, 0, 'End')).toBe(rows.length - 1);
  expect(step(rows, 1, 'ArrowRight')).toBe(2); // into an open library
  expect(step(rows, 1, 'ArrowLeft')).toBeNull(); // which the key closes instead
  expect(step(rows, 4, 'ArrowLeft')).toBe(1); // from a flow to its library
  expect(step(rows, 4, 'x')).toBeNull();
  const closed = rowsOf(TREE, new Set(['lab:l/support']), '');
  expect(step(closed, 1, 'ArrowRight')).toBeNull(); // which the key opens instead
});

test('an empty lab is empty', () => {
  expect(isEmpty(tree())).toBe(true);
  expect(isEmpty(TREE)).toBe(false);
});

test('a path becomes a line of Python whatever it holds', () => {
  expect(asCode({ kind: 'flow', path: 'a "b"/c\\d' })).toBe('lab.flow("a \\"b\\"/c\\\\d")');
  expect(asCode({ kind: 'template', path: 'a/b' })).toBe('lab.template("a/b")');
});

test('characters that show nothing or turn the text are named', () => {
  expect(pieces('a\u202eb\u200b\u0007\u{e0041}c\nd\te')).toEqual([
    { text: 'a', isHidden: false },
    { text: 'U+202E', isHidden: true },
    { text: 'b', isHidden: false },
    { text: 'U+200B', isHidden: true },
    { text: 'U+0007', isHidden: true },
    { text: 'U+E0041', isHidden: true },
    { text: 'c\nd\te', isHidden: false }
  ]);
  expect(pieces('<b>ärger 🎉</b>')).toEqual([{ text: '<b>ärger 🎉</b>', isHidden: false }]);
});

test('a warehouse goes by what tells it from another', () => {
  expect(shortName('sqlite:////srv/data/warehouse.db')).toBe('warehouse.db');
  expect(shortName('postgresql+psycopg://rosa:***@db.example:5432/lab?sslmode=require')).toBe(
    'lab @ db.example:5432'
  );
  expect(shortPaths('`warehouse` in /srv/a/b/promptstudio.toml')).toBe(
    '`warehouse` in …/b/promptstudio.toml'
  );
  expect(shortPaths('PROMPTSTUDIO_WAREHOUSE')).toBe('PROMPTSTUDIO_WAREHOUSE');
});

const STATUS: Status = {
  version: '1',
  warehouse: { id: 'w', url: 'sqlite:///w.db', why: 'because', dialect: 'sqlite' },
  lab: { id: 'l', name: 'default' },
  user: { id: 'rosa', name: 'rosa', kind: 'user' }
};

/** A server whose answers come when the test says so. */
class Waiting implements Pick<Client, 'status' | 'tree' | 'template'> {
  readonly asked: string[] = [];
  readonly trees: { resolve: (tree: Tree) => void; reject: (reason: Error) => void }[] = [];

  status(beside: string): Promise<Status> {
    this.asked.push(beside);
    return Promise.resolve(STATUS);
  }

  tree(): Promise<Tree> {
    return new Promise((resolve, reject) => this.trees.push({ resolve, reject }));
  }

  template(_: string, id: string): Promise<Template> {
    return id === 'gone'
      ? Promise.reject(new LabError('there is no template gone', 'NotFound', 404))
      : Promise.resolve({ id, path: 'a/b', versions: [] });
  }
}

function started(): { server: Waiting; model: BrowserModel } {
  const server = new Waiting();
  return { server, model: new BrowserModel(server as unknown as Client) };
}

const settled = () => new Promise(resolve => setTimeout(resolve));

test('only the newest question’s answer is shown', async () => {
  const { server, model } = started();
  void model.refresh();
  void model.refresh();
  server.trees[1]?.resolve(TREE);
  await settled();
  server.trees[0]?.resolve(tree());
  await settled();
  expect(model.rows).toHaveLength(8);
  expect(model.state.isLoading).toBe(false);
});

test('what was shown stays, marked, when the server is away, and heals', async () => {
  const { server, model } = started();
  void model.refresh();
  server.trees[0]?.resolve(TREE);
  await settled();
  void model.refresh();
  server.trees[1]?.reject(new LabError('away', 'Unreachable', 0));
  await settled();
  expect(model.state.failure?.code).toBe('Unreachable');
  expect(model.rows).toHaveLength(8);
  void model.refresh();
  server.trees[2]?.resolve(TREE);
  await settled();
  expect(model.state.failure).toBeNull();
});

test('the folder of the current document decides, and nothing of another stays', async () => {
  const { server, model } = started();
  void model.refresh();
  server.trees[0]?.resolve(TREE);
  await settled();
  model.follow('a.ipynb'); // still in the root
  model.follow(''); // a tab without a document
  expect(server.asked).toEqual(['']);
  model.follow('RTC:project/deep/a.ipynb');
  expect(server.asked).toEqual(['', 'project/deep']);
  expect(model.rows).toEqual([]);
});

test('a template that is gone says so in its place', async () => {
  const { model } = started();
  await model.read({ id: 'gone', path: 'a/gone' });
  expect(model.state.reading?.failure?.message).toBe('there is no template gone');
  await model.read({ id: 'there', path: 'a/b' });
  expect(model.state.reading).toMatchObject({ failure: null, template: { id: 'there' } });
});

test('a model that is gone draws nothing any more', async () => {
  const { server, model } = started();
  const drawn = jest.fn();
  model.changed.connect(drawn);
  void model.refresh();
  drawn.mockClear();
  model.dispose();
  server.trees[0]?.resolve(TREE);
  await settled();
  expect(drawn).not.toHaveBeenCalled();
});

const asked = (id: string, schema: Record<string, unknown> | null = null): Question => ({
  question_id: id,
  flow_execution_id: 'run',
  flow: 'triage',
  node: 'rate',
  path: '',
  asked_at: '2026-01-01T00:00:00+00:00',
  prompt: 'How good is it?',
  value: 'tea',
  schema
});

test('the form of an answer is the one that its schema asks for', () => {
  expect(formOf({ type: 'boolean' })).toEqual({ kind: 'choice', options: [true, false] });
  expect(formOf({ enum: ['yes', 'no'] })).toEqual({ kind: 'choice', options: ['yes', 'no'] });
  expect(formOf({ type: 'integer' }).kind).toBe('number');
  expect(formOf({ type: 'string' }).kind).toBe('text');
  expect(formOf({ type: 'object' }).kind).toBe('json');
  expect(formOf(null).kind).toBe('json');
  expect(parsed({ kind: 'number' }, ' 4 ')).toEqual({ value: 4 });
  expect(parsed({ kind: 'number' }, '')).toHaveProperty('wrong');
  expect(parsed({ kind: 'number' }, 'four')).toHaveProperty('wrong');
  expect(parsed({ kind: 'text' }, ' as it is ')).toEqual({ value: ' as it is ' });
  expect(parsed({ kind: 'json' }, '{"ok": true}')).toEqual({ value: { ok: true } });
  expect(parsed({ kind: 'json' }, '{ok')).toHaveProperty('wrong');
});

test('an answered question goes, and a refused one stays and says why', async () => {
  const [one, two] = [asked('one'), asked('two')];
  const given: unknown[] = [];
  const client = {
    questions: () => Promise.resolve([one, two]),
    answer: (_: string, id: string, value: unknown) => {
      if (value === 'five') {
        const failure = new LabError('the answer does not fit the form', 'ValueRefused', 400);
        return Promise.reject(failure);
      }
      given.push([id, value]);
      return Promise.resolve();
    }
  } as unknown as Client;
  const model = new BrowserModel(client);
  await model.refreshQuestions();
  expect(model.state.questions).toHaveLength(2);
  expect(await model.answer(one, 'five')).toBe('the answer does not fit the form');
  expect(model.state.questions).toHaveLength(2);
  expect(await model.answer(one, 5)).toBe('');
  expect(model.state.questions).toEqual([two]);
  expect(given).toEqual([['one', 5]]);
});
