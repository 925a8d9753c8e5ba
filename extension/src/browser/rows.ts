import type { FlowEntry, LabEntry, Library, TemplateEntry, Tree } from '../api/types';

/** One line of the tree, as it is drawn. */
export interface Row {
  /** Unique in the tree. */
  readonly key: string;
  readonly kind: 'lab' | 'library' | 'flow' | 'template';
  /** The id of a flow, a template or a lab; a library goes by its path. */
  readonly id: string;
  readonly name: string;
  /** Below the lab; empty for the lab itself. */
  readonly path: string;
  /** From 1, as ARIA counts. */
  readonly level: number;
  /** Its place among its siblings, from 1, and how many they are. */
  readonly position: number;
  readonly siblings: number;
  /** null for what holds nothing. */
  readonly isOpen: boolean | null;
  /** What it holds, or how large it is: flows and templates inside, or a flow's nodes. */
  readonly size: number;
  /** The newest saved version; 0 where there is none. */
  readonly version: number;
}

/** From here on libraries start closed, so that a large warehouse opens at once. */
const MANY = 200;

/** The lines that show: what is open, or what a search finds with all that leads to it. */
export function rowsOf(tree: Tree, closed: ReadonlySet<string>, query: string): Row[] {
  const terms = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const rows: Row[] = [];
  const labs = tree.labs.filter(lab => !terms.length || holdsLab(lab, terms));
  labs.forEach((lab, index) => {
    const key = `lab:${lab.id}`;
    const isOpen = terms.length > 0 || !closed.has(key);
    rows.push({
      key,
      kind: 'lab',
      id: lab.id,
      name: lab.name,
      path: '',
      level: 1,
      position: index + 1,
      siblings: labs.length,
      isOpen,
      size: lab.flow_count + lab.template_count,
      version: 0
    });
    if (isOpen) {
      addLibraries(rows, lab, key, 2, closed, terms);
    }
  });
  return rows;
}

/** The libraries that start closed. */
export function closedAtFirst(tree: Tree): Set<string> {
  const many = tree.labs.some(lab => lab.flow_count + lab.template_count > MANY);
  const keys = many
    ? tree.labs.flatMap(lab => lab.libraries.map(library => `lab:${lab.id}/${library.path}`))
    : [];
  return new Set(keys);
}

/** Whether nothing was ever kept here. */
export function isEmpty(tree: Tree): boolean {
  return tree.labs.every(lab => lab.flow_count + lab.template_count === 0);
}

/** The row that a key leads to, or null where it does something else. */
export function step(rows: readonly Row[], at: number, key: string): number | null {
  const row = rows[at];
  if (!row) {
    return null;
  }
  switch (key) {
    case 'ArrowDown':
      return Math.min(at + 1, rows.length - 1);
    case 'ArrowUp':
      return Math.max(at - 1, 0);
    case 'Home':
      return 0;
    case 'End':
      return rows.length - 1;
    case 'ArrowRight':
      return row.isOpen === false ? null : (rows[at + 1]?.level ?? 0) > row.level ? at + 1 : at;
    case 'ArrowLeft': {
      if (row.isOpen) {
        return null;
      }
      const parent = rows
        .slice(0, at)
        .reverse()
        .find(one => one.level < row.level);
      return parent ? rows.indexOf(parent) : at;
    }
    default:
      return null;
  }
}

/** The line that opens a flow or a template in a notebook. */
export function asCode(row: Pick<Row, 'kind' | 'path'>): string {
  return `lab.${row.kind}(${JSON.stringify(row.path)})`;
}

function addLibraries(
  rows: Row[],
  parent: LabEntry | Library,
  root: string,
  level: number,
  closed: ReadonlySet<string>,
  terms: readonly string[],
  more: readonly Leaf[] = []
): void {
  const libraries = parent.libraries.filter(library => holds(library, terms));
  const siblings = libraries.length + more.length;
  libraries.forEach((library, index) => {
    const key = `${root}/${library.path}`;
    const isOpen = terms.length > 0 || !closed.has(key);
    rows.push({
      key,
      kind: 'library',
      id: library.path,
      name: library.name,
      path: library.path,
      level,
      position: index + 1,
      siblings,
      isOpen,
      size: library.flow_count + library.template_count,
      version: 0
    });
    if (isOpen) {
      addLibraries(rows, library, root, level + 1, closed, terms, leaves(library, terms));
    }
  });
  more.forEach(({ kind, entry }, index) => {
    rows.push({
      key: `${kind}:${entry.id}`,
      kind,
      id: entry.id,
      name: entry.name,
      path: entry.path,
      level,
      position: libraries.length + index + 1,
      siblings,
      isOpen: null,
      size: 'nodes' in entry ? entry.nodes : 0,
      version: entry.version
    });
  });
}

interface Leaf {
  readonly kind: 'flow' | 'template';
  readonly entry: FlowEntry | TemplateEntry;
}

function leaves(library: Library, terms: readonly string[]): Leaf[] {
  return [
    ...library.flows.map(entry => ({ kind: 'flow' as const, entry })),
    ...library.templates.map(entry => ({ kind: 'template' as const, entry }))
  ].filter(({ entry }) => isFound(entry.path, terms));
}

function holdsLab(lab: LabEntry, terms: readonly string[]): boolean {
  return lab.libraries.some(library => holds(library, terms));
}

function holds(library: Library, terms: readonly string[]): boolean {
  return (
    !terms.length ||
    leaves(library, terms).length > 0 ||
    library.libraries.some(inner => holds(inner, terms))
  );
}

function isFound(path: string, terms: readonly string[]): boolean {
  const low = path.toLocaleLowerCase();
  return terms.every(term => low.includes(term));
}
