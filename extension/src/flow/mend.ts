import { newId } from './ids';
import type { Edit, ProblemView } from './types';

/** The one edit that mends a problem, with ids for what it adds; null where a person must think. */
export function mending(problem: ProblemView): Edit | null {
  const operations = problem.mend.map<Edit>(edit => {
    if (edit.type === 'add' && !edit.node) {
      return { ...edit, node: newId() };
    }
    return edit.type === 'connect' && !edit.edge ? { ...edit, edge: newId() } : edit;
  });
  return operations.length ? { type: 'batch', name: 'fix', operations } : null;
}

/** What a click on a problem would do, in a word. */
export function remedy(problem: ProblemView): string {
  const words: Readonly<Record<string, string>> = {
    add: 'Add it',
    connect: 'Connect',
    remove: 'Remove',
    rename: 'Rename',
    configure: 'Set right'
  };
  return words[problem.mend.at(-1)?.type ?? ''] ?? 'Mend';
}
