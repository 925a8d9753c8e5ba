import { ReactFlowProvider, useReactFlow } from '@xyflow/react';
import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
  type ReactElement
} from 'react';

import { nodeOf } from '../flow/lookup';
import { GRID } from '../flow/place';
import { Runs } from '../flow/runs';
import type { Session, State } from '../flow/session';
import type {
  ConflictView,
  DifferenceView,
  Json,
  Options,
  Place,
  Translate,
  View
} from '../flow/types';
import { Literal, spelled } from '../literal';
import { useActions, type Wanted } from './actions';
import { Board, FIT } from './board';
import { cardsOf, wiresOf } from './cards';
import { Code } from './code';
import type { Wire } from './edge';
import {
  EditorContext,
  HandsContext,
  RunContext,
  useEditor,
  type Editor,
  type Hands
} from './editor';
import { Icon } from './icons';
import { Inspector } from './inspector';
import { Invitation } from './invitation';
import { Menus, type Menu, type MenuWanted } from './menus';
import type { Card } from './node';
import { Overview } from './overview';
import { Legend } from './outcome';
import { Palette } from './palette';
import { Run } from './run';
import { Selection } from './selection';
import { useClipboard, useKeys } from './shortcuts';
import { Toolbar } from './toolbar';
import { Versions } from './versions';

const WIDE = 1040;
const DRAWER = 320;
const EVEN = { top: 0.12, bottom: 0.12, left: 0.12, right: 0.12 };
/** Below this width the bar leaves its words out. */
const NARROW = 820;

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
              {failure ??
                (options.surface === 'cell'
                  ? t('The kernel is gone. Re-run the cell.')
                  : t('The server does not answer.'))}
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
/** What stands at the right: the settings of a node, or something about the whole flow. */
type Side =
  | { readonly what: 'node'; readonly id: string }
  | { readonly what: 'versions' | 'code' }
  | { readonly what: 'run'; readonly until: string | null };

