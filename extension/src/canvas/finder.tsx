import { useEffect, useRef, useState, type ReactElement } from 'react';

import { matching } from '../flow/offers';
import type { Place } from '../flow/types';
import { accent, useEditor } from './editor';
import { Icon } from './icons';

/** Something to choose in a finder. */
export interface Choice {
  readonly id: string;
  readonly title: string;
  /** What else it is found by, and shown as beside its title. */
  readonly words: string;
  readonly icon: string;
  readonly accent: string | undefined;
  readonly choose: () => void;
}

interface FinderProps {
  readonly title: string;
  readonly none: string;
  readonly choices: readonly Choice[];
  /** The upper left corner, in pixels of the canvas; null for the middle of its upper edge. */
  readonly at: Place | null;
  readonly onClose: () => void;
}

const MOST = 60;

/** A list that narrows as one types: kinds to add, nodes to go to, edges to draw. */
export function Finder({ title, none, choices, at, onClose }: FinderProps): ReactElement {
  const { t } = useEditor();
  const [wish, setWish] = useState('');
  const [chosen, setChosen] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const found = matching(choices, wish).slice(0, MOST);
  const current = Math.min(chosen, found.length - 1);
  useEffect(() => {
    box.current?.querySelector('input')?.focus({ preventScroll: true });
    const close = (event: Event): void => {
      if (!(event.target instanceof Node && box.current?.contains(event.target))) {
        onClose();
      }
    };
    document.addEventListener('pointerdown', close, true);
    return () => document.removeEventListener('pointerdown', close, true);
  }, [onClose]);
  useEffect(() => {
    const item = box.current?.querySelector('[aria-selected="true"]');
    item?.scrollIntoView({ block: 'nearest' });
  }, [current]);
  const choose = (choice: Choice | undefined): void => {
    if (choice) {
      onClose();
      choice.choose();
    }
  };
  return (
    <div
      ref={box}
      className={`psl-finder${at ? '' : ' psl-centred'}`}
      style={at ? { left: at.x, top: at.y } : undefined}
      role="dialog"
      aria-label={title}
    >
      <label className="psl-search">
        <Icon name="search" size={14} />
        <input
          type="search"
          role="combobox"
          aria-expanded="true"
          aria-controls="psl-found"
          aria-activedescendant={found[current] && `psl-found-${found[current].id}`}
          aria-label={title}
          placeholder={title}
          value={wish}
          onChange={event => {
            setWish(event.target.value);
            setChosen(0);
          }}
          onKeyDown={event => {
            event.stopPropagation();
            if (event.key === 'Escape') {
              onClose();
            } else if (event.key === 'Enter') {
              event.preventDefault();
              choose(found[current]);
            } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
              event.preventDefault();
              const step = event.key === 'ArrowDown' ? 1 : found.length - 1;
              setChosen((current + step) % Math.max(found.length, 1));
            }
          }}
        />
      </label>
      <ul id="psl-found" role="listbox" aria-label={title}>
        {found.map((choice, index) => (
          <li
            key={choice.id}
            id={`psl-found-${choice.id}`}
            role="option"
            aria-selected={index === current}
            style={accent(choice.accent)}
            onPointerMove={() => setChosen(index)}
            onClick={() => choose(choice)}
          >
            <span className="psl-tile">
              <Icon name={choice.icon} />
            </span>
            <span className="psl-found-text">
              <b>{choice.title}</b>
              <span className="psl-muted">{choice.words}</span>
            </span>
          </li>
        ))}
        {!found.length && (
          <li className="psl-muted psl-none">{none || t('Nothing is called so')}</li>
        )}
      </ul>
    </div>
  );
}
