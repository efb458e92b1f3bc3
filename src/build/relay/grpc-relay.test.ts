import {
  type ClientHttp2Session,
  connect,
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { framed } from '../wire/grpc.ts';
import { bytesField } from '../wire/protobuf.ts';
import { ByteBudget } from './byte-budget.ts';
import { type BuildCalls, relayGrpc } from './grpc-relay.ts';
import { WorkerLists } from './worker-lists.ts';

const SOLVE = '/moby.buildkit.v1.Control/Solve';
const STATUS = '/moby.buildkit.v1.Control/Status';
const PING = '/moby.buildkit.v1.frontend.LLBBridge/Ping';
const INFO = '/moby.buildkit.v1.Control/Info';
const GRPC_OK = { ':status': 200, 'content-type': 'application/grpc' } as const;

const calls: BuildCalls = {
  refusedSince: () => ({ files: ['why'], blobs: [], steps: [] }),
  frontendSolve: (message) => Promise.resolve(message),
  workers: () => undefined,
  keepWorkers: () => undefined,
  solve: (message) =>
    Promise.resolve({ message, finish: (response) => Promise.resolve(response), end: () => {} }),
};

interface Relayed {
  readonly client: ClientHttp2Session;
  readonly gone: AbortController;
  readonly done: Promise<void>;
}

const open: Relayed[] = [];

type Open = Parameters<typeof relayGrpc>[1];

function relay(
  serve: (builder: Duplex) => void,
  buffered?: ByteBudget,
  opening = (stream: Duplex): Open =>
    () =>
      Promise.resolve({ stream, calls }),
): Relayed {
  const [client, clientSide] = duplexPair();
  const [builder, builderSide] = duplexPair();
  for (const each of [client, clientSide, builder, builderSide]) each.on('error', () => undefined);
  serve(builder);
  const gone = new AbortController();
  const done = relayGrpc(clientSide, opening(builderSide), {
    ...{ gone: gone.signal, reasonOf: String, ...(buffered === undefined ? {} : { buffered }) },
  });
  const session = connect('http://x', { createConnection: () => client });
  session.on('error', () => undefined);
  const relayed = { client: session, gone, done };
  open.push(relayed);
  return relayed;
}

afterEach(async () => {
  for (const { client, gone, done } of open.splice(0)) {
    gone.abort();
    client.destroy();
    await done;
  }
});

function signal(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A builder that answers each call. */
function builderOf(answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void) {
  return (connection: Duplex): void => {
    const session = performServerHandshake(connection);
    session.on('error', () => undefined);
    session.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      answer(stream, headers);
    });
  };
}

interface Answer {
  readonly head: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly code: number | undefined;
}

function call(
  { client }: Relayed,
  path: string,
  { method = 'POST', body = framed(Buffer.alloc(0)), headers = {} } = {},
): Promise<Answer> {
  const sent = client.request(
    { ...headers, ':method': method, ':path': path },
    { endStream: false },
  );
  let head = {};
  let trailers = {};
  sent.on('response', (headers) => {
    head = headers;
  });
  sent.on('trailers', (headers) => {
    trailers = headers;
  });
  sent.on('error', () => undefined);
  sent.resume();
  sent.end(body);
  return new Promise((resolve) => {
    sent.once('close', () => resolve({ head, trailers, code: sent.rstCode }));
  });
}

it('passes calls of the list on, and no other and no other spelling of one', async () => {
  const seen: unknown[] = [];
  const relayed = relay(
    builderOf((stream, headers) => {
      seen.push(headers[':path']);
      stream.respond({ ...GRPC_OK, 'grpc-status': '0' }, { endStream: true });
    }),
  );
  expect((await call(relayed, STATUS)).head).toMatchObject({ 'grpc-status': '0' });
  for (const path of [
    '/moby.buildkit.v1.Control/S%6flve',
    `${SOLVE}?`,
    `${SOLVE}?x`,
    `http://x${SOLVE}`,
    `/${SOLVE}`,
    `${SOLVE}/`,
    '/moby.buildkit.v1.Control/./Solve',
    '/moby.buildkit.v1.Control/solve',
    '/moby.buildkit.v1.frontend.LLBBridge/S%6Flve',
    '/moby.buildkit.v1.frontend.LLBBridge/NewContainer',
    '/moby.buildkit.v1.Control/Session',
    '*',
    'constructor',
  ]) {
    // HTTP/2 itself has no answer to some, which are no paths.
    const { head } = await call(relayed, path);
    expect(head['grpc-status'] ?? '12', path).toBe('12');
  }
  const got = await call(relayed, STATUS, { method: 'PUT' });
  expect(got.head).toMatchObject({ 'grpc-status': '12' });
  expect(seen).toEqual([STATUS]);
});

