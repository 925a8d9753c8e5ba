import { ReactFlowProvider, useReactFlow } from '@xyflow/react';
import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
  type KeyboardEvent,
  type ReactElement
} from 'react';

import { newId } from '../flow/ids';
import { freeKey, freePlace, GRID, snapped } from '../flow/place';
import type { Session, State } from '../flow/session';
import type { Options, Place, Translate, View } from '../flow/types';
import { Board, cardsOf, FIT, moved, wiresOf } from './board';
import type { Wire } from './edge';
import { EditorContext, type Editor } from './editor';
import { Icon } from './icons';
import { Inspector } from './inspector';
import { command, isWriting } from './keys';
import type { Card } from './node';
import { Palette } from './palette';
import { Toolbar } from './toolbar';

const WIDE = 1040;
const DRAWER = 300;

interface CanvasProps {
  readonly session: Session;
  readonly options: Options;
  readonly t: Translate;
}

/** A flow to edit, or why it cannot be shown. */
export function Canvas({ session, options, t }: CanvasProps): ReactElement {
  const state = useSyncExternalStore(session.subscribe, session.state);
  const { view, failure, status } = state;
  if (!view) {
    return (
      <div className="psl-root psl-waiting" tabIndex={-1}>
        {failure !== null || status === 'dead' ? (
          <div className="psl-failure" role="alert">
            <b>{t('The flow cannot be shown.')}</b>
            <span>{failure ?? t('The kernel is gone. Re-run the cell.')}</span>
            <button type="button" className="psl-button" onClick={() => void session.load()}>
              {t('Try again')}
            </button>
          </div>
        ) : (
          <span className="psl-muted">{t('Opening the flow…')}</span>
        )}
      </div>
    );
  }
  return (
    <ReactFlowProvider>
      <Desk session={session} options={options} t={t} state={state} view={view} />
    </ReactFlowProvider>
  );
}

type DeskProps = CanvasProps & { readonly state: State; readonly view: View };

/** The canvas with all that stands around it. */
function Desk({ session, options, t, state, view }: DeskProps): ReactElement {
  const root = useRef<HTMLDivElement>(null);
  const flow = useReactFlow<Card, Wire>();
  const label = useCallback((key: string) => t('node %1', key), [t]);
  const [cards, setCards] = useState<Card[]>(() => cardsOf(view, [], label));
  const [wires, setWires] = useState<Wire[]>(() => wiresOf(view, []));
  const [inspected, setInspected] = useState<string | null>(null);
  const [focused, setFocused] = useState(false);
  const width = useWidth(root);
  const [widened, setWidened] = useState<boolean | null>(null);
  const live = state.status !== 'dead';
  const roomy = width >= WIDE;

  useLayoutEffect(() => {
    setCards(before => cardsOf(view, before, label));
    setWires(before => wiresOf(view, before));
  }, [view, label]);

  const selectOnly = useCallback((id: string | null) => {
    setCards(before => before.map(card => selected(card, card.id === id)));
    setWires(before => before.map(wire => (wire.selected ? { ...wire, selected: false } : wire)));
  }, []);
  const inspect = useCallback(
    (id: string) => {
      selectOnly(id);
      setInspected(id);
      const card = flow.getInternalNode(id);
      if (card) {
        const x = card.position.x + (card.measured.width ?? 0) / 2;
        const y = card.position.y + (card.measured.height ?? 0) / 2;
        void flow.setCenter(x, y, { zoom: Math.max(flow.getZoom(), 0.8), duration: calm() ? 0 : 150 });
      }
    },
    [flow, selectOnly]
  );
  const add = (kind: string, at?: Place): void => {
    const box = root.current?.querySelector('.psl-board')?.getBoundingClientRect();
    const middle = box
      ? flow.screenToFlowPosition({ x: box.x + box.width / 2, y: box.y + box.height / 2 })
      : { x: 0, y: 0 };
    const place = at ? snapped({ x: at.x - 110, y: at.y - 24 }) : freePlace(view, middle);
    const id = newId();
    void session
      .edit({ type: 'add', node: id, kind, key: freeKey(view, kind), ...place })
      .then(reason => {
        if (reason === null) {
          selectOnly(id);
          setInspected(id);
        }
      });
  };
  const remove = (): void => {
    const nodes = cards.filter(card => card.selected).map(card => card.id);
    const edges = wires.filter(wire => wire.selected).map(wire => wire.id);
    if (live && (nodes.length || edges.length)) {
      setInspected(null);
      void session.edit({ type: 'remove', nodes, edges });
    }
    root.current?.focus({ preventScroll: true });
  };
  const fit = (): void => void flow.fitView({ ...FIT, duration: calm() ? 0 : 150 });
  const keys = useKeys({ session, cards, setCards, live, remove, fit, inspected, inspect, setInspected, root });
  const editor = useMemo<Editor>(
    () => ({ session, view, t, live, inspect }),
    [session, view, t, live, inspect]
  );
  const node = view.nodes.find(one => one.id === inspected);
  return (
    <EditorContext.Provider value={editor}>
      <div
        ref={root}
        className={`psl-root psl-desk${focused ? ' psl-focused' : ''}${roomy ? ' psl-roomy' : ''}`}
        tabIndex={-1}
        role="application"
        aria-label={t('Flow %1', view.flow.path)}
        onFocus={() => setFocused(true)}
        onBlur={event => {
          if (!event.currentTarget.contains(event.relatedTarget)) {
            setFocused(false);
          }
        }}
        onPointerDown={event => {
          if (event.target instanceof Element && !event.target.closest('button, input, textarea, select, [tabindex="0"]')) {
            root.current?.focus({ preventScroll: true });
          }
        }}
        {...keys}
      >
        <Toolbar state={state} onFit={fit} />
        {!live && (
          <div className="psl-banner" role="alert">
            {t('The kernel is gone. Re-run the cell to go on editing; nothing unsaved is shown.')}
          </div>
        )}
        <div className="psl-middle">
          <Palette
            wide={widened ?? roomy}
            onWiden={() => setWidened(!(widened ?? roomy))}
            onAdd={kind => add(kind)}
          />
          <div className="psl-stage">
            <Board
              cards={cards}
              setCards={setCards}
              wires={wires}
              setWires={setWires}
              zooms={options.wheel === 'always' || focused}
              onAdd={add}
              onInspect={id => {
                setInspected(id);
                if (id && !roomy) {
                  uncover(flow, id, root.current);
                }
              }}
            />
            {!view.nodes.length && <Invitation onAdd={add} />}
            {state.notice && (
              <div key={state.notice.id} className={`psl-notice psl-${state.notice.tone}`} role="alert">
                <span>{state.notice.text}</span>
                <button type="button" aria-label={t('Close')} onClick={() => session.hush()}>
                  <Icon name="close" size={12} />
                </button>
              </div>
            )}
          </div>
          {node && (
            <Inspector
              node={node}
              onClose={() => {
                setInspected(null);
                root.current?.focus({ preventScroll: true });
              }}
              onRemove={remove}
            />
          )}
        </div>
      </div>
    </EditorContext.Provider>
  );

  /** An empty canvas offers what there is. */
  function Invitation({ onAdd }: { onAdd: (kind: string) => void }): ReactElement {
    return (
      <div className="psl-invitation">
        <b>{t('Draw a flow')}</b>
        <span className="psl-muted">{t('Drag a node here, or begin with one of these.')}</span>
        <div className="psl-starters">
          {view.kinds
            .filter(kind => ['Data', 'Models'].includes(kind.category))
            .map(kind => (
              <button
                key={kind.name}
                type="button"
                className="psl-starter"
                style={{ ['--psl-kind' as string]: kind.accent }}
                disabled={!live}
                onClick={() => onAdd(kind.name)}
              >
                <span className="psl-tile">
                  <Icon name={kind.icon} />
                </span>
                {kind.title}
              </button>
            ))}
        </div>
      </div>
    );
  }
}

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
  readonly root: { readonly current: HTMLElement | null };
}

