import { duration, money, percent } from '../flow/figures';
import { heated, nameOf, passage, Runs, standing, stepsOf } from '../flow/runs';
import { Session } from '../flow/session';
import type { Answer, Message, NodeRun, RunView } from '../flow/types';
import { read } from '../canvas/run';
import { node, settled, SlowHost, view } from './flows';

const did = (more: Partial<NodeRun> = {}): NodeRun => ({
  status: 'succeeded',
  times: 1,
  failed: 0,
  cached: false,
  began_ms: 0,
  ended_ms: 12,
  latency_ms: 12,
  cost_usd: 0.001,
  input_tokens: 3,
  output_tokens: 4,
  error: null,
  output: 'yes',
  ...more
});

const run = (more: Partial<RunView> = {}): RunView => ({
  run: 'r1',
  version: 1,
  status: 'running',
  trigger: 'cell',
  by: 'rosa',
  started_at: '2026-01-01T00:00:00Z',
  latency_ms: null,
  cost_usd: null,
  input_tokens: null,
  output_tokens: null,
  simulated: false,
  error: null,
  nodes: {},
  under_way: {},
  stale: [],
  ...more
});

/** Answers about runs at once, and keeps what was asked. */
class RunHost extends SlowHost {
  readonly heard: Message[] = [];
  answers: Record<string, Answer> = {};

  override request(message: Message): Promise<Answer> {
    if (message.do === 'run' || message.do === 'stop' || message.do === 'ask') {
      this.heard.push(message);
      const about = message.do === 'ask' ? message.about : message.do;
      return Promise.resolve(this.answers[about] ?? { ok: true, data: null });
    }
    return super.request(message);
  }
}

