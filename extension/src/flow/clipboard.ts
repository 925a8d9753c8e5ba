import { newId } from './ids';
import { keyAmong } from './place';
import type { Edit, EdgeView, Json, JsonObject, NodeView, Place, View } from './types';

/** What is copied: nodes with their bodies, and the edges between them. */
interface Clip {
  readonly promptstudio: 'nodes';
  readonly nodes: readonly Copied[];
  readonly edges: readonly EdgeView[];
}

type Copied = Pick<NodeView, 'id' | 'key' | 'kind' | 'config' | 'policy' | 'parent' | 'x' | 'y'>;

/** Some nodes as text for the clipboard, which another canvas can take in. */
export function copied(view: View, chosen: ReadonlySet<string>): string {
  const ids = withBodies(view, chosen);
  const clip: Clip = {
    promptstudio: 'nodes',
    nodes: view.nodes
      .filter(node => ids.has(node.id))
      .map(({ id, key, kind, config, policy, parent, x, y }) => ({
        id,
        key,
        kind,
        config,
        policy,
        parent: parent !== null && ids.has(parent) ? parent : null,
        x,
        y
      })),
    edges: view.edges.filter(edge => ids.has(edge.source) && ids.has(edge.target))
  };
  return JSON.stringify(clip, null, 2);
}

/** The nodes and all that lies in them. */
export function withBodies(view: View, chosen: ReadonlySet<string>): Set<string> {
  const ids = new Set(chosen);
  for (let before = -1; before < ids.size;) {
    before = ids.size;
    for (const node of view.nodes) {
      if (node.parent !== null && ids.has(node.parent)) {
        ids.add(node.id);
      }
    }
  }
  return ids;
}

/**
 * The edit that a text from the clipboard means, and the new nodes outside of any other; null for
 * a text that no canvas has copied. Python checks all of it again.
 *
 * @param at - where the upper left node goes; the nodes keep their distances.
 */
export function pasted(
  view: View,
  text: string,
  at: Place
): { readonly edit: Edit; readonly nodes: readonly string[] } | null {
  const clip = read(text);
  if (!clip) {
    return null;
  }
  const ids = new Map(clip.nodes.map(node => [node.id, newId()]));
  const outer = clip.nodes.filter(node => node.parent === null || !ids.has(node.parent));
  const corner = {
    x: Math.min(...outer.map(node => node.x)),
    y: Math.min(...outer.map(node => node.y))
  };
  const taken = new Set(view.nodes.map(node => node.key.toLowerCase()));
  const adds = outermostFirst(clip.nodes, ids).map((node): Edit => {
    const isOuter = outer.includes(node);
    const key = isOuter ? keyAmong(taken, node.key) : node.key;
    taken.add(key.toLowerCase());
    return {
      type: 'add',
      node: ids.get(node.id) ?? newId(),
      kind: node.kind,
      key,
      config: node.config,
      policy: node.policy,
      parent: isOuter ? null : (ids.get(node.parent ?? '') ?? null),
      x: isOuter ? at.x + node.x - corner.x : node.x,
      y: isOuter ? at.y + node.y - corner.y : node.y
    };
  });
  const connects = clip.edges.flatMap((edge): Edit[] => {
    const [source, target] = [ids.get(edge.source), ids.get(edge.target)];
    return source && target
      ? [{ ...edgeless(edge), type: 'connect', edge: newId(), source, target }]
      : [];
  });
  return {
    edit: { type: 'several', operations: [...adds, ...connects] },
    nodes: outer.map(node => ids.get(node.id) ?? '')
  };
}

function edgeless({ source_port, source_path, target_port }: EdgeView) {
  return { source_port, source_path, target_port };
}

function outermostFirst(nodes: readonly Copied[], known: ReadonlyMap<string, string>): Copied[] {
  const done: Copied[] = [];
  const placed = new Set<string>();
  let rest = [...nodes];
  while (rest.length) {
    const next = rest.filter(
      node => node.parent === null || !known.has(node.parent) || placed.has(node.parent)
    );
    if (!next.length) {
      break;
    }
    next.forEach(node => placed.add(node.id));
    done.push(...next);
    rest = rest.filter(node => !placed.has(node.id));
  }
  return done;
}

function read(text: string): Clip | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(found) || found['promptstudio'] !== 'nodes') {
    return null;
  }
  const { nodes, edges } = found;
  const isWhole =
    Array.isArray(nodes) && nodes.length > 0 && nodes.every(isNode) && Array.isArray(edges);
  return isWhole ? { promptstudio: 'nodes', nodes, edges: edges.filter(isEdge) } : null;
}

function isNode(node: unknown): node is Copied {
  return (
    isObject(node) &&
    ['id', 'key', 'kind'].every(name => typeof node[name] === 'string') &&
    ['x', 'y'].every(name => Number.isFinite(node[name])) &&
    isObject(node['config']) &&
    isObject(node['policy']) &&
    (node['parent'] === null || typeof node['parent'] === 'string')
  );
}

function isEdge(edge: Json): edge is Json & EdgeView {
  const names = ['source', 'source_port', 'source_path', 'target', 'target_port'];
  return isObject(edge) && names.every(name => typeof edge[name] === 'string');
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
