import { newId } from './ids';
import { freeKey } from './place';
import type { Edit, JsonObject, Place, View } from './types';

/** Nodes on their way: between flows, notebooks and windows, as JSON that people can read. */
interface Clip {
  readonly format: typeof FORMAT;
  readonly nodes: readonly {
    readonly id: string;
    readonly key: string;
    readonly kind: string;
    readonly config: JsonObject;
    readonly policy: JsonObject;
    readonly parent: string | null;
    readonly x: number;
    readonly y: number;
  }[];
  readonly edges: readonly {
    readonly source: string;
    readonly source_port: string;
    readonly source_path: string;
    readonly target: string;
    readonly target_port: string;
  }[];
}

export const FORMAT = 'promptstudio.nodes/1';
const MOST = 2000;

/** Some nodes with their bodies, and the edges between them, as text; null where there are none. */
export function copied(view: View, ids: ReadonlySet<string>): string | null {
  const all = within(view, ids);
  if (!all.size) {
    return null;
  }
  const clip: Clip = {
    format: FORMAT,
    nodes: view.nodes
      .filter(node => all.has(node.id))
      .map(({ id, key, kind, config, policy, parent, x, y }) => ({
        id,
        key,
        kind,
        config,
        policy,
        parent: parent !== null && all.has(parent) ? parent : null,
        x,
        y
      })),
    edges: view.edges
      .filter(edge => all.has(edge.source) && all.has(edge.target))
      .map(({ source, source_port, source_path, target, target_port }) => ({
        source,
        source_port,
        source_path,
        target,
        target_port
      }))
  };
  return JSON.stringify(clip, null, 1);
}

/** The nodes and all that lies in them. */
export function within(view: View, ids: ReadonlySet<string>): Set<string> {
  const all = new Set(ids);
  for (let before = -1; before < all.size;) {
    before = all.size;
    view.nodes.forEach(node => {
      if (node.parent !== null && all.has(node.parent)) {
        all.add(node.id);
      }
    });
  }
  return all;
}

/**
 * The edit that puts copied nodes into a flow, with the new nodes' ids; null for any other text.
 *
 * @param at - where their upper left corner goes; by default a step beside where they were.
 */
export function pasted(
  view: View,
  text: string,
  name: 'paste' | 'duplicate',
  at: Place | null
): { readonly edit: Edit; readonly ids: readonly string[] } | null {
  const clip = read(text);
  if (!clip) {
    return null;
  }
  const ids = new Map(clip.nodes.map(node => [node.id, newId()]));
  const outer = clip.nodes.filter(node => node.parent === null || !ids.has(node.parent));
  const left = Math.min(...outer.map(node => node.x));
  const top = Math.min(...outer.map(node => node.y));
  const shift = at ? { x: at.x - left, y: at.y - top } : { x: 32, y: 32 };
  const taken = new Set<string>();
  const adds = sorted(clip).map<Edit>(node => {
    const parent = node.parent === null ? undefined : ids.get(node.parent);
    const key = parent ? node.key : freeKey(view, node.key, taken);
    taken.add(key.toLowerCase());
    const place = parent ? node : { x: node.x + shift.x, y: node.y + shift.y };
    return {
      type: 'add',
      node: ids.get(node.id) ?? newId(),
      kind: node.kind,
      key,
      config: node.config,
      policy: node.policy,
      x: Math.round(place.x),
      y: Math.round(place.y),
      parent: parent ?? null
    };
  });
  const connects = clip.edges.map<Edit>(edge => ({
    type: 'connect',
    edge: newId(),
    ...edge,
    source: ids.get(edge.source) ?? '',
    target: ids.get(edge.target) ?? ''
  }));
  return {
    edit: { type: 'batch', name, operations: [...adds, ...connects] },
    ids: outer.map(node => ids.get(node.id) ?? '')
  };
}

/** Each container before what lies in it. */
function sorted(clip: Clip): Clip['nodes'] {
  const depth = (id: string | null, left = 16): number => {
    const node = left ? clip.nodes.find(one => one.id === id) : undefined;
    return node ? 1 + depth(node.parent, left - 1) : 0;
  };
  return [...clip.nodes].sort((one, other) => depth(one.id) - depth(other.id));
}

/** What lies in the clipboard may be anything: only what is whole is taken. */
function read(text: string): Clip | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(found) || found['format'] !== FORMAT) {
    return null;
  }
  const { nodes, edges } = found;
  const whole =
    Array.isArray(nodes) &&
    Array.isArray(edges) &&
    nodes.length > 0 &&
    nodes.length <= MOST &&
    nodes.every(isNode) &&
    edges.every(isEdge);
  return whole ? (found as unknown as Clip) : null;
}

function isNode(node: unknown): boolean {
  return (
    isObject(node) &&
    ['id', 'key', 'kind'].every(name => typeof node[name] === 'string') &&
    [node['x'], node['y']].every(Number.isFinite) &&
    [node['config'], node['policy']].every(isObject) &&
    (node['parent'] === null || typeof node['parent'] === 'string')
  );
}

function isEdge(edge: unknown): boolean {
  const names = ['source', 'source_port', 'source_path', 'target', 'target_port'];
  return isObject(edge) && names.every(name => typeof edge[name] === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
