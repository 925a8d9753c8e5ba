import { useEffect, useId, useRef, useState, type ReactElement } from 'react';

import { duration, money } from '../flow/figures';
import { isEnded, type Measure, type RunsState } from '../flow/runs';
import type { Json, JsonObject, NodeView, RunRow, RunView, SideView } from '../flow/types';
import { Literal, spelled } from '../literal';
import { useEditor } from './editor';
import { Icon } from './icons';
import { command } from './keys';
import { useAnswer } from './library';
import { Steps } from './steps';
import { Answer } from './values';

interface RunProps {
  readonly state: RunsState;
  /** The node to run up to, where one is selected. */
  readonly until: NodeView | null;
  readonly onClose: () => void;
}

/** What the flow is run on, how that goes, and the runs there were. */
export function Run({ state, until, onClose }: RunProps): ReactElement {
  const { runs, t } = useEditor();
  return (
    <aside className="psl-inspector psl-run" aria-label={t('Run')}>
      <header>
        <span className="psl-tile">
          <Icon name="play" />
        </span>
        <span className="psl-inspector-title">
          <b>{t('Run')}</b>
          <span className="psl-muted">{t('Every run is kept, with all that it did.')}</span>
        </span>
        <button
          type="button"
          className="psl-tool"
          aria-label={t('Close')}
          title={t('Close (Esc)')}
          onClick={() => {
            void runs.show(null);
            void runs.warm(null);
            onClose();
          }}
        >
          <Icon name="close" size={14} />
        </button>
      </header>
      <div className="psl-form">
        <Inputs state={state} until={until} />
        <Summary state={state} />
        {state.shown && <Steps run={state.shown} />}
        <Colours state={state} />
        <Past state={state} />
      </div>
    </aside>
  );
}

/** What was typed for a flow's inputs, kept while the page lives. */
const typed = new Map<string, Record<string, string>>();

function Inputs({ state, until }: Pick<RunProps, 'state' | 'until'>): ReactElement {
  const { view, session, runs, t, live } = useEditor();
  const { id } = view.flow;
  const [values, setValues] = useState<Record<string, string>>(() => typed.get(id) ?? {});
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const form = useRef<HTMLDivElement>(null);
  const wanted = view.nodes.filter(node => node.kind === 'input' && node.parent === null);
  const busy = state.live !== null || state.starting;
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('textarea, button')?.focus({ preventScroll: true });
  }, []);
  const write = (next: Record<string, string>): void => {
    typed.set(id, next);
    setValues(next);
  };
  const run = (to: string | null): void => {
    const [inputs, faults] = read(wanted, values, t('This is no JSON.'));
    setWrong(faults);
    if (!Object.keys(faults).length && !busy && live) {
      void runs.begin(inputs, to);
    }
  };
  const fill = async (dataset: string): Promise<void> => {
    const row = await session.question<JsonObject>({ do: 'ask', about: 'row', dataset, item: 0 });
    if (row) {
      const known = wanted.filter(node => node.key in row);
      const filled = known.map(node => [node.key, shownIn(node, row[node.key] ?? null)] as const);
      write({ ...values, ...Object.fromEntries(filled) });
    }
  };
  return (
    <div
      ref={form}
      className="psl-run-inputs"
      onKeyDown={event => {
        if (event.key === 'Enter' && command(event)) {
          event.preventDefault();
          event.stopPropagation();
          run(null);
        }
      }}
    >
      {wanted.length === 0 && <p className="psl-hint">{t('The flow takes no input.')}</p>}
      {wanted.map(node => (
        <InputField
          key={node.id}
          node={node}
          value={values[node.key] ?? ''}
          wrong={wrong[node.key]}
          onType={text => write({ ...values, [node.key]: text })}
        />
      ))}
      {wanted.length > 0 && <FillFrom onPick={name => void fill(name)} />}
      <div className="psl-run-buttons">
        {busy ? (
          <button
            type="button"
            className="psl-button psl-stop"
            disabled={state.live === null}
            onClick={() => void runs.stop()}
          >
            <Icon name="stop" size={14} />
            {t('Stop')}
          </button>
        ) : (
          <>
            <button
              type="button"
              className="psl-button"
              disabled={!live}
              title={t('Run the flow (Ctrl+Enter)')}
              onClick={() => run(null)}
            >
              <Icon name="play" size={14} />
              {t('Run')}
            </button>
            {until && (
              <button
                type="button"
                className="psl-link"
                disabled={!live}
                onClick={() => run(until.id)}
              >
                {t('Run to %1', until.key)}
              </button>
            )}
          </>
        )}
      </div>
    </div>
  );
}

