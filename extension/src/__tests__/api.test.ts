/** @jest-environment ./src/__tests__/api.environment.js */
import { ServerConnection } from '@jupyterlab/services';

import { RestClient } from '../api/client';
import type { LabError } from '../api/errors';

interface Asked {
  readonly url: string;
  readonly key: string | null;
  readonly method: string;
  readonly body: string | null;
}

/** A client whose server says one thing, and what it was asked. */
function client(say: () => Response | Promise<never>): { rest: RestClient; asked: Asked[] } {
  const asked: Asked[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost:1/user/rosa/',
    token: '',
    fetch: async (input: RequestInfo | URL, init?: RequestInit) => {
      const request = input as Request;
      asked.push({
        url: request.url,
        key: request.headers.get('Idempotency-Key'),
        method: init?.method ?? request.method,
        body: request.method === 'POST' ? await request.clone().text() : null
      });
      return say();
    }
  });
  return { rest: new RestClient(settings), asked };
}

const json = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } });

async function failure(say: () => Response | Promise<never>): Promise<LabError> {
  return client(say)
    .rest.tree('')
    .then(
      () => {
        throw new Error('nothing went wrong');
      },
      (reason: unknown) => reason as LabError
    );
}

test('what is asked lies under the server’s own address, each part escaped', async () => {
  const { rest, asked } = client(() => json(200, { seq: 3 }));
  await rest.changes('my work', '../x?y', 3, 'ab12');
  expect(asked[0]?.url).toContain('http://localhost:1/user/rosa/promptstudio/flows/');
  expect(asked[0]?.url).toContain('..%2Fx%3Fy/changes?beside=my%20work&since=3&problems_tag=ab12');
  expect(asked[0]?.method).toBe('GET');
});

test('a message carries its view and is posted', async () => {
  const { rest, asked } = client(() => json(200, { ok: true }));
  await rest.send('', 'f', 'tab', { do: 'undo' });
  expect(asked[0]).toMatchObject({ method: 'POST', body: '{"client_id":"tab","do":"undo"}' });
});

test('what gets no answer is sent again under the same key, and nothing is heard of it', async () => {
  let lost = 2;
  const { rest, asked } = client(() =>
    lost-- > 0 ? Promise.reject(new TypeError('lost')) : json(200, { ok: true })
  );
  expect(await rest.send('', 'f', 'tab', { do: 'undo' })).toEqual({ ok: true });
  await rest.send('', 'f', 'tab', { do: 'undo' });
  const [first, second, third, next] = asked.map(one => one.key);
  expect(first).toMatch(/^[0-9a-f-]{36}$/);
  expect([second, third]).toEqual([first, first]);
  expect(next).not.toBe(first);
});

test('a refusal is not asked for twice', async () => {
  const { rest, asked } = client(() => json(404, { code: 'NotFound', message: 'no' }));
  await expect(rest.tree('')).rejects.toMatchObject({ code: 'NotFound' });
  expect(asked).toHaveLength(1);
});

test('the server’s own refusals keep their code and words', async () => {
  const error = await failure(() => json(404, { code: 'NotFound', message: 'there is no flow f' }));
  expect(error).toMatchObject({ code: 'NotFound', status: 404, message: 'there is no flow f' });
});

test('a warehouse that cannot be opened is not a server that is away', async () => {
  const error = await failure(() => json(503, { code: 'WarehouseUnavailable', message: 'no' }));
  expect(error).toMatchObject({ code: 'WarehouseUnavailable', status: 503 });
});

test.each([
  ['a server that is gone', () => Promise.reject(new TypeError('failed')), 'Unreachable'],
  [
    'a proxy without its server',
    () => new Response('<h1>Bad Gateway', { status: 502 }),
    'Unreachable'
  ],
  ['a server without our part', () => json(404, { message: 'Not Found' }), 'NotInstalled'],
  ['a missing right', () => json(403, { message: 'Forbidden' }), 'Forbidden'],
  ['a page in the place of data', () => new Response('<h1>Hello', { status: 200 }), 'Unreadable']
])('%s is told from all else', async (_, say, code) => {
  expect((await failure(say)).code).toBe(code);
});
