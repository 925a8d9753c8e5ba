import { lanesOf, type Drawn } from '../flow/route';
import type { EdgeView, NodeView, View } from '../flow/types';
import { node, view } from './flows';

const HIGH = 100;

/** Cards of one size, with a port in the middle of either side. */
const drawn: Drawn = {
  box: ({ x, y }) => ({ x, y, width: 220, height: HIGH }),
  port: ({ x, y }, _, side) => ({ x: side === 'source' ? x + 220 : x, y: y + HIGH / 2 })
};

const edge = (source: string, target: string): EdgeView => ({
  id: `${source}${target}`,
  source: `id-${source}`,
  source_port: 'out',
  source_path: '',
  target: `id-${target}`,
  target_port: 'in'
});

const flow = (nodes: NodeView[], ...edges: EdgeView[]): View => view({ nodes, edges });

const row = (...keys: string[]): NodeView[] =>
  keys.map((key, at) => node(key, { x: at * 288, y: 0 }));

test('an edge past a card goes around it, on the side that is nearer', () => {
  const [a, b, c] = row('a', 'b', 'c') as [NodeView, NodeView, NodeView];
  const below = lanesOf(flow([a, b, { ...c, y: 60 }], edge('a', 'c')), drawn).get('ac');
  expect(below).toEqual({ after: 68, before: 68, down: 64 });
  const above = lanesOf(flow([a, b, { ...c, y: -60 }], edge('a', 'c')), drawn).get('ac');
  expect(above).toEqual({ after: 68, before: 68, down: -64 });
});

test('an edge with nothing in its way stays as it is', () => {
  const nodes = row('a', 'b', 'c');
  expect(lanesOf(flow(nodes, edge('a', 'b'), edge('b', 'c')), drawn).size).toBe(0);
  const aside = nodes.map(each => (each.key === 'b' ? { ...each, y: 400 } : each));
  expect(lanesOf(flow(aside, edge('a', 'c')), drawn).size).toBe(0);
  const elsewhere = nodes.map(each => (each.key === 'b' ? { ...each, parent: 'id-m' } : each));
  expect(lanesOf(flow(elsewhere, edge('a', 'c')), drawn).size).toBe(0);
});

test('it goes around all that lies there, and not through what lies beside it', () => {
  const nodes = [...row('a', 'b', 'c', 'd'), node('under', { x: 288, y: 120 })];
  const lane = lanesOf(flow(nodes, edge('a', 'd')), drawn).get('ad');
  expect(lane).toMatchObject({ after: 68, before: 68, down: -64 });
});

test('edges of two sources do not lie on one line', () => {
  const nodes = [...row('a', 'b', 'c'), node('d', { x: 576, y: -10 }), node('e', { x: 0, y: -10 })];
  const lanes = lanesOf(flow(nodes, edge('a', 'c'), edge('e', 'd')), drawn);
  // Both would go fourteen above `b`; the ports of `e` and `d` lie ten higher than the others.
  expect(lanes.get('ac')?.down).toBe(-64);
  expect(lanes.get('ed')?.down).toBe(-64);
});

test('edges of one source may share a line', () => {
  const nodes = [...row('a', 'b', 'c'), node('d', { x: 576, y: 120 })];
  const low = nodes.map(each => (each.key === 'c' ? { ...each, y: 20 } : each));
  const lanes = lanesOf(flow(low, edge('a', 'c'), edge('a', 'd')), drawn);
  expect(lanes.get('ac')?.down).toBe(64);
  expect(lanes.get('ad')?.down).toBe(64);
});
