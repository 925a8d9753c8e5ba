import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { act } from 'react';

import { mount } from '../canvas';
import type { KindView } from '../flow/types';
import { node, settled, SlowHost, view } from './flows';

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const HOSTILE = '<img src=x onerror=alert(1)>';

async function shown(flow = view()) {
  const page = document.createElement('div');
  const element = document.createElement('div');
  page.append(element);
  document.body.append(page);
  const host = new SlowHost();
  let leave = (): void => undefined;
  await act(async () => {
    leave = mount(element, host);
    await settled();
    await host.answer({ ok: true, view: flow });
  });
  return { page, element, host, leave };
}

const card = (element: HTMLElement, key: string): HTMLElement => {
  const found = element.querySelector<HTMLElement>(`.react-flow__node[data-id="id-${key}"]`);
  if (!found) {
    throw new Error(`no node ${key}`);
  }
  return found;
};

const press = (target: Element, key: string, more: KeyboardEventInit = {}): Promise<void> =>
  act(async () => {
    target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, ...more }));
    target.dispatchEvent(new KeyboardEvent('keyup', { key, bubbles: true, ...more }));
    await settled();
  });

afterEach(() => document.body.replaceChildren());

test('draws every node, and names literally', async () => {
  const { element, leave } = await shown(view({ nodes: [node('a', { key: HOSTILE }), node('b')] }));
  expect(element.querySelectorAll('.react-flow__node')).toHaveLength(2);
  expect(element.querySelector('.psl-key')?.textContent).toBe(HOSTILE);
  expect(element.querySelector('img')).toBeNull();
  act(leave);
  expect(element.childElementCount).toBe(0);
});

test('no key that is pressed on a node reaches the notebook around it', async () => {
  const { page, element } = await shown();
  const heard: string[] = [];
  page.addEventListener('keydown', event => heard.push(event.key));
  for (const key of ['a', 'b', 'd', 'x', 'm', 'y', 'z', 'Enter', 'Escape', 'ArrowDown']) {
    await press(card(element, 'a'), key);
  }
  expect(heard).toEqual([]);
  await press(card(element, 'a'), 's', { ctrlKey: true });
  expect(heard).toEqual(['s']);
});

test('the arrow keys move a node, in one edit when they are let go', async () => {
  const { element, host } = await shown();
  const target = card(element, 'b');
  await act(async () => {
    for (let times = 0; times < 3; times++) {
      target.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
    }
    await settled();
  });
  expect(host.asked.filter(message => message.do === 'edit')).toEqual([]);
  await act(async () => {
    target.dispatchEvent(new KeyboardEvent('keyup', { key: 'ArrowRight', bubbles: true }));
    await settled();
  });
  const asked = host.asked.at(-1);
  expect(asked?.do === 'edit' && asked.operation).toMatchObject({
    type: 'move',
    nodes: { 'id-b': { x: 352, y: 0 } }
  });
});

test('Delete removes what is selected, and the focus stays on the canvas', async () => {
  const { element, host } = await shown();
  await press(card(element, 'b'), 'Enter');
  await press(card(element, 'b'), 'Delete');
  const asked = host.asked.at(-1);
  expect(asked?.do === 'edit' && asked.operation).toMatchObject({
    type: 'remove',
    nodes: ['id-b']
  });
  expect(document.activeElement?.classList.contains('psl-root')).toBe(true);
  await press(document.activeElement ?? element, 'z', { ctrlKey: true });
  await act(() => host.answer({ ok: false, code: 'x', message: 'x' }));
  expect(host.asked.at(-1)).toMatchObject({ do: 'undo' });
});

test('Backspace in a text that is being written removes no node', async () => {
  const { element, host } = await shown();
  await press(card(element, 'b'), 'Enter');
  const input = element.querySelector('.psl-inspector input');
  await press(input ?? element, 'Backspace');
  expect(host.asked.some(message => message.do === 'edit')).toBe(false);
});

/** What stands behind loose outputs. */
const stubs = (element: HTMLElement): HTMLElement[] => {
  expect(element.querySelectorAll('.psl-far')).toHaveLength(0);
  return [...element.querySelectorAll<HTMLElement>('.psl-stub')];
};

const click = (target: Element | null | undefined): Promise<void> =>
  act(async () => {
    target?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
    await settled();
  });

