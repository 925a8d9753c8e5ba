import { plain as t } from '../canvas/translate';
import { applyChange, applyEdit } from '../flow/apply';
import { bestInput, portsOf, refusal, shapeOf } from '../flow/connect';
import { fieldsOf, parse, problemsOf, refusedWord, setting, type Field } from '../flow/form';
import { sizeOf } from '../flow/geometry';
import { newId } from '../flow/ids';
import { CARD, freeKey, freePlace, placeAfter, type Box } from '../flow/place';
import { pieces } from '../flow/template';
import type { KindView, NodeView, Schema } from '../flow/types';
import { change, node, view } from './flows';

const ends = (source: string, target: string, target_port = 'in') => ({
  source: `id-${source}`,
  source_port: 'out',
  target: `id-${target}`,
  target_port
});

function at(nodes: readonly NodeView[], index: number): NodeView {
  const found = nodes[index];
  if (!found) {
    throw new Error('no such node');
  }
  return found;
}

describe('ids', () => {
  test('are UUIDs of version 7 that sort by time', () => {
    const early = newId(1_000_000_000_000);
    const late = newId(1_700_000_000_000);
    expect(early).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(early < late).toBe(true);
    expect(parseInt(late.replaceAll('-', '').slice(0, 12), 16)).toBe(1_700_000_000_000);
  });
});

describe('changes', () => {
  test('bring nodes, take edges, and say all problems anew', () => {
    const after = applyChange(
      view(),
      change(6, { nodes: [node('d'), node('a', { key: 'first' })], gone_edges: ['ab'] })
    );
    expect(after.nodes.map(one => one.key)).toEqual(['first', 'b', 'c', 'd']);
    expect(after.edges).toEqual([]);
    expect(after.seq).toBe(6);
  });

  test('removing a node takes its edges with it', () => {
    const after = applyEdit(view(), { type: 'remove', nodes: ['id-a'], edges: [] });
    expect(after.nodes.map(one => one.key)).toEqual(['b', 'c']);
    expect(after.edges).toEqual([]);
  });

  test('an edit leaves the view that it was made on alone', () => {
    const before = view();
    applyEdit(before, { type: 'move', nodes: { 'id-a': { x: 16, y: 32 } } });
    expect(at(before.nodes, 0)).toMatchObject({ x: 0, y: 0 });
  });
});

describe('connections', () => {
  test('of fitting types are taken', () => {
    expect(refusal(view(), ends('b', 'c'), t)).toBeNull();
  });

  test('of other types are refused in the words of Python', () => {
    expect(refusal(view(), ends('b', 'c', 'when'), t)).toBe('a text does not fit branch');
  });

  test('a second edge into an input that takes one is refused', () => {
    expect(refusal(view(), ends('c', 'b'), t)).toContain('fed already');
  });

  test('a list takes a second edge', () => {
    const many = view({
      nodes: [
        node('a'),
        node('b', { inputs: [{ name: 'in', type: 'text', required: true, many: true }] }),
        node('c')
      ]
    });
    expect(refusal(many, ends('c', 'b'), t)).toBeNull();
    expect(refusal(many, ends('a', 'b'), t)).toContain('already');
  });

  test('a cycle is refused, and so is a node that feeds itself', () => {
    expect(refusal(view(), ends('b', 'a'), t)).toContain('cycle');
    expect(refusal(view(), ends('a', 'a'), t)).toContain('itself');
  });

  test('a port whose type is not known is left to Python', () => {
    expect(refusal(view(), ends('b', 'c', 'later'), t)).toBeNull();
  });

  test('dropped on a node, an edge finds the input that fits', () => {
    const flow = view();
    expect(bestInput(flow, { node: 'id-b', port: 'out' }, at(flow.nodes, 2), t)).toBe('in');
    expect(bestInput(flow, { node: 'id-c', port: 'out' }, at(flow.nodes, 1), t)).toBeNull();
  });

  test('a port that only an edge knows is drawn as well', () => {
    const flow = view({ nodes: [node('a', { outputs: [] }), node('b', { inputs: [] })] });
    expect(portsOf(flow, at(flow.nodes, 0)).outputs.map(port => port.name)).toEqual(['out']);
    expect(portsOf(flow, at(flow.nodes, 1)).inputs.map(port => port.name)).toEqual(['in']);
  });

  test.each([
    ['text', 'one'],
    ['list[text]', 'many'],
    ['table', 'many'],
    ['branch', 'branch']
  ])('a %s has the shape %s', (type, shape) => {
    expect(shapeOf({ name: 'x', type })).toBe(shape);
  });
});