it('asks a builder once for its workers, and answers the same again', async () => {
  const WORKERS = '/moby.buildkit.v1.Control/ListWorkers';
  const lists = new WorkerLists();
  const builder = { image: 'image', cacheDisk: 'disk' };
  const known: BuildCalls = {
    ...calls,
    workers: (message) => lists.of(builder, message),
    keepWorkers: (message, answer) => lists.keep(builder, message, answer),
  };
  let asked = 0;
  const relayed = relay(
    builderOf((stream) => {
      asked += 1;
      stream.respond(GRPC_OK, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(framed(Buffer.from('workers')));
    }),
    undefined,
    (stream) => () => Promise.resolve({ stream, calls: known }),
  );
  for (let time = 0; time < 3; time += 1) {
    const { head, trailers } = await call(relayed, WORKERS);
    expect([head, trailers]).toMatchObject([{ ':status': 200 }, { 'grpc-status': '0' }]);
  }
  expect(asked).toBe(1);
  await call(relayed, WORKERS, { body: framed(Buffer.from('filter')) });
  expect(asked).toBe(2);
});

/** A frame of HTTP/2. */
function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

/** Headers, each as a literal. */
function literals(headers: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string) =>
    Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
  return Buffer.concat(
    headers.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

const HEADERS = 1;
const SETTINGS = 4;
const END_HEADERS = 4;
const END = 5;
const PREFACE_BYTES = 24;

/** A builder that sends the frames that Node.js would not. */
function rawBuilder(answer: (id: number) => readonly Buffer[]) {
  return (connection: Duplex): void => {
    let rest = Buffer.alloc(0);
    let begun = false;
    connection.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      if (!begun) {
        if (rest.length < PREFACE_BYTES) return;
        begun = true;
        rest = rest.subarray(PREFACE_BYTES);
        connection.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)));
      }
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const [type, flags, id] = [rest.readUInt8(3), rest.readUInt8(4), rest.readUInt32BE(5)];
        rest = rest.subarray(9 + rest.readUIntBE(0, 3));
        if (type === SETTINGS && (flags & 1) === 0) {
          connection.write(frame(SETTINGS, 1, 0, Buffer.alloc(0)));
        }
        if (type === HEADERS) for (const each of answer(id)) connection.write(each);
      }
    });
  };
}

const HEAD = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
const data = (id: number): Buffer => frame(0, 0, id, Buffer.alloc(5));

it.each([
  ['600', END],
  ['600', END_HEADERS],
  ['099', END],
  ['099', END_HEADERS],
  ['404', END],
  ['204', END],
])('makes an error of the status %s, with the flags %i', async (status, flags) => {
  const answer = rawBuilder((id) => [frame(HEADERS, flags, id, literals([[':status', status]]))]);
  for (const path of [STATUS, SOLVE]) {
    const { head } = await call(relay(answer), path);
    expect(head[':status']).toBe(200);
    expect(head['grpc-status']).toMatch(/^(9|14)$/);
  }
});

it.each([STATUS, SOLVE])('passes no header of HTTP/2 itself: %s', async (path) => {
  const settings = ['http2-settings', 'x'] as const;
  const ok = ['grpc-status', '0'] as const;
  const inHead = relay(
    rawBuilder((id) => [frame(HEADERS, END, id, literals([...HEAD, settings]))]),
  );
  expect((await call(inHead, path)).head).not.toHaveProperty('http2-settings');
  const inTrailers = relay(
    rawBuilder((id) => [
      frame(HEADERS, END_HEADERS, id, literals([...HEAD, settings])),
      data(id),
      frame(HEADERS, END, id, literals([ok, settings])),
    ]),
  );
  const { head, trailers } = await call(inTrailers, path);
  expect(head).toMatchObject({ ':status': 200 });
  expect(trailers).toMatchObject({ 'grpc-status': '0' });
  expect(trailers).not.toHaveProperty('http2-settings');
});