function InputField(props: {
  readonly node: NodeView;
  readonly value: string;
  readonly wrong: string | undefined;
  readonly onType: (text: string) => void;
}): ReactElement {
  const { t } = useEditor();
  const id = useId();
  const { node } = props;
  const usual = node.config['default'];
  return (
    <div className="psl-field">
      <div className="psl-title">
        <label htmlFor={id}>{node.key}</label>
        <i className="psl-muted">{typeOf(node)}</i>
      </div>
      <textarea
        id={id}
        rows={isText(node) ? 3 : 2}
        className={isText(node) ? '' : 'psl-code'}
        value={props.value}
        spellCheck={false}
        aria-invalid={props.wrong !== undefined}
        placeholder={
          usual !== undefined
            ? t('%1 by default', JSON.stringify(usual))
            : isText(node)
              ? ''
              : t('JSON')
        }
        onChange={event => props.onType(event.target.value)}
      />
      {props.wrong && (
        <span className="psl-fault" role="alert">
          {props.wrong}
        </span>
      )}
    </div>
  );
}

/** The first row of a dataset, as the values to run on. */
function FillFrom({ onPick }: { onPick: (dataset: string) => void }): ReactElement | null {
  const { session, t } = useEditor();
  const found = useAnswer(
    () => session.question<{ name: string; items: number }[]>({ do: 'ask', about: 'datasets' }),
    [session]
  );
  if (!found?.length) {
    return null;
  }
  return (
    <select
      className="psl-fill"
      value=""
      aria-label={t('Fill in from a dataset')}
      onChange={event => onPick(event.target.value)}
    >
      <option value="">{t('fill in from a dataset…')}</option>
      {found.map(one => (
        <option key={one.name} value={one.name}>
          {spelled(one.name)}
        </option>
      ))}
    </select>
  );
}

