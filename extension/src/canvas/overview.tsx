import { useEffect, useRef, type ReactElement } from 'react';

import { useEditor } from './editor';
import { Icon } from './icons';

/** Every key, as `shortcuts.ts` has them. */
const KEYS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    'Add and connect',
    [
      ['/', 'add a node at the pointer'],
      ['C', 'connect the node with another'],
      ['W', 'its edges: put a node on one, hang it elsewhere'],
      ['Ctrl+C', 'copy'],
      ['Ctrl+X', 'cut'],
      ['Ctrl+V', 'paste, here or in another notebook'],
      ['Ctrl+D', 'duplicate'],
      ['Delete', 'remove']
    ]
  ],
  [
    'Select and go',
    [
      ['Tab', 'next node, or the + behind its output'],
      ['Alt+arrows', 'the node in that direction'],
      ['Space', 'select, or no longer'],
      ['Ctrl+A', 'select all'],
      ['Shift+drag', 'select by a box'],
      ['Ctrl+F', 'find a node'],
      ['Enter', 'open its settings'],
      ['Escape', 'close, select nothing']
    ]
  ],
  [
    'Arrange',
    [
      ['arrows', 'move the node; with Shift further'],
      ['T', 'tidy'],
      ['Ctrl+G', 'group into a container'],
      ['Ctrl+Shift+G', 'take out of it'],
      ['E', 'fold or unfold a container'],
      ['Ctrl+Z', 'undo'],
      ['Ctrl+Shift+Z', 'redo']
    ]
  ],
  [
    'Look',
    [
      ['F', 'fit the flow into view'],
      ['1', 'actual size'],
      ['+  −', 'zoom'],
      ['R', 'run; with a node, up to it'],
      ['P', 'problems'],
      ['?', 'these keys']
    ]
  ]
];

/** What one can do without a mouse. */
export function Overview({ onClose }: { onClose: () => void }): ReactElement {
  const { t } = useEditor();
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => close.current?.focus({ preventScroll: true }), []);
  return (
    <div
      className="psl-overview"
      role="dialog"
      aria-modal="true"
      aria-label={t('Keys')}
      onKeyDown={event => {
        event.stopPropagation();
        if (event.key === 'Escape' || event.key === '?') {
          onClose();
        } else if (event.key === 'Tab') {
          event.preventDefault();
        }
      }}
      onPointerDown={event => {
        if (event.target === event.currentTarget) {
          onClose();
        }
      }}
    >
      <div className="psl-sheet">
        <header>
          <b>{t('Keys')}</b>
          <button
            ref={close}
            type="button"
            className="psl-tool"
            aria-label={t('Close')}
            onClick={onClose}
          >
            <Icon name="close" size={14} />
          </button>
        </header>
        <div className="psl-key-groups">
          {KEYS.map(([title, keys]) => (
            <section key={title}>
              <h3>{t(title)}</h3>
              <dl>
                {keys.map(([key, does]) => (
                  <div key={key}>
                    <dt>
                      <kbd>{t(key)}</kbd>
                    </dt>
                    <dd>{t(does)}</dd>
                  </div>
                ))}
              </dl>
            </section>
          ))}
        </div>
      </div>
    </div>
  );
}
