import { useEffect } from 'react';

const OFTEN_MS = 3000;

/** Look again while somebody looks: what no flow's own log tells, such as a label that moves. */
export function useOften(look: () => Promise<void>, live: boolean): void {
  useEffect(() => {
    if (!live) {
      return undefined;
    }
    let timer: ReturnType<typeof setTimeout>;
    // One question at a time: a kernel that is busy answers none.
    const again = (): void => {
      timer = setTimeout(
        () => void (document.hidden ? Promise.resolve() : look()).then(next),
        OFTEN_MS
      );
    };
    let stopped = false;
    const next = (): void => {
      if (!stopped) {
        again();
      }
    };
    again();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [look, live]);
}
