import { useEffect, useRef, type ReactElement } from 'react';

import type { Translate } from '../flow/types';
import { useEditor } from './editor';
import { Icon } from './icons';

/** Every key that the canvas hears, in groups. */
function groups(t: Translate): [string, [string, string][]][] {
  return [
    [
      t('Add and connect'),
      [
        ['/', t('add a node where the pointer is')],
        ['C', t('connect the selected node')],
        ['Enter', t('open the settings of a node')],
        ['Delete', t('remove what is selected')]
      ]
    ],
    [
      t('Select and move'),
      [
        ['Tab', t('go to the next node')],
        ['Space', t('select the node that has the focus')],
        ['Ctrl A', t('select all')],
        ['Shift drag', t('select in a box')],
        ['Arrows', t('move what is selected by a grid step')],
        ['Esc', t('select nothing')]
      ]
    ],
    [
      t('Copy'),
      [
        ['Ctrl C', t('copy, also for another notebook')],
        ['Ctrl X', t('cut')],
        ['Ctrl V', t('paste where the pointer is')],
        ['Ctrl D', t('duplicate')]
      ]
    ],
    [
      t('Look and undo'),
      [
        ['Ctrl F', t('find a node')],
        ['F', t('fit the flow into view')],
        ['+ −', t('zoom in, zoom out')],
        ['T', t('tidy: lay the nodes out anew')],
        ['Ctrl Z', t('undo')],
        ['Ctrl Shift Z', t('redo')],
        ['?', t('show these keys')]
      ]
    ]
  ];
}

/** The overview of keys. */
export function KeySheet({ onClose }: { onClose: () => void }): ReactElement {
  const { t } = useEditor();
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => close.current?.focus({ preventScroll: true }), []);
  return (
    <div className="psl-veil" onPointerDown={onClose}>
      <section
        className="psl-keys"
        role="dialog"
        aria-modal="true"
        aria-label={t('Keys')}
        onPointerDown={event => event.stopPropagation()}
      >
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
          {groups(t).map(([title, keys]) => (
            <div key={title}>
              <h3>{title}</h3>
              <dl>
                {keys.map(([key, does]) => (
                  <div key={key}>
                    <dt>
                      {key.split(' ').map(part => (
                        <kbd key={part}>{part}</kbd>
                      ))}
                    </dt>
                    <dd>{does}</dd>
                  </div>
                ))}
              </dl>
            </div>
          ))}
        </div>
      </section>
    </div>
  );
}
