import { outline } from './geometry';
import { CARD, snapped } from './place';
import type { Edit, NodeView, Place, View } from './types';

export type Side = 'left' | 'middle' | 'right' | 'top' | 'center' | 'bottom';
export type Along = 'across' | 'down';

interface Box extends Place {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** Put nodes into one line: their left sides, their middles, and so on. */
export function aligned(view: View, ids: ReadonlySet<string>, side: Side): Edit | null {
  const boxes = boxesOf(view, ids);
  const left = Math.min(...boxes.map(box => box.x));
  const right = Math.max(...boxes.map(box => box.x + box.width));
  const top = Math.min(...boxes.map(box => box.y));
  const bottom = Math.max(...boxes.map(box => box.y + box.height));
  const put: Readonly<Record<Side, (box: Box) => Place>> = {
    left: box => ({ x: left, y: box.y }),
    middle: box => ({ x: (left + right - box.width) / 2, y: box.y }),
    right: box => ({ x: right - box.width, y: box.y }),
    top: box => ({ x: box.x, y: top }),
    center: box => ({ x: box.x, y: (top + bottom - box.height) / 2 }),
    bottom: box => ({ x: box.x, y: bottom - box.height })
  };
  return boxes.length < 2 ? null : moved(boxes, put[side]);
}

/** Leave the same room between nodes; the outermost stay. */
export function distributed(view: View, ids: ReadonlySet<string>, along: Along): Edit | null {
  const [at, size] = along === 'across' ? (['x', 'width'] as const) : (['y', 'height'] as const);
  const boxes = boxesOf(view, ids).sort((one, other) => one[at] - other[at]);
  const [first, last] = [boxes[0], boxes.at(-1)];
  if (boxes.length < 3 || !first || !last) {
    return null;
  }
  const filled = boxes.reduce((sum, box) => sum + box[size], 0);
  const gap = (last[at] + last[size] - first[at] - filled) / (boxes.length - 1);
  let next = first[at];
  const places = new Map<string, number>();
  for (const box of boxes) {
    places.set(box.id, next);
    next += box[size] + gap;
  }
  return moved(boxes, box => ({ x: box.x, y: box.y, [at]: places.get(box.id) ?? box[at] }));
}

/** The heights of all cards as they are drawn, for whoever places them. */
export function heightsOf(view: View): Record<string, number> {
  return Object.fromEntries(view.nodes.map(node => [node.id, outline(view, node).height]));
}

function boxesOf(view: View, ids: ReadonlySet<string>): Box[] {
  return view.nodes.filter(node => ids.has(node.id)).map(node => boxOf(view, node));
}

function boxOf(view: View, node: NodeView): Box {
  const { height } = outline(view, node);
  return { id: node.id, x: node.x, y: node.y, width: CARD.width, height };
}

function moved(boxes: readonly Box[], put: (box: Box) => Place): Edit {
  return {
    type: 'move',
    nodes: Object.fromEntries(boxes.map(box => [box.id, snapped(put(box))]))
  };
}
