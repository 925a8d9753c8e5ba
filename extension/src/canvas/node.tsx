import { useUpdateNodeInternals, type Node, type NodeProps } from '@xyflow/react';
import { memo, useContext, useEffect, type CSSProperties, type ReactElement } from 'react';

import { WHEN } from '../flow/apply';
import { portsOf } from '../flow/connect';
import { outlineOf } from '../flow/geometry';
import { edgesFrom, edgesInto } from '../flow/lookup';
import { standing } from '../flow/runs';
import type { InputView, KindView, NodeView, OutputView, ProblemView } from '../flow/types';
import { Literal, spelled } from '../literal';
import {
  accent,
  DetailContext,
  kindOf,
  problemsAt,
  RunContext,
  useEditor,
  useHands
} from './editor';
import { Icon } from './icons';
import { Mark, Outcome } from './outcome';
import { Port } from './port';
import { Stub } from './stub';

/** The kind of what is written beside a flow. */
export const NOTE = 'note';
export type Card = Node<{ node: NodeView }, 'card'>;

const BRANCH_IN: InputView = { name: WHEN, type: 'branch', required: false, many: true };
/** Where a frame's ports lie, from its upper edge. */
const FRAME_PORT = 22;
const FRAME_ROW = 32;

/** One node: what it is, what matters of it, what it takes and gives. */
export const CardView = memo(function CardView(props: NodeProps<Card>): ReactElement {
  const { node } = props.data;
  const { view, folded } = useEditor();
  const detail = useContext(DetailContext);
  const kind = kindOf(view, node);
  const { inputs, outputs } = portsOf(view, node);
  const isFrame = Boolean(kind?.container) && !folded.has(node.id);
  useFreshPorts(node.id, inputs, outputs, `${isFrame ? 'frame' : 'card'} ${detail === 'speck'}`);
  const shared: PartProps = {
    ...useMarks(node, props.selected),
    node,
    kind,
    inputs,
    outputs,
    taken: edgesInto(view, node.id).map(edge => edge.target_port),
    given: edgesFrom(view, node.id).map(edge => edge.source_port)
  };
  if (isFrame) {
    const isEmpty = !view.nodes.some(other => other.parent === node.id);
    return <Frame {...shared} isEmpty={isEmpty} />;
  }
  if (node.kind === NOTE) {
    return <Note {...shared} />;
  }
  return detail === 'speck' ? <Speck {...shared} /> : <Full {...shared} />;
});

interface PartProps extends Marks {
  readonly node: NodeView;
  readonly kind: KindView | undefined;
  readonly inputs: readonly InputView[];
  readonly outputs: readonly OutputView[];
  /** The ports that an edge ends in, or begins at. */
  readonly taken: readonly string[];
  readonly given: readonly string[];
}

/** The marks that every way of drawing a node carries. */
interface Marks {
  readonly names: string;
  readonly problems: readonly ProblemView[];
  /** Whether a run is shown, or how hot the nodes are. */
  readonly ran: boolean;
}

function useMarks(node: NodeView, isSelected: boolean): Marks {
  const { view, painted } = useEditor();
  const state = useContext(RunContext);
  const stands = state?.shown ? standing(view, state.shown, node) : null;
  const hot = state?.heat?.nodes.get(node.id);
  const problems = problemsAt(view, node);
  const paint = painted.get(node.id);
  const names = [
    'psl-card',
    isSelected && 'psl-selected',
    problems.some(isError) && 'psl-wrong',
    paint && `psl-${paint}`,
    stands && `psl-ran psl-is-${stands}`,
    state?.shown?.stale.includes(node.id) && 'psl-stale',
    hot && 'psl-hot'
  ];
  const ran = Boolean(state?.shown ?? state?.heat);
  return { names: names.filter(Boolean).join(' '), problems, ran };
}

function isError(problem: ProblemView): boolean {
  return problem.severity === 'error';
}

/** Whether a part would be drawn as it is: an edit elsewhere is none of its own. */
function same(before: PartProps, after: PartProps): boolean {
  return Object.entries(before).every(([name, old]: [string, unknown]) => {
    const now: unknown = after[name as keyof PartProps];
    return (
      old === now ||
      (Array.isArray(old) &&
        Array.isArray(now) &&
        old.length === now.length &&
        old.every((item, at) => item === now[at]))
    );
  });
}

