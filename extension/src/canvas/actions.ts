import { useReactFlow } from '@xyflow/react';
import { useMemo, useRef, type Dispatch, type RefObject, type SetStateAction } from 'react';
import { flushSync } from 'react-dom';

import { aligned, distributed, heightsOf, type Along, type Side } from '../flow/arrange';
import { copied, pasted } from '../flow/clip';
import { FOOT, sizeOf } from '../flow/geometry';
import { newId } from '../flow/ids';
import { nodeOf } from '../flow/lookup';
import { freeKey, freePlace, placeAfter, snapped, type Box } from '../flow/place';
import type { Session } from '../flow/session';
import type { Edit, NodeView, Opening, Place, Translate, View } from '../flow/types';
import { drawn } from './cards';
import type { Wire } from './edge';
import { selected, type Card } from './node';

/** What a new node is to be connected with, or lie in. */
export interface Wanted {
  readonly at?: Place;
  readonly on?: string;
  readonly from?: Opening;
  readonly to?: Opening;
  readonly parent?: string | null;
}

/** All that can be done to a flow, whichever button, key or gesture asks for it. */
export interface Actions {
  readonly add: (kind: string, wanted?: Wanted) => void;
  readonly remove: () => void;
  readonly copy: () => string | null;
  readonly paste: (text: string, at?: Place) => boolean;
  readonly duplicate: () => void;
  readonly group: (kind: string) => void;
  readonly ungroup: () => void;
  readonly align: (side: Side) => void;
  readonly distribute: (along: Along) => void;
  readonly tidy: () => void;
  readonly selectAll: () => void;
  readonly selectOnly: (ids: readonly string[]) => void;
}

interface At {
  readonly session: Session;
  readonly view: View;
  readonly t: Translate;
  readonly live: boolean;
  readonly cards: readonly Card[];
  readonly wires: readonly Wire[];
  readonly folded: ReadonlySet<string>;
  readonly setCards: Dispatch<SetStateAction<Card[]>>;
  readonly setWires: Dispatch<SetStateAction<Wire[]>>;
  readonly root: RefObject<HTMLElement>;
  /** A node has come to stay: show its settings. */
  readonly onAdded: (id: string) => void;
  readonly onRemoved: () => void;
}

export function useActions(at: At): Actions {
  const flow = useReactFlow<Card, Wire>();
  const now = useRef(at);
  now.current = at;
  return useMemo(() => actionsOf(() => now.current, flow), [flow]);
}

