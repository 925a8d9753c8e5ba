import { snapped } from './place';
import type { Place } from './types';

export type Arrangement = 'left' | 'top' | 'across' | 'down';

/** A card as it lies. */
export interface Box extends Place {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** Where cards go that are put in line, or at equal distances from the first to the last. */
export function arranged(boxes: readonly Box[], how: Arrangement): Record<string, Place> {
  if (how === 'left' || how === 'top') {
    const x = Math.min(...boxes.map(box => box.x));
    const y = Math.min(...boxes.map(box => box.y));
    return places(boxes, box => (how === 'left' ? { x, y: box.y } : { x: box.x, y }));
  }
  const [axis, length] = how === 'across' ? (['x', 'width'] as const) : (['y', 'height'] as const);
  const sorted = [...boxes].sort((one, other) => one[axis] - other[axis]);
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (!first || !last || sorted.length < 3) {
    return {};
  }
  const filled = sorted.reduce((sum, box) => sum + box[length], 0);
  const gap = (last[axis] + last[length] - first[axis] - filled) / (sorted.length - 1);
  let at = first[axis];
  const starts = new Map(
    sorted.map(box => {
      const start = at;
      at += box[length] + gap;
      return [box.id, start];
    })
  );
  return places(boxes, box => ({ x: box.x, y: box.y, [axis]: starts.get(box.id) ?? box[axis] }));
}

function places(boxes: readonly Box[], place: (box: Box) => Place): Record<string, Place> {
  return Object.fromEntries(boxes.map(box => [box.id, snapped(place(box))]));
}
