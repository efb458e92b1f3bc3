import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { connectGuest } from './connection.ts';
import type { Guest } from './guest.ts';
import { PROTOCOL } from './protocol.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import { fakeVm } from './testing/fake-vm.ts';

const signal = new AbortController().signal;

/**
 * An agent whose first connections are handled by `first`, one after the other, and later ones by a
 * fake agent.
 */
function agentAfter(...first: ((stream: Duplex) => void)[]): Pick<FakeAgent, 'serve'> {
  const agent = new FakeAgent();
  return {
    serve: (stream) => {
      const handler = first.shift();
      if (handler === undefined) agent.serve(stream);
      else handler(stream);
    },
  };
}

test.each<[string, (stream: Duplex) => void]>([
  ['closes at once', (stream) => stream.destroy()],
  ['sends the rest of a dead connection', (stream) => stream.end(Buffer.alloc(64, 0x7f))],
  [
    'sends the frames of another connection',
    (stream) => stream.write(Buffer.from('000008060100000000deadbeefdeadbeef', 'hex')),
  ],
  ['never answers', (stream) => stream.resume()],
])('a connection that %s is retried', async (_, handler) => {
  const vm = fakeVm(agentAfter(handler, handler));
  const guest = await connectGuest(vm, { signal, deadlineMs: 10_000, attemptMs: 50 });
  expect(guest.hello?.agent).toBe('0.0.0-fake');
  guest.close();
  await guest.closed;
});

test('a silent agent that has answered before is given up before the boot deadline', async () => {
  const agent = new FakeAgent();
  const silent: Duplex[] = [];
  let silence = false;
  const vm = fakeVm({
    serve: (stream) => {
      if (silence && silent.length === 0) silent.push(stream.resume());
      else agent.serve(stream);
    },
  });
  const first = await connectGuest(vm, { signal, deadlineMs: 4000 });
  first.close();
  silence = true;
  // The deadline is shorter than that of a boot.
  const second = await connectGuest(vm, { signal, deadlineMs: 4000 });
  expect(silent).toHaveLength(1);
  second.close();
});

test('a missing answer at the deadline is a timeout that shows the console', async () => {
  const vm = fakeVm({ serve: (stream) => stream.resume() }, 'one\n\x1b[31mpanic\x07\n');
  await expect(connectGuest(vm, { signal, deadlineMs: 100 })).rejects.toMatchObject({
    code: 'agent-timeout',
    message: 'The guest agent did not answer within 0.1 s; its console ends:\none\n[31mpanic',
  });
});

test('a microVM that ends before its agent answers is reported at once', async () => {
  const vm = fakeVm({ serve: () => vm.end({ reason: 'panic', detail: 'no init' }) });
  await expect(connectGuest(vm, { signal, deadlineMs: 60_000 })).rejects.toMatchObject({
    code: 'vmm-failed',
    message: expect.stringContaining('ended before its agent answered (panic): no init'),
  });
});

test('an abort ends the wait for the agent with its own reason', async () => {
  const abort = new AbortController();
  const vm = fakeVm({ serve: () => abort.abort(new Error('stop')) });
  const connecting = connectGuest(vm, { signal: abort.signal, deadlineMs: 60_000 });
  await expect(connecting).rejects.toThrow('stop');
});

test('the highest protocol version that both sides know is used, and none in common is an error', async () => {
  const vm = fakeVm(new FakeAgent({ protocol: { minimum: 1, maximum: 9 } }));
  const guest = await connectGuest(vm, { signal, deadlineMs: 5000 });
  expect(await guest.state()).toMatchObject({ spec: null });
  guest.close();
  const next = { minimum: PROTOCOL.maximum + 1, maximum: PROTOCOL.maximum + 2 };
  const newer = fakeVm(new FakeAgent({ protocol: next }));
  await expect(connectGuest(newer, { signal, deadlineMs: 5000 })).rejects.toMatchObject({
    code: 'agent-failed',
    message: expect.stringContaining(`speaks protocol ${next.minimum} to ${next.maximum}`),
    remedy: expect.stringContaining('Recreate the box'),
  });
});

