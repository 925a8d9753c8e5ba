import type { ReactElement } from 'react';

import { pasted } from '../flow/clip';
import { asClip, startersOf } from '../flow/starters';
import { accent, useEditor } from './editor';
import { Icon } from './icons';

/** An empty canvas offers flows to begin with. */
export function Invitation(): ReactElement {
  const { view, session, t } = useEditor();
  const starters = startersOf(view.kinds);
  return (
    <div className="psl-invitation">
      <b>{t('Draw a flow')}</b>
      <span className="psl-muted">
        {starters.length
          ? t('Begin with one of these, or drag a node here.')
          : t('Drag a node here.')}{' '}
        <kbd>/</kbd> {t('adds one at the pointer.')}
      </span>
      <div className="psl-starters">
        {starters.map(starter => (
          <button
            key={starter.title}
            type="button"
            className="psl-starter"
            onClick={() => {
              const found = pasted(view, asClip(starter), 'paste', { x: 0, y: 0 });
              if (found) {
                void session.edit(found.edit);
              }
            }}
          >
            <span className="psl-chain">
              {starter.kinds.map((name, at) => {
                const kind = view.kinds.find(one => one.name === name);
                return (
                  <span key={at} className="psl-tile" style={accent(kind?.accent)}>
                    <Icon name={kind?.icon ?? 'unknown'} />
                  </span>
                );
              })}
            </span>
            <b>{t(starter.title)}</b>
            <span className="psl-muted">{t(starter.summary)}</span>
          </button>
        ))}
      </div>
    </div>
  );
}