test('what is picked behind a loose output comes connected, as one edit', async () => {
  const [llm] = view().kinds;
  const lists = { ...llm, name: 'map', title: 'Map', takes: ['table'] };
  const kinds = [llm, lists] as KindView[];
  const { element, host } = await shown(view({ kinds }));
  const loose = stubs(element);
  expect(loose.map(each => each.getAttribute('aria-label'))).toEqual([
    'Add a node after b.out',
    'Add a node after c.out'
  ]);
  await click(loose[0]);
  const offered = [...element.querySelectorAll<HTMLElement>('.psl-picker [role="option"]')];
  expect(offered.map(each => each.querySelector('b')?.textContent)).toEqual(['LLM']);
  expect(element.querySelector('.psl-inspector')).toBeNull();
  await click(offered[0]);
  const edits = host.asked.filter(message => message.do === 'edit');
  expect(edits.map(message => message.operation)).toMatchObject([
    // `c` lies there already.
    { type: 'extend', kind: 'llm', from: { node: 'id-b', port: 'out' }, x: 592, y: 176 }
  ]);
});

test('what follows a node of a body goes into that body', async () => {
  const [llm] = view().kinds;
  const kinds = [llm, { ...llm, name: 'map', container: true }] as KindView[];
  const nodes = [
    node('map', { kind: 'map', x: 800, y: 400, outputs: [] }),
    node('in', { parent: 'id-map', x: 16, y: 48 }),
    node('outside', { x: 304, y: 48, outputs: [] })
  ];
  const { element, host } = await shown(view({ kinds, nodes, edges: [] }));
  await click(stubs(element)[0]);
  await click(element.querySelector('.psl-picker [role="option"]'));
  const asked = host.asked.at(-1);
  const edit = asked?.do === 'edit' ? asked.operation : null;
  expect(edit).toMatchObject({ type: 'extend', parent: 'id-map', x: 304, y: 48 });
});

test('a note, and a node that gives nothing, lead nowhere', async () => {
  const nodes = [node('a', { outputs: [] }), node('words', { kind: 'note', outputs: [] })];
  const { element } = await shown(view({ nodes, edges: [] }));
  expect(element.querySelectorAll('.react-flow__node')).toHaveLength(2);
  expect(stubs(element)).toEqual([]);
});

test('a canvas whose kernel is gone says so and takes no edit', async () => {
  const { element, host } = await shown();
  await act(() => host.die());
  expect(element.querySelector('.psl-banner')?.textContent).toContain('The kernel is gone');
  await press(card(element, 'b'), 'Enter');
  await press(card(element, 'b'), 'Delete');
  expect(element.querySelectorAll('.react-flow__node')).toHaveLength(3);
  expect(stubs(element)).toEqual([]);
  expect(host.asked).toHaveLength(1);
});

test('an empty flow offers what can be begun with the kinds there are, as one edit', async () => {
  const [llm] = view().kinds;
  const kinds = ['input', 'llm', 'output'].map(name => ({ ...llm, name }) as KindView);
  const { element, host } = await shown(view({ nodes: [], edges: [], kinds }));
  const starters = [...element.querySelectorAll<HTMLElement>('.psl-starter')];
  expect(starters.map(each => each.querySelector('b')?.textContent)).toEqual(['Ask a model']);
  await act(async () => {
    starters[0]?.click();
    await settled();
  });
  const asked = host.asked.at(-1);
  const edit = asked?.do === 'edit' && asked.operation.type === 'batch' ? asked.operation : null;
  expect(edit?.operations.map(each => each.type)).toEqual([
    ...['add', 'add', 'add'],
    ...['connect', 'connect']
  ]);
});

test('on an empty canvas nobody is blamed', async () => {
  const problem = { code: 'F106', severity: 'error', message: 'no nodes' } as const;
  const whole = { ...problem, node: null, key: null, pointer: '', mend: [] };
  const { element } = await shown(view({ nodes: [], edges: [], problems: [whole] }));
  expect(element.querySelector('.psl-count')).toBeNull();
});

test('nothing anywhere writes raw HTML', () => {
  const raw = new RegExp(['inner' + 'HTML', 'outer' + 'HTML', 'dangerously' + 'Set'].join('|'));
  const root = join(__dirname, '..');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const wrong = files
    .filter(file => /\.tsx?$/.test(file))
    .filter(file => raw.test(readFileSync(join(root, file), 'utf8')));
  expect(wrong).toEqual([]);
});
