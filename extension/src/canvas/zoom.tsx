import { Panel, useReactFlow, useStore } from '@xyflow/react';
import type { ReactElement } from 'react';

import { useEditor } from './editor';
import { Icon } from './icons';

/** How near one is, and nearer or further by a click. */
export function Zoom(): ReactElement {
  const { t } = useEditor();
  const flow = useReactFlow();
  const percent = useStore(({ transform: [, , zoom] }) => Math.round(zoom * 100));
  return (
    <Panel position="bottom-left" className="psl-zoom" role="group" aria-label={t('Zoom')}>
      <button
        type="button"
        className="psl-tool"
        title={t('Zoom out (−)')}
        aria-label={t('Zoom out')}
        onClick={() => void flow.zoomOut()}
      >
        <Icon name="skipped" size={14} />
      </button>
      <button
        type="button"
        className="psl-tool psl-zoomed"
        title={t('Actual size (1)')}
        aria-label={t('Actual size; now %1 %', percent)}
        onClick={() => void flow.zoomTo(1)}
      >
        {percent} %
      </button>
      <button
        type="button"
        className="psl-tool"
        title={t('Zoom in (+)')}
        aria-label={t('Zoom in')}
        onClick={() => void flow.zoomIn()}
      >
        <Icon name="add" size={14} />
      </button>
    </Panel>
  );
}
