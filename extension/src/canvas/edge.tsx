import {
  BaseEdge,
  EdgeLabelRenderer,
  getBezierPath,
  useStore,
  type ConnectionLineComponentProps,
  type Edge,
  type EdgeProps
} from '@xyflow/react';
import { memo, useContext, useState, type ReactElement } from 'react';

import { WHEN } from '../flow/apply';
import { refusal } from '../flow/connect';
import type { Lane } from '../flow/route';
import { passage } from '../flow/runs';
import type { EdgeView } from '../flow/types';
import { Literal } from '../literal';
import { DetailContext, RunContext, useEditor, useHands } from './editor';
import { Icon } from './icons';
import type { Card } from './node';
import { joined } from './port';

export type Wire = Edge<{ edge: EdgeView; lane: Lane | null }, 'wire'>;

/** One edge; a branch carries its name, a part of a value its path. */
export const WireView = memo(function WireView(props: EdgeProps<Wire>): ReactElement {
  const edge = props.data?.edge;
  const [path, middleX, middleY] = pathOf(props, props.data?.lane ?? null);
  const isBranch = edge?.target_port === WHEN;
  const text = isBranch ? edge.source_port : edge?.source_path ? `.${edge.source_path}` : '';
  const { t, live, offer } = useHands();
  const detail = useContext(DetailContext);
  const [hovered, setHovered] = useState(false);
  const shown = useContext(RunContext)?.shown ?? null;
  // What went over it in the painted run, as far as a card shows it.
  const given = (edge && shown?.nodes[edge.source]?.output) ?? null;
  const passed = edge && shown ? passage(shown, edge) : null;
  const names = [
    'psl-wire',
    isBranch && 'psl-dashed',
    passed && `psl-${passed}`,
    props.selected && 'psl-selected'
  ];
  return (
    // What is drawn elsewhere, the button among it, counts as inside: React goes by its own tree.
    <g onPointerEnter={() => setHovered(true)} onPointerLeave={() => setHovered(false)}>
      <BaseEdge
        id={props.id}
        path={path}
        interactionWidth={16}
        className={names.filter(Boolean).join(' ')}
      />
      {given !== null && (
        <path d={path} className="psl-given" fill="none" strokeWidth={16}>
          <title>{given}</title>
        </path>
      )}
      {live && (props.selected || hovered) && detail === 'near' && (
        <EdgeLabelRenderer>
          <button
            type="button"
            className="psl-on-edge nodrag nopan"
            title={t('Put a node on this edge')}
            aria-label={t('Put a node on this edge')}
            style={{
              transform: `translate(-50%, -50%) translate(${middleX}px, ${middleY - (text ? 20 : 0)}px)`
            }}
            onClick={event =>
              offer(
                { on: props.id, at: { x: middleX, y: middleY } },
                { x: event.clientX, y: event.clientY }
              )
            }
          >
            <Icon name="add" size={12} />
          </button>
        </EdgeLabelRenderer>
      )}
      {text && detail !== 'speck' && (
        <EdgeLabelRenderer>
          <span
            className={`psl-chip${isBranch ? ' psl-branch-chip' : ''}${passed ? ` psl-${passed}` : ''}${props.selected ? ' psl-selected' : ''}`}
            style={{
              transform: `translate(-50%, -50%) translate(${middleX}px, ${middleY}px)`
            }}
          >
            <Literal text={text} />
          </span>
        </EdgeLabelRenderer>
      )}
    </g>
  );
});

/** The line of an edge, and its middle; a lane takes it around what lies between its ends. */
function pathOf(props: EdgeProps<Wire>, lane: Lane | null): [string, number, number] {
  const { sourceX, sourceY, targetX, targetY } = props;
  const [from, to] = [sourceX + (lane?.after ?? 0), targetX - (lane?.before ?? 0)];
  if (!lane || from > to) {
    const [path, x, y] = getBezierPath(props);
    return [path, x, y];
  }
  const y = sourceY + lane.down;
  const [out, back] = [lane.after / 2, lane.before / 2];
  const path = [
    `M${sourceX},${sourceY} C${sourceX + out},${sourceY} ${from - out},${y} ${from},${y}`,
    `H${to} C${to + back},${y} ${targetX - back},${targetY} ${targetX},${targetY}`
  ];
  return [path.join(' '), (from + to) / 2, y];
}

const REASON = 300;

/** The edge that is being drawn: green where it fits, red with the reason where it does not. */
export function DrawnWire(props: ConnectionLineComponentProps<Card>): ReactElement {
  const { view, t } = useEditor();
  const [offset, , zoom] = useStore(state => state.transform);
  const width = useStore(state => state.width);
  const isLeft = props.toX * zoom + offset + REASON > width;
  const [path] = getBezierPath({
    sourceX: props.fromX,
    sourceY: props.fromY,
    sourcePosition: props.fromPosition,
    targetX: props.toX,
    targetY: props.toY,
    targetPosition: props.toPosition
  });
  const reason =
    props.toHandle && props.toHandle.type !== props.fromHandle.type
      ? refusal(
          view,
          joined(
            {
              node: props.fromHandle.nodeId,
              port: props.fromHandle.id ?? '',
              side: props.fromHandle.type
            },
            { node: props.toHandle.nodeId, port: props.toHandle.id ?? '' }
          ),
          t
        )
      : null;
  const tone = reason ? 'psl-refused' : props.toHandle ? 'psl-accepted' : '';
  return (
    <g className={`psl-drawn ${tone}`}>
      <path d={path} />
      <circle cx={props.toX} cy={props.toY} r={3.5} />
      {reason && (
        <g transform={`translate(${props.toX}, ${props.toY}) scale(${1 / zoom})`}>
          <foreignObject
            x={isLeft ? -REASON : 14}
            y={12}
            width={REASON - 14}
            height={80}
            className={`psl-reason-box${isLeft ? ' psl-left' : ''}`}
          >
            <span className="psl-reason">{reason}</span>
          </foreignObject>
        </g>
      )}
    </g>
  );
}
