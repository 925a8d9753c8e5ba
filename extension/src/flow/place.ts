import type { Place, View } from './types';

export const GRID = 16;
export const CARD = { width: 220, height: 96 };
const GAP = 32;
const FARTHEST = 24;

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

/** A name for a new node that no other has. */
export function freeKey(view: View, kind: string): string {
  return keyAmong(new Set(view.nodes.map(node => node.key.toLowerCase())), kind);
}

/** A name as near as can be to a wanted one that is not among those that are taken. */
export function keyAmong(taken: ReadonlySet<string>, wanted: string): string {
  const stem = taken.has(wanted.toLowerCase()) ? wanted.replace(/_\d+$/, '') : wanted;
  for (let number = 1; ; number++) {
    const key = number === 1 ? stem : `${stem}_${number}`;
    if (!taken.has(key.toLowerCase())) {
      return key;
    }
  }
}
