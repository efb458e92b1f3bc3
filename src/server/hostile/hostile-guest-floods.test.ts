// A compromised guest floods the host with unrequested frames: each is valid HTTP/2, and costs the
// host time.
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  ACK,
  END_HEADERS,
  frame,
  PADDED,
  type RawPeer,
  rawGuest,
  STATUS_200,
  setting,
  TYPE,
} from '../../guest/testing/raw-guest.ts';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const MIB = 2 ** 20;
/** How much the guest tries to send. */
const FLOOD = 256 * MIB;
/**
 * How much the host reads at most: the budget of a connection, and what arrives before the next
 * check.
 */
const MOST_TAKEN = 64 * MIB;
const MOST_MEMORY = 400 * MIB;
/**
 * The maximum time of an exec in another box: a slow host stays below it, a blocked server does
 * not.
 */
const SLOWEST_EXEC_MS = 30_000;
const MINUTE = ['sleep', 'infinity'];

let home: TestHome;
let other: string;
beforeEach(async () => {
  home = new TestHome();
  home.trust.rules = [allowConfidential('**')];
  await home.start();
  other = await home.create(MINUTE);
  expect((await home.call('POST', `/containers/${other}/start`)).status).toBe(204);
});
afterEach(() => home.remove());

async function execInOther(): Promise<number> {
  const created = await home.call('POST', `/containers/${other}/exec`, { Cmd: ['true'] });
  const { Id } = created.body as { Id: string };
  return (await home.call('POST', `/exec/${Id}/start`, { Detach: true })).status;
}

/** Runs exec in the other box repeatedly until the flood is over. Returns the duration of each. */
async function execMeanwhile(flood: { over: boolean }): Promise<number[]> {
  const took: number[] = [];
  do {
    const startedAt = performance.now();
    expect(await execInOther()).toBe(200);
    took.push(performance.now() - startedAt);
  } while (!flood.over);
  return took;
}

const headers = (stream: number, block: Buffer, flags = END_HEADERS): Buffer =>
  frame(TYPE.headers, flags, stream, block);
const interim = (status: string): Buffer =>
  Buffer.concat([Buffer.from([0x08, status.length]), Buffer.from(status)]);
const ONE = Buffer.from([0, 0, 0, 1]);
/** A padding length of 255, and the padding. */
const ALL_PADDING = Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]);
/** An empty origin, and a service for the resource of the stream. */
const ALT_SVC = Buffer.concat([Buffer.from([0, 0]), Buffer.from('h2=":443"')]);
const ORIGIN = Buffer.concat([Buffer.from([0, 8]), Buffer.from('https://')]);

const TOO_MUCH = /it sent too much that belongs to no answer$/;
const INTERIM = /it sent an interim answer$/;

interface Attack {
  /** Sent once before the flood. */
  readonly before?: (stream: number) => Buffer;
  readonly piece: (stream: number) => Buffer;
  readonly message: RegExp;
}

