import { createContext, useContext, type CSSProperties } from 'react';

import type { Session } from '../flow/session';
import type { KindView, NodeView, Options, ProblemView, Translate, View } from '../flow/types';

/** What every part of one canvas shares. */
export interface Editor {
  readonly session: Session;
  readonly view: View;
  /** The flow as it is while an edge is in the hand: without that edge. */
  readonly drawn: View;
  readonly t: Translate;
  /** Whether edits are taken; a canvas whose Python is gone only shows. */
  readonly live: boolean;
  readonly surface: Options['surface'];
  /** Select one node and show its settings. */
  readonly inspect: (id: string) => void;
}

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
  return view.problems.filter(problem => problem.node === node.id);
}

/** The colour of a node kind, for everything inside an element. */
export function accent(colour: string | undefined): CSSProperties | undefined {
  const style: CSSProperties & Record<'--psl-kind', string> = { '--psl-kind': colour ?? '' };
  return colour ? style : undefined;
}
