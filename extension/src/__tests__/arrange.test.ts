import { applyEdit } from '../flow/apply';
import { arranged } from '../flow/arrange';
import { copied, pasted } from '../flow/clipboard';
import { matching, offersOf } from '../flow/offers';
import { keyAmong } from '../flow/place';
import { plain } from '../canvas/translate';
import { node, view } from './flows';

const box = (id: string, x: number, y: number) => ({ id, x, y, width: 224, height: 96 });

test('cards align at the leftmost or topmost edge', () => {
  const boxes = [box('a', 32, 0), box('b', 320, 48)];
  expect(arranged(boxes, 'left')).toEqual({ a: { x: 32, y: 0 }, b: { x: 32, y: 48 } });
  expect(arranged(boxes, 'top')).toEqual({ a: { x: 32, y: 0 }, b: { x: 320, y: 0 } });
});

test('distributed cards have equal gaps, and the outer ones stay', () => {
  const boxes = [box('a', 0, 0), box('c', 1024, 0), box('b', 240, 16)];
  expect(arranged(boxes, 'across')).toEqual({
    a: { x: 0, y: 0 },
    b: { x: 512, y: 16 },
    c: { x: 1024, y: 0 }
  });
  expect(arranged(boxes.slice(0, 2), 'down')).toEqual({});
});

test('copied nodes come back as new ones with their edges and free names', () => {
  const flow = view();
  const text = copied(flow, new Set(['id-a', 'id-b']));
  const found = pasted(flow, text, { x: 64, y: 640 });
  if (!found) {
    throw new Error('nothing was pasted');
  }
  const after = applyEdit(flow, found.edit);
  const fresh = after.nodes.filter(one => found.nodes.includes(one.id));
  expect(fresh.map(({ key, x, y }) => [key, x, y])).toEqual([
    ['a_2', 64, 640],
    ['b_2', 364, 640]
  ]);
  expect(after.edges).toHaveLength(2);
  expect(after.edges[1]).toMatchObject({ source: fresh[0]?.id, target: fresh[1]?.id });
  expect(new Set([...after.edges.map(edge => edge.id)]).size).toBe(2);
});

test('a container is copied with its body, which keeps its names and places', () => {
  const flow = view({
    nodes: [node('item', { parent: 'id-each', x: 16, y: 48 }), node('each', { kind: 'map' })],
    edges: []
  });
  const found = pasted(flow, copied(flow, new Set(['id-each'])), { x: 0, y: 320 });
  expect(found?.edit).toMatchObject({
    operations: [
      { key: 'each_2', parent: null, y: 320 },
      { key: 'item', parent: found?.nodes[0], x: 16, y: 48 }
    ]
  });
});

test('what no canvas has copied is not pasted', () => {
  for (const text of ['hello', '{}', '[1]', 'null', '{"promptstudio": "nodes", "nodes": [1]}']) {
    expect(pasted(view(), text, { x: 0, y: 0 })).toBeNull();
  }
});

test('names are numbered from their stem', () => {
  expect(keyAmong(new Set(['ask']), 'ask')).toBe('ask_2');
  expect(keyAmong(new Set(['ask', 'ask_2']), 'ask_2')).toBe('ask_3');
  expect(keyAmong(new Set(), 'ask_7')).toBe('ask_7');
});

test('the keyboard is offered the edges that fit, and no others', () => {
  const flow = view();
  const from = flow.nodes[2];
  const offers = from ? offersOf(flow, from, plain) : [];
  expect(offers.map(({ source, target }) => `${source} ${target}`)).toEqual([
    'id-c id-a',
    'id-a id-c',
    'id-b id-c'
  ]);
});

test('what begins with the wish comes first', () => {
  const things = [
    { title: 'Loop', words: 'until a map ends' },
    { title: 'Map', words: 'each item' }
  ];
  expect(matching(things, 'map').map(thing => thing.title)).toEqual(['Map', 'Loop']);
  expect(matching(things, 'item each')).toHaveLength(1);
});

test('two pasted nodes of one stem get two names', () => {
  const flow = view({ nodes: [node('ask'), node('ask_2')], edges: [] });
  const found = pasted(flow, copied(flow, new Set(['id-ask', 'id-ask_2'])), { x: 0, y: 0 });
  expect(found?.edit).toMatchObject({ operations: [{ key: 'ask_3' }, { key: 'ask_4' }] });
});