const ATTACKS: readonly [string, Attack][] = [
  ['interim answers (100)', { piece: (s) => headers(s, interim('100')), message: INTERIM }],
  ['interim answers (103)', { piece: (s) => headers(s, interim('103')), message: INTERIM }],
  [
    'credit for the connection',
    { piece: () => frame(TYPE.windowUpdate, 0, 0, ONE), message: TOO_MUCH },
  ],
  ['credit for a stream', { piece: (s) => frame(TYPE.windowUpdate, 0, s, ONE), message: TOO_MUCH }],
  [
    'credit for a stream that is gone',
    { piece: () => frame(TYPE.windowUpdate, 0, 1, ONE), message: TOO_MUCH },
  ],
  ['priorities', { piece: (s) => frame(TYPE.priority, 0, s, Buffer.alloc(5)), message: TOO_MUCH }],
  [
    'data that is all padding',
    {
      before: (s) => headers(s, STATUS_200),
      piece: (s) => frame(TYPE.data, PADDED, s, ALL_PADDING),
      message: TOO_MUCH,
    },
  ],
  [
    'data that is empty',
    {
      before: (s) => headers(s, STATUS_200),
      piece: (s) => frame(TYPE.data, 0, s),
      message: /^The guest agent failed/,
    },
  ],
  [
    'data for a stream that is gone',
    { piece: () => frame(TYPE.data, 0, 1, Buffer.alloc(1024)), message: TOO_MUCH },
  ],
  ['alternative services', { piece: (s) => frame(TYPE.altSvc, 0, s, ALT_SVC), message: TOO_MUCH }],
  ['origins', { piece: () => frame(TYPE.origin, 0, 0, ORIGIN), message: TOO_MUCH }],
  [
    'frames of an unknown type',
    { piece: (s) => frame(TYPE.unknown, 0, s, Buffer.alloc(64)), message: TOO_MUCH },
  ],
  ['settings', { piece: () => frame(TYPE.settings, 0, 0), message: /^The guest agent failed/ }],
  [
    'settings that change',
    {
      piece: () => frame(TYPE.settings, 0, 0, setting(4, 65_535)),
      message: /^The guest agent failed/,
    },
  ],
  [
    'acknowledgements of settings',
    { piece: () => frame(TYPE.settings, ACK, 0), message: /^The guest agent failed/ },
  ],
  [
    'signs of life',
    { piece: () => frame(TYPE.ping, 0, 0, Buffer.alloc(8)), message: /^The guest agent failed/ },
  ],
  [
    'answers to signs of life',
    { piece: () => frame(TYPE.ping, ACK, 0, Buffer.alloc(8)), message: /^The guest agent failed/ },
  ],
  [
    'resets of a stream that is gone',
    {
      piece: () => frame(TYPE.resetStream, 0, 1, Buffer.alloc(4)),
      message: /^The guest agent failed/,
    },
  ],
  [
    'headers that go on with nothing',
    {
      before: (s) => headers(s, STATUS_200, 0),
      piece: (s) => frame(TYPE.continuation, 0, s),
      message: /^The guest agent failed/,
    },
  ],
];

it.each(ATTACKS)(
  'ends the connection of a guest that floods the host with %s, and serves others meanwhile',
  async (_, { before, piece, message }) => {
    const memory = process.memoryUsage().rss;
    let most = memory;
    let sent = 0;
    const flood = { over: false };
    let meanwhile: Promise<number[]> | undefined;
    const attack = async (peer: RawPeer, stream: number): Promise<void> => {
      const one = piece(stream);
      const many = Buffer.concat(Array.from({ length: Math.ceil(65_536 / one.length) }, () => one));
      if (before !== undefined) await peer.write(before(stream));
      try {
        for (; sent < FLOOD && !peer.gone; sent += many.length) {
          const written = peer.write(many);
          // The first exec begins after the first bytes of the flood, which the host has not read
          // yet.
          meanwhile ??= execMeanwhile(flood);
          await written;
          // Real guests send through the event loop, and give others their turn.
          await setImmediate();
          most = Math.max(most, process.memoryUsage().rss);
        }
      } finally {
        flood.over = true;
      }
    };
    home.takeover = rawGuest(attack);
    const id = await home.create(MINUTE, { Confidential: { Tee: 'simulate' } });
    const started = await home.call('POST', `/containers/${id}/start`);
    expect(started).toMatchObject({
      status: 500,
      body: { code: 'agent-failed', message: expect.stringMatching(message) },
    });
    const took = (await meanwhile) ?? [];
    expect(took.length).toBeGreaterThan(0);
    const slowest = Math.max(...took);
    process.stdout.write(`${took.length} execs, the slowest took ${Math.round(slowest)} ms\n`);
    expect(slowest).toBeLessThan(SLOWEST_EXEC_MS);
    expect(await execInOther()).toBe(200);
    expect(sent).toBeLessThan(MOST_TAKEN);
    expect(most - memory).toBeLessThan(MOST_MEMORY);
    expect(home.host.vm(id)?.running).toBe(false);
  },
  60_000,
);
