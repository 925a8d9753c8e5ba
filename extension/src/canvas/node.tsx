import { useUpdateNodeInternals, type Node, type NodeProps } from '@xyflow/react';
import { memo, useContext, useEffect, type CSSProperties, type ReactElement } from 'react';

import { WHEN } from '../flow/apply';
import { portsOf } from '../flow/connect';
import { outline } from '../flow/geometry';
import { edgesFrom, edgesInto } from '../flow/lookup';
import { standing } from '../flow/runs';
import type { InputView, KindView, NodeView, OutputView, ProblemView } from '../flow/types';
import { accent, DetailContext, kindOf, problemsAt, RunContext, useEditor } from './editor';
import { Icon } from './icons';
import { Outcome } from './outcome';
import { Port } from './port';

/** The kind of what is written beside a flow. */
export const NOTE = 'note';
export type Card = Node<{ node: NodeView }, 'card'>;

const BRANCH_IN: InputView = { name: WHEN, type: 'branch', required: false, many: true };
/** Where a frame's ports lie, from its upper edge. */
const FRAME_PORT = 22;
const FRAME_ROW = 20;

/** One node: what it is, what matters of it, what it takes and gives. */
export const CardView = memo(function CardView(props: NodeProps<Card>): ReactElement {
  const { node } = props.data;
  const { view, folded } = useEditor();
  const detail = useContext(DetailContext);
  const kind = kindOf(view, node);
  const { inputs, outputs } = portsOf(view, node);
  const isFrame = Boolean(kind?.container) && !folded.has(node.id);
  useFreshPorts(node.id, inputs, outputs, `${isFrame ? 'frame' : 'card'} ${detail === 'speck'}`);
  const shared: PartProps = { node, kind, inputs, outputs, selected: props.selected };
  if (isFrame) {
    return <Frame {...shared} />;
  }
  if (node.kind === NOTE) {
    return <Note {...shared} />;
  }
  return detail === 'speck' ? <Speck {...shared} /> : <Full {...shared} />;
});

interface PartProps {
  readonly node: NodeView;
  readonly kind: KindView | undefined;
  readonly inputs: readonly InputView[];
  readonly outputs: readonly OutputView[];
  readonly selected: boolean;
}

/** The marks that every way of drawing a node carries. */
function useMarks({ node, selected }: PartProps): {
  readonly names: string;
  readonly problems: readonly ProblemView[];
  readonly hasError: boolean;
} {
  const { view, painted } = useEditor();
  const state = useContext(RunContext);
  const stands = state?.shown ? standing(view, state.shown, node) : null;
  const hot = state?.heat?.nodes.get(node.id);
  const problems = problemsAt(view, node);
  const hasError = problems.some(problem => problem.severity === 'error');
  const paint = painted.get(node.id);
  const names = [
    'psl-card',
    selected && 'psl-selected',
    hasError && 'psl-wrong',
    paint && `psl-${paint}`,
    stands && `psl-ran psl-is-${stands}`,
    state?.shown?.stale.includes(node.id) && 'psl-stale',
    hot && 'psl-hot'
  ];
  return { names: names.filter(Boolean).join(' '), problems, hasError };
}

/** From very far a card is a block of its kind's colour; its edges still find their ends. */
function Speck(props: PartProps): ReactElement {
  const { node, kind, inputs, outputs } = props;
  const { view } = useEditor();
  const { names } = useMarks(props);
  const { height, spots } = outline(view, node);
  return (
    <div className={`${names} psl-speck`} style={{ ...accent(kind?.accent), height }}>
      <span className="psl-key">{node.key}</span>
      {spots
        .filter(spot => spot.id === WHEN || [...inputs, ...outputs].some(p => p.name === spot.id))
        .map(spot => (
          <i
            key={`${spot.type} ${spot.id}`}
            className={`react-flow__handle nodrag ${spot.type}`}
            data-handleid={spot.id}
            data-nodeid={node.id}
            data-handlepos={spot.type === 'source' ? 'right' : 'left'}
            style={{ left: spot.x, top: spot.y, width: spot.width, height: spot.height }}
          />
        ))}
    </div>
  );
}

function Full(props: PartProps): ReactElement {
  const { node, kind, inputs, outputs } = props;
  const { view, t, fold } = useEditor();
  const { names, problems, hasError } = useMarks(props);
  const rows = Array.from({ length: Math.max(inputs.length, outputs.length) }, (_, row) => row);
  const taken = new Set(edgesInto(view, node.id).map(edge => edge.target_port));
  const given = new Set(edgesFrom(view, node.id).map(edge => edge.source_port));
  return (
    <div className={`${names}${kind ? '' : ' psl-strange'}`} style={accent(kind?.accent)}>
      <Port node={node.id} port={BRANCH_IN} side="target" connected={taken.has(WHEN)} />
      <div className="psl-head">
        <span className="psl-tile">
          <Icon name={kind?.icon ?? 'unknown'} />
        </span>
        <span className="psl-key" title={node.key}>
          {node.key}
        </span>
        {kind?.container && (
          <button
            type="button"
            className="psl-fold nodrag"
            aria-label={t('Unfold %1', node.key)}
            title={t('Unfold (E)')}
            onClick={event => {
              event.stopPropagation();
              fold(node.id);
            }}
          >
            <Icon name="unfold" size={14} />
          </button>
        )}
        {problems.length > 0 ? (
          <Badge problems={problems} hasError={hasError} />
        ) : (
          <span className="psl-kind">{kind?.title ?? node.kind}</span>
        )}
      </div>
      <div
        className={`psl-headline${node.prompt !== null ? ' psl-code' : ''}`}
        title={node.headline}
      >
        {kind ? node.headline : t('not installed here: kept as it is')}
      </div>
      {rows.length > 0 && (
        <div className="psl-ports">
          {rows.map(row => (
            <PortRow
              key={row}
              node={node.id}
              input={inputs[row]}
              output={outputs[row]}
              taken={taken}
              given={given}
            />
          ))}
        </div>
      )}
      <Outcome node={node} />
    </div>
  );
}

