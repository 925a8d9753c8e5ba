import {
  applyEdgeChanges,
  applyNodeChanges,
  Background,
  MiniMap,
  Position,
  ReactFlow,
  SelectionMode,
  useReactFlow,
  useStore,
  useStoreApi,
  type Connection,
  type EdgeChange,
  type FinalConnectionState,
  type NodeChange
} from '@xyflow/react';
import {
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  type Dispatch,
  type DragEvent,
  type PointerEvent,
  type ReactElement,
  type SetStateAction
} from 'react';

import { within } from '../flow/clip';
import { bestInput, refusal } from '../flow/connect';
import { newId } from '../flow/ids';
import { FOOT, outline } from '../flow/geometry';
import { CARD, GRID, snapped } from '../flow/place';
import type { Edit, NodeView, Place, View } from '../flow/types';
import type { Wanted } from './actions';
import { DrawnWire, WireView, type Wire } from './edge';
import { DetailContext, kindOf, useEditor, type Detail } from './editor';
import { command } from './keys';
import { CardView, type Card } from './node';
import { DRAGGED } from './palette';
import { joined, type End } from './port';

const NODE_TYPES = { card: CardView };
const EDGE_TYPES = { wire: WireView };
const MANY = 300;
const MAPPED = 30;
const NEAR = 0.65;
const SPECK = 0.4;
export const FIT = { padding: 0.12, maxZoom: 1, minZoom: 0.35 };

interface BoardProps {
  readonly cards: Card[];
  readonly setCards: Dispatch<SetStateAction<Card[]>>;
  readonly wires: Wire[];
  readonly setWires: Dispatch<SetStateAction<Wire[]>>;
  readonly zooms: boolean;
  readonly onAdd: (kind: string, wanted: Wanted) => void;
  /** Offer kinds for what is wanted, at a point of the window. */
  readonly onMenu: (wanted: Wanted, client: Place) => void;
  readonly onInspect: (id: string | null) => void;
}

