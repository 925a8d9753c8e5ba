import type { ReactElement } from 'react';

import type { NodeView, OutputView } from '../flow/types';
import { spelled } from '../literal';
import { useHands } from './editor';
import { Icon } from './icons';

interface StubProps {
  readonly node: NodeView;
  readonly port: OutputView;
}

/**
 * The short line with a “+” behind an output that feeds nothing: what is picked there follows it.
 *
 * It stands right behind its port, and the style alone says when it is seen. Dragged, it is an edge.
 */
export function Stub({ node, port }: StubProps): ReactElement | null {
  const { t, live, offer } = useHands();
  const name = t('Add a node after %1', spelled(`${node.key}.${port.name}`));
  return live ? (
    <button
      type="button"
      className="psl-stub nodrag nopan"
      title={name}
      aria-label={name}
      onMouseDown={event => {
        // Who drags it means its port: an edge is drawn from there.
        const port = event.currentTarget.previousElementSibling;
        port?.dispatchEvent(new MouseEvent('mousedown', event.nativeEvent));
      }}
      onClick={event => {
        event.stopPropagation();
        // A key presses it at no point of the window.
        const { right, top } = event.currentTarget.getBoundingClientRect();
        offer({ from: { node: node.id, port: port.name } }, { x: right, y: top });
      }}
    >
      <Icon name="add" size={12} />
    </button>
  ) : null;
}
