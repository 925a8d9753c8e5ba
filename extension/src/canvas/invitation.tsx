import type { ReactElement } from 'react';

import { accent, useEditor } from './editor';
import { Icon } from './icons';
import { byCategory } from './palette';

/** An empty canvas offers what there is. */
export function Invitation({ onAdd }: { onAdd: (kind: string) => void }): ReactElement {
  const { view, t, live } = useEditor();
  return (
    <div className="psl-invitation">
      <b>{t('Draw a flow')}</b>
      <span className="psl-muted">{t('Drag a node here, or begin with one of these.')}</span>
      <div className="psl-starters">
        {byCategory(view.kinds)
          .flatMap(([, kinds]) => kinds)
          .map(kind => (
            <button
              key={kind.name}
              type="button"
              className="psl-starter"
              style={accent(kind.accent)}
              title={kind.summary}
              disabled={!live}
              onClick={() => onAdd(kind.name)}
            >
              <span className="psl-tile">
                <Icon name={kind.icon} />
              </span>
              {kind.title}
            </button>
          ))}
      </div>
    </div>
  );
}
