import { useState, type ReactElement, type ReactNode } from 'react';

import { duration, money } from '../flow/figures';
import type { Json, NodeView, RunView, ValuesView } from '../flow/types';
import { Literal, spelled } from '../literal';
import { useEditor } from './editor';
import { useAnswer } from './library';

const MOST_ROWS = 100;
const MOST_TEXT = 20_000;

/** What a node took and gave in the painted run, whole, and only ever as text. */
export function Values({ node, run }: { node: NodeView; run: RunView }): ReactElement | null {
  const { session, t } = useEditor();
  const [nth, setNth] = useState(0);
  const times = run.nodes[node.id]?.times ?? 0;
  const at = Math.min(nth, Math.max(times - 1, 0));
  const found = useAnswer(
    () =>
      times
        ? session.question<ValuesView>({
            do: 'ask',
            about: 'values',
            run: run.run,
            node: node.id,
            nth: at
          })
        : Promise.resolve(null),
    [session, run.run, node.id, times, at]
  );
  if (!times) {
    return <p className="psl-hint">{t('It did not run in the run that is shown.')}</p>;
  }
  if (!found) {
    return null;
  }
  return (
    <section className="psl-values" aria-label={t('In this run')}>
      <div className="psl-section">
        {t('In this run')}
        <span className="psl-muted">
          {[
            duration(found.latency_ms),
            money(found.cost_usd),
            found.cached ? t('from the cache, saved %1', money(found.saved_usd)) : ''
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </div>
      {times > 1 && (
        <label className="psl-nth">
          <input
            type="number"
            min={1}
            max={times}
            value={at + 1}
            aria-label={t('Which time it ran')}
            onChange={event => {
              const wanted = Number(event.target.value) - 1;
              setNth(Number.isInteger(wanted) ? Math.max(0, Math.min(wanted, times - 1)) : 0);
            }}
          />
          <span className="psl-muted">{t('of %1 · %2', times, found.path)}</span>
        </label>
      )}
      {found.error !== null && <Shown name={t('Error')} value={found.error} tone="wrong" />}
      <Shown name={t('Took')} value={alone(found.inputs)} />
      <Shown name={t('Gave')} value={alone(found.outputs)} />
      {found.calls.map((call, index) => (
        <details key={index} className="psl-call">
          <summary>
            <span className="psl-code">{call.model}</span>
            <span className="psl-muted">
              {duration(call.latency_ms)} · {money(call.cost_usd)} ·{' '}
              {t('%1 → %2 tokens', call.input_tokens ?? '—', call.output_tokens ?? '—')}
            </span>
          </summary>
          <Shown name={t('Asked')} value={messagesOf(call.request)} />
          <Shown name={t('Answered')} value={textOf(call.response)} />
        </details>
      ))}
    </section>
  );
}

/** What the flow answered, whole. */
export function Answer({ node, run }: { node: NodeView; run: RunView }): ReactElement | null {
  const { session } = useEditor();
  const found = useAnswer(
    () =>
      session.question<ValuesView>({
        do: 'ask',
        about: 'values',
        run: run.run,
        node: node.id,
        nth: 0
      }),
    [session, run.run, node.id]
  );
  const outputs = found && isObject(found.outputs) ? found.outputs : {};
  return (
    <>
      {Object.entries(outputs).map(([name, value]) => (
        <Shown key={name} name={spelled(name)} value={value} />
      ))}
    </>
  );
}

/** A single value stands for itself. */
function alone(value: Json): Json {
  if (isObject(value)) {
    const parts = Object.values(value);
    return parts.length === 1 ? (parts[0] ?? null) : value;
  }
  return value;
}

/** The messages of a request, each behind who says it. */
function messagesOf(request: Json): Json {
  const messages = isObject(request) ? request['messages'] : null;
  return Array.isArray(messages)
    ? messages
        .map(each => (Array.isArray(each) ? each.map(written).join(': ') : written(each)))
        .join('\n\n')
    : request;
}

function textOf(response: Json): Json {
  return isObject(response) && 'text' in response ? (response['text'] ?? null) : response;
}

interface ShownProps {
  readonly name: string;
  readonly value: Json;
  readonly tone?: 'wrong';
}

/** A value as a text, as a table where it is rows, as a tree otherwise. */
function Shown({ name, value, tone }: ShownProps): ReactElement | null {
  const { t } = useEditor();
  if (value === null) {
    return null;
  }
  return (
    <div className={`psl-shown${tone ? ` psl-${tone}` : ''}`}>
      <div className="psl-shown-head">
        <span>{name}</span>
        <button
          type="button"
          className="psl-link"
          onClick={() => void navigator.clipboard.writeText(written(value)).catch(() => undefined)}
        >
          {t('Copy')}
        </button>
      </div>
      <div className="psl-shown-body" tabIndex={0} role="group" aria-label={name}>
        {drawn(value)}
      </div>
    </div>
  );
}

function drawn(value: Json): ReactNode {
  if (typeof value === 'string') {
    return (
      <span className="psl-literal">
        <Literal text={value.slice(0, MOST_TEXT)} />
      </span>
    );
  }
  if (isTable(value)) {
    return <Table rows={value} />;
  }
  return <Tree value={value} depth={0} />;
}

function Table({ rows }: { rows: readonly Record<string, Json>[] }): ReactElement {
  const { t } = useEditor();
  const names = [...new Set(rows.slice(0, MOST_ROWS).flatMap(Object.keys))];
  return (
    <>
      <table>
        <thead>
          <tr>
            {names.map(name => (
              <th key={name}>
                <Literal text={name} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((row, index) => (
            <tr key={index}>
              {names.map(name => (
                <td key={name} className={typeof row[name] === 'number' ? 'psl-number' : ''}>
                  <Literal text={written(row[name] ?? null)} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && (
        <span className="psl-hint">{t('%1 more rows', rows.length - MOST_ROWS)}</span>
      )}
    </>
  );
}

/** An object or a list, each level to be folded. */
function Tree({ value, depth }: { value: Json; depth: number }): ReactElement {
  if (typeof value !== 'object' || value === null) {
    return (
      <span className="psl-literal psl-code">
        <Literal text={written(value)} />
      </span>
    );
  }
  const entries = Object.entries(value);
  return (
    <ul className="psl-tree">
      {entries.slice(0, MOST_ROWS).map(([name, part]) => (
        <li key={name}>
          {typeof part === 'object' && part !== null ? (
            <details open={depth < 1}>
              <summary className="psl-code">
                <Literal text={name} />{' '}
                <i className="psl-muted">
                  {Array.isArray(part) ? `[${part.length}]` : `{${Object.keys(part).length}}`}
                </i>
              </summary>
              <Tree value={part} depth={depth + 1} />
            </details>
          ) : (
            <>
              <span className="psl-code psl-name">
                <Literal text={name} />
              </span>{' '}
              <Tree value={part} depth={depth + 1} />
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function written(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isObject(value: Json): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTable(value: Json): value is Record<string, Json>[] {
  return Array.isArray(value) && value.length > 0 && value.every(isObject);
}