describe('places', () => {
  test('a new card covers no other', () => {
    const flow = view();
    const place = freePlace(flow, { x: 110, y: 48 });
    for (const other of flow.nodes) {
      const apart =
        Math.abs(other.x - place.x) >= CARD.width || Math.abs(other.y - place.y) >= CARD.height;
      expect(apart).toBe(true);
    }
  });

  const box = (x: number, y: number, width = CARD.width, height = CARD.height): Box => ({
    ...{ x, y, width, height }
  });

  test.each<[string, Box[]]>([
    ['nothing', []],
    ['a card', [box(288, 0)]],
    ['a card that lies a little higher', [box(300, -40)]],
    ['a card that lies a little lower', [box(260, 80)]],
    ['two cards with too little room between them', [box(288, 240), box(288, 0)]],
    ['a frame that begins elsewhere', [box(-400, -96, 900, 600), box(288, 512)]],
    ['another column', [box(576, 0)]]
  ])('what follows a card lies beside it and covers no other: %s', (_, others) => {
    const from = box(0, 0);
    const place = placeAfter(from, others, CARD);
    expect(place.x).toBeGreaterThan(from.x + from.width + 48);
    expect(place.x).toBeLessThan(from.x + from.width + 88);
    for (const other of others) {
      const isBeside = other.x >= place.x + CARD.width || place.x >= other.x + other.width;
      const isApart = other.y >= place.y + CARD.height || place.y >= other.y + other.height;
      expect(isBeside || isApart).toBe(true);
    }
  });

  test('what follows lies level where there is room, and else no lower than it must', () => {
    expect(placeAfter(box(0, 32), [box(288, 400), box(288, -200)], CARD).y).toBe(32);
    expect(placeAfter(box(0, 0), [box(288, 0), box(288, 400)], CARD).y).toBe(112);
  });

  test('a new node is as large as its kind is drawn', () => {
    const [kind] = view().kinds;
    const large = { ...kind, takes: ['any', 'any', 'branch'], gives: ['text'] } as KindView;
    expect(sizeOf(large)).toEqual({ width: CARD.width, height: 113 });
    expect(sizeOf({ ...large, container: true })).toEqual({ width: 320, height: 144 });
  });

  test('a new name is no other node’s, whatever its case', () => {
    expect(freeKey(view({ nodes: [node('llm'), node('LLM_2')] }), 'llm')).toBe('llm_3');
  });
});

describe('forms', () => {
  const field = (part: Schema): Field => {
    const [found] = fieldsOf({ properties: { x: part } });
    if (!found) {
      throw new Error('no field');
    }
    return found;
  };

  test.each<[Schema, string]>([
    [{ type: 'string' }, 'text'],
    [{ type: 'string', format: 'model' }, 'model'],
    [{ type: 'object', format: 'json' }, 'json'],
    [{ format: 'prompt' }, 'prompt'],
    [{ enum: ['a', 'b'] }, 'choice'],
    [{ type: 'array', items: { type: 'string' } }, 'strings'],
    [{ type: 'integer' }, 'number'],
    [{ type: 'boolean' }, 'boolean'],
    [{}, 'json']
  ])('%j is edited as %s', (part, control) => {
    expect(field(part).control).toBe(control);
  });

  test('numbers keep to their schema', () => {
    const number = field({ type: 'integer', minimum: 1, maximum: 9 });
    expect(parse(number, ' 3 ', t)).toEqual({ value: 3 });
    expect(parse(number, '', t)).toEqual({ value: undefined });
    for (const wrong of ['0', '10', '2.5', 'many', 'Infinity']) {
      expect(parse(number, wrong, t)).toHaveProperty('error');
    }
  });

  test('JSON is read before it is sent', () => {
    const json = field({ type: 'object', format: 'json' });
    expect(parse(json, '{"a": 1}', t)).toEqual({ value: { a: 1 } });
    expect(parse(json, '{"a": ', t)).toHaveProperty('error');
    expect(parse(json, '[1]', t)).toHaveProperty('error');
  });

  test('an emptied setting goes, an equal one is no change', () => {
    const one = node('a', { config: { model: 'm', seed: 1 } });
    const gone = setting(one, 'model', undefined);
    expect(gone).toEqual({ type: 'configure', node: 'id-a', without: ['model'] });
    expect(setting(one, 'model', 'm')).toBeNull();
    const after = gone && applyEdit(view({ nodes: [one] }), gone);
    expect(after?.nodes[0]?.config).toEqual({ seed: 1 });
  });

  test('words keep to their pattern and come once', () => {
    const words = field({ type: 'array', items: { type: 'string', pattern: '^[a-z]+$' } });
    expect(refusedWord(words, ['yes'], 'no', t)).toBeNull();
    expect(refusedWord(words, ['yes'], 'yes', t)).toContain('already');
    expect(refusedWord(words, ['yes'], 'N O', t)).toContain('not a name');
  });

  test('a problem is shown at the field that it is about', () => {
    const one = node('a');
    const problem = (pointer: string) =>
      ({
        code: 'F',
        severity: 'error',
        node: one.id,
        key: 'a',
        pointer,
        message: '',
        mend: []
      }) as const;
    const inside = problem('/nodes/a/config/prompt/ref');
    const beside = problem('/nodes/a/config/prompts');
    expect(problemsOf([inside, beside], one, 'prompt')).toEqual([inside]);
  });
});

test('a template comes apart into text and variables, and together again', () => {
  const text = 'Label {{ ticket }}: {{a.b}} {{ }} {';
  expect(
    pieces(text)
      .map(piece => piece.text)
      .join('')
  ).toBe(text);
  expect(pieces(text).flatMap(piece => piece.variable || [])).toEqual(['ticket', 'a.b']);
});
