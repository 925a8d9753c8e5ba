/** The canvas in a notebook cell: an anywidget whose Python half answers its requests. */

import type { AnyModel } from '@anywidget/types';

import css from '../style/canvas.css';
import { mount } from './canvas';
import type { Answer, Host, Message, Options, Status, Whatever } from './canvas';

declare const VERSION: string;

/** Python's loader takes this module only if it is of its own version. */
export const version = VERSION;

const HEIGHT = '480px';
const SLOW_MS = 1500;
/** A message that gets no answer is sent again, ever more rarely: a busy kernel answers late. */
const AGAIN_MS = 1500;
const AGAIN_AT_MOST_MS = 30_000;
/** A comm lives from the start, so news of its life is of its end; a new kernel has new ones. */
const DEATHS = ['comm_live_update', 'comm:close'];

/** What Python sends unasked (`push`), and its answers, told apart by their `id`. */
type Heard = { readonly push: Whatever } | ({ readonly id: string } & Answer);

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: Error) => void;
  late: ReturnType<typeof setTimeout>;
}

/** One view's line to Python, over the comm of its model. */
class CellHost implements Host {
  readonly options: Options = { surface: 'cell', wheel: 'focus' };

  constructor(private readonly model: AnyModel) {
    model.on('msg:custom', this.hear);
    DEATHS.forEach(name => model.on(name, this.die));
  }

  request(message: Message): Promise<Answer> {
    if (this.status === 'dead') {
      return Promise.reject(new Error('the kernel is gone'));
    }
    const id = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.turn('slow');
        this.again(id, message, AGAIN_MS);
      }, SLOW_MS);
      this.waiting.set(id, { resolve, reject, late });
      this.send(id, message);
    });
  }

  /** Python answers a message that it has had before as it did then, and does it once. */
  private again(id: string, message: Message, after: number): void {
    const asked = this.waiting.get(id);
    if (asked) {
      asked.late = setTimeout(() => {
        this.send(id, message);
        this.again(id, message, Math.min(after * 2, AGAIN_AT_MOST_MS));
      }, after);
    }
  }

  private send(id: string, message: Message): void {
    try {
      this.model.send({ id, ...message });
    } catch {
      this.die();
    }
  }

  onChange(listener: (whatever: Whatever) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onStatus(listener: (status: Status) => void): () => void {
    this.watchers.add(listener);
    listener(this.status);
    return () => this.watchers.delete(listener);
  }

  dispose(): void {
    this.model.off('msg:custom', this.hear);
    DEATHS.forEach(name => this.model.off(name, this.die));
    this.turn('dead');
  }

  private readonly hear = (heard: Heard): void => {
    if ('push' in heard) {
      this.listeners.forEach(listener => listener(heard.push));
      return;
    }
    const { id, ...answer } = heard;
    const asked = this.waiting.get(id);
    if (asked) {
      this.waiting.delete(id);
      clearTimeout(asked.late);
      if (this.status === 'slow' && !this.waiting.size) {
        this.turn('live');
      }
      asked.resolve(answer);
    }
  };

  private readonly die = (): void => this.turn('dead');

  private turn(status: Status): void {
    if (status === this.status || (this.status === 'dead' && status === 'slow')) {
      return;
    }
    this.status = status;
    if (status === 'dead') {
      const asked = [...this.waiting.values()];
      this.waiting.clear();
      for (const { late, reject } of asked) {
        clearTimeout(late);
        reject(new Error('the kernel is gone'));
      }
    }
    this.watchers.forEach(watcher => watcher(status));
  }

  private status: Status = 'live';
  private readonly waiting = new Map<string, Waiting>();
  private readonly listeners = new Set<(whatever: Whatever) => void>();
  private readonly watchers = new Set<(status: Status) => void>();
}

function dress(): void {
  if (!document.querySelector('style[data-psl]')) {
    const style = document.createElement('style');
    style.dataset['psl'] = version;
    style.textContent = css;
    document.head.append(style);
  }
}

export default {
  render({ model, el }: { model: AnyModel; el: HTMLElement }): () => void {
    dress();
    const frame = document.createElement('div');
    frame.className = 'psl-cell';
    frame.style.height = HEIGHT;
    el.append(frame);
    const host = new CellHost(model);
    const leave = mount(frame, host);
    return () => {
      leave();
      host.dispose();
      frame.remove();
    };
  }
};
