import { useEffect, useRef, useState, type ReactElement } from 'react';

import { Literal } from '../literal';
import { useEditor } from './editor';
import { Icon } from './icons';

/** What the notebook around a canvas hears when its cell is to be brought up to date. */
export const UPDATE_CELL = 'promptstudio:update-cell';

/** The flow as the code that builds it: to copy, and for the cell that the canvas stands in. */
export function Code({ onClose }: { onClose: () => void }): ReactElement {
  const { view, session, t, surface, live } = useEditor();
  const [code, setCode] = useState<string | null>(null);
  const [done, setDone] = useState<string | null>(null);
  const box = useRef<HTMLElement>(null);
  const { seq } = view;
  useEffect(() => {
    void session.question<string>({ do: 'ask', about: 'python' }).then(setCode);
  }, [session, seq]);
  const update = (): void => {
    const heard = !box.current?.dispatchEvent(
      new CustomEvent(UPDATE_CELL, {
        bubbles: true,
        cancelable: true,
        detail: { code: code ?? '' }
      })
    );
    setDone(
      heard ? t('The cell has the flow as it stands.') : t('No notebook here takes it: copy it.')
    );
  };
  return (
    <aside className="psl-inspector" ref={box} aria-label={t('The flow as code')}>
      <header>
        <span className="psl-tile">
          <Icon name="code" />
        </span>
        <span className="psl-inspector-title">
          <b>{t('As code')}</b>
          <span className="psl-muted">{t('Run in a cell, it changes nothing.')}</span>
        </span>
        <button
          type="button"
          className="psl-tool"
          aria-label={t('Close')}
          title={t('Close (Esc)')}
          onClick={onClose}
        >
          <Icon name="close" size={14} />
        </button>
      </header>
      <div className="psl-form">
        <pre className="psl-source psl-code" tabIndex={0}>
          {code === null ? t('Writing it down…') : <Literal text={code} />}
        </pre>
        {done && (
          <span className="psl-hint" role="status">
            {done}
          </span>
        )}
      </div>
      <footer className="psl-buttons">
        {surface === 'cell' && (
          <button
            type="button"
            className="psl-button"
            disabled={!live || code === null}
            title={t('The lines of this cell are replaced; the notebook’s undo brings them back.')}
            onClick={update}
          >
            {t('Update this cell')}
          </button>
        )}
        <button
          type="button"
          className="psl-link"
          disabled={code === null}
          onClick={() => {
            void navigator.clipboard
              .writeText(code ?? '')
              .then(() => setDone(t('Copied.')))
              .catch(() => setDone(t('The browser does not let it be copied: select it.')));
          }}
        >
          <Icon name="copy" size={14} />
          {t('Copy')}
        </button>
      </footer>
    </aside>
  );
}
