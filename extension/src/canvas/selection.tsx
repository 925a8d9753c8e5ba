import type { ReactElement } from 'react';

import type { Arrangement } from '../flow/arrange';
import { useEditor } from './editor';
import { Icon } from './icons';

interface SelectionProps {
  readonly count: number;
  readonly onArrange: (how: Arrangement) => void;
  readonly onDuplicate: () => void;
  readonly onRemove: () => void;
}

const SPREAD: readonly Arrangement[] = ['across', 'down'];

/** What can be done with several nodes at once. */
export function SelectionBar(props: SelectionProps): ReactElement {
  const { t, live } = useEditor();
  const arrangements: [Arrangement, string][] = [
    ['left', t('Align left')],
    ['top', t('Align top')],
    ['across', t('Distribute across')],
    ['down', t('Distribute down')]
  ];
  const button = (icon: string, name: string, run: () => void, off = false): ReactElement => (
    <button
      key={icon}
      type="button"
      className="psl-tool"
      title={name}
      aria-label={name}
      disabled={!live || off}
      onClick={run}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <div className="psl-chosen" role="toolbar" aria-label={t('Selected nodes')}>
      <span className="psl-chosen-count">{t('%1 selected', props.count)}</span>
      {arrangements.map(([how, name]) =>
        button(how, name, () => props.onArrange(how), SPREAD.includes(how) && props.count < 3)
      )}
      <span className="psl-rule" />
      {button('copy', t('Duplicate'), props.onDuplicate)}
      {button('remove', t('Remove'), props.onRemove)}
    </div>
  );
}