/** The canvas proper: gestures become edits, edits come back as cards and wires. */
export function Board(props: BoardProps): ReactElement {
  const { cards, setCards, wires, setWires } = props;
  const { session, view, live, t } = useEditor();
  const flow = useReactFlow<Card, Wire>();
  const store = useStoreApi<Card, Wire>();
  const detail = useStore<Detail>(({ transform: [, , zoom] }) =>
    zoom >= NEAR ? 'near' : zoom >= SPECK ? 'far' : 'speck'
  );
  // The container that a dragged node would go into.
  const [target, setTarget] = useState<string | null>(null);
  const [boxing, setBoxing] = useState(false);
  const reconnecting = useRef(false);
  const connecting = useConnecting();
  useFirstFit(cards.length > 0);

  const onNodesChange = useCallback(
    (changes: NodeChange<Card>[]) => setCards(before => applyNodeChanges(changes, before)),
    [setCards]
  );
  const onEdgesChange = useCallback(
    (changes: EdgeChange<Wire>[]) => setWires(before => applyEdgeChanges(changes, before)),
    [setWires]
  );
  const holdModifiers = (event: PointerEvent): void => {
    setBoxing(event.shiftKey);
    if (event.type === 'pointerdown') {
      store.setState({ multiSelectionActive: event.shiftKey || command(event) });
    }
  };
  const drop = (event: DragEvent): void => {
    const kind = event.dataTransfer.getData(DRAGGED);
    if (kind) {
      event.preventDefault();
      const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
      const on = wireUnder(event);
      const parent = frameAt(flow, view, at, new Set());
      props.onAdd(kind, on ? { at, on } : { at, parent });
    }
    setTarget(null);
  };
  /** Where the pointer drags nodes to: into a container, out of one, or neither. */
  const bodyOf = (event: globalThis.MouseEvent | TouchEvent, card: Card): string | null => {
    const point = 'changedTouches' in event ? event.changedTouches[0] : event;
    const at = flow.screenToFlowPosition({ x: point?.clientX ?? 0, y: point?.clientY ?? 0 });
    return frameAt(flow, view, at, within(view, new Set([card.id])));
  };
  const dropped = (
    event: globalThis.MouseEvent | TouchEvent,
    card: Card,
    dragged: Card[]
  ): void => {
    const body = bodyOf(event, card);
    setTarget(null);
    const stays = (card.parentId ?? null) === body;
    void session.edit(stays ? moved(dragged) : rehomed(flow, dragged, body));
  };
  const shown = useMemo(
    () =>
      target === null
        ? cards
        : cards.map(card =>
            card.id === target ? { ...card, className: `${card.className ?? ''} psl-target` } : card
          ),
    [cards, target]
  );
  return (
    <div
      className={`psl-board${DETAILS[detail]}`}
      onPointerDownCapture={holdModifiers}
      onPointerMoveCapture={holdModifiers}
      onDragOver={event => {
        if (event.dataTransfer.types.includes(DRAGGED)) {
          event.preventDefault();
          event.dataTransfer.dropEffect = 'copy';
          const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
          setTarget(frameAt(flow, view, at, new Set()));
        }
      }}
      onDrop={drop}
    >
      <DetailContext.Provider value={detail}>
        <ReactFlow<Card, Wire>
          nodes={shown}
          edges={wires}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onNodesChange={onNodesChange}
          onEdgesChange={onEdgesChange}
          onNodeDrag={(event, card) => {
            const body = bodyOf(event, card);
            setTarget(body === (card.parentId ?? null) ? null : body);
          }}
          onNodeDragStop={(event, card, dragged) => dropped(event, card, dragged)}
          onSelectionDragStop={(_, dragged) => void session.edit(moved(dragged))}
          onReconnect={(wire, wanted) =>
            void session.edit({
              type: 'batch',
              name: 'reconnect',
              operations: [
                { type: 'remove', nodes: [], edges: [wire.id] },
                {
                  type: 'connect',
                  edge: newId(),
                  source_path:
                    wire.source === wanted.source ? (wire.data?.edge.source_path ?? '') : '',
                  ...endsOf(wanted)
                }
              ]
            })
          }
          onReconnectStart={() => {
            reconnecting.current = true;
          }}
          onReconnectEnd={() => {
            // React Flow tells of the end of the connection after that of the reconnection.
            setTimeout(() => {
              reconnecting.current = false;
            });
          }}
          edgesReconnectable={live}
          reconnectRadius={12}
          onPaneContextMenu={event => {
            event.preventDefault();
            const client = { x: event.clientX, y: event.clientY };
            props.onMenu({ at: flow.screenToFlowPosition(client) }, client);
          }}
          onNodeClick={(event, card) =>
            props.onInspect(event.shiftKey || command(event) ? null : card.id)
          }
          onPaneClick={() => props.onInspect(null)}
          onEdgeClick={() => props.onInspect(null)}
          {...connecting}
          connectionLineComponent={DrawnWire}
          connectionRadius={22}
          nodesDraggable={live}
          nodesConnectable={live}
          edgesFocusable={false}
          disableKeyboardA11y
          onlyRenderVisibleElements={cards.length > MANY}
          deleteKeyCode={null}
          selectionKeyCode={null}
          multiSelectionKeyCode={null}
          panActivationKeyCode={null}
          zoomActivationKeyCode={null}
          selectionOnDrag={boxing}
          panOnDrag={boxing ? [1] : [0, 1]}
          zoomOnScroll={props.zooms}
          preventScrolling={props.zooms}
          zoomOnDoubleClick={false}
          autoPanOnNodeDrag={false}
          autoPanOnNodeFocus={false}
          autoPanOnSelection={false}
          autoPanSpeed={6}
          selectionMode={SelectionMode.Partial}
          snapToGrid
          snapGrid={[GRID, GRID]}
          attributionPosition="bottom-left"
          minZoom={0.1}
          maxZoom={2}
          ariaLabelConfig={{
            'node.a11yDescription.default': t(
              'Enter opens its settings, the arrow keys move it, Delete removes it.'
            )
          }}
        >
          <Background gap={GRID} size={1} />
          {cards.length >= MAPPED && <MiniMap pannable ariaLabel={t('Overview')} />}
        </ReactFlow>
      </DetailContext.Provider>
    </div>
  );

  function useConnecting(): {
    isValidConnection: (wanted: Connection | Wire) => boolean;
    onConnect: (wanted: Connection) => void;
    onConnectEnd: (event: MouseEvent | TouchEvent, end: FinalConnectionState) => void;
  } {
    const connect = (ends: ReturnType<typeof joined>): void =>
      void session.edit({ type: 'connect', edge: newId(), source_path: '', ...ends });
    const offerAt = (event: MouseEvent | TouchEvent, from: End): void => {
      const point = 'changedTouches' in event ? event.changedTouches[0] : event;
      // The end of a wire that is let go over nothing comes here as well, and goes back.
      if (!point || (event.target instanceof Element && event.target.closest('.psl-palette'))) {
        return;
      }
      const client = { x: point.clientX, y: point.clientY };
      const end = { node: from.node, port: from.port };
      const wanted = from.side === 'source' ? { from: end } : { to: end };
      props.onMenu({ ...wanted, at: flow.screenToFlowPosition(client) }, client);
    };
    return {
      isValidConnection: wanted => refusal(without(view, wanted), endsOf(wanted), t) === null,
      onConnect: wanted => connect(endsOf(wanted)),
      onConnectEnd: (event, end) => {
        const { fromHandle, toHandle } = end;
        if (!fromHandle || end.isValid || reconnecting.current) {
          return;
        }
        const from = { node: fromHandle.nodeId, port: fromHandle.id ?? '', side: fromHandle.type };
        if (toHandle && toHandle.type !== fromHandle.type) {
          const ends = joined(from, { node: toHandle.nodeId, port: toHandle.id ?? '' });
          session.tell(refusal(view, ends, t) ?? t('These two do not fit.'));
          return;
        }
        const target = view.nodes.find(node => node.id === nodeUnder(event));
        if (!target || kindOf(view, target)?.container) {
          offerAt(event, from);
          return;
        }
        if (from.side === 'source' && target.id !== from.node) {
          const port = bestInput(view, from, target, t);
          if (port === null) {
            session.tell(t('No input of %1 takes this.', target.key));
          } else {
            connect(joined(from, { node: target.id, port }));
          }
        }
      }
    };
  }
}