test('closing the guest closes the stream', async () => {
  let guestEnd: Duplex | undefined;
  const agent = new FakeAgent();
  const vm = fakeVm({
    serve: (stream) => {
      guestEnd = stream;
      agent.serve(stream);
    },
  });
  const guest = await connectGuest(vm, { signal, deadlineMs: 5000 });
  const closed = guestEnd === undefined ? undefined : once(guestEnd, 'close');
  guest.close();
  await closed;
  await expect(guest.state()).rejects.toMatchObject({ code: 'agent-failed' });
});

const RESEED = {
  entropy: Buffer.alloc(64, 7).toString('base64'),
  time: '2026-01-02T03:04:05.000000006Z',
  machineId: '00000000-0000-4000-8000-000000000001',
};

/** A fake agent of a guest that started from a template and waits to be resumed. */
async function pausedAgent(): Promise<FakeAgent> {
  const agent = new FakeAgent();
  const guest = await connectGuest(fakeVm(agent), { signal, deadlineMs: 5000 });
  await guest.prepare();
  await expect(guest.state()).rejects.toMatchObject({ code: 'conflict' });
  await expect(guest.prepare()).rejects.toMatchObject({ code: 'conflict' });
  guest.close();
  return agent;
}

test('a guest that started from a template is resumed by the first request, without a greeting', async () => {
  const agent = await pausedAgent();
  const known = {
    protocol: 2,
    first: (guest: Guest, stop: AbortSignal) => guest.reseed(RESEED, stop),
  };
  const guest = await connectGuest(fakeVm(agent), { signal, deadlineMs: 5000, known });
  expect(guest.hello).toBeUndefined();
  expect(agent.reseeded).toEqual(RESEED);
  expect(await guest.state()).toMatchObject({ spec: null });
  guest.close();
});

test('a guest of unknown version that started from a template uses the highest common version after the first request', async () => {
  const agent = await pausedAgent();
  const first = (guest: Guest, stop: AbortSignal) => guest.reseed(RESEED, stop);
  const known = { protocol: 2, negotiate: true, first };
  const guest = await connectGuest(fakeVm(agent), { signal, deadlineMs: 5000, known });
  expect(agent.reseeded).toEqual(RESEED);
  expect(guest.speaks(PROTOCOL.maximum)).toBe(true);
  guest.close();
});

test('a first request whose answer is lost is sent again', async () => {
  const agent = await pausedAgent();
  let lost = false;
  const vm = fakeVm({
    serve: (stream) => {
      agent.serve(stream);
      if (lost) return;
      lost = true;
      // The connection closes after the request was handled, and before its answer is read.
      const pass = stream.write.bind(stream);
      stream.write = ((chunk: Buffer, ...rest: []) => {
        if (agent.reseeded === undefined) return pass(chunk, ...rest);
        stream.destroy();
        return false;
      }) as typeof stream.write;
    },
  });
  const known = {
    protocol: 2,
    first: (guest: Guest, stop: AbortSignal) => guest.reseed(RESEED, stop),
  };
  const guest = await connectGuest(vm, { signal, deadlineMs: 5000, known });
  expect(lost).toBe(true);
  expect(await guest.state()).toMatchObject({ spec: null });
  guest.close();
});

test('a first request that is refused is not sent again', async () => {
  let sent = 0;
  const known = {
    protocol: 2,
    first: (guest: Guest, stop: AbortSignal) => {
      sent += 1;
      return guest.reseed(RESEED, stop);
    },
  };
  const vm = fakeVm(new FakeAgent());
  await expect(connectGuest(vm, { signal, deadlineMs: 5000, known })).rejects.toMatchObject({
    code: 'conflict',
    message: 'the guest was reseeded already, or never prepared',
  });
  expect(sent).toBe(1);
});

test('a guest that started from a template with an unsupported protocol version is refused without a request', async () => {
  const known = {
    protocol: PROTOCOL.maximum + 1,
    first: () => Promise.reject(new Error('unreachable')),
  };
  const vm = fakeVm(new FakeAgent());
  await expect(connectGuest(vm, { signal, deadlineMs: 5000, known })).rejects.toMatchObject({
    code: 'agent-failed',
  });
});

test('an agent of protocol 1 refuses to prepare for copies', async () => {
  const agent = new FakeAgent({ protocol: { minimum: 1, maximum: 1 } });
  const guest = await connectGuest(fakeVm(agent), { signal, deadlineMs: 5000 });
  await expect(guest.prepare()).rejects.toMatchObject({ code: 'no-such-exec' });
  expect(await guest.state()).toMatchObject({ spec: null });
  guest.close();
});
