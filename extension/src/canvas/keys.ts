/** Keys that go on to JupyterLab although the canvas has the focus: saving, and the palette. */
const ALLOWED: readonly ((event: KeyboardEvent) => boolean)[] = [
  event => command(event) && !event.shiftKey && event.key.toLowerCase() === 's',
  event => command(event) && event.shiftKey && event.key.toLowerCase() === 'c'
];

/**
 * Keep what is typed inside an element from everything around it.
 *
 * A notebook in command mode hears single letters from any focused element inside it: an `x` typed
 * on a canvas would cut the cell that holds it. Attributes cannot prevent that; ending the event
 * at the element does, after everything inside has had it.
 */
export function keepKeys(element: HTMLElement): () => void {
  const stop = (event: Event): void => {
    if (!(event instanceof KeyboardEvent && ALLOWED.some(allows => allows(event)))) {
      event.stopPropagation();
    }
  };
  const names = ['keydown', 'keyup', 'keypress', 'copy', 'cut', 'paste'];
  names.forEach(name => element.addEventListener(name, stop));
  return () => names.forEach(name => element.removeEventListener(name, stop));
}

/** Whether Ctrl, or Command on a Mac, is held. */
export function command(event: { readonly ctrlKey: boolean; readonly metaKey: boolean }): boolean {
  return event.ctrlKey || event.metaKey;
}

/** Whether the keys belong to a text that is being written. */
export function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select');
}
