import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { newId } from '../flow/ids';
import type { Answer, Change, Message, View } from '../flow/types';
import { LabError } from './errors';
import type { MadeFlow, Question, Status, Template, Tree } from './types';

const ROOT = 'promptstudio';
const MISSING = 404;
const FORBIDDEN = 403;
/** What a hub or a proxy says in the place of a server that is gone. */
const AWAY: readonly number[] = [424, 502, 503, 504];
/** A request without an answer is sent again; only a server that misses each of these is away. */
const AGAIN_MS: readonly number[] = [300, 1200];

/** Everything that one can ask the server; `beside` is a notebook's folder, which decides where. */
export interface Client {
  status(beside: string): Promise<Status>;
  tree(beside: string): Promise<Tree>;
  template(beside: string, id: string): Promise<Template>;
  questions(beside: string): Promise<readonly Question[]>;
  answer(beside: string, question: string, value: unknown): Promise<void>;
  makeFlow(beside: string, path: string): Promise<MadeFlow>;
  flow(beside: string, id: string): Promise<View>;
  changes(beside: string, id: string, since: number, problemsTag: string): Promise<Change>;
  send(beside: string, id: string, client: string, message: Message): Promise<Answer>;
  /** Queue a run of a flow, up to a node if one is given; returns the run's id. */
  run(beside: string, id: string, inputs: object, until: string | null): Promise<string>;
  stop(beside: string, run: string): Promise<void>;
}

export class RestClient implements Client {
  constructor(private readonly settings = ServerConnection.makeSettings()) {}

  status(beside: string): Promise<Status> {
    return this.ask<Status>(['status'], { beside });
  }

  tree(beside: string): Promise<Tree> {
    return this.ask<Tree>(['tree'], { beside });
  }

  template(beside: string, id: string): Promise<Template> {
    return this.ask<Template>(['templates', id], { beside });
  }

  async questions(beside: string): Promise<readonly Question[]> {
    const found = await this.ask<{ questions: Question[] }>(['questions'], { beside });
    return found.questions;
  }

  async answer(beside: string, question: string, value: unknown): Promise<void> {
    await this.ask(['questions', question], { beside }, { value });
  }

  makeFlow(beside: string, path: string): Promise<MadeFlow> {
    return this.ask<MadeFlow>(['flows'], { beside }, { path });
  }

  flow(beside: string, id: string): Promise<View> {
    return this.ask<View>(['flows', id], { beside });
  }

  changes(beside: string, id: string, since: number, problemsTag: string): Promise<Change> {
    const asked = { beside, since: String(since), problems_tag: problemsTag };
    return this.ask<Change>(['flows', id, 'changes'], asked);
  }

  send(beside: string, id: string, client: string, message: Message): Promise<Answer> {
    return this.ask<Answer>(
      ['flows', id, 'messages'],
      { beside },
      { client_id: client, ...message }
    );
  }

  async run(beside: string, id: string, inputs: object, until: string | null): Promise<string> {
    const found = await this.ask<{ run: string }>(
      ['flows', id, 'runs'],
      { beside },
      { inputs, until }
    );
    return found.run;
  }

  async stop(beside: string, run: string): Promise<void> {
    await this.ask(['runs', run, 'stop'], { beside }, {});
  }

  private async ask<T>(
    parts: readonly string[],
    query: Readonly<Record<string, string>>,
    body?: object
  ): Promise<T> {
    const path = URLExt.join(this.settings.baseUrl, ROOT, ...parts.map(encodeURIComponent));
    const url = path + URLExt.objectToQueryString({ ...query });
    // What is sent again bears the same key, so the server does it once.
    const request = body
      ? { method: 'POST', body: JSON.stringify(body), headers: { 'Idempotency-Key': newId() } }
      : { cache: 'no-store' };
    for (const wait of AGAIN_MS) {
      try {
        return await this.askOnce<T>(url, request as RequestInit);
      } catch (reason) {
        if (!(reason instanceof LabError) || reason.status > 0) {
          throw reason;
        }
        await new Promise(resolve => setTimeout(resolve, wait));
      }
    }
    return this.askOnce<T>(url, request as RequestInit);
  }

  private async askOnce<T>(url: string, request: RequestInit): Promise<T> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, request, this.settings);
    } catch {
      throw away();
    }
    const found = await readJson(response);
    if (!response.ok) {
      throw refusal(response.status, found);
    }
    return found as T;
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    if (response.ok) {
      const message = 'The server’s answer cannot be read: is another service in front of it?';
      throw new LabError(message, 'Unreadable', response.status);
    }
    return null;
  }
}

function refusal(status: number, found: unknown): LabError {
  const said = isObject(found) ? found : {};
  const message = typeof said['message'] === 'string' ? said['message'] : `HTTP ${status}`;
  if (typeof said['code'] === 'string') {
    return new LabError(message, said['code'], status);
  }
  if (AWAY.includes(status)) {
    return away();
  }
  if (status === MISSING) {
    const missing = 'This Jupyter server does not have PromptStudio Lab’s server part.';
    return new LabError(missing, 'NotInstalled', status);
  }
  return new LabError(message, status === FORBIDDEN ? 'Forbidden' : 'Refused', status);
}

function away(): LabError {
  return new LabError('The Jupyter server does not answer.', 'Unreachable', 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
