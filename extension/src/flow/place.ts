import type { Place, View } from './types';

export const GRID = 16;
export const CARD = { width: 220, height: 96 };
const GAP = 32;
/** Between a card and those that follow it: as far as tidying sets two columns apart. */
const BETWEEN = 68;
const FARTHEST = 24;

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Box extends Place, Size {}

/** The nearest point of the grid. */
export function snapped(place: Place): Place {
  return { x: Math.round(place.x / GRID) * GRID, y: Math.round(place.y / GRID) * GRID };
}

/** The free place nearest to the wanted one: a new card covers no other. */
export function freePlace(view: View, wanted: Place): Place {
  const start = snapped({ x: wanted.x - CARD.width / 2, y: wanted.y - CARD.height / 2 });
  return (
    NEAREST.map(away => snapped({ x: start.x + away.x, y: start.y + away.y })).find(place =>
      isFree(view, place)
    ) ?? start
  );
}

/**
 * The place for what follows a box: to its right, below all that lies there already.
 *
 * @param others - what lies beside the box, in the same body.
 */
export function placeAfter(box: Box, others: readonly Box[], size: Size): Place {
  const { x, y } = snapped({ x: box.x + box.width + BETWEEN, y: box.y });
  const column = others
    .filter(other => other.x < x + size.width + GRID && other.x + other.width + GRID > x)
    .sort((one, other) => one.y - other.y);
  let top = y;
  for (const other of column) {
    const bottom = other.y + other.height;
    if (other.y < top + size.height + GRID && bottom + GRID > top) {
      top = Math.ceil(bottom / GRID + 1) * GRID;
    }
  }
  return { x, y: top };
}

/** Steps away from a place, the nearest first and, of those, the ones to the right and below. */
const NEAREST: readonly Place[] = (() => {
  const steps = Array.from({ length: 2 * FARTHEST + 1 }, (_, at) => at - FARTHEST);
  const away = steps.flatMap(right =>
    steps.map(down => ({ x: (right * CARD.width) / 2 + right * GRID, y: down * GRID * 4 }))
  );
  const cost = ({ x, y }: Place): number => Math.hypot(x, y) - (x + y) / FARTHEST ** 2;
  return away.sort((one, other) => cost(one) - cost(other));
})();

function isFree(view: View, place: Place): boolean {
  return !view.nodes.some(
    node =>
      Math.abs(node.x - place.x) < CARD.width + GAP / 2 &&
      Math.abs(node.y - place.y) < CARD.height + GAP / 2
  );
}

/** A name for a new node that no other has, on the canvas or among those on their way to it. */
export function freeKey(
  view: View,
  wanted: string,
  others: ReadonlySet<string> = new Set()
): string {
  const taken = new Set([...view.nodes.map(node => node.key.toLowerCase()), ...others]);
  for (let number = 1; ; number++) {
    const key = number === 1 ? wanted : `${wanted}_${number}`;
    if (!taken.has(key.toLowerCase())) {
      return key;
    }
  }
}
