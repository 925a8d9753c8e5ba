import type { ReactElement } from 'react';

import type { Actions } from './actions';
import { useEditor } from './editor';
import { Icon } from './icons';

interface SelectionProps {
  readonly count: number;
  readonly actions: Actions;
}

/** What can be done with several nodes at once. */
export function Selection({ count, actions }: SelectionProps): ReactElement {
  const { view, t } = useEditor();
  const containers = view.kinds.filter(kind => kind.container);
  const tools: readonly (readonly [string, string, () => void])[] = [
    ['align_left', t('Align left'), () => actions.align('left')],
    ['align_top', t('Align top'), () => actions.align('top')],
    ['across', t('Distribute across'), () => actions.distribute('across')],
    ['down', t('Distribute down'), () => actions.distribute('down')],
    ['tidy', t('Tidy these (T)'), () => actions.tidy()],
    ['copy', t('Duplicate (Ctrl+D)'), () => actions.duplicate()]
  ];
  return (
    <div className="psl-selection" role="toolbar" aria-label={t('Selected nodes')}>
      <span className="psl-muted">{t('%1 selected', count)}</span>
      <span className="psl-rule" />
      {tools.map(([icon, name, run]) => (
        <button
          key={icon}
          type="button"
          className="psl-tool"
          title={name}
          aria-label={name}
          onClick={run}
        >
          <Icon name={icon} />
        </button>
      ))}
      <span className="psl-rule" />
      {containers.map(kind => (
        <button
          key={kind.name}
          type="button"
          className="psl-tool"
          title={t('Group into a %1', kind.title)}
          onClick={() => actions.group(kind.name)}
        >
          <Icon name={kind.icon} />
          {kind.title}
        </button>
      ))}
      <span className="psl-rule" />
      <button
        type="button"
        className="psl-tool"
        title={t('Remove (Delete)')}
        aria-label={t('Remove')}
        onClick={actions.remove}
      >
        <Icon name="remove" />
      </button>
    </div>
  );
}