const ARROWS: Readonly<Record<string, Place>> = {
  ArrowLeft: { x: -GRID, y: 0 },
  ArrowRight: { x: GRID, y: 0 },
  ArrowUp: { x: 0, y: -GRID },
  ArrowDown: { x: 0, y: GRID }
};

/** What keys do on the canvas; texts that are being written keep their own. */
function useKeys(at: Keyed): {
  onKeyDown: (event: KeyboardEvent) => void;
  onKeyUp: (event: KeyboardEvent) => void;
} {
  const moving = useRef(false);
  const actions: Record<string, (() => void) | undefined> = {
    Delete: at.remove,
    Backspace: at.remove,
    f: at.fit,
    Escape: () => {
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
      undoes(event, at);
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

function undoes(event: KeyboardEvent, at: Keyed): void {
  const key = event.key.toLowerCase();
  if (!at.live || (key !== 'z' && key !== 'y')) {
    return;
  }
  event.preventDefault();
  void (key === 'y' || event.shiftKey ? at.session.redo() : at.session.undo());
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

function selected(card: Card, is: boolean): Card {
  return Boolean(card.selected) === is ? card : { ...card, selected: is };
}

/** Shift the picture so that a drawer does not lie over the node it is about. */
function uncover(
  flow: ReturnType<typeof useReactFlow<Card, Wire>>,
  id: string,
  root: HTMLElement | null
): void {
  const card = root?.querySelector(`.react-flow__node[data-id="${id}"]`)?.getBoundingClientRect();
  const stage = root?.querySelector('.psl-stage')?.getBoundingClientRect();
  const hidden = card && stage ? card.right + GRID - (stage.right - DRAWER) : 0;
  if (hidden > 0) {
    const { x, y, zoom } = flow.getViewport();
    void flow.setViewport({ x: x - hidden, y, zoom }, { duration: calm() ? 0 : 150 });
  }
}

function calm(): boolean {
  return window.matchMedia('(prefers-reduced-motion: reduce)').matches;
}

function useWidth(of: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!of.current) {
      return undefined;
    }
    const observer = new ResizeObserver(([entry]) => {
      if (entry) {
        setWidth(entry.contentRect.width);
      }
    });
    observer.observe(of.current);
    return () => observer.disconnect();
  }, [of]);
  return width;
}
