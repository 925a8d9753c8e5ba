import { useMemo } from 'react';

import { WHEN } from '../flow/apply';
import { offersOf } from '../flow/offers';
import type { Connection, Place, Translate, View } from '../flow/types';
import { kindOf } from './editor';
import type { Choice } from './finder';

export type What = 'kinds' | 'nodes' | 'edges';

/** What lies open over the canvas. */
export interface Opened {
  readonly what: What | 'keys';
  readonly at: Place | null;
}

interface Means {
  readonly view: View;
  readonly t: Translate;
  /** The node whose edges are offered. */
  readonly node: string | null;
  readonly add: (kind: string) => void;
  readonly inspect: (id: string) => void;
  readonly connect: (ends: Omit<Connection, 'source_path'>) => void;
}

export function titles(what: What, t: Translate): { title: string; none: string } {
  return {
    kinds: { title: t('Add a node'), none: t('No such node') },
    nodes: { title: t('Find a node'), none: t('Nothing is called so') },
    edges: { title: t('Connect'), none: t('Nothing fits; select a node first') }
  }[what];
}

/** What a finder offers. */
export function useChoices(open: Opened | null, means: Means): Choice[] {
  const { view, node } = means;
  const what = open?.what;
  // The deeds of a moment ago do what those of now do, as long as the flow is the same.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  return useMemo(() => choicesOf(what, means), [what, view, node]);
}

function choicesOf(what: Opened['what'] | undefined, means: Means): Choice[] {
  switch (what) {
    case 'kinds':
      return kinds(means);
    case 'nodes':
      return nodes(means);
    case 'edges':
      return edges(means);
    default:
      return [];
  }
}

function kinds({ view, add }: Means): Choice[] {
  return view.kinds.map(kind => ({
    id: kind.name,
    title: kind.title,
    words: kind.summary,
    icon: kind.icon,
    accent: kind.accent,
    choose: () => add(kind.name)
  }));
}

function nodes({ view, inspect }: Means): Choice[] {
  return view.nodes.map(node => {
    const kind = kindOf(view, node);
    return {
      id: node.id,
      title: node.key,
      words: `${kind?.title ?? node.kind} · ${node.headline}`,
      icon: kind?.icon ?? 'other',
      accent: kind?.accent,
      choose: () => inspect(node.id)
    };
  });
}

function edges({ view, node: id, t, connect }: Means): Choice[] {
  const node = view.nodes.find(one => one.id === id);
  const named = new Map(view.nodes.map(one => [one.id, one]));
  return (node ? offersOf(view, node, t) : []).map(ends => {
    const [source, target] = [named.get(ends.source), named.get(ends.target)];
    const other = source === node ? target : source;
    const kind = other && kindOf(view, other);
    const port = ends.target_port === WHEN ? t('only on this branch') : ends.target_port;
    return {
      id: Object.values(ends).join(' '),
      title: `${source?.key ?? ''}.${ends.source_port} → ${target?.key ?? ''}`,
      words: port,
      icon: kind?.icon ?? 'other',
      accent: kind?.accent,
      choose: () => connect(ends)
    };
  });
}
