import {
  applyEdgeChanges,
  applyNodeChanges,
  Background,
  MiniMap,
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
  type MouseEvent as Click,
  type PointerEvent,
  type ReactElement,
  type SetStateAction
} from 'react';

import { within } from '../flow/clip';
import { bestInput, refusal } from '../flow/connect';
import { newId } from '../flow/ids';
import { GRID, snapped } from '../flow/place';
import type { Edit, Place, View } from '../flow/types';
import type { Wanted } from './actions';
import { FRAME, MANY } from './cards';
import { DrawnWire, WireView, type Wire } from './edge';
import { DetailContext, kindOf, useEditor, type Detail } from './editor';
import { command } from './keys';
import { CardView, type Card } from './node';
import { DRAGGED } from './palette';
import { joined, type End } from './port';
import { useSteady } from './steady';
import { Zoom } from './zoom';

const NODE_TYPES = { card: CardView };
const EDGE_TYPES = { wire: WireView };
const SNAP: [number, number] = [GRID, GRID];
const MAPPED = 30;
const NEAR = 0.65;
const SPECK = 0.4;
export const FIT = { padding: 0.12, maxZoom: 1, minZoom: 0.28 };

interface BoardProps {
  readonly cards: Card[];
  readonly setCards: Dispatch<SetStateAction<Card[]>>;
  readonly wires: Wire[];
  readonly setWires: Dispatch<SetStateAction<Wire[]>>;
  readonly zooms: boolean;
  readonly onAdd: (kind: string, wanted: Wanted) => void;
  readonly onInspect: (id: string | null) => void;
  /** Ask what is to be done with a node, at a point of the window. */
  readonly onMenu: (node: string, client: Place) => void;
}

/** The canvas proper: gestures become edits, edits come back as cards and wires. */
export function Board(props: BoardProps): ReactElement {
  const { cards, setCards, wires, setWires } = props;
  const { session, view, live, t, offer } = useEditor();
  const flow = useReactFlow<Card, Wire>();
  const store = useStoreApi<Card, Wire>();
  const detail = useStore<Detail>(({ transform: [, , zoom] }) =>
    zoom >= NEAR ? 'near' : zoom >= SPECK ? 'far' : 'speck'
  );
  // The container that a dragged node would go into.
  const [target, setTarget] = useState<string | null>(null);
  const [boxing, setBoxing] = useState(false);
  const reconnecting = useRef(false);
  useFirstFit(cards.length > 0);

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
  const bodyOf = (event: MouseEvent | TouchEvent, card: Card): string | null => {
    const point = 'changedTouches' in event ? event.changedTouches[0] : event;
    const at = flow.screenToFlowPosition({ x: point?.clientX ?? 0, y: point?.clientY ?? 0 });
    return frameAt(flow, view, at, within(view, new Set([card.id])));
  };
  const dropped = (event: MouseEvent | TouchEvent, card: Card, dragged: Card[]): void => {
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
  const chosen = cards.flatMap(card => (card.selected ? card.id : [])).join(' ');
  // What goes into and out of the selected nodes stands out among the other edges.
  const lit = useMemo(() => {
    const ids = new Set(chosen.split(' '));
    return wires.map(wire =>
      ids.has(wire.source) || ids.has(wire.target) ? { ...wire, className: 'psl-lit' } : wire
    );
  }, [chosen, wires]);
  const gestures = useSteady({
    ...connectings(),
    onNodesChange: (changes: NodeChange<Card>[]) =>
      setCards(before => applyNodeChanges(changes, before)),
    onEdgesChange: (changes: EdgeChange<Wire>[]) =>
      setWires(before => applyEdgeChanges(changes, before)),
    onNodeDrag: (event: MouseEvent | TouchEvent, card: Card) => {
      const body = bodyOf(event, card);
      setTarget(body === (card.parentId ?? null) ? null : body);
    },
    onNodeDragStop: dropped,
    onSelectionDragStop: (_: Click, dragged: Card[]) => void session.edit(moved(dragged)),
    onReconnect: (wire: Wire, wanted: Connection) =>
      void session.edit({
        type: 'batch',
        name: 'reconnect',
        operations: [
          { type: 'remove', nodes: [], edges: [wire.id] },
          {
            type: 'connect',
            edge: newId(),
            source_path: wire.source === wanted.source ? (wire.data?.edge.source_path ?? '') : '',
            ...endsOf(wanted)
          }
        ]
      }),
    onReconnectStart: () => {
      reconnecting.current = true;
    },
    onReconnectEnd: () => {
      // React Flow tells of the end of the connection after that of the reconnection.
      setTimeout(() => {
        reconnecting.current = false;
      });
    },
    onPaneContextMenu: (event: Click | MouseEvent) => {
      event.preventDefault();
      const client = { x: event.clientX, y: event.clientY };
      offer({ at: flow.screenToFlowPosition(client) }, client);
    },
    onNodeContextMenu: (event: Click, card: Card) => {
      event.preventDefault();
      event.stopPropagation();
      props.onMenu(card.id, { x: event.clientX, y: event.clientY });
    },
    onNodeClick: (event: Click, card: Card) =>
      props.onInspect(event.shiftKey || command(event) ? null : card.id),
    onPaneClick: () => props.onInspect(null),
    onEdgeClick: () => props.onInspect(null)
  });
  const words = useMemo(
    () => ({
      'node.a11yDescription.default': t(
        'Enter opens its settings, the arrow keys move it, Delete removes it.'
      )
    }),
    [t]
  );
  const { kinds } = view;
  const colour = useCallback(
    (card: Card) => kinds.find(kind => kind.name === card.data.node.kind)?.accent ?? '',
    [kinds]
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
          edges={lit}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          {...gestures}
          edgesReconnectable={live}
          reconnectRadius={12}
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
          snapGrid={SNAP}
          attributionPosition="bottom-right"
          minZoom={0.1}
          maxZoom={2}
          ariaLabelConfig={words}
        >
          <Background gap={GAPS[detail]} size={1} />
          <Zoom />
          {cards.length >= MAPPED && (
            <MiniMap<Card> pannable ariaLabel={t('Overview')} nodeColor={colour} />
          )}
        </ReactFlow>
      </DetailContext.Provider>
    </div>
  );

  function connectings(): {
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
      offer({ ...wanted, at: flow.screenToFlowPosition(client) }, client);
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

/** Dots that stay apart on the screen, each where a card can lie. */
const GAPS: Readonly<Record<Detail, number>> = { near: 2 * GRID, far: 4 * GRID, speck: 8 * GRID };

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
