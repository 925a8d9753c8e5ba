import type { CSSProperties, ReactElement } from 'react';

import { duration } from '../flow/figures';
import { standing, stepsOf, type Step } from '../flow/runs';
import type { RunView } from '../flow/types';
import { Literal, spelled } from '../literal';
import { accent, kindOf, useEditor } from './editor';
import { Icon } from './icons';
import { ICONS, WORDS } from './outcome';

/** What ran, in the order of its beginning, and when in the run each node was at work. */
export function Steps({ run }: { run: RunView }): ReactElement | null {
  const { view, t } = useEditor();
  const steps = stepsOf(view, run);
  if (!steps.length) {
    return null;
  }
  // A run may have waited for whoever works it off.
  const start = Math.min(...steps.map(step => step.did.began_ms));
  const whole = Math.max(...steps.map(step => step.did.ended_ms)) - start;
  return (
    <section className="psl-steps">
      <div className="psl-section">{t('Steps')}</div>
      <ol>
        {steps.map(step => (
          <li key={step.node.id}>
            <StepRow run={run} step={step} start={start} whole={whole} />
          </li>
        ))}
      </ol>
    </section>
  );
}

interface RowProps {
  readonly run: RunView;
  readonly step: Step;
  /** When the first node began, and how long it was until the last was done. */
  readonly start: number;
  readonly whole: number;
}

function StepRow({ run, step, start, whole }: RowProps): ReactElement {
  const { view, t, inspect } = useEditor();
  const { node, did, depth } = step;
  const kind = kindOf(view, node);
  const stands = standing(view, run, node) ?? 'succeeded';
  const share = (ms: number): string => `${whole > 0 ? (100 * ms) / whole : 0}%`;
  const at: CSSProperties = {
    left: share(did.began_ms - start),
    width: share(did.ended_ms - did.began_ms)
  };
  return (
    <button
      type="button"
      className={`psl-step psl-is-${stands}`}
      style={accent(kind?.accent)}
      title={t(
        '%1: %2 after %3',
        spelled(node.key),
        t(WORDS[stands]),
        duration(did.began_ms - start)
      )}
      onClick={() => inspect(node.id)}
    >
      <Icon name={kind?.icon ?? 'unknown'} size={14} />
      <span className="psl-step-name" style={{ paddingLeft: 12 * depth }}>
        <Literal text={node.key} />
        {did.times > 1 && <i className="psl-muted">{t('× %1', did.times)}</i>}
      </span>
      <span className="psl-worked" aria-hidden="true">
        <i style={at} />
      </span>
      <span className="psl-number">{duration(did.latency_ms)}</span>
      <Icon name={ICONS[stands]} size={14} />
    </button>
  );
}
