import { ReactFlowProvider, useReactFlow } from '@xyflow/react';
import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
  type ClipboardEvent,
  type ReactElement
} from 'react';

import { newId } from '../flow/ids';
import { arranged, type Arrangement } from '../flow/arrange';
import { copied, pasted } from '../flow/clipboard';
import { CARD, freeKey, freePlace, GRID, snapped } from '../flow/place';
import type { Session, State } from '../flow/session';
import type { Options, Place, Translate, View } from '../flow/types';
import { Board, cardsOf, FIT, wiresOf } from './board';
import type { Wire } from './edge';
import { EditorContext, type Editor } from './editor';
import { Finder } from './finder';
import { Icon } from './icons';
import { Inspector } from './inspector';
import { Invitation } from './invitation';
import { isWriting } from './keys';
import { KeySheet } from './keysheet';
import { selected, type Card } from './node';
import { Palette } from './palette';
import { titles, useChoices, type Opened } from './choices';
import { SelectionBar } from './selection';
import { frameAt, inside, middleOf, rectangle, within } from './surface';
import { useKeys } from './shortcuts';
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
            <span>
              {(failure ?? options.surface === 'cell')
                ? t('The kernel is gone. Re-run the cell.')
                : t('The server does not answer.')}
            </span>
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
  // The node that may lie where its settings have just opened.
  const hidden = useRef<string | null>(null);
  const pointer = useRef<Place | null>(null);
  const [open, setOpen] = useState<Opened | null>(null);
  const [loose, setLoose] = useState<string | null>(null);
  const [focused, setFocused] = useState(false);
  const width = useWidth(root);
  const [widened, setWidened] = useState<boolean | null>(null);
  const live = state.status !== 'dead';
  const roomy = width >= WIDE;

  useLayoutEffect(() => {
    setCards(before => cardsOf(view, before, label));
    setWires(before => wiresOf(view, before));
  }, [view, label]);

  useEffect(() => {
    if (inspected && hidden.current === inspected) {
      hidden.current = null;
      reveal(flow, inspected, root.current);
    }
  }, [flow, inspected]);

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
        void flow.setCenter(x, y, {
          zoom: Math.max(flow.getZoom(), 0.8),
          duration: calm() ? 0 : 150
        });
      }
    },
    [flow, selectOnly]
  );
  const pointed = (): Place => {
    const box = root.current?.querySelector('.psl-board')?.getBoundingClientRect();
    const at = pointer.current;
    const isOver = box && at && within(rectangle(box), at);
    return flow.screenToFlowPosition(
      isOver ? at : box ? { x: box.x + box.width / 2, y: box.y + box.height / 2 } : { x: 0, y: 0 }
    );
  };
  const add = (kind: string, at?: Place, edge: string | null = null): void => {
    const frame = at ? frameAt(view, flow, at) : null;
    const corner = frame?.corner ?? { x: 0, y: 0 };
    const place = at
      ? snapped({ x: at.x - corner.x - 110, y: at.y - corner.y - 24 })
      : freePlace(view, middleOf(root.current, flow));
    const id = newId();
    const fields = { node: id, kind, key: freeKey(view, kind), ...place };
    const done = edge
      ? session.insert({ ...fields, edge })
      : session.edit({ type: 'add', ...fields, parent: frame?.id ?? null });
    void done.then(reason => {
      if (reason === null) {
        selectOnly(id);
        hidden.current = id;
        setInspected(id);
      }
    });
  };
  const chosen = cards.filter(card => card.selected);
  const paste = (text: string, at: Place): boolean => {
    const found = pasted(view, text, snapped(at));
    if (found && live) {
      void session.edit(found.edit).then(reason => {
        if (reason === null) {
          const fresh = new Set(found.nodes);
          setInspected(null);
          setCards(before => before.map(card => selected(card, fresh.has(card.id))));
        }
      });
    }
    return found !== null;
  };
  const copy = (): string | null =>
    chosen.length ? copied(view, new Set(chosen.map(card => card.id))) : null;
  const duplicate = (): void => {
    const text = copy();
    const nodes = view.nodes.filter(one => chosen.some(card => card.id === one.id));
    if (text !== null) {
      const x = Math.min(...nodes.map(one => one.x)) + 2 * GRID;
      paste(text, { x, y: Math.min(...nodes.map(one => one.y)) + 2 * GRID });
    }
  };
  const arrange = (how: Arrangement): void => {
    const boxes = chosen.map(card => ({
      id: card.id,
      ...card.position,
      width: card.measured?.width ?? CARD.width,
      height: card.measured?.height ?? CARD.height
    }));
    void session.edit({ type: 'move', nodes: arranged(boxes, how) });
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
  const keys = useKeys({
    session,
    cards,
    setCards,
    live,
    remove,
    fit,
    inspected,
    inspect,
    setInspected,
    root,
    duplicate,
    show: what => setOpen(what && { what, at: pointer.current }),
    zoom: step => void (step > 0 ? flow.zoomIn() : flow.zoomOut())
  });
  const choices = useChoices(open, {
    view,
    t,
    node: chosen[0]?.id ?? inspected,
    add: kind => add(kind, pointed()),
    inspect,
    connect: ends => void session.edit({ type: 'connect', edge: newId(), source_path: '', ...ends })
  });
  const shut = useCallback(() => {
    setOpen(null);
    root.current?.focus({ preventScroll: true });
  }, []);
  const drawn = useMemo(
    () => (loose ? { ...view, edges: view.edges.filter(edge => edge.id !== loose) } : view),
    [view, loose]
  );
  const editor = useMemo<Editor>(
    () => ({ session, view, drawn, t, live, inspect, surface: options.surface }),
    [session, view, drawn, t, live, inspect, options.surface]
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
          if (
            event.target instanceof Element &&
            !event.target.closest('button, input, textarea, select, [tabindex="0"]')
          ) {
            root.current?.focus({ preventScroll: true });
          }
        }}
        onPointerMove={event => {
          pointer.current = { x: event.clientX, y: event.clientY };
        }}
        onCopy={event => toClipboard(event, copy())}
        onCut={event => {
          if (toClipboard(event, copy())) {
            remove();
          }
        }}
        onPaste={event => {
          if (!isWriting(event.target)) {
            const at = pointed();
            if (paste(event.clipboardData.getData('text/plain'), at)) {
              event.preventDefault();
            }
          }
        }}
        {...keys}
      >
        <Toolbar
          state={state}
          onFit={fit}
          onFind={() => setOpen({ what: 'nodes', at: null })}
          onKeys={() => setOpen({ what: 'keys', at: null })}
        />
        {!live && (
          <div className="psl-banner" role="alert">
            {options.surface === 'cell'
              ? t('The kernel is gone. Re-run the cell to go on editing; nothing unsaved is shown.')
              : t(
                  'The server does not answer. Until it does one can only look; nothing unsaved is shown.'
                )}
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
              onLoose={setLoose}
              onInspect={id => {
                hidden.current = id;
                setInspected(id);
              }}
            />
            {chosen.length > 1 && (
              <SelectionBar
                count={chosen.length}
                onArrange={arrange}
                onDuplicate={duplicate}
                onRemove={remove}
              />
            )}
            {!view.nodes.length && <Invitation onAdd={kind => add(kind)} />}
            {state.notice && (
              <div
                key={state.notice.id}
                className={`psl-notice psl-${state.notice.tone}`}
                role="alert"
              >
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
        {open?.what === 'keys' && <KeySheet onClose={shut} />}
        {open && open.what !== 'keys' && (
          <Finder
            key={open.what}
            {...titles(open.what, t)}
            choices={choices}
            at={open.what === 'kinds' ? inside(root.current, open.at) : null}
            onClose={shut}
          />
        )}
      </div>
    </EditorContext.Provider>
  );
}

function toClipboard(event: ClipboardEvent, text: string | null): boolean {
  if (text === null || isWriting(event.target)) {
    return false;
  }
  event.preventDefault();
  event.clipboardData.setData('text/plain', text);
  return true;
}

/** Shift the picture so that a node is in it, and not under a drawer about it. */
function reveal(
  flow: ReturnType<typeof useReactFlow<Card, Wire>>,
  id: string,
  root: HTMLElement | null
): void {
  const card = root?.querySelector(`.react-flow__node[data-id="${id}"]`)?.getBoundingClientRect();
  const stage = root?.querySelector('.psl-stage')?.getBoundingClientRect();
  if (!root || !card || !stage) {
    return;
  }
  const covered = root.classList.contains('psl-roomy') ? 0 : DRAWER;
  const byX = into(card.left, card.right, stage.left + GRID, stage.right - GRID - covered);
  const byY = into(card.top, card.bottom, stage.top + GRID, stage.bottom - GRID);
  if (byX || byY) {
    const { x, y, zoom } = flow.getViewport();
    void flow.setViewport({ x: x + byX, y: y + byY, zoom }, { duration: calm() ? 0 : 150 });
  }
}

/** How far a span must go to lie between two bounds; its beginning counts more than its end. */
function into(from: number, to: number, least: number, most: number): number {
  return Math.max(least - from, Math.min(0, most - to));
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