/** Bring all into view once there is both something to see and room to see it in. */
function useFirstFit(ready: boolean): void {
  const flow = useReactFlow();
  const hasRoom = useStore(state => state.width > 0 && state.height > 0);
  const measured = useStore(
    state => state.nodes.length > 0 && state.nodes.every(node => node.measured?.width)
  );
  const done = useRef(false);
  useEffect(() => {
    if (ready && hasRoom && measured && !done.current) {
      done.current = true;
      void flow.fitView(FIT);
    }
  }, [flow, hasRoom, measured, ready]);
}

const DETAILS: Readonly<Record<Detail, string>> = {
  near: '',
  far: ' psl-far',
  speck: ' psl-far psl-specks'
};

/** The flow as it is while an edge is on its way: that edge is in nobody's way. */
function without(view: View, wanted: Connection | Wire): View {
  return 'id' in wanted
    ? { ...view, edges: view.edges.filter(edge => edge.id !== wanted.id) }
    : view;
}

function wireUnder(event: DragEvent): string | null {
  const found = document
    .elementsFromPoint(event.clientX, event.clientY)
    .find(element => element.closest('.react-flow__edge'));
  return found?.closest('.react-flow__edge')?.getAttribute('data-id') ?? null;
}

/** The innermost open container at a point of the canvas, but none of those that are dragged. */
function frameAt(
  flow: ReturnType<typeof useReactFlow<Card, Wire>>,
  view: View,
  at: Place,
  dragged: ReadonlySet<string>
): string | null {
  let found: { readonly id: string; readonly size: number } | null = null;
  for (const node of view.nodes) {
    const card = flow.getInternalNode(node.id);
    if (!card?.className?.includes(FRAME) || dragged.has(node.id) || card.hidden) {
      continue;
    }
    const { x, y } = card.internals.positionAbsolute;
    const [width, height] = [card.measured.width ?? 0, card.measured.height ?? 0];
    const isIn = at.x >= x && at.x <= x + width && at.y >= y && at.y <= y + height;
    if (isIn && (!found || width * height < found.size)) {
      found = { id: node.id, size: width * height };
    }
  }
  return found?.id ?? null;
}

/** The edit that puts nodes into another body, where they are seen. */
function rehomed(
  flow: ReturnType<typeof useReactFlow<Card, Wire>>,
  cards: readonly Card[],
  parent: string | null
): Edit {
  const corner = parent === null ? null : flow.getInternalNode(parent)?.internals.positionAbsolute;
  const outer = new Set(cards.map(card => card.id));
  return {
    type: 'move',
    nodes: Object.fromEntries(
      cards
        .filter(card => !card.parentId || !outer.has(card.parentId))
        .map(card => {
          const at = flow.getInternalNode(card.id)?.internals.positionAbsolute ?? card.position;
          const place = snapped({ x: at.x - (corner?.x ?? 0), y: at.y - (corner?.y ?? 0) });
          return [card.id, { ...place, parent }];
        })
    )
  };
}

function endsOf(wanted: Connection | Wire): ReturnType<typeof joined> {
  return {
    source: wanted.source,
    source_port: wanted.sourceHandle ?? '',
    target: wanted.target,
    target_port: wanted.targetHandle ?? ''
  };
}

function nodeUnder(event: MouseEvent | TouchEvent): string | null {
  const point = 'changedTouches' in event ? event.changedTouches[0] : event;
  const found = point && document.elementFromPoint(point.clientX, point.clientY);
  return found?.closest('.react-flow__node')?.getAttribute('data-id') ?? null;
}

/** The edit that a drag or the arrow keys mean. */
export function moved(cards: readonly Card[]): {
  type: 'move';
  nodes: Record<string, Place>;
} {
  return {
    type: 'move',
    nodes: Object.fromEntries(cards.map(card => [card.id, snapped(card.position)]))
  };
}

