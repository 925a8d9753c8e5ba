import type { ReactFlowInstance } from '@xyflow/react';

import type { Place, View } from '../flow/types';
import type { Wire } from './edge';
import { kindOf } from './editor';
import type { Card } from './node';

type Flow = ReactFlowInstance<Card, Wire>;

interface Rectangle extends Place {
  readonly width: number;
  readonly height: number;
}

export function rectangle({ x, y, width, height }: DOMRect): Rectangle {
  return { x, y, width, height };
}

export function within(box: Rectangle, at: Place): boolean {
  return at.x >= box.x && at.x <= box.x + box.width && at.y >= box.y && at.y <= box.y + box.height;
}

/** The innermost container that a point of the flow lies in, and where its corner is. */
export function frameAt(
  view: View,
  flow: Flow,
  at: Place
): { readonly id: string; readonly corner: Place } | null {
  const frames = view.nodes
    .filter(node => kindOf(view, node)?.container)
    .flatMap(node => {
      const card = flow.getInternalNode(node.id);
      const corner = card?.internals.positionAbsolute;
      const box = card && corner && { ...corner, ...sizeOf(card) };
      return box && within(box, at) ? [{ id: node.id, corner, area: box.width * box.height }] : [];
    });
  return frames.sort((one, other) => one.area - other.area)[0] ?? null;
}

function sizeOf(card: { measured: { width?: number; height?: number } }) {
  return { width: card.measured.width ?? 0, height: card.measured.height ?? 0 };
}

/** The point of the flow that is in the middle of what one sees. */
export function middleOf(root: HTMLElement | null, flow: Flow): Place {
  const box = root?.querySelector('.psl-board')?.getBoundingClientRect();
  return box
    ? flow.screenToFlowPosition({ x: box.x + box.width / 2, y: box.y + box.height / 2 })
    : { x: 0, y: 0 };
}

const FINDER = { width: 296, height: 340 };

/** Where a finder goes that opens at the pointer: all of it within the canvas, or in its middle. */
export function inside(root: HTMLElement | null, at: Place | null): Place | null {
  const box = root?.getBoundingClientRect();
  if (!box || !at || !within(rectangle(box), at)) {
    return null;
  }
  return {
    x: Math.max(8, Math.min(at.x - box.x, box.width - FINDER.width)),
    y: Math.max(8, Math.min(at.y - box.y, box.height - FINDER.height))
  };
}
