import type { EdgeView, NodeView, ProblemView, View } from './types';

interface Ends {
  readonly into: ReadonlyMap<string, readonly EdgeView[]>;
  readonly from: ReadonlyMap<string, readonly EdgeView[]>;
}

const NONE: readonly never[] = [];
const ends = new WeakMap<readonly EdgeView[], Ends>();
const marks = new WeakMap<readonly ProblemView[], ReadonlyMap<string, readonly ProblemView[]>>();
const boxes = new WeakMap<readonly NodeView[], ReadonlyMap<string, NodeView>>();

/** The edges that end in a node; found once a view, as a large flow asks for each of its nodes. */
export function edgesInto(view: View, id: string): readonly EdgeView[] {
  return endsOf(view).into.get(id) ?? NONE;
}

/** The edges that begin at a node. */
export function edgesFrom(view: View, id: string): readonly EdgeView[] {
  return endsOf(view).from.get(id) ?? NONE;
}

/** The problems of a node. */
export function problemsOfNode(view: View, id: string): readonly ProblemView[] {
  let found = marks.get(view.problems);
  if (!found) {
    found = grouped(view.problems, problem => problem.node ?? '');
    marks.set(view.problems, found);
  }
  return found.get(id) ?? NONE;
}

/** The node with an id. */
export function nodeOf(view: View, id: string | null): NodeView | undefined {
  let found = boxes.get(view.nodes);
  if (!found) {
    found = new Map(view.nodes.map(node => [node.id, node]));
    boxes.set(view.nodes, found);
  }
  return id === null ? undefined : found.get(id);
}

function endsOf(view: View): Ends {
  let found = ends.get(view.edges);
  if (!found) {
    found = {
      into: grouped(view.edges, edge => edge.target),
      from: grouped(view.edges, edge => edge.source)
    };
    ends.set(view.edges, found);
  }
  return found;
}

function grouped<Item>(
  items: readonly Item[],
  key: (item: Item) => string
): ReadonlyMap<string, readonly Item[]> {
  const found = new Map<string, Item[]>();
  for (const item of items) {
    const group = found.get(key(item));
    if (group) {
      group.push(item);
    } else {
      found.set(key(item), [item]);
    }
  }
  return found;
}
