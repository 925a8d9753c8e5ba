import { useUpdateNodeInternals, type Node, type NodeProps } from '@xyflow/react';
import { memo, useEffect, type ReactElement } from 'react';

import { WHEN } from '../flow/apply';
import { portsOf } from '../flow/connect';
import type { InputView, NodeView, OutputView } from '../flow/types';
import { accent, kindOf, problemsAt, useEditor } from './editor';
import { Icon } from './icons';
import { Port } from './port';

export type Card = Node<{ node: NodeView }, 'card'>;

const BRANCH_IN: InputView = { name: WHEN, type: 'branch', required: false, many: true };

/** One node: what it is, what matters of it, what it takes and gives. */
export const CardView = memo(function CardView({ data, selected }: NodeProps<Card>): ReactElement {
  const { node } = data;
  const { view, t } = useEditor();
  const kind = kindOf(view, node);
  const { inputs, outputs } = portsOf(view, node);
  const rows = Array.from({ length: Math.max(inputs.length, outputs.length) }, (_, row) => row);
  const problems = problemsAt(view, node);
  const hasError = problems.some(problem => problem.severity === 'error');
  useFreshPorts(node.id, inputs, outputs);
  const taken = new Set(
    view.edges.filter(edge => edge.target === node.id).map(edge => edge.target_port)
  );
  const given = new Set(
    view.edges.filter(edge => edge.source === node.id).map(edge => edge.source_port)
  );
  return (
    <div
      className={`psl-card${selected ? ' psl-selected' : ''}${hasError ? ' psl-wrong' : ''}${kind ? '' : ' psl-foreign'}`}
      style={accent(kind?.accent)}
    >
      <Port node={node.id} port={BRANCH_IN} side="target" connected={taken.has(WHEN)} />
      <div className="psl-head">
        <span className="psl-tile">
          <Icon name={kind?.icon ?? 'other'} />
        </span>
        <span className="psl-key">{node.key}</span>
        {problems.length > 0 ? (
          <span
            className={`psl-badge${hasError ? ' psl-error' : ''}`}
            title={problems.map(problem => problem.message).join('\n')}
            aria-label={t('%1 problems', problems.length)}
          >
            {problems.length}
          </span>
        ) : (
          <span className="psl-kind">{kind?.title ?? node.kind}</span>
        )}
      </div>
      <div
        className={`psl-headline${node.prompt !== null ? ' psl-code' : ''}`}
        title={node.headline}
      >
        {node.headline}
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
    </div>
  );
});

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
  outputs: readonly OutputView[]
): void {
  const refresh = useUpdateNodeInternals();
  const names = [...inputs.map(port => port.name), '', ...outputs.map(port => port.name)].join(
    '\n'
  );
  useEffect(() => refresh(id), [id, names, refresh]);
}

export function selected(card: Card, is: boolean): Card {
  return Boolean(card.selected) === is ? card : { ...card, selected: is };
}
