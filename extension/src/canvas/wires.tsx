import type { ReactElement } from 'react';

import { refusal } from '../flow/connect';
import { newId } from '../flow/ids';
import { nodeOf } from '../flow/lookup';
import type { Connection, Edit, EdgeView, View } from '../flow/types';
import { useEditor } from './editor';
import { between, type Menu } from './menus';
import { Picker, type Choice } from './picker';

interface WiresProps {
  readonly menu: Extract<Menu, { what: 'wires' }>;
  readonly onClose: () => void;
}

interface Deed extends Choice {
  readonly run: () => void;
}

/** What can be done with the edges of a node: all that a hand does to an edge, without one. */
export function Wires({ menu, onClose }: WiresProps): ReactElement {
  const { view, session, t, offer } = useEditor();
  const node = nodeOf(view, menu.node);
  const mine = view.edges.filter(edge => edge.source === menu.node || edge.target === menu.node);
  const deeds = mine.flatMap<Deed>(edge => {
    const name = arrow(view, edge);
    return [
      {
        id: `on ${edge.id}`,
        title: t('Put a node on %1', name),
        detail: t('between what it joins'),
        icon: 'add',
        run: () => offer({ on: edge.id }, null)
      },
      ...elsewhere(view, edge, ends => refusal(without(view, edge), ends, t) === null).map(
        ends => ({
          id: JSON.stringify([edge.id, ends]),
          title: t('Hang it elsewhere: %1', arrow(view, ends)),
          detail: t('instead of %1', name),
          icon: 'other',
          run: () => void session.edit(reconnecting(edge, ends))
        })
      ),
      {
        id: `remove ${edge.id}`,
        title: t('Remove %1', name),
        detail: t('the nodes stay'),
        icon: 'remove',
        run: () => void session.edit({ type: 'remove', nodes: [], edges: [edge.id] })
      }
    ];
  });
  return (
    <Picker
      title={t('Edges of %1…', node?.key ?? '')}
      at={menu.at}
      choices={deeds}
      none={t('It has no edge: C connects it.')}
      onClose={onClose}
      onPick={id => {
        onClose();
        deeds.find(deed => deed.id === id)?.run();
      }}
    />
  );
}

type Ends = Omit<Connection, 'source_path'>;

/** Hang an edge elsewhere, as one step; a part of a value stays that part of the same value. */
function reconnecting(edge: EdgeView, ends: Ends): Edit {
  const isSame = edge.source === ends.source && edge.source_port === ends.source_port;
  return {
    type: 'batch',
    name: 'reconnect',
    operations: [
      { type: 'remove', nodes: [], edges: [edge.id] },
      { type: 'connect', edge: newId(), source_path: isSame ? edge.source_path : '', ...ends }
    ]
  };
}

/** Every edge that one of the two ends could have instead. */
function elsewhere(view: View, edge: EdgeView, fits: (ends: Ends) => boolean): readonly Ends[] {
  const [source, target] = [nodeOf(view, edge.source), nodeOf(view, edge.target)];
  const targets = view.nodes
    .flatMap(other => between(source, other))
    .filter(ends => ends.source_port === edge.source_port);
  const sources = view.nodes
    .flatMap(other => between(other, target))
    .filter(ends => ends.target_port === edge.target_port);
  const same = (ends: Ends): boolean =>
    ends.source === edge.source &&
    ends.source_port === edge.source_port &&
    ends.target === edge.target &&
    ends.target_port === edge.target_port;
  return [...targets, ...sources].filter(ends => !same(ends) && fits(ends));
}

function without(view: View, edge: EdgeView): View {
  return { ...view, edges: view.edges.filter(other => other.id !== edge.id) };
}

function arrow(view: View, ends: Ends): string {
  const name = (id: string): string => nodeOf(view, id)?.key ?? '';
  return `${name(ends.source)}.${ends.source_port} → ${name(ends.target)}.${ends.target_port}`;
}
