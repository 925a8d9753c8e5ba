import { createContext, useContext, type CSSProperties } from 'react';

import { problemsOfNode } from '../flow/lookup';
import type { Runs, RunsState } from '../flow/runs';
import type { Session } from '../flow/session';
import type { KindView, NodeView, Options, ProblemView, Translate, View } from '../flow/types';

/** What every part of one canvas shares. */
export interface Editor {
  readonly session: Session;
  readonly view: View;
  readonly runs: Runs;
  readonly t: Translate;
  /** Whether edits are taken; a canvas whose Python is gone only shows. */
  readonly live: boolean;
  readonly surface: Options['surface'];
  /** Select one node and show its settings. */
  readonly inspect: (id: string) => void;
  /** Containers whose body is hidden for now. */
  readonly folded: ReadonlySet<string>;
  readonly fold: (id: string) => void;
  /** Offer what can be put on an edge, at a point of the window. */
  readonly offer: (edge: string, at: { readonly x: number; readonly y: number }) => void;
  /** What each node is marked with while two versions are compared. */
  readonly painted: ReadonlyMap<string, 'added' | 'changed'>;
}

/** How much of a card can be read at this zoom. */
export type Detail = 'near' | 'far' | 'speck';
export const DetailContext = createContext<Detail>('near');

/** Apart from the editor: it changes several times a second while a run goes on. */
export const RunContext = createContext<RunsState | null>(null);

export const EditorContext = createContext<Editor | null>(null);

export function useEditor(): Editor {
  const editor = useContext(EditorContext);
  if (!editor) {
    throw new Error('outside of a canvas');
  }
  return editor;
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