function actionsOf(now: () => At, flow: ReturnType<typeof useReactFlow<Card, Wire>>): Actions {
  const chosen = (): string[] =>
    now()
      .cards.filter(card => card.selected)
      .map(card => card.id);
  const middle = (): Place => {
    const box = now().root.current?.querySelector('.psl-board')?.getBoundingClientRect();
    return box
      ? flow.screenToFlowPosition({ x: box.x + box.width / 2, y: box.y + box.height / 2 })
      : { x: 0, y: 0 };
  };
  const edit = (wanted: Edit | null): Promise<string | null> =>
    wanted && now().live ? now().session.edit(wanted) : Promise.resolve('');
  const selectOnly = (ids: readonly string[]): void => {
    const wanted = new Set(ids);
    now().setCards(before => before.map(card => selected(card, wanted.has(card.id))));
    now().setWires(before =>
      before.map(wire => (wire.selected ? { ...wire, selected: false } : wire))
    );
  };
  /** Do an edit that brings nodes. They are drawn at once: the next key is meant for them. */
  const bring = (asked: Edit, ids: readonly string[]): Promise<string | null> => {
    const answered = flushSync(() => edit(asked));
    selectOnly(ids);
    now().root.current?.focus({ preventScroll: true });
    return answered;
  };
  const put = (found: ReturnType<typeof pasted>): boolean => {
    if (found) {
      void bring(found.edit, found.ids);
    }
    return found !== null;
  };
  return {
    selectOnly,
    add: (kind, wanted = {}) => {
      const { view } = now();
      const { on, from, to } = wanted;
      const beside = besideOf(view, wanted);
      const parent = beside ? beside.parent : (wanted.parent ?? null);
      const follows = from && !wanted.at ? beside : undefined;
      const place = follows
        ? following(now(), follows, kind)
        : within(view, placeOf(view, wanted, middle()), parent);
      const key = parent === null ? { key: freeKey(view, kind) } : {};
      const added = { node: newId(), kind, ...key, ...place, parent };
      const asked: Edit = on
        ? { type: 'insert', on, ...added }
        : from
          ? { type: 'extend', from, ...added }
          : to
            ? { type: 'extend', to, ...added }
            : { type: 'add', ...added };
      void bring(asked, [added.node]).then(reason => {
        // Whoever has gone on to something else meanwhile stays there.
        if (reason === null && chosen().includes(added.node)) {
          now().onAdded(added.node);
        }
      });
    },
    remove: () => {
      const edges = now()
        .wires.filter(wire => wire.selected)
        .map(wire => wire.id);
      const nodes = chosen();
      if (nodes.length || edges.length) {
        now().onRemoved();
        void edit({ type: 'remove', nodes, edges });
      }
      now().root.current?.focus({ preventScroll: true });
    },
    copy: () => copied(now().view, new Set(chosen())),
    paste: (text, place) => {
      const to = place ? snapped(place) : null;
      return put(pasted(now().view, text, 'paste', to));
    },
    duplicate: () => {
      const text = copied(now().view, new Set(chosen()));
      put(text === null ? null : pasted(now().view, text, 'duplicate', null));
    },
    group: kind => {
      const nodes = chosen();
      const node = newId();
      if (nodes.length) {
        void edit({ type: 'group', node, kind, nodes }).then(reason => {
          if (reason === null) {
            selectOnly([node]);
          }
        });
      }
    },
    ungroup: () => {
      const { view } = now();
      const container = chosen().find(id => view.nodes.some(node => node.parent === id));
      if (container) {
        void edit({ type: 'ungroup', node: container });
      }
    },
    align: side => void edit(aligned(now().view, new Set(chosen()), side)),
    distribute: along => void edit(distributed(now().view, new Set(chosen()), along)),
    tidy: () => {
      const nodes = chosen();
      void edit({
        type: 'tidy',
        nodes: nodes.length > 1 ? nodes : null,
        heights: heightsOf(now().view)
      });
    },
    selectAll: () => now().setCards(before => before.map(card => selected(card, true)))
  };
}

/** Where a new node goes, wherever on the canvas that is. */
function placeOf(view: View, { at }: Wanted, middle: Place): Place {
  return at ? snapped({ x: at.x - 110, y: at.y - 24 }) : freePlace(view, middle);
}

/** The node that a new one is to be connected with: both lie in one body. */
function besideOf(view: View, wanted: Wanted): NodeView | undefined {
  const on = view.edges.find(edge => edge.id === wanted.on);
  return nodeOf(view, (wanted.from ?? wanted.to)?.node ?? on?.source ?? null);
}

/** Where a new node goes that follows another, counted as that one is. */
function following({ view, cards, folded }: At, node: NodeView, kind: string): Place {
  // As high as a run makes cards; what is written on a note makes it higher still.
  const { box } = drawn(view, folded, FOOT);
  const heights = new Map(cards.map(card => [card.id, card.measured?.height ?? 0]));
  const whole = (other: NodeView): Box => {
    const found = box(other);
    return { ...found, height: Math.max(found.height, heights.get(other.id) ?? 0) };
  };
  const others = view.nodes.filter(other => other !== node && other.parent === node.parent);
  const { width, height } = sizeOf(view.kinds.find(one => one.name === kind));
  return placeAfter(box(node), others.map(whole), { width, height: height + FOOT });
}

/** A place on the canvas as it is counted inside a container. */
export function within(view: View, place: Place, parent: string | null): Place {
  let { x, y } = place;
  for (let node = nodeOf(view, parent), left = 16; node && left; left--) {
    [x, y] = [x - node.x, y - node.y];
    node = nodeOf(view, node.parent);
  }
  return { x, y };
}
