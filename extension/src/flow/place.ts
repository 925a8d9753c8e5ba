import type { Place, View } from './types';

export const GRID = 16;
export const CARD = { width: 220, height: 96 };
const GAP = 32;

/** The nearest point of the grid. */
export function snapped(place: Place): Place {
  return { x: Math.round(place.x / GRID) * GRID, y: Math.round(place.y / GRID) * GRID };
}

/** A place near the wanted one where a new card covers no other. */
export function freePlace(view: View, wanted: Place): Place {
  const start = snapped({ x: wanted.x - CARD.width / 2, y: wanted.y - CARD.height / 2 });
  const step = { x: CARD.width + GAP, y: CARD.height + GAP };
  for (let ring = 0; ring < 32; ring++) {
    for (const place of around(start, ring, step)) {
      if (isFree(view, place)) {
        return place;
      }
    }
  }
  return start;
}

function* around(middle: Place, ring: number, step: Place): Generator<Place> {
  for (let down = -ring; down <= ring; down++) {
    for (let right = -ring; right <= ring; right++) {
      if (Math.max(Math.abs(down), Math.abs(right)) === ring) {
        yield snapped({ x: middle.x + right * step.x, y: middle.y + down * step.y });
      }
    }
  }
}

function isFree(view: View, place: Place): boolean {
  return !view.nodes.some(
    node =>
      Math.abs(node.x - place.x) < CARD.width + GAP / 2 &&
      Math.abs(node.y - place.y) < CARD.height + GAP / 2
  );
}

/** A name for a new node that no other has. */
export function freeKey(view: View, kind: string): string {
  const taken = new Set(view.nodes.map(node => node.key.toLowerCase()));
  for (let number = 1; ; number++) {
    const key = number === 1 ? kind : `${kind}_${number}`;
    if (!taken.has(key.toLowerCase())) {
      return key;
    }
  }
}
