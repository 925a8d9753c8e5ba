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
  useRef,
  useState,
  type Dispatch,
  type DragEvent,
  type PointerEvent,
  type ReactElement,
  type SetStateAction
} from 'react';

import { bestInput, refusal } from '../flow/connect';
import { newId } from '../flow/ids';
import { outline } from '../flow/geometry';
import { CARD, GRID, snapped } from '../flow/place';
import type { NodeView, Place, View } from '../flow/types';
import { DrawnWire, WireView, type Wire } from './edge';
import { useEditor } from './editor';
import { command } from './keys';
import { CardView, type Card } from './node';
import { DRAGGED } from './palette';
import { joined } from './port';

const NODE_TYPES = { card: CardView };
const EDGE_TYPES = { wire: WireView };
const MANY = 300;
const MAPPED = 30;
const DETAILED = 0.65;
const NAMED = 0.4;
export const FIT = { padding: 0.12, maxZoom: 1, minZoom: 0.35 };

interface BoardProps {
  readonly cards: Card[];
  readonly setCards: Dispatch<SetStateAction<Card[]>>;
  readonly wires: Wire[];
  readonly setWires: Dispatch<SetStateAction<Wire[]>>;
  readonly zooms: boolean;
  readonly onAdd: (kind: string, at: Place, edge: string | null) => void;
  /** Hear which edge is in the hand, or that none is. */
  readonly onLoose: (edge: string | null) => void;
  readonly onInspect: (id: string | null) => void;
}