it('passes an error on whose details are no message', async () => {
  const error = {
    ...{ 'grpc-status': '2', 'grpc-message': 'invalid response status 403' },
    'grpc-status-details-bin': '/w==',
  };
  const relayed = relay(
    builderOf((stream) => {
      stream.on('wantTrailers', () => stream.sendTrailers(error));
      stream.respond(GRPC_OK, { waitForTrailers: true });
      stream.end(framed(Buffer.alloc(0)));
    }),
  );
  expect((await call(relayed, SOLVE)).trailers).toMatchObject({
    'grpc-message': 'invalid response status 403: why',
    'grpc-status-details-bin': '/w==',
  });
});

it('refuses messages beyond what all calls together may hold', async () => {
  const budget = new ByteBudget(1000);
  const streams: ServerHttp2Stream[] = [];
  const seen = signal();
  const serve = builderOf((stream) => {
    streams.push(stream);
    seen.resolve();
  });
  const first = relay(serve, budget);
  const held = call(first, SOLVE, { body: framed(Buffer.alloc(900)) });
  await seen.promise;
  const second = relay(serve, budget);
  const refused = await call(second, SOLVE, { body: framed(Buffer.alloc(900)) });
  expect(refused.head).toMatchObject({ 'grpc-status': '8' });
  streams[0]?.respond({ ...GRPC_OK, 'grpc-status': '2' }, { endStream: true });
  expect((await held).head).toMatchObject({ 'grpc-status': '2' });
  await expect.poll(() => budget.held).toBe(0);
});

it('ends with its client, though that one said goodbye and keeps its connection', async () => {
  const begun = signal();
  const relayed = relay(builderOf(() => begun.resolve()));
  void call(relayed, STATUS);
  await begun.promise;
  relayed.client.goaway();
  await new Promise<void>((resolve) => relayed.client.ping(() => resolve()));
  relayed.gone.abort();
  await relayed.done;
});

it('answers a client before its builder is there, and passes its calls on then', async () => {
  const opened = signal();
  const seen: unknown[] = [];
  const relayed = relay(
    builderOf((stream, headers) => {
      seen.push(headers[':path']);
      stream.respond({ ...GRPC_OK, 'grpc-status': '0' }, { endStream: true });
    }),
    undefined,
    (stream) => () => opened.promise.then(() => ({ stream, calls })),
  );
  const waiting = call(relayed, STATUS);
  const reset = relayed.client.request({ ':method': 'POST', ':path': SOLVE });
  reset.on('error', () => undefined);
  reset.close(constants.NGHTTP2_CANCEL);
  // An answer to a ping follows the settings.
  await new Promise<void>((resolve) => relayed.client.ping(() => resolve()));
  expect(relayed.client.remoteSettings.maxConcurrentStreams).toBe(128);
  expect(seen).toEqual([]);
  opened.resolve();
  expect((await waiting).head).toMatchObject({ 'grpc-status': '0' });
  // A call that was reset meanwhile is none.
  expect(seen).toEqual([STATUS]);
});

it('refuses all calls where no builder can be opened, and lists no worker', async () => {
  const failed = (): Open => () => Promise.reject(new Error('none starts'));
  const relayed = relay(() => undefined, undefined, failed);
  for (const path of [STATUS, SOLVE]) {
    expect((await call(relayed, path)).head).toMatchObject({
      ...{ 'grpc-status': '12', 'grpc-message': 'Error: none starts' },
    });
  }
  const listed = await call(relayed, '/moby.buildkit.v1.Control/ListWorkers');
  expect(listed.trailers).toMatchObject({ 'grpc-status': '0' });
});

