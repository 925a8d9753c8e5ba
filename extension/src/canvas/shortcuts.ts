import type { useReactFlow } from '@xyflow/react';
import { useRef, type ClipboardEvent, type KeyboardEvent, type RefObject } from 'react';
import { flushSync } from 'react-dom';

import { GRID } from '../flow/place';
import type { Session } from '../flow/session';
import type { Place } from '../flow/types';
import type { Actions } from './actions';
import { moved } from './board';
import type { Wire } from './edge';
import { command, isWriting } from './keys';
import { NOTE, selected, type Card } from './node';

type Flow = ReturnType<typeof useReactFlow<Card, Wire>>;

interface Keyed {
  readonly session: Session;
  readonly cards: readonly Card[];
  readonly setCards: (next: (before: Card[]) => Card[]) => void;
  readonly live: boolean;
  readonly actions: Actions;
  readonly flow: Flow;
  readonly fit: () => void;
  readonly inspected: string | null;
  readonly inspect: (id: string) => void;
  readonly fold: (id: string) => void;
  readonly root: RefObject<HTMLElement>;
  readonly close: () => void;
  readonly addAt: () => void;
  readonly find: () => void;
  readonly connect: (node: string) => void;
  readonly wires: (node: string) => void;
  readonly group: () => void;
  readonly problems: () => void;
  readonly run: (node: string | null) => void;
  readonly overview: () => void;
}

const ARROWS: Readonly<Record<string, Place>> = {
  ArrowLeft: { x: -GRID, y: 0 },
  ArrowRight: { x: GRID, y: 0 },
  ArrowUp: { x: 0, y: -GRID },
  ArrowDown: { x: 0, y: GRID }
};
const FURTHER = 5;

/** What keys do on the canvas, as `overview.tsx` lists them; texts that are written keep their own. */
export function useKeys(at: Keyed): {
  onKeyDown: (event: KeyboardEvent) => void;
  onKeyUp: (event: KeyboardEvent) => void;
  /** The keys have gone elsewhere, and nobody will hear of their end. */
  onLeave: () => void;
} {
  const moving = useRef(false);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isWriting(event.target) && event.key !== 'Escape') {
      return;
    }
    const step = ARROWS[event.key];
    const on = focusedCard(event.target);
    if (on !== null && changes(event) && !at.cards.some(each => each.id === on && each.selected)) {
      // Who has gone to another node means that one, whatever was selected before.
      flushSync(() => at.actions.selectOnly([on]));
    }
    const card = on ?? only(at.cards);
    if (command(event)) {
      commanded(event, at);
    } else if (step && event.altKey) {
      event.preventDefault();
      focusCard(at, nearest(at.cards, card, step));
    } else if (step && at.live && !isPressed(event.target)) {
      event.preventDefault();
      moving.current = true;
      const far = event.shiftKey ? FURTHER : 1;
      at.setCards(before => nudged(before, { x: step.x * far, y: step.y * far }, card));
    } else {
      plain(event, at, card);
    }
  };
  const onLeave = (): void => {
    if (moving.current) {
      moving.current = false;
      const shifted = at.cards.filter(card => card.dragging);
      at.setCards(before =>
        before.map(card => (card.dragging ? { ...card, dragging: false } : card))
      );
      if (shifted.length) {
        void at.session.edit(moved(shifted));
      }
    }
  };
  const onKeyUp = (event: KeyboardEvent): void => {
    if (ARROWS[event.key]) {
      onLeave();
    }
  };
  return { onKeyDown, onKeyUp, onLeave };
}

/** Whether a key does something to what is selected. */
function changes(event: KeyboardEvent): boolean {
  if (isPressed(event.target) || event.altKey) {
    return false;
  }
  return command(event)
    ? ['c', 'x', 'd', 'g'].includes(event.key.toLowerCase())
    : event.key in ARROWS || event.key === 'Delete' || event.key === 'Backspace';
}

/** Keys with Ctrl, or Command. The clipboard's come as events of their own. */
function commanded(event: KeyboardEvent, at: Keyed): void {
  const { session, actions } = at;
  const always: Record<string, () => void> = { f: at.find, a: actions.selectAll };
  const edits: Record<string, () => void> = {
    z: () => void (event.shiftKey ? session.redo() : session.undo()),
    y: () => void session.redo(),
    d: actions.duplicate,
    g: event.shiftKey ? actions.ungroup : at.group
  };
  const run = always[event.key.toLowerCase()] ?? (at.live && edits[event.key.toLowerCase()]);
  if (run) {
    event.preventDefault();
    run();
  }
}

