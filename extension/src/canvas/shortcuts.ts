import { useRef, type KeyboardEvent } from 'react';

import { GRID } from '../flow/place';
import type { Session } from '../flow/session';
import type { Place } from '../flow/types';
import { moved } from './board';
import type { Opened } from './choices';
import { command, isWriting } from './keys';
import { selected, type Card } from './node';

interface Keyed {
  readonly session: Session;
  readonly cards: readonly Card[];
  readonly setCards: (next: (before: Card[]) => Card[]) => void;
  readonly live: boolean;
  readonly remove: () => void;
  readonly fit: () => void;
  readonly inspected: string | null;
  readonly inspect: (id: string) => void;
  readonly setInspected: (id: string | null) => void;
  readonly duplicate: () => void;
  readonly show: (what: Opened['what'] | null) => void;
  readonly zoom: (step: number) => void;
  readonly root: { readonly current: HTMLElement | null };
}

const ARROWS: Readonly<Record<string, Place>> = {
  ArrowLeft: { x: -GRID, y: 0 },
  ArrowRight: { x: GRID, y: 0 },
  ArrowUp: { x: 0, y: -GRID },
  ArrowDown: { x: 0, y: GRID }
};

/** What keys do on the canvas; texts that are being written keep their own. */
export function useKeys(at: Keyed): {
  onKeyDown: (event: KeyboardEvent) => void;
  onKeyUp: (event: KeyboardEvent) => void;
} {
  const moving = useRef(false);
  const actions: Record<string, (() => void) | undefined> = {
    Delete: at.remove,
    Backspace: at.remove,
    f: at.fit,
    '/': () => at.show('kinds'),
    c: () => at.show('edges'),
    '?': () => at.show('keys'),
    t: () => {
      if (at.live && at.cards.length) {
        void at.session.tidy();
      }
    },
    '+': () => at.zoom(1),
    '-': () => at.zoom(-1),
    Escape: () => {
      at.show(null);
      at.setInspected(null);
      at.setCards(before => before.map(card => selected(card, false)));
      at.root.current?.focus({ preventScroll: true });
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isWriting(event.target) && event.key !== 'Escape') {
      return;
    }
    const step = ARROWS[event.key];
    const card = focusedCard(event.target);
    if (command(event)) {
      commands(event, at);
    } else if (event.key === ' ' && card) {
      event.preventDefault();
      at.setCards(before =>
        before.map(one => (one.id === card ? selected(one, !one.selected) : one))
      );
    } else if (step && at.live) {
      event.preventDefault();
      moving.current = true;
      at.setCards(before => nudged(before, step, card));
    } else if (event.key === 'Enter' && card) {
      event.preventDefault();
      at.inspect(card);
      focusForm(at.root.current);
    } else if (actions[event.key] && !(event.target instanceof HTMLButtonElement)) {
      event.preventDefault();
      actions[event.key]?.();
    } else if (event.key === 'Escape') {
      actions['Escape']?.();
    }
  };
  const onKeyUp = (event: KeyboardEvent): void => {
    if (ARROWS[event.key] && moving.current) {
      moving.current = false;
      const chosen = at.cards.filter(card => card.selected);
      if (chosen.length) {
        void at.session.edit(moved(chosen));
      }
    }
  };
  return { onKeyDown, onKeyUp };
}

function commands(event: KeyboardEvent, at: Keyed): void {
  const { session } = at;
  const editing: Record<string, (() => void) | undefined> = {
    z: () => void (event.shiftKey ? session.redo() : session.undo()),
    y: () => void session.redo(),
    d: at.duplicate
  };
  const looking: Record<string, (() => void) | undefined> = {
    a: () => at.setCards(before => before.map(card => selected(card, true))),
    f: () => at.show('nodes')
  };
  const key = event.key.toLowerCase();
  const action = looking[key] ?? (at.live ? editing[key] : undefined);
  if (action) {
    event.preventDefault();
    action();
  }
}

/** The selected cards, or else the focused one, a step further. */
function nudged(cards: Card[], step: Place, focused: string | null): Card[] {
  const none = !cards.some(card => card.selected);
  return cards.map(card => {
    if (!card.selected && !(none && card.id === focused)) {
      return card;
    }
    const position = { x: card.position.x + step.x, y: card.position.y + step.y };
    return { ...card, selected: true, position };
  });
}

function focusedCard(target: EventTarget): string | null {
  const found = target instanceof Element ? target.closest('.react-flow__node') : null;
  return found?.getAttribute('data-id') ?? null;
}

function focusForm(root: HTMLElement | null): void {
  requestAnimationFrame(() => {
    root?.querySelector<HTMLElement>('.psl-inspector input, .psl-inspector textarea')?.focus();
  });
}
