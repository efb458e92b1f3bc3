import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { connectGuest } from './connection.ts';
import { FakeAgent } from './fake-agent.ts';
import { fakeMachine } from './fake-machine.ts';

const signal = new AbortController().signal;

/** An agent whose first connections go to `first`, one after the other, and the rest to a real one. */
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
    'sends the frames of another session',
    (stream) => stream.write(Buffer.from('000008060100000000deadbeefdeadbeef', 'hex')),
  ],
  ['never answers', (stream) => stream.resume()],
])('a connection that %s is tried again', async (_, handler) => {
  const machine = fakeMachine(agentAfter(handler, handler));
  const guest = await connectGuest(machine, { signal, deadlineMs: 10_000, attemptMs: 50 });
  expect(guest.hello.agent).toBe('0.0.0-fake');
  guest.close();
  await guest.closed;
});

test('an agent that was reached before is given up sooner when it is silent', async () => {
  const agent = new FakeAgent();
  const silent: Duplex[] = [];
  let silence = false;
  const machine = fakeMachine({
    serve: (stream) => {
      if (silence && silent.length === 0) silent.push(stream.resume());
      else agent.serve(stream);
    },
  });
  const first = await connectGuest(machine, { signal, deadlineMs: 4000 });
  first.close();
  silence = true;
  // The deadline is shorter than what a boot is given.
  const second = await connectGuest(machine, { signal, deadlineMs: 4000 });
  expect(silent).toHaveLength(1);
  second.close();
});

test('no answer before the deadline is a timeout that shows the console', async () => {
  const machine = fakeMachine({ serve: (stream) => stream.resume() }, 'one\n\x1b[31mpanic\x07\n');
  await expect(connectGuest(machine, { signal, deadlineMs: 100 })).rejects.toMatchObject({
    code: 'agent-timeout',
    message: 'The guest agent did not answer within 0.1 s; its console ends:\none\n[31mpanic',
  });
});

test('a machine that ends is told apart, at once', async () => {
  const machine = fakeMachine({ serve: () => machine.end({ reason: 'panic', detail: 'no init' }) });
  await expect(connectGuest(machine, { signal, deadlineMs: 60_000 })).rejects.toMatchObject({
    code: 'vmm-failed',
    message: expect.stringContaining('ended before its agent answered (panic): no init'),
  });
});

test('an abort ends the wait with its own reason', async () => {
  const abort = new AbortController();
  const machine = fakeMachine({ serve: () => abort.abort(new Error('stop')) });
  const connecting = connectGuest(machine, { signal: abort.signal, deadlineMs: 60_000 });
  await expect(connecting).rejects.toThrow('stop');
});

test('the highest version that both know is taken, and none is said', async () => {
  const machine = fakeMachine(new FakeAgent({ protocol: { minimum: 1, maximum: 9 } }));
  const guest = await connectGuest(machine, { signal, deadlineMs: 5000 });
  expect(await guest.state()).toMatchObject({ spec: null });
  guest.close();
  const newer = fakeMachine(new FakeAgent({ protocol: { minimum: 2, maximum: 9 } }));
  await expect(connectGuest(newer, { signal, deadlineMs: 5000 })).rejects.toMatchObject({
    code: 'agent-failed',
    message: expect.stringContaining('speaks protocol 2 to 9'),
    remedy: expect.stringContaining('Recreate the box'),
  });
});

test('closing lets go of the stream', async () => {
  let guestEnd: Duplex | undefined;
  const agent = new FakeAgent();
  const machine = fakeMachine({
    serve: (stream) => {
      guestEnd = stream;
      agent.serve(stream);
    },
  });
  const guest = await connectGuest(machine, { signal, deadlineMs: 5000 });
  const closed = guestEnd === undefined ? undefined : once(guestEnd, 'close');
  guest.close();
  await closed;
  await expect(guest.state()).rejects.toMatchObject({ code: 'agent-failed' });
});
