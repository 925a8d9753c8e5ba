import { nodeOf } from './lookup';
import { CARD, type Box } from './place';
import type { EdgeView, NodeView, Place, View } from './types';

/** A way around what lies between two ports: along a level line above or below it. */
export interface Lane {
  /** How far behind the source's port the line begins. */
  readonly after: number;
  /** How far before the target's port it ends. */
  readonly before: number;
  /** How far below the source's port it lies. */
  readonly down: number;
}

/** Where the nodes of a view and their ports are drawn. */
export interface Drawn {
  readonly box: (node: NodeView) => Box;
  readonly port: (node: NodeView, name: string, side: 'source' | 'target') => Place;
}

interface Line {
  readonly y: number;
  readonly from: number;
  readonly to: number;
  readonly source: string;
}

const CLEAR = 14;
const APART = 10;
const BEND = 24;
const SAMPLES = 24;

/** The edges that would be drawn across a node that is not theirs, and the way around for each. */
export function lanesOf(view: View, drawn: Drawn): Map<string, Lane> {
  const found = new Map<string, Lane>();
  const lines: Line[] = [];
  const siblings = new Map<string | null, NodeView[]>();
  for (const edge of view.edges) {
    const [source, target] = [nodeOf(view, edge.source), nodeOf(view, edge.target)];
    // Between two columns that follow each other there is nothing to go around.
    if (!source || !target || target.x - source.x <= CARD.width * 2) {
      continue;
    }
    const level = siblings.get(source.parent) ?? levelOf(view, source.parent);
    siblings.set(source.parent, level);
    const from = drawn.port(source, edge.source_port, 'source');
    const to = drawn.port(target, edge.target_port, 'target');
    const between = level
      .filter(node => node !== source && node !== target && node.x < to.x)
      .map(drawn.box)
      .filter(box => box.x > from.x && box.x + box.width < to.x);
    const line = around(from, to, between, edge, lines);
    if (line) {
      lines.push(line);
      found.set(edge.id, {
        after: line.from - from.x,
        before: to.x - line.to,
        down: line.y - from.y
      });
    }
  }
  return found;
}

function levelOf(view: View, parent: string | null): NodeView[] {
  return view.nodes.filter(node => node.parent === parent);
}

/** The line nearest to both ends that crosses no box and lies on no other source's line. */
function around(
  from: Place,
  to: Place,
  between: readonly Box[],
  edge: EdgeView,
  lines: readonly Line[]
): Line | null {
  if (!between.some(box => crosses(from, to, box))) {
    return null;
  }
  const [top, bottom] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
  const near = between.filter(box => box.y < bottom + CLEAR && box.y + box.height > top - CLEAR);
  const left = Math.max(from.x + BEND, Math.min(...near.map(box => box.x)));
  const right = Math.min(to.x - BEND, Math.max(...near.map(box => box.x + box.width)));
  const isFree = (y: number): boolean =>
    !between.some(
      box =>
        box.x < right &&
        box.x + box.width > left &&
        y > box.y - CLEAR &&
        y < box.y + box.height + CLEAR
    ) &&
    !lines.some(
      line =>
        line.source !== edge.source &&
        line.from < right &&
        line.to > left &&
        Math.abs(line.y - y) < APART
    );
  const wanted = between
    .flatMap(box => [0, 1, 2].flatMap(step => edgesOf(box, CLEAR + step * APART)))
    .sort((one, other) => away(one, from, to) - away(other, from, to))
    .find(isFree);
  return wanted === undefined ? null : { y: wanted, from: left, to: right, source: edge.source };
}

function edgesOf(box: Box, room: number): [number, number] {
  return [box.y - room, box.y + box.height + room];
}

function away(y: number, from: Place, to: Place): number {
  return Math.abs(y - from.y) + Math.abs(y - to.y);
}

/** Whether the curve from one port to the other, as React Flow draws it, runs through a box. */
function crosses(from: Place, to: Place, box: Box): boolean {
  for (let step = 1; step < SAMPLES; step++) {
    const t = step / SAMPLES;
    const x = from.x + (to.x - from.x) * (1.5 * t * (1 - t) + t ** 3);
    const y = from.y + (to.y - from.y) * (3 * t ** 2 - 2 * t ** 3);
    if (x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height) {
      return true;
    }
  }
  return false;
}
