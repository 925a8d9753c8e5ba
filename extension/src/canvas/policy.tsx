import { useId, type ReactElement } from 'react';

import type { Json, NodeView } from '../flow/types';
import { useEditor } from './editor';
import { useDraft, Wrong } from './fields';

/** How a node is run: again when it fails, how long, for how much, and what a failure means. */
export function Policy({ node }: { node: NodeView }): ReactElement {
  const { session, t, live } = useEditor();
  const { policy } = node;
  const rule = (name: string, value: Json | undefined): Promise<string | null> =>
    session.edit(
      value === undefined
        ? { type: 'configure', node: node.id, without_rules: [name] }
        : { type: 'configure', node: node.id, rules: { [name]: value } },
      'returned'
    );
  const retry = policy['retry'];
  const most =
    retry && typeof retry === 'object' && !Array.isArray(retry) ? (retry['max'] ?? null) : null;
  const budget = policy['budget'];
  const ids = { error: useId() };
  return (
    <details className="psl-policy">
      <summary>
        {t('When it runs')}
        {Object.keys(policy).length > 0 && (
          <span className="psl-tag">{t('%1 set', Object.keys(policy).length)}</span>
        )}
      </summary>
      <Figure
        title={t('Retries')}
        hint={t('how often it is tried again')}
        kept={typeof most === 'number' ? String(most) : ''}
        whole
        send={value => rule('retry', value === undefined ? undefined : { max: value })}
      />
      <Figure
        title={t('Seconds')}
        hint={t('after which it has failed')}
        kept={typeof policy['timeout_s'] === 'number' ? String(policy['timeout_s']) : ''}
        send={value => rule('timeout_s', value)}
      />
      <Figure
        title={t('Dollars')}
        hint={t('that it may cost at most')}
        kept={typeof budget === 'number' ? String(budget / NANO) : ''}
        send={value => rule('budget', value === undefined ? undefined : Math.round(value * NANO))}
      />
      <div className="psl-rule-row">
        <label htmlFor={ids.error}>{t('When it fails')}</label>
        <select
          id={ids.error}
          disabled={!live}
          value={policy['on_error'] === 'skip' ? 'skip' : 'fail'}
          onChange={event =>
            void rule('on_error', event.target.value === 'skip' ? 'skip' : undefined)
          }
        >
          <option value="fail">{t('the run fails')}</option>
          <option value="skip">{t('it is skipped')}</option>
        </select>
      </div>
      <label className="psl-toggle psl-field">
        <input
          type="checkbox"
          disabled={!live}
          checked={policy['cache'] === true}
          onChange={event => void rule('cache', event.target.checked ? true : undefined)}
        />
        <span>{t('Remember what it gave for the same inputs')}</span>
      </label>
    </details>
  );
}

const NANO = 1_000_000_000;

interface FigureProps {
  readonly title: string;
  readonly hint: string;
  readonly kept: string;
  readonly whole?: boolean;
  readonly send: (value: number | undefined) => Promise<string | null>;
}

function Figure({ title, hint, kept, whole, send }: FigureProps): ReactElement {
  const { t, live } = useEditor();
  const id = useId();
  const draft = useDraft(kept, typed => {
    const value = Number(typed.trim());
    if (typed.trim() === '') {
      return send(undefined);
    }
    if (!Number.isFinite(value) || value < 0 || (whole && !Number.isInteger(value))) {
      return { error: whole ? t('a whole number is needed') : t('%1 is not a number', typed) };
    }
    return send(value);
  });
  return (
    <>
      <div className="psl-rule-row">
        <label htmlFor={id} title={hint}>
          {title}
        </label>
        <input
          id={id}
          inputMode="decimal"
          placeholder={t('no limit')}
          value={draft.typed}
          readOnly={!live}
          onChange={event => draft.type(event.target.value)}
          onBlur={draft.done}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              draft.done();
            }
          }}
        />
      </div>
      {draft.error && <Wrong text={draft.error} />}
    </>
  );
}
