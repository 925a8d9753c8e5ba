import type { Change, Edit, JsonObject, NodeView, View } from './types';

/** The input that every node has for a branch. */
export const WHEN = 'when';

/** The view after what Python says has happened. */
export function applyChange(view: View, change: Change): View {
  return {
    ...view,
    seq: Math.max(view.seq, change.seq),
    nodes: merged(view.nodes, change.nodes, change.gone_nodes),
    edges: merged(view.edges, change.edges, change.gone_edges),
    problems: change.problems ?? view.problems,
    problems_tag: change.problems_tag
  };
}

/** The view as it will be if Python agrees: shown at once, and taken back if it does not. */
export function applyEdit(view: View, edit: Edit): View {
  switch (edit.type) {
    case 'add':
      return { ...view, nodes: merged(view.nodes, [sketch(view, edit)], []) };
    case 'move':
      return {
        ...view,
        nodes: view.nodes.map(node =>
          edit.nodes[node.id] ? { ...node, ...edit.nodes[node.id] } : node
        )
      };
    case 'configure':
      return withNode(view, edit.node, node => configured(node, edit));
    case 'rename':
      return withNode(view, edit.node, node => ({ ...node, key: edit.key }));
    case 'remove':
      return removed(view, new Set(edit.nodes), new Set(edit.edges));
    case 'connect': {
      const { type: _, edge, ...connection } = edit;
      return { ...view, edges: merged(view.edges, [{ id: edge, ...connection }], []) };
    }
    case 'batch':
      return edit.operations.reduce<View>(applyEdit, view);
    case 'insert':
    case 'extend':
      return { ...view, nodes: merged(view.nodes, [sketch(view, edit)], []) };
    case 'group':
    case 'ungroup':
    case 'tidy':
      // What comes of these only Python can tell, and it does at once.
      return view;
  }
}

function removed(view: View, nodes: Set<string>, edges: Set<string>): View {
  return {
    ...view,
    nodes: view.nodes.filter(node => !nodes.has(node.id)),
    edges: view.edges.filter(
      edge => !edges.has(edge.id) && !nodes.has(edge.source) && !nodes.has(edge.target)
    ),
    problems: view.problems.filter(problem => !problem.node || !nodes.has(problem.node))
  };
}

function configured(node: NodeView, edit: Extract<Edit, { type: 'configure' }>): NodeView {
  const put = (
    standing: JsonObject,
    some: JsonObject | undefined,
    without: readonly string[] | undefined
  ): JsonObject =>
    some || without
      ? Object.fromEntries(
          Object.entries({ ...standing, ...some }).filter(([name]) => !without?.includes(name))
        )
      : standing;
  return {
    ...node,
    config: put(edit.config ?? node.config, edit.settings, edit.without),
    policy: put(edit.policy ?? node.policy, edit.rules, edit.without_rules)
  };
}

/** A new node before Python has said which ports it has. */
function sketch(view: View, edit: Extract<Edit, { type: 'add' | 'insert' | 'extend' }>): NodeView {
  const kind = view.kinds.find(one => one.name === edit.kind);
  return {
    id: edit.node,
    key: edit.key ?? edit.kind,
    kind: edit.kind,
    config: edit.config ?? {},
    parent: edit.parent ?? null,
    policy: edit.policy ?? {},
    x: edit.x,
    y: edit.y,
    headline: kind?.title ?? edit.kind,
    prompt: null,
    inputs: [],
    outputs: [],
    open: false
  };
}

function withNode(view: View, id: string, then: (node: NodeView) => NodeView): View {
  return { ...view, nodes: view.nodes.map(node => (node.id === id ? then(node) : node)) };
}

function merged<Item extends { readonly id: string }>(
  old: readonly Item[],
  fresh: readonly Item[],
  gone: readonly string[]
): readonly Item[] {
  if (!fresh.length && !gone.length) {
    return old;
  }
  const byId = new Map(old.map(item => [item.id, item]));
  for (const item of fresh) {
    byId.set(item.id, item);
  }
  for (const id of gone) {
    byId.delete(id);
  }
  return [...byId.values()];
}