/** From very far a card is a block of its kind's colour; its edges still find their ends. */
const Speck = memo(function Speck(props: PartProps): ReactElement {
  const { node, kind, inputs, outputs, names } = props;
  const { height, spots } = outlineOf(inputs, outputs);
  return (
    <div className={`${names} psl-speck`} style={{ ...accent(kind?.accent), height }}>
      {props.ran && <Mark node={node} />}
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
}, same);

const Full = memo(function Full(props: PartProps): ReactElement {
  const { node, kind, inputs, outputs, taken, given, names, problems } = props;
  const { t, fold } = useHands();
  const rows = Array.from({ length: Math.max(inputs.length, outputs.length) }, (_, row) => row);
  return (
    <div className={`${names}${kind ? '' : ' psl-strange'}`} style={accent(kind?.accent)}>
      <Port node={node.id} port={BRANCH_IN} side="target" connected={taken.includes(WHEN)} />
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
          <Badge problems={problems} />
        ) : (
          <span className="psl-kind">{kind?.title ?? spelled(node.kind)}</span>
        )}
      </div>
      <div
        className={`psl-headline${node.prompt !== null ? ' psl-code' : ''}`}
        title={spelled(node.headline)}
      >
        {kind ? <Literal text={node.headline} /> : t('not installed here: kept as it is')}
      </div>
      {rows.length > 0 && (
        <div className="psl-ports">
          {rows.map(row => (
            <PortRow
              key={row}
              node={node}
              input={inputs[row]}
              output={outputs[row]}
              taken={taken}
              given={given}
            />
          ))}
        </div>
      )}
      {props.ran && <Outcome node={node} />}
    </div>
  );
}, same);

/** A container with its body: a quiet titled frame, its ports on the edge beside the title. */
const Frame = memo(function Frame(props: PartProps & { readonly isEmpty: boolean }): ReactElement {
  const { node, kind, inputs, outputs, taken, given, names, problems, isEmpty } = props;
  const { t, fold } = useHands();
  const place = (row: number): CSSProperties => ({ top: FRAME_PORT + FRAME_ROW * row });
  return (
    <div className={`${names} psl-frame-card`} style={accent(kind?.accent)}>
      <Port node={node.id} port={BRANCH_IN} side="target" connected={taken.includes(WHEN)} />
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
          {kind?.title ?? spelled(node.kind)}
          {node.headline && node.headline !== kind?.title ? ` · ${spelled(node.headline)}` : ''}
        </span>
        {problems.length > 0 && <Badge problems={problems} />}
      </div>
      {props.ran && <Outcome node={node} />}
      {isEmpty && <div className="psl-body-empty">{t('Drag nodes in here')}</div>}
      {inputs.map((input, row) => (
        <span key={input.name} className="psl-edge-port psl-in" style={place(row)}>
          <Port node={node.id} port={input} side="target" connected={taken.includes(input.name)} />
          <span className="psl-label">
            <Literal text={input.name} />
          </span>
        </span>
      ))}
      {outputs.map((output, row) => (
        <span key={output.name} className="psl-edge-port psl-out" style={place(row)}>
          <Port
            node={node.id}
            port={output}
            side="source"
            connected={given.includes(output.name)}
          />
          {!given.includes(output.name) && <Stub node={node} port={output} />}
          <span className="psl-label">
            <Literal text={output.name} />
          </span>
        </span>
      ))}
    </div>
  );
}, same);

/** Words beside the flow, as on a slip of paper. */
const Note = memo(function Note(props: PartProps): ReactElement {
  const { t } = useHands();
  const { names } = props;
  const { text } = props.node.config;
  const words = typeof text === 'string' ? text : '';
  return (
    <div className={`${names} psl-note`}>
      {words ? (
        <Literal text={words} />
      ) : (
        <span className="psl-muted">{t('An empty note: Enter opens it.')}</span>
      )}
    </div>
  );
}, same);

function Badge(props: { readonly problems: readonly ProblemView[] }): ReactElement {
  const { t } = useHands();
  return (
    <span
      className={`psl-badge${props.problems.some(isError) ? ' psl-error' : ''}`}
      role="img"
      title={props.problems.map(problem => spelled(problem.message)).join('\n')}
      aria-label={
        props.problems.length === 1 ? t('1 problem') : t('%1 problems', props.problems.length)
      }
    >
      {props.problems.length}
    </span>
  );
}

interface RowProps {
  readonly node: NodeView;
  readonly input: InputView | undefined;
  readonly output: OutputView | undefined;
  readonly taken: readonly string[];
  readonly given: readonly string[];
}

function PortRow({ node, input, output, taken, given }: RowProps): ReactElement {
  return (
    <div className="psl-row">
      {input && (
        <>
          <Port node={node.id} port={input} side="target" connected={taken.includes(input.name)} />
          <span className="psl-label">
            <Literal text={input.name} />
            {input.type !== 'any' && input.type !== input.name && <i>{input.type}</i>}
          </span>
        </>
      )}
      {output && (
        <>
          <span className="psl-label psl-out">
            {output.type !== 'branch' && output.type !== 'any' && output.type !== output.name && (
              <i>{output.type}</i>
            )}
            <Literal text={output.name} />
          </span>
          <Port
            node={node.id}
            port={output}
            side="source"
            connected={given.includes(output.name)}
          />
          {!given.includes(output.name) && <Stub node={node} port={output} />}
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
