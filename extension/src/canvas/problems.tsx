import { useEffect, useRef, type ReactElement } from 'react';

import { mending, remedy } from '../flow/mend';
import type { ProblemView } from '../flow/types';
import { Literal } from '../literal';
import { useEditor } from './editor';
import { Icon } from './icons';

interface ProblemsProps {
  readonly open: boolean;
  readonly setOpen: (open: boolean) => void;
}

/** How many problems there are; the list leads to each, and mends what can be mended by a click. */
export function Problems({ open, setOpen }: ProblemsProps): ReactElement {
  const { view, t } = useEditor();
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
  }, [setOpen]);
  // What had the keys goes with the list; they go to the canvas, and not to nobody.
  const leave = (): void => {
    setOpen(false);
    box.current?.closest<HTMLElement>('.psl-desk')?.focus({ preventScroll: true });
  };
  useEffect(() => {
    if (open) {
      box.current?.querySelector<HTMLElement>('.psl-popover button')?.focus();
    }
  }, [open]);
  if (!count) {
    return (
      <span className="psl-tool psl-fine" title={t('Nothing is wrong with this flow')}>
        <Icon name="done" />
        <span className="psl-wordy">{t('No problems')}</span>
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
          leave();
        }
      }}
    >
      <button
        type="button"
        className={`psl-tool psl-count${hasError ? ' psl-error' : ''}`}
        aria-expanded={open}
        title={t('Problems (%1)', 'P')}
        onClick={() => setOpen(!open)}
      >
        <Icon name="problem" />
        {count === 1 ? t('1 problem') : t('%1 problems', count)}
      </button>
      {open && (
        <ul className="psl-popover" aria-label={t('Problems')}>
          {view.problems.map((problem, at) => (
            <Row key={at} problem={problem} onLeave={leave} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Row({ problem, onLeave }: { problem: ProblemView; onLeave: () => void }): ReactElement {
  const { t, inspect } = useEditor();
  return (
    <li>
      <button
        type="button"
        className="psl-go"
        disabled={!problem.node}
        onClick={() => {
          onLeave();
          if (problem.node) {
            inspect(problem.node);
          }
        }}
      >
        <span className={`psl-dot psl-${problem.severity}`} />
        <span className="psl-problem-text">
          <b>{problem.key ?? t('flow')}</b> <Literal text={problem.message} />
        </span>
        <span className="psl-muted psl-problem-code">{problem.code}</span>
      </button>
      <Mend problem={problem} />
    </li>
  );
}

/** One click that mends a problem; nothing where a person must think. */
export function Mend({ problem }: { problem: ProblemView }): ReactElement | null {
  const { session, t, live } = useEditor();
  if (!problem.mend.length) {
    return null;
  }
  return (
    <button
      type="button"
      className="psl-mend"
      disabled={!live}
      onClick={() => {
        const edit = mending(problem);
        if (edit) {
          void session.edit(edit);
        }
      }}
    >
      {t(remedy(problem))}
    </button>
  );
}
