import { Session } from '../flow/session';
import { change, node, settled, SlowHost, view } from './flows';

async function opened(): Promise<{ host: SlowHost; session: Session }> {
  const host = new SlowHost();
  const session = new Session(host);
  await settled();
  await host.answer({ ok: true, view: view() });
  return { host, session };
}

const keys = (session: Session) => session.state().view?.nodes.map(one => one.key);
const rename = (key: string) => ({ type: 'rename', node: 'id-a', key }) as const;

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('an edit shows at once and is confirmed', async () => {
  const { host, session } = await opened();
  const done = session.edit(rename('first'));
  expect(keys(session)).toEqual(['first', 'b', 'c']);
  expect(session.state().saving).toBe(1);
  await settled();
  await host.answer({ ok: true, change: change(6, { nodes: [node('a', { key: 'first' })] }) });
  expect(await done).toBeNull();
  expect(session.state()).toMatchObject({ saving: 0 });
  expect(session.state().view?.seq).toBe(6);
});

test('a refused edit is taken back, and its reason told', async () => {
  const { host, session } = await opened();
  const done = session.edit(rename('b'));
  await settled();
  await host.answer({ ok: false, code: 'OperationRefused', message: 'taken' });
  expect(await done).toBe('taken');
  expect(keys(session)).toEqual(['a', 'b', 'c']);
  expect(session.state().notice?.text).toBe('taken');
});

test('a refused edit does not take back the one after it', async () => {
  const { host, session } = await opened();
  void session.edit(rename('b'));
  void session.edit({ type: 'rename', node: 'id-c', key: 'third' });
  await settled();
  await host.answer({ ok: false, code: 'OperationRefused', message: 'taken' });
  expect(keys(session)).toEqual(['a', 'b', 'third']);
});

test('requests go one at a time, so an undo follows the edit before it', async () => {
  const { host, session } = await opened();
  void session.edit(rename('first'));
  void session.undo();
  await settled();
  expect(host.asked.map(message => message.do)).toEqual(['view', 'edit']);
  await host.answer({ ok: true, change: change(6) });
  expect(host.asked.map(message => message.do)).toEqual(['view', 'edit', 'undo']);
});

test('what others did between is asked for', async () => {
  const { host, session } = await opened();
  void session.edit(rename('first'));
  await settled();
  await host.answer({ ok: true, change: change(8, { nodes: [node('a', { key: 'first' })] }) });
  expect(host.asked.at(-1)).toEqual({ do: 'changes', since: 5, problems_tag: 'none' });
  await host.answer({ ok: true, change: change(8, { nodes: [node('d')] }) });
  expect(keys(session)).toEqual(['first', 'b', 'c', 'd']);
  expect(session.state().view?.seq).toBe(8);
});

test('problems that stayed are not told again, and stay the same list', async () => {
  const { host, session } = await opened();
  const before = session.state().view?.problems;
  void session.edit(rename('first'));
  await settled();
  expect(host.asked.at(-1)).toMatchObject({ do: 'edit', problems_tag: 'none' });
  await host.answer({ ok: true, change: change(6, { problems: null }) });
  expect(session.state().view?.seq).toBe(6);
  expect(session.state().view?.problems).toBe(before);
});

test('an answer about problems that the view does not have leads to the whole flow', async () => {
  const { host, session } = await opened();
  void session.edit(rename('first'));
  await settled();
  await host.answer({ ok: true, change: change(6, { problems: null, problems_tag: 'others' }) });
  expect(host.asked.at(-1)).toEqual({ do: 'view' });
});

test('news that the flow has moved on leads to a question, old news does not', async () => {
  const { host, session } = await opened();
  host.push({ seq: 5 });
  await settled();
  expect(host.asked).toHaveLength(1);
  host.push({ seq: 6 });
  await settled();
  expect(host.asked.at(-1)).toEqual({ do: 'changes', since: 5, problems_tag: 'none' });
  await host.answer({ ok: true, change: change(6, { gone_nodes: ['id-c'] }) });
  expect(keys(session)).toEqual(['a', 'b']);
});

test('when the kernel is gone nothing unsaved is shown and nothing more is taken', async () => {
  const { host, session } = await opened();
  void session.edit(rename('first'));
  await settled();
  await host.die();
  expect(keys(session)).toEqual(['a', 'b', 'c']);
  expect(session.state()).toMatchObject({ status: 'dead', saving: 0 });
  void session.edit(rename('second'));
  await settled();
  expect(keys(session)).toEqual(['a', 'b', 'c']);
  expect(host.asked).toHaveLength(2);
});

test('what a silence has cut off is sent when it is over, once one sees what stands then', async () => {
  const { host, session } = await opened();
  const cut = session.edit(rename('first'));
  await settled();
  await host.die();
  const written = session.edit({ type: 'rename', node: 'id-b', key: 'second' });
  await settled();
  expect(session.state()).toMatchObject({ unsent: 2, saving: 0 });
  host.turn('live');
  await settled();
  // Somebody else was there meanwhile.
  expect(session.state().status).toBe('dead');
  expect(host.asked.at(-1)).toEqual({ do: 'view' });
  await host.answer({ ok: true, view: view({ seq: 9 }) });
  expect(session.state()).toMatchObject({ status: 'live', unsent: 0, saving: 2 });
  expect(keys(session)).toEqual(['first', 'second', 'c']);
  const [before, again] = [host.asked[1], host.asked.at(-1)];
  expect(again).toEqual(before);
  await host.answer({ ok: true, change: change(10, { nodes: [node('a', { key: 'first' })] }) });
  await host.answer({ ok: true, change: change(11, { nodes: [node('b', { key: 'second' })] }) });
  expect(await Promise.all([cut, written])).toEqual([null, null]);
  expect(keys(session)).toEqual(['first', 'second', 'c']);
});

test('an edit that nobody will answer is no longer shown either', async () => {
  const { host, session } = await opened();
  void session.edit(rename('first'));
  await settled();
  host.turn('dead');
  expect(keys(session)).toEqual(['a', 'b', 'c']);
});

test('a flow that cannot be had says why, and can be tried again', async () => {
  const host = new SlowHost();
  const session = new Session(host);
  await settled();
  await host.answer({ ok: false, code: 'NotFound', message: 'no such flow' });
  expect(session.state().failure).toBe('no such flow');
  void session.load();
  await settled();
  await host.answer({ ok: true, view: view() });
  expect(session.state().failure).toBeNull();
});
