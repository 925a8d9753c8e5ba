import { useRef, useState } from 'react';

/**
 * The same functions at every drawing, each of which does what the newest one does.
 *
 * React Flow hands each new function on to every card: with 500 of them that is most of what a
 * drawing costs.
 */
export function useSteady<Functions extends object>(functions: Functions): Functions {
  const newest = useRef(functions);
  newest.current = functions;
  const [steady] = useState(() => {
    const call =
      (name: string) =>
      (...given: unknown[]): unknown =>
        (newest.current as Record<string, (...given: unknown[]) => unknown>)[name]?.(...given);
    return Object.fromEntries(Object.keys(functions).map(name => [name, call(name)])) as Functions;
  });
  return steady;
}
