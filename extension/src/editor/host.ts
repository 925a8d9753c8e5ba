import { Poll } from '@lumino/polling';

import type { Client } from '../api/client';
import { LabError } from '../api/errors';
import type { Answer, Change, FlowPlace, Host, Message, Options, Status } from '../canvas';
import type { OpenFlowArgs } from '../tokens';

const EVERY_MS = 1000;
const AT_MOST_MS = 10_000;
/** An answer that takes so long is waited for, and one sees it. */
const SLOW_MS = 1500;
/** A server that says nothing for so long counts as gone until it does. */
const SILENT_MS = 10_000;
/** What changes no flow, and may take its time. */
const APART: readonly Message['do'][] = ['ask', 'run', 'stop'];

/**
 * A tab's end of the line to the server. Others' edits are asked for every second while the tab
 * is visible. What gets lost once the client sends again; when the server is gone the line is
 * dead, and lives again when it answers.
 */
export class RestHost implements Host {
  readonly options: Options = { surface: 'tab', wheel: 'always' };

  /**
   * @param isVisible - whether anybody could see what others change.
   * @param clientId - the view, so that Python can tell others' operations from its own.
   * @param opens - opens another flow.
   */
  constructor(
    private readonly client: Client,
    private readonly flow: OpenFlowArgs,
    isVisible: () => boolean,
    private readonly clientId: string,
    private readonly opens: (flow: OpenFlowArgs) => void
  ) {
    this.poll = new Poll({
      auto: false,
      factory: () => this.catchUp(),
      frequency: { interval: EVERY_MS, backoff: true, max: AT_MOST_MS },
      name: '@promptstudio/lab:changes',
      standby: () => (isVisible() ? 'when-hidden' : true)
    });
  }

  async request(message: Message): Promise<Answer> {
    const apart = APART.includes(message.do);
    this.asked += apart ? 0 : 1;
    this.asking += apart ? 0 : 1;
    try {
      const answer = await (apart ? this.ask(message) : this.patiently(this.ask(message)));
      this.turn('live');
      this.note(answer);
      void this.poll.start();
      return answer;
    } catch (reason) {
      if (reason instanceof LabError && reason.status > 0) {
        this.turn('live');
        return { ok: false, code: reason.code, message: reason.message };
      }
      this.turn('dead');
      void this.poll.start();
      throw reason;
    } finally {
      this.asking -= apart ? 0 : 1;
    }
  }

  show(flow: FlowPlace): void {
    this.opens({ ...flow, beside: this.flow.beside });
  }

  onChange(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onStatus(listener: (status: Status) => void): () => void {
    this.watchers.add(listener);
    listener(this.status);
    return () => this.watchers.delete(listener);
  }

  dispose(): void {
    this.poll.dispose();
    this.listeners.clear();
    this.watchers.clear();
  }

  /** Ask now what others did, as somebody has just come back to the tab. */
  refresh(): void {
    if (this.seq !== null) {
      void this.poll.refresh();
    }
  }

  /** Say so when an answer takes long, and stop taking edits when it takes too long. */
  private async patiently<T>(answer: Promise<T>): Promise<T> {
    const slow = setTimeout(() => this.turn('slow'), SLOW_MS);
    const silent = setTimeout(() => this.turn('dead'), SILENT_MS);
    try {
      return await answer;
    } finally {
      clearTimeout(slow);
      clearTimeout(silent);
    }
  }

  /** Reading takes the right to read only, so somebody who may not write can still look. */
  private async ask(message: Message): Promise<Answer> {
    const { beside, id } = this.flow;
    if (message.do === 'view') {
      return { ok: true, view: await this.client.flow(beside, id) };
    }
    if (message.do === 'changes') {
      const tag = message.problems_tag ?? '';
      return { ok: true, change: await this.client.changes(beside, id, message.since, tag) };
    }
    if (message.do === 'run') {
      return {
        ok: true,
        data: { run: await this.client.run(beside, id, message.inputs, message.until) }
      };
    }
    if (message.do === 'stop') {
      await this.client.stop(beside, message.run);
      return { ok: true, data: null };
    }
    return this.client.send(beside, id, this.clientId, message);
  }

  private async catchUp(): Promise<void> {
    const asked = this.asked;
    if (this.seq === null || this.asking) {
      return;
    }
    let change: Change;
    try {
      const { beside, id } = this.flow;
      change = await this.patiently(this.client.changes(beside, id, this.seq, this.problemsTag));
    } catch (reason) {
      if (reason instanceof LabError && reason.status === 0) {
        this.turn('dead');
      }
      throw reason;
    }
    this.turn('live');
    // What the canvas has asked for meanwhile brings its own answer: that one must come first.
    if (asked === this.asked && change.seq > this.seq) {
      this.seq = change.seq;
      this.problemsTag = change.problems_tag;
      this.listeners.forEach(listener => listener(change));
    }
  }

  private note(answer: Answer): void {
    if (answer.ok && !('data' in answer)) {
      const { seq, problems_tag } = 'view' in answer ? answer.view : answer.change;
      this.problemsTag = problems_tag;
      this.seq = 'view' in answer ? seq : Math.max(seq, this.seq ?? 0);
    }
  }

  private turn(status: Status): void {
    if (status !== this.status && !(this.status === 'dead' && status === 'slow')) {
      this.status = status;
      this.watchers.forEach(watcher => watcher(status));
    }
  }

  private status: Status = 'live';
  /** The newest sequence that the canvas has seen; null until the flow has come. */
  private seq: number | null = null;
  /** Of the problems that it has seen. */
  private problemsTag = '';
  private asked = 0;
  private asking = 0;
  private readonly poll: Poll<void>;
  private readonly listeners = new Set<(change: Change) => void>();
  private readonly watchers = new Set<(status: Status) => void>();
}
