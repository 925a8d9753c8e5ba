import { Position } from '@xyflow/react';

import { EMPTY_FRAME, FOOT, outline } from '../flow/geometry';
import { nodeOf } from '../flow/lookup';
import { CARD, type Box } from '../flow/place';
import { lanesOf, type Drawn } from '../flow/route';
import type { NodeView, View } from '../flow/types';
import type { Wire } from './edge';
import type { Card } from './node';

/** Of so many nodes only those in view are drawn. */
export const MANY = 300;
/** The class of a container that shows its body. */
export const FRAME = 'psl-frame';

/**
 * The cards of a view; what React Flow knows of one (selection, size) stays with it.
 *
 * @param feet - whether cards have a foot now, with what they did in a run.
 */
export function cardsOf(
  view: View,
  before: Card[],
  label: (key: string) => string,
  folded: ReadonlySet<string>,
  feet = false
): Card[] {
  const known = new Map(before.map(card => [card.id, card]));
  const isLarge = view.nodes.length > MANY;
  // React Flow wants a container before what lies in it.
  const ordered = outermostFirst(view);
  const frames = framesOf(view, ordered, folded, feet ? FOOT : 0);
  const hidden = hiddenIn(ordered, folded);
  const cards = ordered.map(node => {
    const old = known.get(node.id);
    const frame = frames.get(node.id);
    const isHidden = hidden.has(node.id);
    const isSame =
      old?.data.node === node &&
      old.width === frame?.width &&
      old.height === frame?.height &&
      Boolean(old.hidden) === isHidden;
    if (isSame) {
      return old;
    }
    const position = old?.dragging ? old.position : { x: node.x, y: node.y };
    return {
      ...old,
      ...(isLarge ? foreseen(view, node) : {}),
      id: node.id,
      type: 'card' as const,
      position,
      hidden: isHidden,
      data: { node },
      ariaLabel: label(node.key),
      width: frame?.width,
      height: frame?.height,
      // What lies in a frame is above it, and its edges too.
      zIndex: frame ? -1 : undefined,
      className: frame ? FRAME : undefined,
      parentId: node.parent ?? undefined
    };
  });
  return kept(before, cards);
}

/** The nodes that lie in a folded container, at any depth. */
function hiddenIn(ordered: readonly NodeView[], folded: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  for (const node of ordered) {
    if (node.parent !== null && (folded.has(node.parent) || found.has(node.parent))) {
      found.add(node.id);
    }
  }
  return found;
}

const FRAME_MARGIN = 24;
const DEEPEST = 16;

/** How large each open container is, by the id of its node: as large as what lies in it. */
function framesOf(
  view: View,
  ordered: readonly NodeView[],
  folded: ReadonlySet<string>,
  foot: number
): Map<string, { width: number; height: number }> {
  const isOpen = openIn(view, folded);
  const found = new Map<string, { width: number; height: number }>();
  for (const node of [...ordered].reverse()) {
    if (isOpen(node) && !found.has(node.id)) {
      found.set(node.id, EMPTY_FRAME);
    }
    if (node.parent === null || folded.has(node.parent)) {
      continue;
    }
    const own = found.get(node.id) ?? { width: CARD.width, height: outline(view, node).height };
    const frame = found.get(node.parent) ?? EMPTY_FRAME;
    found.set(node.parent, {
      width: Math.max(frame.width, node.x + own.width + FRAME_MARGIN),
      height: Math.max(frame.height, node.y + own.height + foot + FRAME_MARGIN)
    });
  }
  return found;
}

/** Whether a node is a container that shows its body. */
function openIn(view: View, folded: ReadonlySet<string>): (node: NodeView) => boolean {
  const containers = new Set(view.kinds.filter(kind => kind.container).map(kind => kind.name));
  return node => containers.has(node.kind) && !folded.has(node.id);
}

/** The nodes, each container before what lies in it. */
function outermostFirst(view: View): NodeView[] {
  const byId = new Map(view.nodes.map(node => [node.id, node]));
  const depths = new Map<string, number>();
  for (const node of view.nodes) {
    let depth = 0;
    let above = node.parent === null ? undefined : byId.get(node.parent);
    while (above && depth < DEEPEST) {
      depth += 1;
      above = above.parent === null ? undefined : byId.get(above.parent);
    }
    depths.set(node.id, depth);
  }
  return [...view.nodes].sort((a, b) => (depths.get(a.id) ?? 0) - (depths.get(b.id) ?? 0));
}

function foreseen(
  view: View,
  node: NodeView
): Pick<Card, 'handles' | 'initialWidth' | 'initialHeight'> {
  const { height, spots } = outline(view, node);
  return {
    initialWidth: CARD.width,
    initialHeight: height,
    handles: spots.map(spot => ({
      ...spot,
      position: spot.type === 'source' ? Position.Right : Position.Left
    }))
  };
}

/** The wires of a view; each goes around the cards between its ends, as they are drawn. */
export function wiresOf(
  view: View,
  before: Wire[],
  folded: ReadonlySet<string>,
  feet = false
): Wire[] {
  const known = new Map(before.map(wire => [wire.id, wire]));
  const lanes = lanesOf(view, drawn(view, folded, feet ? FOOT : 0));
  const isOpen = openIn(view, folded);
  const wires = view.edges.map(edge => {
    const old = known.get(edge.id);
    const lane = lanes.get(edge.id) ?? null;
    const source = nodeOf(view, edge.source);
    // Frames lie deep, and what stands behind their outputs is still above their edges.
    const zIndex = source?.parent === null && isOpen(source) ? -1 : undefined;
    const isSame =
      old?.data?.edge === edge &&
      old.zIndex === zIndex &&
      JSON.stringify(old.data.lane) === JSON.stringify(lane);
    return isSame
      ? old
      : {
          ...old,
          id: edge.id,
          type: 'wire' as const,
          source: edge.source,
          sourceHandle: edge.source_port,
          target: edge.target,
          targetHandle: edge.target_port,
          zIndex,
          data: { edge, lane }
        };
  });
  return kept(before, wires);
}

/** The list before, if the new one holds the same: React Flow then has nothing to do. */
function kept<Item>(before: Item[], after: Item[]): Item[] {
  const isSame = before.length === after.length && after.every((item, at) => item === before[at]);
  return isSame ? before : after;
}

/** How large cards and frames are, and where their ports lie, before they are drawn. */
export function drawn(view: View, folded: ReadonlySet<string>, foot: number): Drawn {
  const frames = framesOf(view, outermostFirst(view), folded, foot);
  const box = (node: NodeView): Box => {
    const { x, y } = node;
    const { height } = outline(view, node);
    return { x, y, width: CARD.width, height: height + foot, ...frames.get(node.id) };
  };
  return {
    box,
    port: (node, name, side) => {
      const found = outline(view, node).spots.find(spot => spot.id === name && spot.type === side);
      const right = node.x + (frames.get(node.id)?.width ?? CARD.width);
      return { x: side === 'source' ? right : node.x, y: node.y + (found ? found.y + 5 : 0) };
    }
  };
}