it('opens no builder any more for a client that has left', async () => {
  const left = signal();
  const relayed = relay(
    () => undefined,
    undefined,
    () => (gone) =>
      new Promise((_, reject) => {
        gone.addEventListener('abort', () => {
          left.resolve();
          reject(gone.reason);
        });
      }),
  );
  relayed.gone.abort();
  await left.promise;
  await relayed.done;
});

it('asks for the progress of a build, and calls its frontend, when the builder has the build, in whichever order they come', async () => {
  const seen: unknown[] = [];
  const held = signal();
  const holding: BuildCalls = {
    ...calls,
    solve: async (message, left) => {
      await held.promise;
      return calls.solve(message, left);
    },
  };
  const relayed = relay(
    builderOf((stream, headers) => {
      seen.push(headers[':path']);
      stream.respond({ ...GRPC_OK, 'grpc-status': '0' }, { endStream: true });
    }),
    undefined,
    (stream) => () => Promise.resolve({ stream, calls: holding }),
  );
  const body = framed(bytesField(1, 'the build'));
  const frontend = { headers: { 'buildkit-controlapi-buildid': 'the build' } };
  const ping = () => call(relayed, PING, frontend);
  const before = [call(relayed, STATUS, { body }), ping()];
  const solve = call(relayed, SOLVE, { body });
  const after = [call(relayed, STATUS, { body }), ping()];
  // A call that nothing holds ends after those that came before it have been looked at.
  expect((await call(relayed, INFO)).head).toMatchObject({ 'grpc-status': '0' });
  expect(seen).toEqual([INFO]);
  held.resolve();
  for (const each of [...before, ...after]) {
    expect((await each).head).toMatchObject({ 'grpc-status': '0' });
  }
  await solve;
  const [info, first, ...others] = seen;
  expect([info, first]).toEqual([INFO, SOLVE]);
  expect(others.sort()).toEqual([STATUS, STATUS, PING, PING]);
});

it.each([SOLVE, '/moby.buildkit.v1.frontend.LLBBridge/Solve'])(
  'begins no call that its client has cancelled while it waited: %s',
  async (path) => {
    const seen: unknown[] = [];
    const [waits, ready, ended] = [signal(), signal(), signal()];
    const wait = async (): Promise<void> => {
      waits.resolve();
      await ready.promise;
    };
    const slow: BuildCalls = {
      ...calls,
      solve: async (message, left) => {
        await wait();
        return { ...(await calls.solve(message, left)), end: ended.resolve };
      },
      frontendSolve: async (message) => {
        await wait();
        return message;
      },
    };
    const relayed = relay(
      builderOf((stream, headers) => {
        seen.push(headers[':path']);
        stream.respond({ ...GRPC_OK, 'grpc-status': '0' }, { endStream: true });
      }),
      undefined,
      (stream) => () => Promise.resolve({ stream, calls: slow }),
    );
    const sent = relayed.client.request({ ':method': 'POST', ':path': path });
    sent.on('error', () => undefined);
    sent.end(framed(bytesField(1, 'the build')));
    await waits.promise;
    sent.close(constants.NGHTTP2_CANCEL);
    // The first ping overtakes what is to be sent, and the second one comes after that.
    for (let ping = 0; ping < 2; ping += 1) {
      await new Promise<void>((resolve) => relayed.client.ping(() => resolve()));
    }
    ready.resolve();
    if (path === SOLVE) await ended.promise;
    expect((await call(relayed, INFO)).head).toMatchObject({ 'grpc-status': '0' });
    expect(seen).toEqual([INFO]);
  },
);

it('asks for the progress of a build that was refused', async () => {
  const refusing: BuildCalls = { ...calls, solve: () => Promise.reject(new Error('no')) };
  const relayed = relay(
    builderOf((stream) => {
      stream.respond({ ...GRPC_OK, 'grpc-status': '5' }, { endStream: true });
    }),
    undefined,
    (stream) => () => Promise.resolve({ stream, calls: refusing }),
  );
  const body = framed(bytesField(1, 'the build'));
  const solve = call(relayed, SOLVE, { body });
  expect((await call(relayed, STATUS, { body })).head).toMatchObject({ 'grpc-status': '5' });
  expect((await solve).head).not.toMatchObject({ 'grpc-status': '5' });
});
