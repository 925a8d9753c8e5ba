import { applyChange, applyEdit } from './apply';
import { newId } from './ids';
import type {
  Answer,
  Change,
  ConflictView,
  Edit,
  FlowPlace,
  Host,
  Message,
  Operation,
  Order,
  Question,
  RunNews,
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
  /** How many edits wait, unseen, until the line is back. */
  readonly unsent: number;
  readonly notice: Notice | null;
  /** Why the flow could not be had at all. */
  readonly failure: string | null;
  /** Who else has edited lately, the newest first. */
  readonly people: readonly Person[];
  /** What this view has overwritten of somebody else's, until somebody has seen it. */
  readonly conflicts: readonly ConflictView[];
}

/** Somebody else at the same flow. */
export interface Person {
  readonly client: string;
  readonly name: string;
  /** The node that they touched last, if any. */
  readonly node: string | null;
  readonly at: number;
}

const NOTICE_MS = 6000;
/** Somebody who has not edited for so long is no longer shown. */
const PRESENT_MS = 120_000;

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

  /**
   * Do one edit; returns why it was refused, or null. Who shows the reason itself says so.
   *
   * What the line loses, or was written just as it went dead, waits and is sent once it is back.
   */
  async edit(edit: Edit, reasons: 'told' | 'returned' = 'told'): Promise<string | null> {
    if (!this.confirmed) {
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

  /** Ask something that changes no flow; null if there is no answer, and the reason is told. */
  async question<T>(
    asked: Question | Order,
    reasons: 'told' | 'silent' = 'told'
  ): Promise<T | null> {
    // Not behind the edits, nor they behind it: it changes nothing, whenever it comes.
    const answer = this.stopped ? null : await this.host.request(asked).catch(() => null);
    if (answer?.ok && 'data' in answer) {
      return answer.data as T;
    }
    if (answer && !answer.ok && reasons === 'told') {
      this.tell(answer.message);
    }
    return null;
  }

  /** Keep the flow as it stands as a version; returns its number, or null. */
  async save(): Promise<number | null> {
    const answer = await this.ask({ do: 'save' });
    if (answer?.ok && 'data' in answer) {
      const version = Number(answer.data);
      this.saved(version);
      return version;
    }
    this.settle(answer, 'refused');
    return null;
  }

  /** The flow has been kept as a version: by a save, or by a run, which keeps what it runs. */
  saved(version: number): void {
    if (this.confirmed && this.confirmed.flow.version !== version) {
      this.confirmed = { ...this.confirmed, flow: { ...this.confirmed.flow, version } };
      this.show();
    }
  }

  /** Let a label name a version, or none any more; returns why it cannot, or null. */
  async label(name: string, version: number | null): Promise<string | null> {
    return this.settle(await this.ask({ do: 'label', name, version }), 'refused');
  }

  /** Make a new flow that begins as a version of this one; null if it cannot be, and why is told. */
  async fork(version: number, path: string): Promise<FlowPlace | null> {
    const answer = await this.ask({ do: 'fork', version, path });
    if (answer?.ok && 'data' in answer) {
      return answer.data as FlowPlace;
    }
    this.settle(answer, 'refused');
    return null;
  }

  /** Take changes of a fork into its origin; returns why not, or null. */
  async merge(hunks: readonly string[]): Promise<string | null> {
    return this.settle(await this.ask({ do: 'merge', hunks }), 'refused');
  }

  /** Show another flow, where the place can; else null. */
  get opener(): ((flow: FlowPlace) => void) | null {
    return this.host.show ? flow => this.host.show?.(flow) : null;
  }

  /** Make a version the flow as it stands. */
  async restore(version: number): Promise<string | null> {
    return this.settle(await this.ask({ do: 'restore', version }), 'refused');
  }

  /** Hear of runs that go on in the kernel. */
  onRun(listener: (news: RunNews) => void): () => void {
    this.followers.add(listener);
    return () => this.followers.delete(listener);
  }

  /** The conflicts have been seen. */
  seen(): void {
    this.show({ conflicts: [] });
  }

  /** Ask what others did meanwhile, if nothing else is going on. */
  poll(): void {
    if (this.confirmed && !this.asking && this.current.status === 'live' && !document.hidden) {
      void this.catchUp();
    }
  }

  /** Fetch the whole flow again. */
  async load(): Promise<void> {
    // Not behind the edits: those that wait for the line follow it.
    const answer = this.stopped ? null : await this.send({ do: 'view' });
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
    this.goOn();
  }

  private async step(message: Message): Promise<string | null> {
    return this.settle(await this.ask(message), 'info');
  }

  /** Queue a request behind the others; null when no answer can come any more. */
  private ask(message: Message): Promise<Answer | null> {
    this.asking += 1;
    const answer = this.queue.then(() =>
      message.do === 'edit' ? this.persist(message) : this.stopped ? null : this.send(message)
    );
    this.queue = answer;
    return answer.finally(() => {
      this.asking -= 1;
    });
  }

  private send(message: Message): Promise<Answer | null> {
    const tag = this.confirmed?.problems_tag;
    const sent = tag && message.do !== 'view' ? { ...message, problems_tag: tag } : message;
    return this.host.request(sent).catch(() => null);
  }

  /** Send an edit until there is an answer: it bears its id, so it is done once. */
  private async persist(message: Message): Promise<Answer | null> {
    while (!this.stopped) {
      if (this.current.status === 'dead') {
        await new Promise<void>(resolve => this.waiting.push(resolve));
        continue;
      }
      const answer = await this.send(message);
      if (answer) {
        return answer;
      }
    }
    return null;
  }

  private goOn(): void {
    this.waiting.splice(0).forEach(resolve => resolve());
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
    if ('said' in change || 'ended' in change) {
      this.followers.forEach(follower => follower(change));
      return;
    }
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
    this.confirm(change, follows ? change.seq : known.seq);
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
      this.confirm(answer.change, answer.change.seq);
    }
  }

  private confirm(change: Change, seq: number): void {
    const known = this.confirmed;
    if (!known) {
      return;
    }
    this.confirmed = { ...applyChange(known, change), seq: Math.max(seq, known.seq) };
    this.notice(change);
    this.show();
    if (!change.problems && change.problems_tag !== known.problems_tag) {
      // A late answer, about problems that this view no longer has.
      void this.load();
    }
  }

  /** Note who did what, and what of theirs an own edit has overwritten. */
  private notice(change: Change): void {
    const { people, conflicts } = this.current;
    const now = Date.now();
    const fresh = change.by.map(other => ({
      client: other.client,
      name: other.name,
      node: other.nodes[0] ?? null,
      at: now
    }));
    const known = new Set(fresh.map(person => person.client));
    const lately = people.filter(
      person => !known.has(person.client) && now - person.at < PRESENT_MS
    );
    this.current = {
      ...this.current,
      people: fresh.length || lately.length < people.length ? [...fresh, ...lately] : people,
      conflicts: change.conflicts.length ? [...conflicts, ...change.conflicts] : conflicts
    };
  }

  private turn(status: Status): void {
    this.line = status;
    if (status === 'dead' || this.current.status !== 'dead') {
      this.show({ status });
      return;
    }
    // Others may have edited meanwhile: nothing is taken until one sees what stands now.
    void this.load().then(() => {
      this.show({ status: this.line });
      if (this.line !== 'dead') {
        this.goOn();
      }
    });
  }

  private show(more: Partial<State> = {}): void {
    const dead = (more.status ?? this.current.status) === 'dead';
    const shown = dead ? [] : this.pending;
    this.current = {
      ...this.current,
      ...more,
      view: this.confirmed && shown.reduce<View>(applyEdit, this.confirmed),
      saving: shown.length,
      unsent: this.pending.length - shown.length
    };
    this.listeners.forEach(listener => listener());
  }

  /** As the host has it; after a silence the canvas follows once it is up to date. */
  private line: Status = 'live';
  private confirmed: View | null = null;
  private pending: Operation[] = [];
  private readonly waiting: (() => void)[] = [];
  private queue: Promise<Answer | null> = Promise.resolve(null);
  private asking = 0;
  private stopped = false;
  private readonly stops: (() => void)[] = [];
  private readonly followers = new Set<(news: RunNews) => void>();
  private readonly listeners = new Set<() => void>();
  private current: State = {
    view: null,
    status: 'live',
    saving: 0,
    unsent: 0,
    notice: null,
    failure: null,
    people: [],
    conflicts: []
  };
}
