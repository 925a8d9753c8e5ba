import { createRoot } from 'react-dom/client';

import { Session } from '../flow/session';
import { Canvas } from './canvas';
import { keepKeys } from './keys';
import { plain } from './translate';
import type { Host, Translate } from './types';

/**
 * Put a canvas into an element and return what takes it out again.
 *
 * The element's height is the place's business; the canvas fills it.
 */
export function mount(element: HTMLElement, host: Host, t: Translate = plain): () => void {
  const session = new Session(host);
  const release = keepKeys(element);
  element.classList.add('psl');
  const root = createRoot(element);
  root.render(<Canvas session={session} options={host.options} t={t} />);
  return () => {
    root.unmount();
    session.dispose();
    release();
    element.classList.remove('psl');
  };
}
