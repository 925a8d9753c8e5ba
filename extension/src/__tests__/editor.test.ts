import type { Client } from '../api/client';
import { LabError } from '../api/errors';
import { RestHost } from '../editor/host';
import type { Answer, Change, Message, Operation, Status, View } from '../flow/types';
import { change, view } from './flows';

const FLOW = { id: 'f', path: 'support/triage', beside: 'work' };
const AWAY = new LabError('away', 'Unreachable', 0);

/** A server that a test can take away, and what it was asked. */
class Server implements Pick<Client, 'flow' | 'changes' | 'send'> {
  isAway = false;
  seq = 5;
  readonly sent: Message[] = [];
  readonly polled: number[] = [];

  flow(): Promise<View> {
    return this.unlessAway(() => view({ seq: this.seq }));
  }

  changes(_: string, __: string, since: number): Promise<Change> {
    this.polled.push(since);
    return this.unlessAway(() => change(this.seq));
  }

  send(_: string, __: string, ___: string, message: Message): Promise<Answer> {
    this.sent.push(message);
    return this.unlessAway(() => ({ ok: true, change: change(++this.seq) }));
  }

  private unlessAway<T>(answer: () => T): Promise<T> {
    return this.isAway ? Promise.reject(AWAY) : Promise.resolve(answer());
  }
}

const EDIT: Message = {
  do: 'edit',
  operation: { type: 'rename', node: 'n', key: 'k', op_id: 'o', base_seq: 5 } as Operation
};

let isVisible = true;
let server: Server;
let host: RestHost;
let heard: number[];
let opened: string[];
let statuses: Status[];

beforeEach(async () => {
  jest.useFakeTimers();
  isVisible = true;
  server = new Server();
  host = new RestHost(
    server as unknown as Client,
    FLOW,
    () => isVisible,
    'tab',
    flow => opened.push(flow.path)
  );
  heard = [];
  opened = [];
  statuses = [];
  host.onChange(one => heard.push(one.seq));
  host.onStatus(status => statuses.push(status));
  await host.request({ do: 'view' });
});
afterEach(() => {
  host.dispose();
  jest.useRealTimers();
});

test('others’ edits are heard within a second or so', async () => {
  server.seq = 7;
  await jest.advanceTimersByTimeAsync(1500);
  expect(heard).toEqual([7]);
  await jest.advanceTimersByTimeAsync(3000);
  expect(heard).toEqual([7]);
  expect(server.polled.at(-1)).toBe(7);
});

test('a tab that nobody sees asks nothing', async () => {
  isVisible = false;
  await jest.advanceTimersByTimeAsync(1500);
  const before = server.polled.length;
  await jest.advanceTimersByTimeAsync(10_000);
  expect(server.polled).toHaveLength(before);
});

test('an answer that takes long is waited for; one that takes too long ends the line', async () => {
  let say: () => void = () => undefined;
  server.send = () =>
    new Promise(resolve => {
      say = () => resolve({ ok: true, change: change(6) });
    });
  const answer = host.request(EDIT);
  await jest.advanceTimersByTimeAsync(1000);
  expect(statuses).toEqual(['live']);
  await jest.advanceTimersByTimeAsync(1000);
  expect(statuses).toEqual(['live', 'slow']);
  await jest.advanceTimersByTimeAsync(9000);
  expect(statuses).toEqual(['live', 'slow', 'dead']);
  say();
  expect(await answer).toMatchObject({ ok: true });
  expect(statuses.at(-1)).toBe('live');
});

test('a question that takes long holds up nothing', async () => {
  server.send = () => new Promise(() => undefined);
  void host.request({ do: 'ask', about: 'models' });
  server.seq = 8;
  await jest.advanceTimersByTimeAsync(12_000);
  expect(statuses).toEqual(['live']);
  expect(heard).toEqual([8]);
});

test('a server that stays away ends the line; when it is back, so is the line', async () => {
  server.isAway = true;
  const answer = expect(host.request(EDIT)).rejects.toBe(AWAY);
  await jest.advanceTimersByTimeAsync(5000);
  await answer;
  expect(statuses.at(-1)).toBe('dead');
  server.isAway = false;
  await jest.advanceTimersByTimeAsync(25_000);
  expect(statuses.at(-1)).toBe('live');
});

test('a refusal is an answer, not an end', async () => {
  server.send = () => Promise.reject(new LabError('you may not', 'Forbidden', 403));
  expect(await host.request(EDIT)).toEqual({
    ok: false,
    code: 'Forbidden',
    message: 'you may not'
  });
  expect(statuses.at(-1)).toBe('live');
});

test('one’s own edit is not heard again as another’s', async () => {
  await host.request(EDIT);
  await jest.advanceTimersByTimeAsync(5000);
  expect(heard).toEqual([]);
  expect(server.polled.at(-1)).toBe(6);
});

test('a tab that is closed asks nothing any more', async () => {
  host.dispose();
  const before = server.polled.length;
  await jest.advanceTimersByTimeAsync(10_000);
  expect(server.polled).toHaveLength(before);
});

test('a fork is opened beside what it was forked from', () => {
  host.show({ id: 'other', path: 'support/mine' });
  expect(opened).toEqual(['support/mine']);
});
