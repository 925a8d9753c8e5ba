import { useEffect, useRef, useState, type ReactElement } from 'react';

import type { State } from '../flow/session';
import { useEditor } from './editor';
import { Icon } from './icons';

interface ToolbarProps {
  readonly state: State;
  readonly onFit: () => void;
  readonly onFind: () => void;
  readonly onKeys: () => void;
}

/** The bar above the canvas: where one is, what one can do, and whether all is kept. */
export function Toolbar({ state, onFit, onFind, onKeys }: ToolbarProps): ReactElement {
  const { view, session, t, live } = useEditor();
  const { path, version } = view.flow;
  const [library, name] = parted(path);
  return (
    <div className="psl-bar" role="toolbar" aria-label={t('Flow')}>
      <span className="psl-path" title={path}>
        {library && <span className="psl-muted">{library}/</span>}
        <b>{name}</b>
        <span className="psl-muted psl-version">
          {version ? t('v%1', version) : t('no version yet')}
        </span>
      </span>
      <span className="psl-space" />
      <Tool
        icon="undo"
        name={t('Undo')}
        keys="Ctrl+Z"
        off={!live}
        run={() => void session.undo()}
      />
      <Tool
        icon="redo"
        name={t('Redo')}
        keys="Ctrl+Shift+Z"
        off={!live}
        run={() => void session.redo()}
      />
      <Tool
        icon="tidy"
        name={t('Tidy')}
        keys="T"
        off={!live || !view.nodes.length}
        run={() => void session.tidy()}
      />
      <Tool icon="fit" name={t('Fit the flow into view')} keys="F" run={onFit} />
      <Tool icon="search" name={t('Find a node')} keys="Ctrl+F" run={onFind} />
      <Tool icon="keys" name={t('Keys')} keys="?" run={onKeys} />
      <span className="psl-rule" />
      <Problems />
      <span className="psl-rule" />
      <Kept state={state} />
    </div>
  );
}

interface ToolProps {
  readonly icon: string;
  readonly name: string;
  readonly keys: string;
  readonly off?: boolean;
  readonly run: () => void;
}

function Tool({ icon, name, keys, off, run }: ToolProps): ReactElement {
  return (
    <button
      type="button"
      className="psl-tool"
      title={`${name} (${keys})`}
      aria-label={name}
      disabled={off}
      onClick={run}
    >
      <Icon name={icon} />
    </button>
  );
}

/** How many problems there are; the list leads to each. */
function Problems(): ReactElement {
  const { view, t, inspect, session, live } = useEditor();
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const count = view.problems.length;
  const hasError = view.problems.some(problem => problem.severity === 'error');
  useEffect(() => {
    const close = (event: Event): void => {
      if (!(event.target instanceof Node && box.current?.contains(event.target))) {
        setOpen(false);
      }
    };
    document.addEventListener('pointerdown', close, true);
    return () => document.removeEventListener('pointerdown', close, true);
  }, []);
  if (!count) {
    return (
      <span className="psl-tool psl-fine" title={t('Nothing is wrong with this flow')}>
        <Icon name="done" />
        {t('No problems')}
      </span>
    );
  }
  return (
    <div
      className="psl-problems"
      ref={box}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          setOpen(false);
        }
      }}
    >
      <button
        type="button"
        className={`psl-tool psl-count${hasError ? ' psl-error' : ''}`}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="problem" />
        {count === 1 ? t('1 problem') : t('%1 problems', count)}
      </button>
      {open && (
        <ul className="psl-popover">
          {view.problems.map((problem, at) => (
            <li key={at} className="psl-problem">
              <button
                type="button"
                disabled={!problem.node}
                onClick={() => {
                  setOpen(false);
                  if (problem.node) {
                    inspect(problem.node);
                  }
                }}
              >
                <span className={`psl-dot psl-${problem.severity}`} />
                <span className="psl-problem-text">
                  <b>{problem.key ?? t('flow')}</b> {problem.message}
                </span>
                <span className="psl-muted psl-problem-code">{problem.code}</span>
              </button>
              {problem.fix !== null && (
                <button
                  type="button"
                  className="psl-mend"
                  disabled={!live}
                  aria-label={t('Fix: %1', problem.message)}
                  onClick={() => void session.mend(problem.fix)}
                >
                  <Icon name="mend" size={14} />
                  {t('Fix')}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Kept({ state }: { state: State }): ReactElement {
  const { view, t, surface } = useEditor();
  const text =
    state.status === 'dead'
      ? t('read only')
      : state.status === 'slow'
        ? surface === 'cell'
          ? t('waiting for the kernel…')
          : t('waiting for the server…')
        : state.saving
          ? t('saving…')
          : t('all changes saved');
  return (
    <span className={`psl-kept psl-${state.status}`} role="status" title={t('edit %1', view.seq)}>
      <span className={`psl-dot${state.saving || state.status === 'slow' ? ' psl-busy' : ''}`} />
      {text}
    </span>
  );
}

function parted(path: string): [string, string] {
  const at = path.lastIndexOf('/');
  return [path.slice(0, Math.max(at, 0)), path.slice(at + 1)];
}