/** The canvas proper: gestures become edits, edits come back as cards and wires. */
export function Board(props: BoardProps): ReactElement {
  const { cards, setCards, wires, setWires } = props;
  const { session, drawn: view, live, t } = useEditor();
  const flow = useReactFlow<Card, Wire>();
  const store = useStoreApi<Card, Wire>();
  const distance = useStore(({ transform: [, , zoom] }) =>
    zoom >= DETAILED ? '' : zoom >= NAMED ? ' psl-far' : ' psl-far psl-farther'
  );
  const [boxing, setBoxing] = useState(false);
  const [over, setOver] = useState<string | null>(null);
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
      props.onAdd(kind, at, edgeUnder(event));
    }
    setOver(null);
  };
  return (
    <div
      className={`psl-board${distance}`}
      onPointerDownCapture={holdModifiers}
      onPointerMoveCapture={holdModifiers}
      onDragOver={event => {
        if (event.dataTransfer.types.includes(DRAGGED)) {
          event.preventDefault();
          event.dataTransfer.dropEffect = 'copy';
          setOver(edgeUnder(event));
        }
      }}
      onDragLeave={() => setOver(null)}
      onDrop={drop}
    >
      <ReactFlow<Card, Wire>
        nodes={cards}
        edges={over ? wires.map(wire => (wire.id === over ? lit(wire) : wire)) : wires}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onNodeDragStop={(_, __, dragged) => void session.edit(moved(dragged))}
        onNodeClick={(event, card) =>
          props.onInspect(event.shiftKey || command(event) ? null : card.id)
        }
        onPaneClick={() => props.onInspect(null)}
        onEdgeClick={() => props.onInspect(null)}
        {...connecting}
        edgesReconnectable={live}
        reconnectRadius={14}
        onReconnectStart={(_, wire) => props.onLoose(wire.id)}
        onReconnectEnd={() => props.onLoose(null)}
        connectionLineComponent={DrawnWire}
        connectionRadius={22}
        nodesDraggable={live}
        nodesConnectable={live}
        edgesFocusable={false}
        disableKeyboardA11y
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
        onlyRenderVisibleElements={cards.length > MANY}
        ariaLabelConfig={{
          'node.a11yDescription.default': t(
            'Enter opens its settings, the arrow keys move it, Delete removes it.'
          )
        }}
      >
        <Background gap={GRID} size={1} />
        {cards.length >= MAPPED && <MiniMap pannable ariaLabel={t('Overview')} />}
      </ReactFlow>
    </div>
  );

  function useConnecting(): {
    isValidConnection: (wanted: Connection | Wire) => boolean;
    onConnect: (wanted: Connection) => void;
    onReconnect: (wire: Wire, wanted: Connection) => void;
    onConnectEnd: (event: MouseEvent | TouchEvent, end: FinalConnectionState) => void;
  } {
    const connect = (ends: ReturnType<typeof joined>): void =>
      void session.edit({ type: 'connect', edge: newId(), source_path: '', ...ends });
    return {
      isValidConnection: wanted => refusal(view, endsOf(wanted), t) === null,
      onConnect: wanted => connect(endsOf(wanted)),
      onReconnect: (wire, wanted) => {
        const path = wire.source === wanted.source ? (wire.data?.edge.source_path ?? '') : '';
        void session.edit({
          type: 'several',
          operations: [
            { type: 'remove', nodes: [], edges: [wire.id] },
            { type: 'connect', edge: newId(), source_path: path, ...endsOf(wanted) }
          ]
        });
      },
      onConnectEnd: (event, end) => {
        const { fromHandle, toHandle } = end;
        if (!fromHandle || end.isValid) {
          return;
        }
        const from = { node: fromHandle.nodeId, port: fromHandle.id ?? '', side: fromHandle.type };
        if (toHandle && toHandle.type !== fromHandle.type) {
          const ends = joined(from, { node: toHandle.nodeId, port: toHandle.id ?? '' });
          session.tell(refusal(view, ends, t) ?? t('These two do not fit.'));
          return;
        }
        const target = view.nodes.find(node => node.id === nodeUnder(event));
        if (from.side === 'source' && target && target.id !== from.node) {
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

function endsOf(wanted: Connection | Wire): ReturnType<typeof joined> {
  return {
    source: wanted.source,
    source_port: wanted.sourceHandle ?? '',
    target: wanted.target,
    target_port: wanted.targetHandle ?? ''
  };
}

function edgeUnder(event: DragEvent): string | null {
  const found = document.elementsFromPoint(event.clientX, event.clientY);
  if (found.some(element => element.closest('.psl-card') && !element.closest('.psl-frame'))) {
    return null;
  }
  const edge = found.find(element => element.matches('.react-flow__edge-interaction'));
  return edge?.closest('.react-flow__edge')?.getAttribute('data-id') ?? null;
}

function lit(wire: Wire): Wire {
  return { ...wire, className: 'psl-over' };
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

/** The cards of a view; what React Flow knows of one (selection, size) stays with it. */
export function cardsOf(
  view: View,
  before: readonly Card[],
  label: (key: string) => string
): Card[] {
  const known = new Map(before.map(card => [card.id, card]));
  const isLarge = view.nodes.length > MANY;
  // React Flow wants a container before what lies in it.
  const ordered = outermostFirst(view);
  const frames = framesOf(view, ordered);
  return ordered.map(node => {
    const old = known.get(node.id);
    const frame = frames.get(node.id);
    if (old?.data.node === node && old.width === frame?.width && old.height === frame?.height) {
      return old;
    }
    const position = old?.dragging ? old.position : { x: node.x, y: node.y };
    return {
      ...old,
      ...(isLarge ? foreseen(view, node) : {}),
      id: node.id,
      type: 'card' as const,
      position,
      data: { node },
      ariaLabel: label(node.key),
      width: frame?.width,
      height: frame?.height,
      className: frame ? 'psl-frame' : undefined,
      ...(node.parent === null ? {} : { parentId: node.parent })
    };
  });
}

const FRAME_MARGIN = 24;
const DEEPEST = 16;

/** How large each container is, by the id of its node: as large as what lies in it. */
function framesOf(
  view: View,
  ordered: readonly NodeView[]
): Map<string, { width: number; height: number }> {
  const found = new Map<string, { width: number; height: number }>();
  for (const node of [...ordered].reverse()) {
    if (node.parent === null) {
      continue;
    }
    const own = found.get(node.id) ?? { width: CARD.width, height: outline(view, node).height };
    const frame = found.get(node.parent) ?? { width: CARD.width, height: 0 };
    found.set(node.parent, {
      width: Math.max(frame.width, node.x + own.width + FRAME_MARGIN),
      height: Math.max(frame.height, node.y + own.height + FRAME_MARGIN)
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
