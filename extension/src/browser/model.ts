import { PathExt } from '@jupyterlab/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Client } from '../api/client';
import { LabError } from '../api/errors';
import type { Question, Status, Template, Tree } from '../api/types';
import { closedAtFirst, rowsOf, type Row } from './rows';

/** A template that is looked at, or why it cannot be. */
export interface Reading {
  readonly id: string;
  readonly path: string;
  readonly template: Template | null;
  readonly failure: LabError | null;
}

/** What the sidebar draws. */
export interface BrowserState {
  readonly isLoading: boolean;
  readonly status: Status | null;
  readonly tree: Tree | null;
  readonly failure: LabError | null;
  readonly query: string;
  readonly closed: ReadonlySet<string>;
  readonly selected: string | null;
  readonly reading: Reading | null;
  /** What runs wait for, oldest first. */
  readonly questions: readonly Question[];
}

const START: BrowserState = {
  isLoading: true,
  status: null,
  tree: null,
  failure: null,
  query: '',
  closed: new Set(),
  selected: null,
  reading: null,
  questions: []
};

/** What is in the warehouse beside the current notebook. */
export class BrowserModel implements IDisposable {
  constructor(private readonly client: Client) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get state(): BrowserState {
    return this._state;
  }

  /** The folder whose warehouse is shown, below the server's root. */
  get beside(): string {
    return this._beside;
  }

  get rows(): Row[] {
    const { tree, closed, query } = this._state;
    return tree ? rowsOf(tree, closed, query) : [];
  }

  get selectedRow(): Row | null {
    return this.rows.find(row => row.key === this._state.selected) ?? null;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  /** Show the warehouse of the folder that a document lies in. */
  follow(path: string): void {
    const folder = PathExt.dirname(path.replace(/^[^/]*:/, ''));
    if (path && folder !== this._beside) {
      this._beside = folder;
      this.set({ ...START, query: this._state.query });
      void this.refresh();
    }
  }

  /** Ask the server again; what is shown stays until it has answered. */
  async refresh(): Promise<void> {
    const asked = ++this.asked;
    this.set({ isLoading: true });
    void this.refreshQuestions();
    const [status, tree] = await Promise.allSettled([
      this.client.status(this._beside),
      this.client.tree(this._beside)
    ]);
    if (asked !== this.asked || this._isDisposed) {
      return;
    }
    const failed = [status, tree].find(one => one.status === 'rejected');
    this.set({
      isLoading: false,
      failure: failed ? asLabError(failed.reason) : null,
      status: status.status === 'fulfilled' ? status.value : this._state.status
    });
    if (tree.status === 'fulfilled') {
      const isFirst = !this._state.tree;
      const closed = isFirst ? closedAtFirst(tree.value) : this._state.closed;
      this.set({ tree: tree.value, closed });
    }
  }

  /** Ask what runs wait for. */
  async refreshQuestions(): Promise<void> {
    const beside = this._beside;
    try {
      const questions = await this.client.questions(beside);
      const known = this._state.questions.map(one => one.question_id).join();
      if (beside === this._beside && questions.map(one => one.question_id).join() !== known) {
        this.set({ questions });
      }
    } catch {
      // Whoever is away is told of by the tree; what is shown stays.
    }
  }

  /** Answer a question; return why it was refused, or nothing. */
  async answer(question: Question, value: unknown): Promise<string> {
    try {
      await this.client.answer(this._beside, question.question_id, value);
      const others = this._state.questions.filter(one => one !== question);
      this.set({ questions: others });
      return '';
    } catch (reason) {
      const failure = asLabError(reason);
      if (failure.code === 'Conflict') {
        void this.refreshQuestions();
      }
      return failure.message;
    }
  }

  search(query: string): void {
    this.set({ query });
  }

  select(key: string): void {
    this.set({ selected: key });
    const row = this.selectedRow;
    if (this._state.reading && row?.kind === 'template') {
      void this.read(row);
    }
  }

  toggle(key: string, open?: boolean): void {
    const closed = new Set(this._state.closed);
    if (open ?? closed.has(key)) {
      closed.delete(key);
    } else {
      closed.add(key);
    }
    this.set({ closed });
  }

  /** Show a template's text. */
  async read(row: Pick<Row, 'id' | 'path'>): Promise<void> {
    const { id, path } = row;
    if (this._state.reading?.id !== id) {
      this.set({ reading: { id, path, template: null, failure: null } });
    }
    let found: Partial<Reading>;
    try {
      found = { template: await this.client.template(this._beside, id), failure: null };
    } catch (reason) {
      found = { failure: asLabError(reason) };
    }
    const reading = this._state.reading;
    if (reading?.id === id) {
      this.set({ reading: { ...reading, ...found } });
    }
  }

  stopReading(): void {
    this.set({ reading: null });
  }

  private set(more: Partial<BrowserState>): void {
    if (!this._isDisposed) {
      this._state = { ...this._state, ...more };
      this._changed.emit();
    }
  }

  private _state = START;
  private _beside = '';
  private _isDisposed = false;
  private asked = 0;
  private readonly _changed = new Signal<this, void>(this);
}

function asLabError(reason: unknown): LabError {
  return reason instanceof LabError ? reason : new LabError(String(reason), 'Unexpected', 0);
}
