import { useMemo, type ReactElement } from 'react';

import { kindFits, refusal } from '../flow/connect';
import { newId } from '../flow/ids';
import { nodeOf } from '../flow/lookup';
import type { Connection, NodeView, Place } from '../flow/types';
import type { Actions, Wanted } from './actions';
import { kindOf, useEditor } from './editor';
import { Picker, type Choice } from './picker';
import { Wires } from './wires';

/** A list over the canvas. */
export type MenuWanted =
  | { readonly what: 'add'; readonly wanted: Wanted }
  | { readonly what: 'find' }
  | { readonly what: 'connect'; readonly node: string }
  | { readonly what: 'wires'; readonly node: string }
  | { readonly what: 'node'; readonly node: string }
  | { readonly what: 'group' };

/** One that is open, at a point of the stage. */
export type Menu = { readonly at: Place } & MenuWanted;

interface MenusProps {
  readonly menu: Menu;
  readonly actions: Actions;
  /** Open another list where this one is. */
  readonly onOpen: (menu: MenuWanted) => void;
  readonly onRun: (node: string) => void;
  readonly onClose: () => void;
}

type ListProps = Omit<MenusProps, 'onOpen' | 'onRun'>;

/** The list that is open. */
export function Menus(props: MenusProps): ReactElement {
  const { menu, actions, onClose } = props;
  const { t } = useEditor();
  switch (menu.what) {
    case 'node':
      return <OfNode {...props} node={menu.node} />;
    case 'add':
      return <Add menu={menu} actions={actions} onClose={onClose} />;
    case 'find':
      return <Find menu={menu} onClose={onClose} />;
    case 'connect':
      return <Connect menu={menu} onClose={onClose} />;
    case 'wires':
      return <Wires menu={menu} onClose={onClose} />;
    case 'group':
      return (
        <Kinds
          title={t('Group into…')}
          menu={menu}
          fits={kind => kind.container}
          onPick={actions.group}
          onClose={onClose}
        />
      );
  }
}

function Add({
  menu,
  actions,
  onClose
}: ListProps & { menu: Extract<Menu, { what: 'add' }> }): ReactElement {
  const { view, t } = useEditor();
  const { wanted } = menu;
  const from = nodeOf(view, wanted.from?.node ?? null);
  const type = typeAt(view, wanted);
  const [one, other] = [type('source'), type('target')];
  return (
    <Kinds
      title={
        wanted.on
          ? t('Put on this edge…')
          : from
            ? t('Add a node after %1…', from.key)
            : t('Add a node…')
      }
      menu={menu}
      fits={kind =>
        (one === null || kindFits(view, kind, one, 'source')) &&
        (other === null || kindFits(view, kind, other, 'target'))
      }
      onPick={kind => actions.add(kind, wanted)}
      onClose={onClose}
    />
  );
}

/** The type that a new node must take, or give, to fit where it is wanted. */
function typeAt(
  view: ReturnType<typeof useEditor>['view'],
  wanted: Wanted
): (side: 'source' | 'target') => string | null {
  const on = view.edges.find(edge => edge.id === wanted.on);
  const source = on ? { node: on.source, port: on.source_port } : wanted.from;
  const target = on ? { node: on.target, port: on.target_port } : wanted.to;
  return side => {
    if (side === 'source') {
      const port = source && nodeOf(view, source.node)?.outputs.find(o => o.name === source.port);
      return source ? (on?.source_path ? 'any' : (port?.type ?? 'any')) : null;
    }
    const port = target && nodeOf(view, target.node)?.inputs.find(i => i.name === target.port);
    return target ? (port?.type ?? 'any') : null;
  };
}

function Kinds(props: {
  readonly title: string;
  readonly menu: Menu;
  readonly fits: (kind: ReturnType<typeof useEditor>['view']['kinds'][number]) => boolean;
  readonly onPick: (kind: string) => void;
  readonly onClose: () => void;
}): ReactElement {
  const { view, t } = useEditor();
  const choices = view.kinds.filter(props.fits).map<Choice>(kind => ({
    id: kind.name,
    title: kind.title,
    detail: kind.summary,
    icon: kind.icon,
    accent: kind.accent
  }));
  return (
    <Picker
      title={props.title}
      at={props.menu.at}
      choices={choices}
      none={t('Nothing fits here.')}
      onClose={props.onClose}
      onPick={kind => {
        props.onClose();
        props.onPick(kind);
      }}
    />
  );
}

