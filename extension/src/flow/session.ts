import { applyChange, applyEdit } from './apply';
import { newId } from './ids';
import type {
  Answer,
  Edit,
  Host,
  Insertion,
  Json,
  Message,
  Operation,
  Status,
  View,
  Whatever
} from './types';

/** Something to tell the person who edits. */
export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly tone: 'refused' | 'info';
}

/** What a canvas draws. */
export interface State {
  /** The flow with this view's own edits in it, confirmed or not; null until it has come. */
  readonly view: View | null;
  readonly status: Status;
  /** How many edits Python has not confirmed. */
  readonly saving: number;
  readonly notice: Notice | null;
  /** Why the flow could not be had at all. */
  readonly failure: string | null;
}

const NOTICE_MS = 6000;

/**
 * One view of a flow. An edit shows at once and is confirmed, or taken back with the reason.
 * Requests go one at a time, so answers are in order and an undo follows the edit before it.
 */
export class Session {
  constructor(private readonly host: Host) {
    this.stops.push(
      host.onChange(whatever => this.hear(whatever)),
      host.onStatus(status => this.turn(status))
    );
    const every = host.options.pollMs ?? 0;
    if (every > 0) {
      const timer = setInterval(() => this.poll(), every);
      this.stops.push(() => clearInterval(timer));
    }
    void this.load();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly state = (): State => this.current;

  /** Do one edit; returns why it was refused, or null. Who shows the reason itself says so. */
  async edit(edit: Edit, reasons: 'told' | 'returned' = 'told'): Promise<string | null> {
    if (!this.confirmed || this.current.status === 'dead') {
      return '';
    }
    const operation: Operation = { ...edit, op_id: newId(), base_seq: this.confirmed.seq };
    this.pending.push(operation);
    this.show();
    const answer = await this.ask({ do: 'edit', operation });
    this.pending = this.pending.filter(one => one !== operation);
    return this.settle(answer, reasons === 'told' ? 'refused' : null);
  }

  undo(): Promise<string | null> {
    return this.step({ do: 'undo' });
  }

  redo(): Promise<string | null> {
    return this.step({ do: 'redo' });
  }

  /** Put every node where Python's layout has it. */
  tidy(): Promise<string | null> {
    return this.step({ do: 'tidy' });
  }

  /** Do what a problem offers as its fix. */
  mend(fix: Json): Promise<string | null> {
    return this.step({ do: 'mend', fix });
  }

  /** Put a new node on an edge. */
  insert(insertion: Insertion): Promise<string | null> {
    return this.step({ do: 'insert', ...insertion });
  }

  /** Ask what others did meanwhile, if nothing else is going on. */
  poll(): void {
    if (this.confirmed && !this.asking && this.current.status === 'live' && !document.hidden) {
      void this.catchUp();
    }
  }

  /** Fetch the whole flow again. */
  async load(): Promise<void> {
    const answer = await this.ask({ do: 'view' });
    if (answer?.ok && 'view' in answer) {
      this.confirmed = answer.view;
      this.show({ failure: null });
    } else if (answer && !answer.ok) {
      this.show({ failure: answer.message });
    }
  }

  tell(text: string, tone: Notice['tone'] = 'refused'): void {
    const notice = { id: (this.current.notice?.id ?? 0) + 1, text, tone };
    this.show({ notice });
    setTimeout(() => {
      if (this.current.notice?.id === notice.id) {
        this.hush();
      }
    }, NOTICE_MS);
  }

  hush(): void {
    this.show({ notice: null });
  }

  dispose(): void {
    this.stops.forEach(stop => stop());
    this.listeners.clear();
    this.stopped = true;
  }

  private async step(message: Message): Promise<string | null> {
    return this.settle(await this.ask(message), 'info');
  }

  /** Queue a request behind the others; null when no answer can come any more. */
  private ask(message: Message): Promise<Answer | null> {
    this.asking += 1;
    const answer = this.queue.then(() =>
      this.stopped ? null : this.host.request(message).catch(() => null)
    );
    this.queue = answer;
    return answer.finally(() => {
      this.asking -= 1;
    });
  }

  private settle(answer: Answer | null, tone: Notice['tone'] | null): string | null {
    if (!answer) {
      this.show();
      return '';
    }
    if (!answer.ok) {
      this.show();
      if (tone) {
        this.tell(answer.message, tone);
      }
      return answer.message;
    }
    if ('change' in answer) {
      this.hear(answer.change);
    }
    return null;
  }

  /** Take in a change; one that skips a sequence brings its nodes, and the rest is asked for. */
  private hear(change: Whatever): void {
    const known = this.confirmed;
    if (!known || change.seq < known.seq) {
      this.show();
      return;
    }
    if (!('nodes' in change)) {
      if (change.seq > known.seq) {
        void this.catchUp();
      }
      return;
    }
    const follows = change.seq <= known.seq + 1;
    this.confirmed = { ...applyChange(known, change), seq: follows ? change.seq : known.seq };
    this.show();
    if (!follows) {
      void this.catchUp();
    }
  }

  private async catchUp(): Promise<void> {
    const known = this.confirmed;
    if (!known) {
      return;
    }
    const answer = await this.ask({ do: 'changes', since: known.seq });
    if (answer?.ok && 'change' in answer && answer.change.seq > known.seq) {
      this.confirmed = applyChange(this.confirmed ?? known, answer.change);
      this.show();
    }
  }

  private turn(status: Status): void {
    const before = this.current.status;
    if (status === 'dead') {
      this.pending = [];
    }
    this.show({ status });
    if (before === 'dead' && status === 'live') {
      void this.load();
    }
  }

  private show(more: Partial<State> = {}): void {
    this.current = {
      ...this.current,
      ...more,
      view: this.confirmed && this.pending.reduce<View>(applyEdit, this.confirmed),
      saving: this.pending.length
    };
    this.listeners.forEach(listener => listener());
  }

  private confirmed: View | null = null;
  private pending: Operation[] = [];
  private queue: Promise<Answer | null> = Promise.resolve(null);
  private asking = 0;
  private stopped = false;
  private readonly stops: (() => void)[] = [];
  private readonly listeners = new Set<() => void>();
  private current: State = { view: null, status: 'live', saving: 0, notice: null, failure: null };
}