/** A container with its body: a quiet titled frame, its ports on the edge beside the title. */
function Frame(props: PartProps): ReactElement {
  const { node, kind, inputs, outputs } = props;
  const { view, t, fold } = useEditor();
  const { names, problems, hasError } = useMarks(props);
  const taken = new Set(edgesInto(view, node.id).map(edge => edge.target_port));
  const given = new Set(edgesFrom(view, node.id).map(edge => edge.source_port));
  const isEmpty = !view.nodes.some(other => other.parent === node.id);
  const place = (row: number): CSSProperties => ({ top: FRAME_PORT + FRAME_ROW * row });
  return (
    <div className={`${names} psl-frame-card`} style={accent(kind?.accent)}>
      <Port node={node.id} port={BRANCH_IN} side="target" connected={taken.has(WHEN)} />
      <div className="psl-head">
        <button
          type="button"
          className="psl-fold nodrag"
          aria-label={t('Fold %1', node.key)}
          aria-expanded="true"
          title={t('Fold (E)')}
          onClick={event => {
            event.stopPropagation();
            fold(node.id);
          }}
        >
          <Icon name="fold" size={14} />
        </button>
        <span className="psl-tile">
          <Icon name={kind?.icon ?? 'unknown'} />
        </span>
        <span className="psl-key" title={node.key}>
          {node.key}
        </span>
        <span className="psl-kind">
          {kind?.title ?? node.kind}
          {node.headline && node.headline !== kind?.title ? ` · ${node.headline}` : ''}
        </span>
        {problems.length > 0 && <Badge problems={problems} hasError={hasError} />}
      </div>
      <Outcome node={node} />
      {isEmpty && <div className="psl-body-empty">{t('Drag nodes in here')}</div>}
      {inputs.map((input, row) => (
        <span key={input.name} className="psl-edge-port psl-in" style={place(row)}>
          <Port node={node.id} port={input} side="target" connected={taken.has(input.name)} />
          <span className="psl-label">{input.name}</span>
        </span>
      ))}
      {outputs.map((output, row) => (
        <span key={output.name} className="psl-edge-port psl-out" style={place(row)}>
          <Port node={node.id} port={output} side="source" connected={given.has(output.name)} />
          <span className="psl-label">{output.name}</span>
        </span>
      ))}
    </div>
  );
}

/** Words beside the flow, as on a slip of paper. */
function Note(props: PartProps): ReactElement {
  const { t } = useEditor();
  const { names } = useMarks(props);
  const { text } = props.node.config;
  const words = typeof text === 'string' ? text : '';
  return (
    <div className={`${names} psl-note`}>
      {words || <span className="psl-muted">{t('An empty note: Enter opens it.')}</span>}
    </div>
  );
}

function Badge(props: {
  readonly problems: readonly ProblemView[];
  readonly hasError: boolean;
}): ReactElement {
  const { t } = useEditor();
  return (
    <span
      className={`psl-badge${props.hasError ? ' psl-error' : ''}`}
      role="img"
      title={props.problems.map(problem => problem.message).join('\n')}
      aria-label={
        props.problems.length === 1 ? t('1 problem') : t('%1 problems', props.problems.length)
      }
    >
      {props.problems.length}
    </span>
  );
}

interface RowProps {
  readonly node: string;
  readonly input: InputView | undefined;
  readonly output: OutputView | undefined;
  readonly taken: ReadonlySet<string>;
  readonly given: ReadonlySet<string>;
}

function PortRow({ node, input, output, taken, given }: RowProps): ReactElement {
  return (
    <div className="psl-row">
      {input && (
        <>
          <Port node={node} port={input} side="target" connected={taken.has(input.name)} />
          <span className="psl-label">
            {input.name}
            {input.type !== 'any' && <i>{input.type}</i>}
          </span>
        </>
      )}
      {output && (
        <>
          <span className="psl-label psl-out">
            {output.type !== 'branch' && output.type !== 'any' && output.type !== output.name && (
              <i>{output.type}</i>
            )}
            {output.name}
          </span>
          <Port node={node} port={output} side="source" connected={given.has(output.name)} />
        </>
      )}
    </div>
  );
}

/** Let the edges find their ends again when a node's ports have changed. */
function useFreshPorts(
  id: string,
  inputs: readonly InputView[],
  outputs: readonly OutputView[],
  look: string
): void {
  const refresh = useUpdateNodeInternals();
  const names = [
    look,
    ...inputs.map(port => port.name),
    '',
    ...outputs.map(port => port.name)
  ].join('\n');
  useEffect(() => refresh(id), [id, names, refresh]);
}

export function selected(card: Card, is: boolean): Card {
  return Boolean(card.selected) === is ? card : { ...card, selected: is };
}
