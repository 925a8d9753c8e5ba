import { useState, type ReactElement } from 'react';

import type { FlowPlace } from '../flow/types';
import { Literal } from '../literal';
import { useEditor } from './editor';
import { Icon } from './icons';

/** Begin another flow as this version was; it remembers where it came from. */
export function Fork({ version }: { version: number }): ReactElement {
  const { view, session, t, live } = useEditor();
  const [path, setPath] = useState<string | null>(null);
  const [made, setMade] = useState<FlowPlace | null>(null);
  if (made) {
    return (
      <div className="psl-told psl-made" role="status">
        <span>
          {t('Forked from v%1:', version)} <Literal text={made.path} />
        </span>
        <code>
          <Literal text={`lab.flow(${JSON.stringify(made.path)}).edit()`} />
        </code>
      </div>
    );
  }
  if (path === null) {
    return (
      <button
        type="button"
        className="psl-link"
        disabled={!live}
        onClick={() => setPath(`${view.flow.path}-fork`)}
      >
        <Icon name="fork" size={14} />
        {t('Fork v%1…', version)}
      </button>
    );
  }
  return (
    <form
      className="psl-labelling psl-forking"
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          setPath(null);
        }
      }}
      onSubmit={event => {
        event.preventDefault();
        void session.fork(version, path.trim()).then(fork => {
          if (fork && session.opener) {
            setPath(null);
            session.opener(fork);
          } else {
            setMade(fork);
          }
        });
      }}
    >
      <input
        className="psl-code"
        aria-label={t('Path of the fork')}
        title={t('library/name')}
        value={path}
        maxLength={500}
        spellCheck={false}
        autoComplete="off"
        autoFocus
        disabled={!live}
        onFocus={event => event.target.select()}
        onChange={event => setPath(event.target.value)}
      />
      <button type="submit" className="psl-button psl-quiet" disabled={!live || !path.trim()}>
        {t('Fork')}
      </button>
    </form>
  );
}
