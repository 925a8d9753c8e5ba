import { Poll } from '@lumino/polling';

import type { Client } from '../api/client';
import { LabError } from '../api/errors';
import type { Answer, Change, Host, Message, Options, Status } from '../canvas';
import type { OpenFlowArgs } from '../tokens';

const EVERY_MS = 1000;
const AT_MOST_MS = 10_000;
/** An edit carries its id, so it may be sent again; it is done once. */
const AGAIN_MS: readonly number[] = [300, 1200];

/**
 * A tab's end of the line to the server. Others' edits are asked for every second while the tab
 * is visible; when the server is gone the line is dead, and lives again when it answers.
 */
export class RestHost implements Host {
  readonly options: Options = { surface: 'tab', wheel: 'always' };

  /**
   * @param isVisible - whether anybody could see what others change.
   * @param clientId - the view, so that Python can tell others' operations from its own.
   */
  constructor(
    private readonly client: Client,
    private readonly flow: OpenFlowArgs,
    isVisible: () => boolean,
    private readonly clientId: string
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
    this.asked += 1;
    this.asking += 1;
    try {
      const answer = await this.persist(message);
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
      this.asking -= 1;
    }
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

  private async persist(message: Message): Promise<Answer> {
    for (const wait of message.do === 'edit' ? AGAIN_MS : []) {
      try {
        return await this.ask(message);
      } catch (reason) {
        if (!(reason instanceof LabError) || reason.status > 0 || this.status === 'dead') {
          throw reason;
        }
        this.turn('slow');
        await new Promise(resolve => setTimeout(resolve, wait));
      }
    }
    return this.ask(message);
  }

  /** Reading takes the right to read only, so somebody who may not write can still look. */
  private async ask(message: Message): Promise<Answer> {
    const { beside, id } = this.flow;
    if (message.do === 'view') {
      return { ok: true, view: await this.client.flow(beside, id) };
    }
    if (message.do === 'changes') {
      return { ok: true, change: await this.client.changes(beside, id, message.since) };
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
      change = await this.client.changes(this.flow.beside, this.flow.id, this.seq);
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
      this.listeners.forEach(listener => listener(change));
    }
  }

  private note(answer: Answer): void {
    if (answer.ok && !('data' in answer)) {
      const { seq } = 'view' in answer ? answer.view : answer.change;
      this.seq = 'view' in answer ? seq : Math.max(seq, this.seq ?? 0);
    }
  }

  private turn(status: Status): void {
    if (status !== this.status) {
      this.status = status;
      this.watchers.forEach(watcher => watcher(status));
    }
  }

  private status: Status = 'live';
  /** The newest sequence that the canvas has seen; null until the flow has come. */
  private seq: number | null = null;
  private asked = 0;
  private asking = 0;
  private readonly poll: Poll<void>;
  private readonly listeners = new Set<(change: Change) => void>();
  private readonly watchers = new Set<(status: Status) => void>();
}
