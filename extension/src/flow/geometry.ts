import { WHEN } from './apply';
import { portsOf } from './connect';
import { CARD, type Size } from './place';
import type { InputView, KindView, NodeView, OutputView, View } from './types';

/** Where a port lies on its card, as `style/canvas.css` draws it. */
export interface Spot {
  readonly id: string;
  readonly type: 'source' | 'target';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Outline {
  readonly height: number;
  readonly spots: Spot[];
}

const PORT = 10;
/** The middle of the head, where a branch comes in. */
const HEAD = 22;
const FIRST_ROW = 76;
const ROW = 20;
const EMPTY = 73;
/** A container that nothing lies in. */
export const EMPTY_FRAME: Size = { width: 320, height: 144 };
/** How much higher a card is with the foot that says what it did in a run. */
export const FOOT = 56;

/**
 * The height of a card and the spots of its ports, known before it is drawn: so a large flow
 * draws only what is in view, and the edges that leave it still find their ends.
 */
export function outline(view: View, node: NodeView): Outline {
  const { inputs, outputs } = portsOf(view, node);
  return outlineOf(inputs, outputs);
}

/** The same of the ports of a node. */
export function outlineOf(inputs: readonly InputView[], outputs: readonly OutputView[]): Outline {
  const spot = (id: string, type: Spot['type'], x: number, y: number): Spot => ({
    id,
    type,
    x: x - PORT / 2,
    y: y - PORT / 2,
    width: PORT,
    height: PORT
  });
  const spots = [
    spot(WHEN, 'target', 0.5, HEAD),
    ...inputs.map((port, row) => spot(port.name, 'target', 0.5, FIRST_ROW + ROW * row)),
    ...outputs.map((port, row) =>
      spot(port.name, 'source', CARD.width - 0.5, FIRST_ROW + ROW * row)
    )
  ];
  return { height: heightOf(inputs.length, outputs.length), spots };
}

/** How large a new node of a kind is drawn: a frame with nothing in it, or a card. */
export function sizeOf(kind: KindView | undefined): Size {
  const inputs = kind?.takes.filter(type => type !== 'branch').length ?? 0;
  return kind?.container
    ? EMPTY_FRAME
    : { width: CARD.width, height: heightOf(inputs, kind?.gives.length ?? 0) };
}

function heightOf(inputs: number, outputs: number): number {
  return EMPTY + ROW * Math.max(inputs, outputs);
}
