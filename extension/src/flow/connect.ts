import { WHEN } from './apply';
import { edgesFrom, edgesInto, nodeOf } from './lookup';
import type {
  Connection,
  InputView,
  KindView,
  NodeView,
  OutputView,
  Translate,
  View
} from './types';

/** Why an edge cannot be drawn, or null if it can. Python checks again and decides. */
export function refusal(
  view: View,
  wanted: Omit<Connection, 'source_path'>,
  t: Translate
): string | null {
  const source = nodeOf(view, wanted.source);
  const target = nodeOf(view, wanted.target);
  if (!source || !target) {
    return t('The node is gone.');
  }
  if (source === target) {
    return t('%1 cannot feed itself', source.key);
  }
  if (source.parent !== target.parent) {
    return t('An edge stays inside its body: %1 and %2 lie in two.', source.key, target.key);
  }
  const given = source.outputs.find(port => port.name === wanted.source_port);
  const taken = target.inputs.find(port => port.name === wanted.target_port);
  return (
    refusedType(view, given, taken) ??
    refusedPlace(view, wanted, source, target, taken, t) ??
    (reaches(view, target.id, source.id)
      ? t('%1 comes before %2: that would make a cycle', target.key, source.key)
      : null)
  );
}

function refusedType(view: View, given?: OutputView, taken?: InputView): string | null {
  return given && taken ? (view.types[given.type]?.[taken.type] ?? null) : null;
}

function refusedPlace(
  view: View,
  wanted: Omit<Connection, 'source_path'>,
  source: NodeView,
  target: NodeView,
  taken: InputView | undefined,
  t: Translate
): string | null {
  const there = edgesInto(view, target.id).filter(edge => edge.target_port === wanted.target_port);
  const same = there.some(
    edge =>
      edge.source === source.id && edge.source_port === wanted.source_port && !edge.source_path
  );
  if (same) {
    return t('%1 feeds %2 already', source.key, target.key);
  }
  if (taken && !taken.many && there.length) {
    return t('%1 is fed already: remove that edge first, or use a merge node', taken.name);
  }
  return null;
}

/** Whether one can get from one node to another along the edges. */
export function reaches(view: View, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (id === to) {
      return true;
    }
    if (!seen.has(id)) {
      seen.add(id);
      open.push(...edgesFrom(view, id).map(edge => edge.target));
    }
  }
  return false;
}

/** The input of a node that an output would best be drawn to, or null if none takes it. */
export function bestInput(
  view: View,
  from: { readonly node: string; readonly port: string },
  target: NodeView,
  t: Translate
): string | null {
  const fits = target.inputs.filter(
    input =>
      refusal(
        view,
        { source: from.node, source_port: from.port, target: target.id, target_port: input.name },
        t
      ) === null
  );
  return (fits.find(input => input.name !== WHEN) ?? fits[0])?.name ?? null;
}

/** A kind that a drawn edge could lead to: what it takes, or gives, when it is fresh. */
export function kindFits(
  view: View,
  kind: KindView,
  type: string,
  drawn: 'source' | 'target'
): boolean {
  const ends = drawn === 'source' ? kind.takes : kind.gives;
  return ends.some(end => {
    const [given, taken] = drawn === 'source' ? [type, end] : [end, type];
    return (view.types[given]?.[taken] ?? null) === null;
  });
}

/** The ports to draw: those that Python names, and those that an edge says there must be. */
export function portsOf(
  view: View,
  node: NodeView
): { readonly inputs: readonly InputView[]; readonly outputs: readonly OutputView[] } {
  const inputs = node.inputs.filter(port => port.name !== WHEN);
  const outputs = [...node.outputs];
  for (const { target_port: name } of edgesInto(view, node.id)) {
    if (name !== WHEN && !inputs.some(port => port.name === name)) {
      inputs.push({ name, type: 'any', required: false, many: false });
    }
  }
  for (const { source_port: name } of edgesFrom(view, node.id)) {
    if (!outputs.some(port => port.name === name)) {
      outputs.push({ name, type: 'any' });
    }
  }
  return { inputs, outputs };
}

/** How a port is drawn: its shape tells how many values it holds. */
export function shapeOf(port: OutputView | InputView): 'branch' | 'many' | 'one' {
  if (port.type === 'branch') {
    return 'branch';
  }
  const isList = port.type.startsWith('list') || port.type === 'table';
  return isList || ('many' in port && port.many) ? 'many' : 'one';
}