/** Keys by themselves; on a button, or what unfolds, Enter and Space are its own. */
function plain(event: KeyboardEvent, at: Keyed, card: string | null): void {
  const { actions, flow } = at;
  const escape = (): void => {
    at.close();
    at.setCards(before => before.map(each => selected(each, false)));
    at.root.current?.focus({ preventScroll: true });
  };
  const always: Record<string, (() => void) | null> = {
    Escape: escape,
    f: at.fit,
    '?': at.overview,
    p: at.problems,
    r: () => at.run(card),
    '1': () => void flow.zoomTo(1),
    '+': () => void flow.zoomIn(),
    '=': () => void flow.zoomIn(),
    '-': () => void flow.zoomOut(),
    e: card === null ? null : () => at.fold(card)
  };
  const onCard: Record<string, () => void> = {
    Enter: () => {
      if (card !== null) {
        // Its form is there before the next key comes, which is meant for it.
        flushSync(() => at.inspect(card));
        const isNote = at.cards.find(each => each.id === card)?.data.node.kind === NOTE;
        focusForm(at.root.current, isNote);
      }
    },
    ' ': () =>
      at.setCards(before =>
        before.map(each => (each.id === card ? selected(each, !each.selected) : each))
      )
  };
  const edits: Record<string, (() => void) | null> = {
    Delete: actions.remove,
    Backspace: actions.remove,
    '/': at.addAt,
    t: actions.tidy,
    c: card === null ? null : () => at.connect(card),
    w: card === null ? null : () => at.wires(card)
  };
  const isOnButton = isPressed(event.target);
  const run =
    always[event.key] ??
    (card !== null && !isOnButton ? onCard[event.key] : null) ??
    (at.live && !(isOnButton && event.key === 'Delete') ? edits[event.key] : null);
  if (run) {
    event.preventDefault();
    run();
  }
}

interface Clipped {
  readonly actions: Actions;
  readonly flow: Flow;
  readonly live: boolean;
  readonly pointer: { readonly current: Place | null };
}

/** Copy, cut and paste through the system's clipboard, so also between notebooks. */
export function useClipboard({ actions, flow, live, pointer }: Clipped): {
  onCopy: (event: ClipboardEvent) => void;
  onCut: (event: ClipboardEvent) => void;
  onPaste: (event: ClipboardEvent) => void;
} {
  const copy = (event: ClipboardEvent): boolean => {
    const isText = isWriting(event.target) || !document.getSelection()?.isCollapsed;
    const text = isText ? null : actions.copy();
    if (text !== null) {
      event.preventDefault();
      event.clipboardData.setData('text/plain', text);
    }
    return text !== null;
  };
  return {
    onCopy: copy,
    onCut: event => {
      if (live && copy(event)) {
        actions.remove();
      }
    },
    onPaste: event => {
      if (!isWriting(event.target) && live) {
        const at = pointer.current ? flow.screenToFlowPosition(pointer.current) : undefined;
        if (actions.paste(event.clipboardData.getData('text/plain'), at)) {
          event.preventDefault();
        }
      }
    }
  };
}

/**
 * The selected cards, or else the focused one, a step further. They are held like dragged ones
 * until the key is let go: an answer to the step before must not put them back.
 */
function nudged(cards: Card[], step: Place, focused: string | null): Card[] {
  const none = !cards.some(card => card.selected);
  return cards.map(card => {
    if (!card.selected && !(none && card.id === focused)) {
      return card;
    }
    const position = { x: card.position.x + step.x, y: card.position.y + step.y };
    return { ...card, selected: true, dragging: true, position };
  });
}

/** The card that one comes to from another by going in a direction. */
export function nearest(cards: readonly Card[], from: string | null, step: Place): string | null {
  const start = cards.find(card => card.id === from);
  if (!start) {
    return cards[0]?.id ?? null;
  }
  const siblings = cards.filter(
    card => card !== start && card.parentId === start.parentId && !card.hidden
  );
  const ahead = siblings.flatMap(card => {
    const [x, y] = [card.position.x - start.position.x, card.position.y - start.position.y];
    const along = step.x ? x * Math.sign(step.x) : y * Math.sign(step.y);
    const aside = Math.abs(step.x ? y : x);
    return along > 0 ? [{ id: card.id, cost: along + 2 * aside }] : [];
  });
  ahead.sort((one, other) => one.cost - other.cost);
  return ahead[0]?.id ?? null;
}

function focusCard(at: Keyed, id: string | null): void {
  if (id !== null) {
    at.actions.selectOnly([id]);
    const card = at.root.current?.querySelector<HTMLElement>(`.react-flow__node[data-id="${id}"]`);
    card?.focus({ preventScroll: true });
  }
}

function only(cards: readonly Card[]): string | null {
  const chosen = cards.filter(card => card.selected);
  return chosen.length === 1 ? (chosen[0]?.id ?? null) : null;
}

function focusedCard(target: EventTarget): string | null {
  const found = target instanceof Element ? target.closest('.react-flow__node') : null;
  return found?.getAttribute('data-id') ?? null;
}

function isPressed(target: EventTarget): boolean {
  return target instanceof HTMLElement && target.matches('button, summary, pre');
}

/** Go to the first setting; to what a note says, as that is what one opens it for. */
function focusForm(root: HTMLElement | null, isNote: boolean): void {
  const field = isNote ? 'textarea' : ':is(input, textarea)';
  root?.querySelector<HTMLElement>(`.psl-inspector ${field}`)?.focus();
}
