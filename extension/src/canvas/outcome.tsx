import { useContext, type CSSProperties, type ReactElement } from 'react';

import { duration, money, percent } from '../flow/figures';
import { nameOf, standing, type Heat, type Hot, type Measure, type Standing } from '../flow/runs';
import type { NodeRun, NodeView } from '../flow/types';
import { Literal, spelled } from '../literal';
import { RunContext, useEditor } from './editor';
import { Icon } from './icons';

export const ICONS: Readonly<Record<Standing, string>> = {
  running: 'running',
  waiting: 'waiting',
  succeeded: 'done',
  cached: 'cached',
  skipped: 'skipped',
  failed: 'problem',
  cancelled: 'stop'
};

/** At the foot of a card: how it stands in the painted run, or how hot it is. */
export function Outcome({ node }: { node: NodeView }): ReactElement | null {
  const { view, t } = useEditor();
  const state = useContext(RunContext);
  if (!state) {
    return null;
  }
  const hot = state.heat?.nodes.get(node.id);
  if (state.heat && hot) {
    return <Warmth heat={state.heat} hot={hot} />;
  }
  const stands = state.shown ? standing(view, state.shown, node) : null;
  if (!state.shown || stands === null || stands === 'skipped') {
    return null;
  }
  const found = state.shown.nodes[node.id];
  const said = found ? null : (state.texts.get(nameOf(view, node)) ?? null);
  const text = found?.error ?? found?.output ?? said;
  return (
    <div className="psl-outcome">
      <div className="psl-outcome-line">
        <Icon name={ICONS[stands]} size={14} />
        <span>
          {found ? duration(found.latency_ms) : t(WORDS[stands])}
          {found && <span className="psl-spent">{spent(found)}</span>}
        </span>
        {found && found.times > 1 && (
          <span className="psl-times">
            {found.failed
              ? t('%1 of %2 failed', found.failed, found.times)
              : t('× %1', found.times)}
          </span>
        )}
      </div>
      {text && (
        <div className="psl-outcome-text" title={spelled(text)}>
          <Literal text={text} />
        </div>
      )}
    </div>
  );
}

export const WORDS: Readonly<Record<Standing, string>> = {
  running: 'running…',
  waiting: 'waits for an answer',
  succeeded: 'done',
  cached: 'from the cache',
  skipped: 'skipped',
  failed: 'failed',
  cancelled: 'stopped'
};

function spent(node: NodeRun): string {
  const tokens = node.input_tokens + node.output_tokens;
  return [
    tokens || node.cost_usd ? ` · ${money(node.cost_usd)}` : '',
    tokens ? ` · ${tokens.toLocaleString('en')} tok` : ''
  ].join('');
}

/** On a card that is too small for words: the sign of how it stands, or how hot it is. */
export function Mark({ node }: { node: NodeView }): ReactElement | null {
  const { view } = useEditor();
  const state = useContext(RunContext);
  const hot = state?.heat?.nodes.get(node.id);
  if (state?.heat && hot) {
    return <Warmth heat={state.heat} hot={hot} />;
  }
  const stands = state?.shown ? standing(view, state.shown, node) : null;
  return stands ? <Icon name={ICONS[stands]} size={36} /> : null;
}

/** What nodes are coloured by, as a bar of their own scale; two variants side by side. */
function Warmth({ heat, hot }: { heat: Heat; hot: Hot }): ReactElement {
  const { t } = useEditor();
  const style: CSSProperties & Record<'--psl-heat', string> = {
    '--psl-heat': `${Math.round(Math.abs(hot.share) * 100)}%`
  };
  const tone = !heat.sides || hot.share === 0 ? '' : hot.share < 0 ? ' psl-less' : ' psl-more';
  return (
    <div className={`psl-outcome psl-warmth${tone}`} style={style}>
      <div className="psl-outcome-line">
        <span>
          {heat.sides
            ? `${told(heat.by, hot.value)} → ${told(heat.by, hot.other)}`
            : told(heat.by, hot.value)}
        </span>
        {heat.sides && hot.value !== null && hot.value > 0 && hot.other !== null && (
          <span className="psl-times" title={t('B against A')}>
            {signed((hot.other - hot.value) / hot.value)}
          </span>
        )}
      </div>
      <div className="psl-heat-bar" />
    </div>
  );
}

function told(by: Measure, value: number | null): string {
  if (value === null) {
    return '—';
  }
  return { cost: (usd: number) => money(usd, 2), latency: duration, errors: percent }[by](value);
}

function signed(share: number): string {
  return `${share > 0 ? '+' : share < 0 ? '−' : '±'}${percent(Math.abs(share))}`;
}

const SCALES: Readonly<Record<Measure, string>> = {
  cost: 'Mean cost a time it runs',
  latency: 'Mean time it takes',
  errors: 'Share that failed'
};

/** What the colours mean. */
export function Legend({ heat }: { heat: Heat }): ReactElement {
  const { t } = useEditor();
  return (
    <div className="psl-legend" role="status">
      <b>{t(SCALES[heat.by])}</b>
      {heat.sides ? (
        <span>
          <i className="psl-less">{t('%1 lower', heat.sides[1])}</i>{' '}
          <i className="psl-more">{t('%1 higher', heat.sides[1])}</i>
          <span className="psl-muted"> {t('than %1', heat.sides[0])}</span>
        </span>
      ) : (
        <span className="psl-scale">
          {told(heat.by, 0)} <i /> {told(heat.by, heat.most)}
        </span>
      )}
      <span className="psl-muted">
        {heat.runs === 1 ? t('over 1 run') : t('over %1 runs', heat.runs)}
      </span>
    </div>
  );
}