function Find({ menu, onClose }: { menu: Menu; onClose: () => void }): ReactElement {
  const { view, t, inspect } = useEditor();
  const choices = useMemo(
    () =>
      view.nodes.map<Choice>(node => {
        const kind = kindOf(view, node);
        const above = nodeOf(view, node.parent);
        return {
          id: node.id,
          title: above ? `${above.key}/${node.key}` : node.key,
          detail: `${kind?.title ?? node.kind} · ${node.prompt ?? node.headline}`,
          icon: kind?.icon ?? 'unknown',
          accent: kind?.accent
        };
      }),
    [view]
  );
  return (
    <Picker
      title={t('Find a node…')}
      at={menu.at}
      choices={choices}
      none={t('There is no node yet.')}
      onClose={onClose}
      onPick={id => {
        onClose();
        inspect(id);
      }}
    />
  );
}

/** What can be done with one node, each with the key that does it too. */
function OfNode(props: MenusProps & { node: string }): ReactElement {
  const { view, t, inspect, fold, folded } = useEditor();
  const { actions, menu, onClose, onOpen, onRun } = props;
  const node = nodeOf(view, props.node);
  const kind = node && kindOf(view, node);
  const id = props.node;
  const rows: readonly (readonly [string, string, string, () => void])[] = [
    ['play', t('Run to here'), 'R', () => onRun(id)],
    ['other', t('Settings'), t('Enter'), () => inspect(id)],
    ['add', t('Connect…'), 'C', () => onOpen({ what: 'connect', node: id })],
    ['copy', t('Duplicate'), t('Ctrl+D'), actions.duplicate],
    ['group', t('Group into…'), t('Ctrl+G'), () => onOpen({ what: 'group' })],
    ...(kind?.container
      ? [
          folded.has(id)
            ? (['unfold', t('Unfold'), 'E', () => fold(id)] as const)
            : (['fold', t('Fold'), 'E', () => fold(id)] as const)
        ]
      : []),
    ['remove', t('Remove'), t('Delete'), actions.remove]
  ];
  return (
    <Picker
      title={t('What to do with %1', node?.key ?? '')}
      at={menu.at}
      choices={rows.map(([icon, title, detail]) => ({ id: icon, title, detail, icon }))}
      none=""
      onClose={onClose}
      onPick={picked => {
        onClose();
        rows.find(([icon]) => icon === picked)?.[3]();
      }}
    />
  );
}

type Offer = Omit<Connection, 'source_path'>;

/** Every edge that can be drawn at a node, both ways: connecting without a mouse. */
function Connect({
  menu,
  onClose
}: {
  menu: Extract<Menu, { what: 'connect' }>;
  onClose: () => void;
}): ReactElement {
  const { view, session, t } = useEditor();
  const node = nodeOf(view, menu.node);
  const offers = useMemo(() => {
    const found = new Map<string, Offer>();
    for (const other of node ? view.nodes : []) {
      for (const offer of [...between(node, other), ...between(other, node)]) {
        if (refusal(view, offer, t) === null) {
          found.set(JSON.stringify(offer), offer);
        }
      }
    }
    return found;
  }, [node, t, view]);
  const choices = [...offers].map<Choice>(([id, offer]) => {
    const isOut = offer.source === menu.node;
    const other = nodeOf(view, isOut ? offer.target : offer.source);
    const kind = other && kindOf(view, other);
    return {
      id,
      title: isOut
        ? `${offer.source_port} → ${other?.key ?? ''}.${offer.target_port}`
        : `${other?.key ?? ''}.${offer.source_port} → ${offer.target_port}`,
      detail: isOut ? t('what it gives') : t('what it takes'),
      icon: kind?.icon ?? 'unknown',
      accent: kind?.accent
    };
  });
  return (
    <Picker
      title={t('Connect %1…', node?.key ?? '')}
      at={menu.at}
      choices={choices}
      none={t('Nothing fits it.')}
      onClose={onClose}
      onPick={id => {
        onClose();
        const offer = offers.get(id);
        if (offer) {
          void session.edit({ type: 'connect', edge: newId(), source_path: '', ...offer });
        }
      }}
    />
  );
}

/** Every edge that could join two nodes. */
export function between(source: NodeView | undefined, target: NodeView | undefined): Offer[] {
  if (!source || !target || source === target) {
    return [];
  }
  return source.outputs.flatMap(output =>
    target.inputs.map(input => ({
      source: source.id,
      source_port: output.name,
      target: target.id,
      target_port: input.name
    }))
  );
}
