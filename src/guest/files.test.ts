import { once } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import { connectGuest } from './connection.ts';
import { CHANGES } from './files.ts';
import type { Guest } from './guest.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import type { FakeAgentOptions } from './testing/fake-agent-options.ts';
import { fakeVm } from './testing/fake-vm.ts';

const open: { agent: FakeAgent; guest: Guest }[] = [];
const { signal } = new AbortController();

afterEach(() => {
  for (const { agent, guest } of open.splice(0)) {
    guest.close();
    agent.kill();
  }
});

async function connect(options: FakeAgentOptions = {}) {
  const agent = new FakeAgent(options);
  const guest = await connectGuest(fakeVm(agent), { signal, deadlineMs: 5000 });
  open.push({ agent, guest });
  return { agent, guest };
}

it.each([
  ['that is no JSON', 'no json\n'],
  ['of another shape', '{"name":"x"}\n'],
  [
    'with a mode that is none',
    '{"name":"x","size":1,"mode":-1,"mtime":0,"nanoseconds":0,"linkTarget":""}\n',
  ],
  ['that does not end', 'x'.repeat(200_000)],
  ['that breaks off', '{"name":'],
])('refuses a description of a path %s', async (_, text) => {
  const { agent, guest } = await connect();
  vi.spyOn(agent.files, 'read').mockImplementation(async (stream) => {
    stream.respond({ ':status': 200 });
    stream.end(text);
  });
  await expect(guest.files.read('/', signal)).rejects.toMatchObject({ code: 'agent-failed' });
});

it('resets an archive that its reader does not want any more', async () => {
  const { agent, guest } = await connect();
  const closed = new Promise<number>((resolve) => {
    vi.spyOn(agent.files, 'read').mockImplementation(async (stream) => {
      stream.on('close', () => resolve(stream.rstCode));
      stream.respond({ ':status': 200 });
      stream.write(
        '{"name":"x","size":1,"mode":1,"mtime":0,"nanoseconds":0,"linkTarget":""}\nfirst',
      );
    });
  });
  const { archive } = await guest.files.read('/', signal);
  expect((await archive.next()).value?.toString()).toBe('first');
  await archive.return();
  expect(await closed).not.toBe(0);
});

it('resets an archive whose source fails, and passes the reason on', async () => {
  const { agent, guest } = await connect();
  const reason = new Error('the client is gone');
  const request = { path: '/tmp', keepKinds: false, ofUser: false };
  const written = guest.files.write(
    request,
    (async function* () {
      yield Buffer.from('first');
      throw reason;
    })(),
    signal,
  );
  await expect(written).rejects.toBe(reason);
  expect(agent.files.written).toEqual([]);
});

it('ends what the caller aborts', async () => {
  const { agent, guest } = await connect();
  vi.spyOn(agent.files, 'read').mockImplementation(async (stream) => {
    await once(stream, 'close');
  });
  const aborted = new AbortController();
  const read = guest.files.read('/', aborted.signal);
  aborted.abort(new Error('enough'));
  await expect(read).rejects.toThrow('enough');
});

it('says which version an older agent lacks', async () => {
  const { guest } = await connect({ protocol: { minimum: 1, maximum: 6 } });
  await expect(guest.files.stat('/', signal)).rejects.toThrow(
    'copies of files came with protocol 7',
  );
});

it('reports changes of shares, and says how many reached watchers', async () => {
  const { agent, guest } = await connect();
  const changes = [
    { share: 'bind-0', path: 'src/a' },
    { share: 'bind-1', path: '' },
  ];
  expect(await guest.reportChanges(changes, signal)).toBe(2);
  expect(agent.files.reported).toEqual(changes);
  const older = await connect({ protocol: { minimum: 1, maximum: 7 } });
  await expect(older.guest.reportChanges(changes, signal)).rejects.toThrow(
    'reports of changed files came with protocol 8',
  );
});

/** A guest that answers these pieces as its list of changes. */
async function changing(...pieces: readonly string[]): Promise<Guest> {
  const { agent, guest } = await connect();
  vi.spyOn(agent.files, 'changes').mockImplementation(async (stream) => {
    stream.respond({ ':status': 200 });
    for (const piece of pieces) stream.write(piece);
    stream.end();
  });
  return guest;
}

it('reads a list of changes whose lines arrive in pieces', async () => {
  const guest = await changing('{"path":"/a","ki', 'nd":1}\n{"path":"/b",', '"kind":2}');
  expect(await guest.files.changes(signal)).toEqual([
    { path: '/a', kind: 1 },
    { path: '/b', kind: 2 },
  ]);
});

it.each([
  ['with too many paths', '{"path":"/","kind":1}\n'.repeat(CHANGES.entries + 1), '500000 paths'],
  [
    'that is too long',
    `{"path":"/${'x'.repeat(2000)}","kind":1}\n`.repeat(17_000),
    `${CHANGES.bytes} bytes`,
  ],
  ['with an empty line', '\n', 'malformed'],
  ['with too long a line', 'x'.repeat(200_000), 'too long a line'],
])('refuses a list of changes %s', async (_, text, reason) => {
  const guest = await changing(text);
  await expect(guest.files.changes(signal)).rejects.toThrow(reason);
});

it('lets other work run while it reads a long list of changes', async () => {
  const guest = await changing('{"path":"/","kind":1}\n'.repeat(20_000));
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 0);
  try {
    expect(await guest.files.changes(signal)).toHaveLength(20_000);
    expect(turns).toBeGreaterThan(5);
  } finally {
    clearInterval(timer);
  }
});