const FRAME = 'psl-frame';

/**
 * The cards of a view; what React Flow knows of one (selection, size) stays with it.
 *
 * @param feet - whether cards have a foot now, with what they did in a run.
 */
export function cardsOf(
  view: View,
  before: readonly Card[],
  label: (key: string) => string,
  folded: ReadonlySet<string>,
  feet = false
): Card[] {
  const known = new Map(before.map(card => [card.id, card]));
  const isLarge = view.nodes.length > MANY;
  // React Flow wants a container before what lies in it.
  const ordered = outermostFirst(view);
  const frames = framesOf(view, ordered, folded, feet ? FOOT : 0);
  const hidden = hiddenIn(ordered, folded);
  return ordered.map(node => {
    const old = known.get(node.id);
    const frame = frames.get(node.id);
    const isHidden = hidden.has(node.id);
    const isSame =
      old?.data.node === node &&
      old.width === frame?.width &&
      old.height === frame?.height &&
      Boolean(old.hidden) === isHidden;
    if (isSame) {
      return old;
    }
    const position = old?.dragging ? old.position : { x: node.x, y: node.y };
    return {
      ...old,
      ...(isLarge ? foreseen(view, node) : {}),
      id: node.id,
      type: 'card' as const,
      position,
      hidden: isHidden,
      data: { node },
      ariaLabel: label(node.key),
      width: frame?.width,
      height: frame?.height,
      // What lies in a frame is above it, and its edges too.
      zIndex: frame ? -1 : undefined,
      className: frame ? FRAME : undefined,
      parentId: node.parent ?? undefined
    };
  });
}

/** The nodes that lie in a folded container, at any depth. */
function hiddenIn(ordered: readonly NodeView[], folded: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  for (const node of ordered) {
    if (node.parent !== null && (folded.has(node.parent) || found.has(node.parent))) {
      found.add(node.id);
    }
  }
  return found;
}

const FRAME_MARGIN = 24;
const DEEPEST = 16;

const EMPTY = { width: 320, height: 144 };

/** How large each open container is, by the id of its node: as large as what lies in it. */
function framesOf(
  view: View,
  ordered: readonly NodeView[],
  folded: ReadonlySet<string>,
  foot: number
): Map<string, { width: number; height: number }> {
  const containers = new Set(view.kinds.filter(kind => kind.container).map(kind => kind.name));
  const found = new Map<string, { width: number; height: number }>();
  for (const node of [...ordered].reverse()) {
    const isOpen = containers.has(node.kind) && !folded.has(node.id);
    if (isOpen && !found.has(node.id)) {
      found.set(node.id, EMPTY);
    }
    if (node.parent === null || folded.has(node.parent)) {
      continue;
    }
    const own = found.get(node.id) ?? { width: CARD.width, height: outline(view, node).height };
    const frame = found.get(node.parent) ?? EMPTY;
    found.set(node.parent, {
      width: Math.max(frame.width, node.x + own.width + FRAME_MARGIN),
      height: Math.max(frame.height, node.y + own.height + foot + FRAME_MARGIN)
    });
  }
  return found;
}

/** The nodes, each container before what lies in it. */
function outermostFirst(view: View): NodeView[] {
  const byId = new Map(view.nodes.map(node => [node.id, node]));
  const depths = new Map<string, number>();
  for (const node of view.nodes) {
    let depth = 0;
    let above = node.parent === null ? undefined : byId.get(node.parent);
    while (above && depth < DEEPEST) {
      depth += 1;
      above = above.parent === null ? undefined : byId.get(above.parent);
    }
    depths.set(node.id, depth);
  }
  return [...view.nodes].sort((a, b) => (depths.get(a.id) ?? 0) - (depths.get(b.id) ?? 0));
}

function foreseen(
  view: View,
  node: NodeView
): Pick<Card, 'handles' | 'initialWidth' | 'initialHeight'> {
  const { height, spots } = outline(view, node);
  return {
    initialWidth: CARD.width,
    initialHeight: height,
    handles: spots.map(spot => ({
      ...spot,
      position: spot.type === 'source' ? Position.Right : Position.Left
    }))
  };
}

export function wiresOf(view: View, before: readonly Wire[]): Wire[] {
  const known = new Map(before.map(wire => [wire.id, wire]));
  return view.edges.map(edge => {
    const old = known.get(edge.id);
    return old?.data?.edge === edge
      ? old
      : {
          ...old,
          id: edge.id,
          type: 'wire' as const,
          source: edge.source,
          sourceHandle: edge.source_port,
          target: edge.target,
          targetHandle: edge.target_port,
          data: { edge }
        };
  });
}