/** How the painted run stands, in one line of figures. */
function Summary({ state }: { state: RunsState }): ReactElement | null {
  const { view, t, runs } = useEditor();
  const { shown, starting } = state;
  if (!shown) {
    return starting ? <p className="psl-hint">{t('Checking the flow…')}</p> : null;
  }
  const tokens = (shown.input_tokens ?? 0) + (shown.output_tokens ?? 0);
  return (
    <section className={`psl-summary psl-is-${shown.status}`} role="status">
      <div className="psl-summary-head">
        <span className="psl-dot" />
        <b>{t(STATUSES[shown.status] ?? shown.status)}</b>
        {shown.simulated && (
          <span className="psl-tag" title={t('A stand-in answered in a model’s place.')}>
            {t('simulated')}
          </span>
        )}
        {isEnded(shown) && (
          <button type="button" className="psl-link" onClick={() => void runs.show(null)}>
            {t('Clear')}
          </button>
        )}
      </div>
      <dl className="psl-figures">
        {[
          [t('Time'), duration(shown.latency_ms)],
          [t('Cost'), money(shown.cost_usd)],
          [t('Tokens'), tokens ? tokens.toLocaleString('en') : '—']
        ].map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {shown.error && <Fault run={shown} error={shown.error} />}
      {view.nodes
        .filter(node => node.kind === 'output' && node.parent === null && shown.nodes[node.id])
        .map(node => (
          <Answer key={node.id} node={node} run={shown} />
        ))}
    </section>
  );
}

/** Why a run failed, and the way to the node that did. */
function Fault({ run, error }: { run: RunView; error: string }): ReactElement {
  const { view, t, inspect } = useEditor();
  const failed = view.nodes.filter(node => run.nodes[node.id]?.status === 'failed');
  // A container fails because of what lies in it.
  const node = failed.find(one => !failed.some(other => other.parent === one.id));
  return (
    <div className="psl-fault-box" role="alert">
      {node && (
        <button
          type="button"
          className="psl-link"
          title={t('Open the node that failed')}
          onClick={() => inspect(node.id)}
        >
          <Icon name="problem" size={14} />
          <Literal text={node.key} />
        </button>
      )}
      <p className="psl-fault">
        <Literal text={error} />
      </p>
    </div>
  );
}

export const STATUSES: Readonly<Record<string, string>> = {
  running: 'running',
  waiting: 'waiting',
  succeeded: 'succeeded',
  failed: 'failed',
  partial: 'ran in part',
  cancelled: 'stopped',
  interrupted: 'interrupted'
};

const MEASURES: readonly (readonly [Measure, string])[] = [
  ['cost', 'Cost'],
  ['latency', 'Time'],
  ['errors', 'Errors']
];

/** What the nodes are coloured by, of all runs or of one variant against another. */
function Colours({ state }: { state: RunsState }): ReactElement {
  const { session, runs, t } = useEditor();
  const [one, setOne] = useState('');
  const [other, setOther] = useState('');
  const sides = useAnswer(
    () => session.question<SideView[]>({ do: 'ask', about: 'variants' }),
    [session]
  );
  const side = (id: string): SideView | undefined => sides?.find(each => each.id === id);
  const paint = (by: Measure | null, a: string, b: string): void => {
    const [first, second] = [side(a), side(b)];
    void runs.warm(by, first && second ? [first, second] : null);
  };
  const by = state.heat?.by ?? null;
  return (
    <section className="psl-colours">
      <div className="psl-section">{t('Colour by')}</div>
      <div className="psl-segments" role="group" aria-label={t('Colour by')}>
        {MEASURES.map(([measure, name]) => (
          <button
            key={measure}
            type="button"
            aria-pressed={by === measure}
            onClick={() => paint(by === measure ? null : measure, one, other)}
          >
            {t(name)}
          </button>
        ))}
      </div>
      {Boolean(sides && sides.length > 1) && (
        <div className="psl-pair psl-sides">
          {(
            [
              ['A', one, setOne],
              ['B', other, setOther]
            ] as const
          ).map(([name, value, set]) => (
            <select
              key={name}
              value={value}
              aria-label={t('Variant %1', name)}
              onChange={event => {
                set(event.target.value);
                const [a, b] =
                  name === 'A' ? [event.target.value, other] : [one, event.target.value];
                if (a && b) {
                  paint(by ?? 'cost', a, b);
                }
              }}
            >
              <option value="">{t('variant %1…', name)}</option>
              {sides?.map(each => (
                <option key={each.id} value={each.id}>
                  {spelled(`${each.experiment} · ${each.name}`)}
                </option>
              ))}
            </select>
          ))}
        </div>
      )}
    </section>
  );
}

/** The flow's newest runs; a click paints one. */
function Past({ state }: { state: RunsState }): ReactElement {
  const { view, session, runs, t } = useEditor();
  const { live, shown } = state;
  const found = useAnswer(
    () => session.question<RunRow[]>({ do: 'ask', about: 'runs' }),
    [session, live, view.flow.id]
  );
  return (
    <section className="psl-past">
      <div className="psl-section">{t('Runs')}</div>
      {found?.length === 0 && (
        <p className="psl-hint">
          {t('None yet. In a notebook: %1', `f.run(${inputsOf(view.nodes)})`)}
        </p>
      )}
      <ol>
        {found?.map(run => (
          <li key={run.run}>
            <button
              type="button"
              className={`psl-past-run psl-is-${run.status}`}
              aria-pressed={shown?.run === run.run}
              onClick={() => void runs.show(shown?.run === run.run ? null : run.run)}
            >
              <span className="psl-dot" title={t(STATUSES[run.status] ?? run.status)} />
              <span
                className="psl-past-when"
                title={run.variant ? spelled(`${run.experiment ?? ''} · ${run.variant}`) : run.run}
              >
                {when(run.started_at)}
                <i className="psl-muted">
                  {run.variant
                    ? spelled(`${run.experiment ?? ''} · ${run.variant}`)
                    : t('v%1', run.version)}
                </i>
              </span>
              <span className="psl-number">{duration(run.latency_ms)}</span>
              <span className="psl-number">{money(run.cost_usd)}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

function inputsOf(nodes: readonly NodeView[]): string {
  const names = nodes.filter(node => node.kind === 'input' && node.parent === null);
  return names.map(node => `${node.key}=…`).join(', ');
}

function when(at: string): string {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return Number.isNaN(date.getTime())
    ? at
    : date.toLocaleString(
        undefined,
        isToday ? { timeStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'short' }
      );
}

function typeOf(node: NodeView): string {
  return node.outputs[0]?.type ?? 'any';
}

function isText(node: NodeView): boolean {
  return typeOf(node) === 'text';
}

/** A value as it is typed: a text as it is, anything else as JSON. */
function shownIn(node: NodeView, value: Json): string {
  return isText(node) && typeof value === 'string' ? value : JSON.stringify(value);
}

/** What is typed, as values; and what cannot be one, by input. */
export function read(
  wanted: readonly NodeView[],
  values: Readonly<Record<string, string>>,
  reason: string
): [JsonObject, Record<string, string>] {
  const inputs: JsonObject = {};
  const faults: Record<string, string> = {};
  for (const node of wanted) {
    const text = values[node.key] ?? '';
    if (isText(node)) {
      if (text !== '' || node.config['default'] === undefined) {
        inputs[node.key] = text;
      }
      continue;
    }
    if (text.trim() === '') {
      // Python says what is missing; an input with a default is not.
      continue;
    }
    try {
      inputs[node.key] = JSON.parse(text) as Json;
    } catch {
      if (typeOf(node) === 'any') {
        inputs[node.key] = text;
      } else {
        faults[node.key] = reason;
      }
    }
  }
  return [inputs, faults];
}