/** The canvas with all that stands around it. */
function Desk({ session, options, t, state, view }: DeskProps): ReactElement {
  const root = useRef<HTMLDivElement>(null);
  const flow = useReactFlow<Card, Wire>();
  const label = useCallback((key: string) => t('node %1', key), [t]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [cards, setCards] = useState<Card[]>(() => cardsOf(view, [], label, folded));
  const [wires, setWires] = useState<Wire[]>(() => wiresOf(view, [], folded));
  const [side, setSide] = useState<Side | null>(null);
  const [menu, setMenu] = useState<Menu | null>(null);
  const [keysShown, setKeysShown] = useState(false);
  const [problemsOpen, setProblemsOpen] = useState(false);
  const [difference, setDifference] = useState<DifferenceView | null>(null);
  // The node that may lie where its settings have just opened.
  const hidden = useRef<string | null>(null);
  const pointer = useRef<Place | null>(null);
  const [focused, setFocused] = useState(false);
  const width = useWidth(root);
  const [widened, setWidened] = useState<boolean | null>(null);
  const runs = useRuns(session);
  const ran = useSyncExternalStore(runs.subscribe, runs.state);
  const feet = ran.shown !== null || ran.heat !== null;
  const live = state.status !== 'dead';
  const roomy = width >= WIDE;
  const inspected = side?.what === 'node' ? side.id : null;

  useLayoutEffect(() => {
    setCards(before => cardsOf(view, before, label, folded, feet));
    setWires(before => wiresOf(view, before, folded, feet));
  }, [view, label, folded, feet]);

  useEffect(() => {
    if (inspected && hidden.current === inspected) {
      hidden.current = null;
      reveal(flow, inspected, root.current);
    }
  }, [flow, inspected]);

  const setInspected = useCallback(
    (id: string | null) => setSide(id === null ? null : { what: 'node', id }),
    []
  );
  const home = useCallback(() => root.current?.focus({ preventScroll: true }), []);
  // A notebook keeps the keys when its cell is run; a tab that was opened hands them on.
  const isTab = options.surface === 'tab';
  useEffect(() => {
    if (isTab && document.activeElement === root.current?.parentElement) {
      home();
    }
  }, [isTab, home]);
  const close = useCallback(() => {
    setSide(null);
    home();
  }, [home]);
  const actions = useActions({
    session,
    view,
    t,
    live,
    cards,
    wires,
    folded,
    setCards,
    setWires,
    root,
    onAdded: id => {
      hidden.current = id;
      setInspected(id);
    },
    onRemoved: () => setSide(null)
  });
  const { selectOnly } = actions;
  const inspect = useCallback(
    (id: string) => {
      selectOnly([id]);
      setInspected(id);
      const now = session.state().view;
      setFolded(before => (now ? opened(now, before, id) : before));
      // A folded container's body is on the canvas once that is drawn.
      requestAnimationFrame(() => goTo(flow, id));
    },
    [flow, selectOnly, session, setInspected]
  );
  const fold = useCallback((id: string) => {
    setFolded(before => {
      const after = new Set(before);
      return after.delete(id) ? after : after.add(id);
    });
  }, []);
  const fit = (covered = side !== null): void => {
    // What lies under a drawer is not in view.
    const padding = covered && !roomy ? { ...EVEN, right: `${DRAWER + GRID}px` as const } : EVEN;
    void flow.fitView({ ...FIT, padding, duration: calm() ? 0 : 150 });
  };
  const openRun = (until: string | null): void => {
    setSide({ what: 'run', until });
    // A flow that was wholly in view stays so beside the drawer, once that is there.
    if (side === null && isWhole(flow, root.current)) {
      requestAnimationFrame(() => requestAnimationFrame(() => fit(true)));
    }
  };
  const openMenu = useCallback((what: MenuWanted, client: Place | null) => {
    const stage = root.current?.querySelector('.psl-stage')?.getBoundingClientRect();
    const at =
      stage && client
        ? { x: client.x - stage.x, y: client.y - stage.y }
        : { x: Math.max(8, ((stage?.width ?? 0) - 280) / 2), y: 48 };
    setMenu({ ...what, at });
  }, []);
  const offer = useCallback(
    (wanted: Wanted, client: Place | null) => openMenu({ what: 'add', wanted }, client),
    [openMenu]
  );
  const addAt = (client: Place | null): void => {
    const at = client ? flow.screenToFlowPosition(client) : undefined;
    offer(at ? { at } : {}, client);
  };
  const { onLeave, ...keys } = useKeys({
    session,
    cards,
    setCards,
    live,
    actions,
    flow,
    fit,
    inspected,
    inspect,
    fold,
    root,
    close: () => {
      setSide(null);
      setMenu(null);
    },
    addAt: () => addAt(pointer.current),
    find: () => openMenu({ what: 'find' }, null),
    connect: node => openMenu({ what: 'connect', node }, null),
    wires: node => openMenu({ what: 'wires', node }, null),
    group: () => openMenu({ what: 'group' }, null),
    problems: () => setProblemsOpen(true),
    run: node => openRun(node ?? inspected),
    overview: () => setKeysShown(true)
  });
  const clipboard = useClipboard({ actions, flow, live, pointer });
  const painted = useMemo(() => paint(difference), [difference]);
  const { surface } = options;
  const hands = useMemo<Hands>(
    () => ({ session, runs, t, live, inspect, surface, fold, offer }),
    [session, runs, t, live, inspect, surface, fold, offer]
  );
  const editor = useMemo<Editor>(
    () => ({ ...hands, view, folded, painted }),
    [hands, view, folded, painted]
  );
  const node = nodeOf(view, inspected);
  const chosen = cards.filter(card => card.selected).length;
  const narrow = width > 0 && width < NARROW;
  return (
    <HandsContext.Provider value={hands}>
      <EditorContext.Provider value={editor}>
        <RunContext.Provider value={ran}>
          <div
            ref={root}
            className={[
              'psl-root psl-desk',
              focused && 'psl-focused',
              roomy && 'psl-roomy',
              narrow && 'psl-narrow'
            ]
              .filter(Boolean)
              .join(' ')}
            tabIndex={-1}
            role="region"
            aria-label={t('Flow %1', spelled(view.flow.path))}
            onFocus={() => setFocused(true)}
            onBlur={event => {
              if (!event.currentTarget.contains(event.relatedTarget)) {
                setFocused(false);
                onLeave();
              }
            }}
            onPointerDown={event => {
              if (
                event.target instanceof Element &&
                !event.target.closest('button, input, textarea, select, pre, [tabindex="0"]')
              ) {
                home();
              }
            }}
            {...keys}
            {...clipboard}
          >
            <Toolbar
              state={state}
              actions={actions}
              onFit={() => fit()}
              onFind={() => openMenu({ what: 'find' }, null)}
              onKeys={() => setKeysShown(true)}
              onVersions={() => setSide(side?.what === 'versions' ? null : { what: 'versions' })}
              onRun={() => openRun(inspected)}
              busy={ran.live !== null || ran.starting}
              onStop={ran.live !== null && side?.what !== 'run' ? () => void runs.stop() : null}
              onCode={() => setSide(side?.what === 'code' ? null : { what: 'code' })}
              problems={{ open: problemsOpen, setOpen: setProblemsOpen }}
            />
            {!live && (
              <div className="psl-banner" role="alert">
                {options.surface === 'cell'
                  ? t(
                      'The kernel is gone. Re-run the cell to go on editing; nothing unsaved is shown.'
                    )
                  : t(
                      'The server does not answer. Until it does one can only look; nothing unsaved is shown.'
                    )}
                {options.surface === 'tab' && state.unsent > 0 && (
                  <> {t('Edits that wait until then: %1', state.unsent)}</>
                )}
              </div>
            )}
            <Conflicts conflicts={state.conflicts} />
            <div className="psl-middle">
              <Palette
                wide={widened ?? roomy}
                onWiden={() => setWidened(!(widened ?? roomy))}
                onAdd={kind => actions.add(kind)}
              />
              <div
                className={chosen > 1 ? 'psl-stage psl-several' : 'psl-stage'}
                onPointerMove={event => {
                  pointer.current = { x: event.clientX, y: event.clientY };
                }}
                onPointerLeave={() => {
                  pointer.current = null;
                }}
              >
                <Board
                  cards={cards}
                  setCards={setCards}
                  wires={wires}
                  setWires={setWires}
                  zooms={options.wheel === 'always' || focused}
                  onAdd={actions.add}
                  onMenu={(node, client) => {
                    if (!cards.some(card => card.id === node && card.selected)) {
                      selectOnly([node]);
                    }
                    openMenu({ what: 'node', node }, client);
                  }}
                  onInspect={id => {
                    hidden.current = id;
                    setInspected(id);
                  }}
                />
                {!view.nodes.length && live && <Invitation />}
                {chosen > 1 && live && <Selection count={chosen} actions={actions} />}
                {menu && live && (
                  <Menus
                    menu={menu}
                    actions={actions}
                    onOpen={wanted => setMenu({ ...wanted, at: menu.at })}
                    onRun={openRun}
                    onClose={() => {
                      setMenu(null);
                      home();
                    }}
                  />
                )}
                {ran.heat && <Legend heat={ran.heat} />}
                {state.notice && (
                  <div
                    key={state.notice.id}
                    className={`psl-notice psl-${state.notice.tone}`}
                    role="alert"
                  >
                    <span>
                      <Literal text={state.notice.text} />
                    </span>
                    <button type="button" aria-label={t('Close')} onClick={() => session.hush()}>
                      <Icon name="close" size={12} />
                    </button>
                  </div>
                )}
              </div>
              {node && (
                <Inspector
                  node={node}
                  run={ran.shown}
                  onClose={close}
                  onRemove={actions.remove}
                  onRun={() => setSide({ what: 'run', until: node.id })}
                />
              )}
              {side?.what === 'run' && (
                <Run state={ran} until={nodeOf(view, side.until) ?? null} onClose={close} />
              )}
              {side?.what === 'versions' && <Versions onClose={close} onPaint={setDifference} />}
              {side?.what === 'code' && <Code onClose={close} />}
            </div>
            {keysShown && (
              <Overview
                onClose={() => {
                  setKeysShown(false);
                  home();
                }}
              />
            )}
          </div>
        </RunContext.Provider>
      </EditorContext.Provider>
    </HandsContext.Provider>
  );
}

/** The runs of a canvas, for as long as it stands. */
function useRuns(session: Session): Runs {
  const [runs] = useState(() => new Runs(session));
  useEffect(() => () => runs.dispose(), [runs]);
  return runs;
}

/** What two people wrote at the same place: nobody loses work unseen. */
function Conflicts({ conflicts }: { conflicts: readonly ConflictView[] }): ReactElement | null {
  const { view, session, t } = useEditor();
  if (!conflicts.length) {
    return null;
  }
  return (
    <div className="psl-banner psl-conflict" role="alert">
      <ul>
        {conflicts.slice(-3).map((one, at) => (
          <li key={at}>
            <Literal
              text={t(
                '%1 changed %2 of %3 as well. Yours stands: %4; theirs was: %5',
                one.by,
                one.names.join(', ') || FIELDS[one.field] || one.field,
                nodeOf(view, one.id)?.key ?? t('a node'),
                written(one.mine),
                written(one.theirs)
              )}
            />
          </li>
        ))}
      </ul>
      <button type="button" className="psl-link" onClick={() => session.seen()}>
        {t('Seen')}
      </button>
    </div>
  );
}

/** A value as it is told: a text as it was typed, anything else as JSON. */
function written(value: Json): string {
  return typeof value === 'string' ? `“${value}”` : JSON.stringify(value);
}

const FIELDS: Readonly<Record<string, string>> = {
  config: 'the settings',
  policy: 'the rules',
  node_key: 'the name'
};

/** The marks that a comparison puts on nodes. */
function paint(difference: DifferenceView | null): ReadonlyMap<string, 'added' | 'changed'> {
  return new Map([
    ...(difference?.changed ?? []).map(id => [id, 'changed'] as const),
    ...(difference?.added ?? []).map(id => [id, 'added'] as const)
  ]);
}

/** What stays folded when one goes to a node: nothing that it lies in. */
function opened(view: View, folded: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const after = new Set(folded);
  for (let node = nodeOf(view, id), left = 16; node && left; left--) {
    node = nodeOf(view, node.parent);
    after.delete(node?.id ?? '');
  }
  return after.size === folded.size ? folded : after;
}

function goTo(flow: ReturnType<typeof useReactFlow<Card, Wire>>, id: string): void {
  const card = flow.getInternalNode(id);
  if (card) {
    const { x, y } = card.internals.positionAbsolute;
    const across = (card.measured.width ?? 0) / 2;
    const down = Math.min((card.measured.height ?? 0) / 2, 160);
    const zoom = Math.max(flow.getZoom(), 0.8);
    void flow.setCenter(x + across, y + down, { zoom, duration: calm() ? 0 : 150 });
  }
}

/** Whether all of the flow is in view. */
function isWhole(
  flow: ReturnType<typeof useReactFlow<Card, Wire>>,
  root: HTMLElement | null
): boolean {
  const stage = root?.querySelector('.psl-stage')?.getBoundingClientRect();
  const nodes = flow.getNodes();
  if (!stage || !nodes.length) {
    return false;
  }
  const { x, y, width, height } = flow.getNodesBounds(nodes);
  const from = flow.flowToScreenPosition({ x, y });
  const to = flow.flowToScreenPosition({ x: x + width, y: y + height });
  const across = from.x >= stage.left && to.x <= stage.right;
  return across && from.y >= stage.top && to.y <= stage.bottom;
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