async function opened(): Promise<{ host: RunHost; runs: Runs; session: Session }> {
  const host = new RunHost();
  const session = new Session(host);
  await settled();
  await host.answer({ ok: true, view: view() });
  return { host, session, runs: new Runs(session) };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

const tick = async (ms: number): Promise<void> => {
  jest.advanceTimersByTime(ms);
  await settled();
};

test('a run is followed until it is over, and then no more', async () => {
  const { host, runs } = await opened();
  host.answers = {
    run: { ok: true, data: { run: 'r1' } }
  };
  expect(await runs.begin({ in: 'x' }, null)).toBe(true);
  expect(runs.state().live).toBe('r1');
  host.answers = { run: { ok: false, code: 'NotFound', message: 'not yet' } };
  await tick(250);
  expect(runs.state().live).toBe('r1');
  host.answers = { run: { ok: true, data: run({ under_way: { 'id-a': 'running' } }) } };
  await tick(250);
  expect(runs.state().shown?.status).toBe('running');
  host.answers = {
    run: { ok: true, data: run({ status: 'succeeded', nodes: { 'id-a': did() } }) }
  };
  await tick(250);
  expect(runs.state()).toMatchObject({ live: null, shown: { status: 'succeeded' } });
  const asked = host.heard.length;
  await tick(5000);
  expect(host.heard).toHaveLength(asked);
});

test('what models say is shown piece by piece, of this run only', async () => {
  const { host, runs } = await opened();
  host.answers = { run: { ok: true, data: { run: 'r1' } } };
  await runs.begin({}, 'id-b');
  expect(host.heard[0]).toEqual({ do: 'run', inputs: {}, until: 'id-b' });
  host.push({ said: { run: 'r1', texts: { a: 'one ' } } });
  host.push({ said: { run: 'r0', texts: { a: 'other' } } });
  host.push({ said: { run: 'r1', texts: { a: 'two' } } });
  expect(runs.state().texts.get('a')).toBe('one two');
});

test('where texts come with the run, they are shown as they stand', async () => {
  const { host, runs } = await opened();
  host.answers = { run: { ok: true, data: { run: 'r1' } } };
  await runs.begin({}, null);
  host.answers = { run: { ok: true, data: { ...run({}), texts: { a: 'one ' } } } };
  await tick(250);
  expect(runs.state().texts.get('a')).toBe('one ');
  host.answers = { run: { ok: true, data: { ...run({}), texts: { a: 'one two' } } } };
  await tick(250);
  expect(runs.state().texts.get('a')).toBe('one two');
});

test('a run that cannot begin says why', async () => {
  const { host, runs, session } = await opened();
  host.answers = { run: { ok: false, code: 'FlowInvalid', message: 'no output' } };
  expect(await runs.begin({}, null)).toBe(false);
  expect(session.state().notice?.text).toBe('no output');
  expect(runs.state()).toMatchObject({ live: null, starting: false });
});

test('how a node stands: under way, done, from the cache, or not in this run', () => {
  const flow = view({
    nodes: [node('a'), node('m', { kind: 'map' }), node('i', { parent: 'id-m' })]
  });
  const [a, m, i] = flow.nodes as [never, never, never];
  const going = run({ nodes: { 'id-a': did() }, under_way: { 'id-i': 'running' } });
  expect([a, m, i].map(one => standing(flow, going, one))).toEqual([
    'succeeded',
    'running',
    'running'
  ]);
  const over = run({ status: 'partial', nodes: { 'id-a': did({ cached: true }) } });
  expect([a, m, i].map(one => standing(flow, over, one))).toEqual(['cached', 'skipped', null]);
  expect(nameOf(flow, i)).toBe('m/i');
});

test('what went over an edge: something, something soon, or nothing', () => {
  const [edge] = view().edges as [never];
  const going = run({ nodes: { 'id-a': did() } });
  expect(passage(going, edge)).toBeNull();
  expect(passage({ ...going, under_way: { 'id-b': 'running' } }, edge)).toBe('coming');
  const nodes = { 'id-a': did(), 'id-b': did({ status: 'failed' }) };
  expect(passage({ ...going, nodes }, edge)).toBe('taken');
  expect(passage(run({ status: 'partial', nodes: { 'id-a': did() } }), edge)).toBe('idle');
  const failed = { 'id-a': did({ status: 'failed' }), 'id-b': did() };
  expect(passage(run({ status: 'failed', nodes: failed }), edge)).toBe('idle');
  const skipped = { 'id-a': did(), 'id-b': did({ status: 'skipped' }) };
  expect(passage(run({ status: 'succeeded', nodes: skipped }), edge)).toBe('idle');
});

test('a run that was painted comes back when nothing is coloured any more', async () => {
  const { host, runs } = await opened();
  host.answers = {
    run: { ok: true, data: run({ status: 'succeeded' }) },
    heat: { ok: true, data: { runs: 1, nodes: {} } }
  };
  await runs.show('r1');
  await runs.warm('cost');
  await runs.warm('latency');
  expect(runs.state()).toMatchObject({ shown: null, heat: { by: 'latency' } });
  await runs.warm(null);
  expect(runs.state()).toMatchObject({ shown: { run: 'r1' }, heat: null });
  await runs.show(null);
  await runs.warm(null);
  expect(runs.state().shown).toBeNull();
});

test('a run keeps the flow as a version first, and the canvas knows which', async () => {
  const { host, runs, session } = await opened();
  host.answers = { run: { ok: true, data: { run: 'r1' } } };
  await runs.begin({}, null);
  host.answers = { run: { ok: true, data: run({ version: 3 }) } };
  await tick(250);
  expect(session.state().view?.flow.version).toBe(3);
  // Somebody saves meanwhile: the run is not of that version, and does not undo it.
  session.saved(4);
  await tick(250);
  expect(session.state().view?.flow.version).toBe(4);
});

test('heat is a share of the hottest, or of a change between two variants', () => {
  const one = { runs: 4, nodes: { a: { times: 4, cost_usd: 0.004, latency_ms: 10, errors: 0 } } };
  const two = { runs: 4, nodes: { a: { times: 4, cost_usd: 0.001, latency_ms: 10, errors: 0.5 } } };
  expect(heated('cost', one, null, null).nodes.get('a')).toMatchObject({ value: 0.004, share: 1 });
  expect(heated('cost', one, two, ['A', 'B']).nodes.get('a')?.share).toBe(-0.75);
  expect(heated('errors', one, two, ['A', 'B']).nodes.get('a')?.share).toBe(1);
});

test('figures have three digits and a unit, and what is not known is a dash', () => {
  expect([money(0.00012345), money(0), money(null), money(12.5)]).toEqual([
    '$0.000123',
    '$0',
    '—',
    '$12.5'
  ]);
  expect([duration(3.14159), duration(840.4), duration(1234), duration(200_000)]).toEqual([
    '3.1 ms',
    '840 ms',
    '1.23 s',
    '3 min 20 s'
  ]);
  expect(percent(0.12345)).toBe('12 %');
});

test('texts are taken as they are, all else as JSON', () => {
  const typed = (key: string, type: string, config = {}) =>
    node(key, { kind: 'input', config, outputs: [{ name: 'value', type }] });
  const wanted = [
    typed('t', 'text'),
    typed('d', 'text', { default: 'x' }),
    typed('j', 'json'),
    typed('n', 'int'),
    typed('e', 'list')
  ];
  expect(read(wanted, { t: '{"a"', j: '{"a": 1}', n: 'many', e: '' }, 'no JSON')).toEqual([
    { t: '{"a"', j: { a: 1 } },
    { n: 'no JSON' }
  ]);
});

test('steps are what ran, in the order of their beginning, bodies after what holds them', () => {
  const nodes = [
    node('late'),
    node('item', { parent: 'id-each' }),
    node('each'),
    node('never'),
    node('first')
  ];
  const ran = run({
    nodes: {
      'id-late': did({ began_ms: 90 }),
      'id-item': did({ began_ms: 95 }),
      'id-each': did({ began_ms: 10 }),
      'id-first': did({ began_ms: 0 }),
      'id-never': did({ began_ms: 20, status: 'skipped' })
    }
  });
  const steps = stepsOf(view({ nodes }), ran).map(step => [step.node.key, step.depth]);
  expect(steps).toEqual([
    ['first', 0],
    ['each', 0],
    ['item', 1],
    ['late', 0]
  ]);
});
