import { createContext, useContext, type CSSProperties } from 'react';

import { problemsOfNode } from '../flow/lookup';
import type { Runs, RunsState } from '../flow/runs';
import type { Session } from '../flow/session';
import type {
  KindView,
  NodeView,
  Options,
  Place,
  ProblemView,
  Translate,
  View
} from '../flow/types';
import type { Wanted } from './actions';

/** What every part of one canvas shares and no edit changes. */
export interface Hands {
  readonly session: Session;
  readonly runs: Runs;
  readonly t: Translate;
  /** Whether edits are taken; a canvas whose Python is gone only shows. */
  readonly live: boolean;
  readonly surface: Options['surface'];
  /** Select one node and show its settings. */
  readonly inspect: (id: string) => void;
  readonly fold: (id: string) => void;
  /** Offer kinds for what is wanted, at a point of the window or where there is room. */
  readonly offer: (wanted: Wanted, client: Place | null) => void;
}

/** The same, with the flow as it stands. */
export interface Editor extends Hands {
  readonly view: View;
  /** Containers whose body is hidden for now. */
  readonly folded: ReadonlySet<string>;
  /** What each node is marked with while two versions are compared. */
  readonly painted: ReadonlyMap<string, 'added' | 'changed'>;
}

/** How much of a card can be read at this zoom. */
export type Detail = 'near' | 'far' | 'speck';
export const DetailContext = createContext<Detail>('near');

/** Apart from the editor: it changes several times a second while a run goes on. */
export const RunContext = createContext<RunsState | null>(null);

export const EditorContext = createContext<Editor | null>(null);
export const HandsContext = createContext<Hands | null>(null);

/** For what must be drawn again whenever the flow changes. */
export function useEditor(): Editor {
  return within(useContext(EditorContext));
}

/** For what each card and edge consists of: a flow of 500 nodes draws thousands of them. */
export function useHands(): Hands {
  return within(useContext(HandsContext));
}

function within<Shared>(shared: Shared | null): Shared {
  if (!shared) {
    throw new Error('outside of a canvas');
  }
  return shared;
}

export function kindOf(view: View, node: NodeView): KindView | undefined {
  return view.kinds.find(kind => kind.name === node.kind);
}

export function problemsAt(view: View, node: NodeView): readonly ProblemView[] {
  return problemsOfNode(view, node.id);
}

/** The colour of a node kind, for everything inside an element. */
export function accent(colour: string | undefined): CSSProperties | undefined {
  const style: CSSProperties & Record<'--psl-kind', string> = { '--psl-kind': colour ?? '' };
  return colour ? style : undefined;
}
