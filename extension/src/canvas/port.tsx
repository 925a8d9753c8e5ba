import { Handle, Position, useConnection } from '@xyflow/react';
import type { ReactElement } from 'react';

import { WHEN } from '../flow/apply';
import { refusal, shapeOf } from '../flow/connect';
import type { InputView, OutputView } from '../flow/types';
import { spelled } from '../literal';
import { useHands } from './editor';

export interface End {
  readonly node: string;
  readonly port: string;
  readonly side: 'source' | 'target';
}

/** The port that an edge is being drawn from, or null; it does not change as the pointer moves. */
export function useDrawnFrom(): End | null {
  const text = useConnection(connection =>
    connection.inProgress
      ? JSON.stringify([
          connection.fromHandle.nodeId,
          connection.fromHandle.id ?? '',
          connection.fromHandle.type
        ])
      : ''
  );
  if (!text) {
    return null;
  }
  const [node, port, side] = JSON.parse(text) as [string, string, End['side']];
  return { node, port, side };
}

/** The two ends of an edge as Python names them, whichever end it is drawn from. */
export function joined(
  from: End,
  to: Omit<End, 'side'>
): { source: string; source_port: string; target: string; target_port: string } {
  const [source, target] = from.side === 'source' ? [from, to] : [to, from];
  return {
    source: source.node,
    source_port: source.port,
    target: target.node,
    target_port: target.port
  };
}

interface PortProps {
  readonly node: string;
  readonly port: InputView | OutputView;
  readonly side: 'source' | 'target';
  readonly connected: boolean;
}

/** An opening of a node: colour tells the type, shape how many values; lit while it fits. */
export function Port({ node, port, side, connected }: PortProps): ReactElement {
  const { session, t, live } = useHands();
  const from = useDrawnFrom();
  const { view } = session.state();
  const isWhen = side === 'target' && port.name === WHEN;
  const fits =
    view &&
    from &&
    from.side !== side &&
    !refusal(view, joined(from, { node, port: port.name }), t);
  const isOrigin = from?.node === node && from.port === port.name && from.side === side;
  const names = [
    'psl-port',
    `psl-${shapeOf(port)}`,
    connected && 'psl-connected',
    isWhen && 'psl-when',
    from && (fits ? 'psl-fits' : isOrigin ? 'psl-origin' : 'psl-faded')
  ];
  return (
    <Handle
      id={port.name}
      type={side}
      position={side === 'source' ? Position.Right : Position.Left}
      className={names.filter(Boolean).join(' ')}
      data-type={port.type.replace(/\[.*/, '')}
      isConnectable={live}
      role="img"
      title={isWhen ? t('runs only when a branch is open') : spelled(`${port.name}: ${port.type}`)}
      aria-label={
        side === 'source'
          ? t('output %1, %2', spelled(port.name), port.type)
          : t('input %1, %2', spelled(port.name), port.type)
      }
    />
  );
}
