import { useState, type DragEvent, type ReactElement } from 'react';

import type { KindView } from '../flow/types';
import { accent, useEditor } from './editor';
import { Icon } from './icons';

/** What a dragged kind is called on its way to the canvas. */
export const DRAGGED = 'application/x-promptstudio-kind';

interface PaletteProps {
  readonly wide: boolean;
  readonly onWiden: () => void;
  readonly onAdd: (kind: string) => void;
}

/** Every kind of node there is: pictures where room is scarce, a list to search elsewhere. */
export function Palette({ wide, onWiden, onAdd }: PaletteProps): ReactElement {
  const { view, t, live } = useEditor();
  const [wanted, setWanted] = useState('');
  const groups = byCategory(view.kinds, wide ? wanted : '');
  return (
    <nav className={`psl-palette${wide ? ' psl-wide' : ''}`} aria-label={t('Node kinds')}>
      {wide && (
        <label className="psl-search">
          <Icon name="search" size={14} />
          <input
            type="search"
            value={wanted}
            placeholder={t('Find a node')}
            aria-label={t('Find a node')}
            onChange={event => setWanted(event.target.value)}
            onKeyDown={event => {
              const first = groups[0]?.[1][0];
              if (event.key === 'Enter' && first && live) {
                onAdd(first.name);
              }
            }}
          />
        </label>
      )}
      <div className="psl-groups">
        {groups.map(([category, kinds]) => (
          <div key={category} className="psl-group" role="group" aria-label={category}>
            {wide && <div className="psl-group-name">{category}</div>}
            {kinds.map(kind => (
              <PaletteItem key={kind.name} kind={kind} wide={wide} live={live} onAdd={onAdd} />
            ))}
          </div>
        ))}
        {!groups.length && <div className="psl-muted psl-none">{t('No such node')}</div>}
      </div>
      <button
        type="button"
        className="psl-tool psl-widen"
        title={wide ? t('Show pictures only') : t('Show names')}
        aria-label={wide ? t('Show pictures only') : t('Show names')}
        aria-expanded={wide}
        onClick={onWiden}
      >
        <Icon name={wide ? 'collapse' : 'expand'} size={14} />
      </button>
    </nav>
  );
}

interface ItemProps {
  readonly kind: KindView;
  readonly wide: boolean;
  readonly live: boolean;
  readonly onAdd: (kind: string) => void;
}

function PaletteItem({ kind, wide, live, onAdd }: ItemProps): ReactElement {
  const { t } = useEditor();
  return (
    <button
      type="button"
      className="psl-item"
      style={accent(kind.accent)}
      draggable={live}
      disabled={!live}
      aria-label={t('Add %1: %2', kind.title, kind.summary)}
      title={wide ? kind.summary : `${kind.title}: ${kind.summary}`}
      onClick={() => onAdd(kind.name)}
      onDragStart={(event: DragEvent) => {
        event.dataTransfer.setData(DRAGGED, kind.name);
        event.dataTransfer.effectAllowed = 'copy';
      }}
    >
      <span className="psl-tile">
        <Icon name={kind.icon} />
      </span>
      {wide && <span className="psl-item-name">{kind.title}</span>}
    </button>
  );
}

/** The kinds that answer to a wish, by category, both in the order in which Python gives them. */
export function byCategory(kinds: readonly KindView[], wanted = ''): [string, KindView[]][] {
  const wish = wanted.trim().toLowerCase();
  const groups = new Map<string, KindView[]>();
  for (const kind of kinds) {
    if (`${kind.name} ${kind.title} ${kind.summary}`.toLowerCase().includes(wish)) {
      groups.set(kind.category, [...(groups.get(kind.category) ?? []), kind]);
    }
  }
  return [...groups].sort(([one], [other]) => one.localeCompare(other));
}
