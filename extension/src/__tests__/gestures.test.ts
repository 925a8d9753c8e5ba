import { plain as t } from '../canvas/translate';
import { matching } from '../canvas/picker';
import { applyEdit } from '../flow/apply';
import { aligned, distributed } from '../flow/arrange';
import { copied, pasted } from '../flow/clip';
import { kindFits, refusal } from '../flow/connect';
import { difference } from '../flow/lines';
import { mending, remedy } from '../flow/mend';
import { Session } from '../flow/session';
import { change, node, settled, SlowHost, view } from './flows';

const ids = (...keys: string[]) => new Set(keys.map(key => `id-${key}`));

describe('the clipboard', () => {
  test('nodes come back under new ids and free names, with the edges between them', () => {
    const text = copied(view(), ids('a', 'b')) ?? '';
    const found = pasted(view(), text, 'paste', { x: 0, y: 160 });
    const after = found ? applyEdit(view(), found.edit) : view();
    expect(after.nodes.map(one => one.key)).toEqual(['a', 'b', 'c', 'a_2', 'b_2']);
    expect(after.nodes.slice(3).map(one => [one.x, one.y])).toEqual([
      [0, 160],
      [300, 160]
    ]);
    expect(new Set(after.nodes.map(one => one.id)).size).toBe(5);
    const [, fresh] = after.edges;
    expect([fresh?.source, fresh?.target]).toEqual(found?.ids);
  });

  test('a container takes its body along, and keeps it inside', () => {
    const flow = view({
      nodes: [node('map', { kind: 'map' }), node('in', { parent: 'id-map', x: 16, y: 44 })],
      edges: []
    });
    const found = pasted(flow, copied(flow, ids('map')) ?? '', 'duplicate', null);
    const after = found ? applyEdit(flow, found.edit) : flow;
    expect(after.nodes.map(one => one.key)).toEqual(['map', 'in', 'map_2', 'in']);
    expect(after.nodes[3]).toMatchObject({ parent: after.nodes[2]?.id, x: 16, y: 44 });
  });

  test.each([
    'x',
    '{}',
    '[]',
    '{"format":"promptstudio.nodes/1","nodes":[],"edges":[]}',
    '{"format":"promptstudio.nodes/1","nodes":[{"id":1}],"edges":[]}',
    '{"format":"promptstudio.nodes/2","nodes":[],"edges":[]}'
  ])('any other text is left alone: %s', text => {
    expect(pasted(view(), text, 'paste', null)).toBeNull();
  });
});

test('nodes are aligned and distributed, the outermost staying', () => {
  const flow = view({ nodes: [node('a'), node('b', { x: 320, y: 48 }), node('c', { x: 960 })] });
  expect(aligned(flow, ids('a', 'b'), 'top')).toMatchObject({
    nodes: { 'id-a': { x: 0, y: 0 }, 'id-b': { x: 320, y: 0 } }
  });
  expect(distributed(flow, ids('a', 'b', 'c'), 'across')).toMatchObject({
    nodes: { 'id-a': { x: 0 }, 'id-b': { x: 480 }, 'id-c': { x: 960 } }
  });
  expect(aligned(flow, ids('a'), 'top')).toBeNull();
  expect(distributed(flow, ids('a', 'b'), 'down')).toBeNull();
});

test('two texts differ line by line', () => {
  expect(difference('a\nb\nc', 'a\nx\nc')).toEqual([
    { sign: ' ', text: 'a' },
    { sign: '-', text: 'b' },
    { sign: '+', text: 'x' },
    { sign: ' ', text: 'c' }
  ]);
});

test('a problem is mended by one edit, with ids for what it adds', () => {
  const problem = {
    code: 'F106',
    severity: 'error',
    node: null,
    key: null,
    pointer: '',
    message: '',
    mend: [{ type: 'add', node: '', kind: 'output', x: 0, y: 0 }]
  } as const;
  const edit = mending(problem);
  expect(edit?.type === 'batch' && edit.operations[0]).toMatchObject({
    kind: 'output',
    node: expect.stringMatching(/^[0-9a-f-]{36}$/) as string
  });
  expect(remedy(problem)).toBe('Add it');
  expect(mending({ ...problem, mend: [] })).toBeNull();
});

test('what begins with the wish comes first', () => {
  const choice = (title: string, detail = '') => ({ id: title, title, detail, icon: '' });
  const all = [choice('Transform'), choice('Input', 'a map of things'), choice('Map')];
  expect(matching(all, 'MAP').map(one => one.title)).toEqual(['Map', 'Input']);
  expect(matching(all, ' ')).toBe(all);
});

test('only kinds that could be fed are offered at the end of an edge', () => {
  const [kind] = view().kinds;
  expect(kind && kindFits(view(), kind, 'text', 'source')).toBe(true);
  expect(kind && kindFits(view(), kind, 'table', 'source')).toBe(false);
});

test('an edge stays inside its body', () => {
  const flow = view({ nodes: [node('a'), node('b', { parent: 'id-m' })], edges: [] });
  const ends = { source: 'id-a', source_port: 'out', target: 'id-b', target_port: 'in' };
  expect(refusal(flow, ends, t)).toContain('inside its body');
});

test('who else edits is shown, and what was overwritten until it has been seen', async () => {
  const host = new SlowHost();
  const session = new Session(host);
  await settled();
  await host.answer({ ok: true, view: view() });
  const conflict = {
    id: 'id-a',
    field: 'config',
    by: 'ben',
    names: ['model'],
    theirs: 'x',
    mine: 'y'
  };
  const by = [{ client: 'c', name: 'ben', type: 'move', nodes: ['id-a'] }];
  host.push(change(6, { by, conflicts: [conflict] }));
  expect(session.state().people).toMatchObject([{ name: 'ben', node: 'id-a' }]);
  expect(session.state().conflicts).toEqual([conflict]);
  session.seen();
  expect(session.state().conflicts).toEqual([]);
});

test.each([2, 3, 5])('with every %ith message lost, the canvas ends where Python is', async k => {
  const host = new SlowHost();
  const session = new Session(host);
  await settled();
  await host.answer({ ok: true, view: view() });
  for (let seq = 6; seq <= 35; seq++) {
    if (seq % k) {
      host.push(change(seq, { nodes: [node(`n${seq}`)] }));
      await settled();
    }
    // Whatever was asked for meanwhile is answered as Python does: all since then.
    for (const asked of host.asked.splice(0)) {
      if (asked.do === 'changes') {
        const missed = Array.from({ length: seq - asked.since }, (_, at) => asked.since + at + 1);
        await host.answer({
          ok: true,
          change: change(seq, { nodes: missed.map(one => node(`n${one}`)) })
        });
      }
    }
  }
  const last = 35 % k ? 35 : 34;
  const wanted = Array.from({ length: last - 5 }, (_, at) => `n${at + 6}`);
  const keys = session.state().view?.nodes.map(one => one.key);
  expect(session.state().view?.seq).toBe(last);
  expect(keys).toEqual(expect.arrayContaining(wanted));
});
