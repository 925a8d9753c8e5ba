import type { ReactElement } from 'react';

/** Pictures on a 20 × 20 grid, drawn in the colour of the text around them. */
const PATHS: Readonly<Record<string, string>> = {
  // Node kinds, by the names that Python gives.
  input: 'M3 10h9M8.5 6.5 12 10l-3.5 3.5M12 3.5h3.5a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H12',
  output: 'M8 10h9M13.5 6.5 17 10l-3.5 3.5M8 3.5H4.5a1 1 0 0 0-1 1v11a1 1 0 0 0 1 1H8',
  prompt: 'M3.5 4.5h13v9h-7l-3.5 3v-3h-2.5zM7 8h6M7 10.5h4',
  llm: 'M9 3l1.7 4.8L15.5 9.500l-4.800 1.700L9 16l-1.700-4.800L2.500 9.500l4.800-1.700zM15.500 13l.7 1.800 1.800.7-1.800.7-.7 1.800-.7-1.800-1.800-.7 1.800-.7z',
  transform: 'M3.500 6.500h10M10.500 3.500l3 3-3 3M16.500 13.500h-10M9.500 10.500l-3 3 3 3',
  switch:
    'M3 10h4.500M7.500 10 12 5h5M7.500 10 12 15h5M14.500 2.800 17 5l-2.500 2.200M14.500 12.800 17 15l-2.500 2.200',
  merge: 'M17 10h-4.500M12.500 10 8 5H3M12.500 10 8 15H3M14.800 7.500 17.200 10l-2.400 2.500',
  // Actions.
  undo: 'M7.500 4 4 7.500 7.500 11M4 7.500h7.500a4 4 0 0 1 0 8H8',
  redo: 'M12.500 4 16 7.500 12.500 11M16 7.500H8.500a4 4 0 0 0 0 8H12',
  fit: 'M3.500 7V3.500H7M13 3.500h3.500V7M16.500 13v3.500H13M7 16.500H3.500V13',
  close: 'M5 5l10 10M15 5 5 15',
  search: 'M9 3.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM13 13l4 4',
  problem: 'M10 3 17.500 16.500h-15zM10 8v4M10 14.200v.1',
  done: 'M4 10.500 8 14.500 16 6',
  remove: 'M4 6h12M8 6V4h4v2M5.500 6l.8 10.500h7.400L14.500 6',
  other: 'M4.500 4.500h11v11h-11z',
  expand: 'M7.500 5l5 5-5 5',
  collapse: 'M12.500 5l-5 5 5 5'
};

export function Icon({ name, size = 16 }: { name: string; size?: number }): ReactElement {
  return (
    <svg className="psl-icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name] ?? PATHS['other']} />
    </svg>
  );
}
