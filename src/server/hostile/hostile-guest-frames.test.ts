// A compromised guest sends invalid HTTP/2 on its control stream, or too much of it.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  ACK,
  END_HEADERS,
  frame,
  type RawPeer,
  rawGuest,
  STATUS_200,
  setting,
  TYPE,
} from '../../guest/testing/raw-guest.ts';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const MIB = 2 ** 20;
/** The maximum memory of a connection, with generous room for a late garbage collection. */
const MOST_MEMORY = 400 * MIB;
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

async function expectOtherBoxWorks(): Promise<void> {
  const created = await home.call('POST', `/containers/${other}/exec`, { Cmd: ['true'] });
  const { Id } = created.body as { Id: string };
  const { status } = await home.call('POST', `/exec/${Id}/start`, { Detach: true });
  expect(status).toBe(200);
}

/** Sends repeatedly until the host closes, or `bytes` were sent. */
async function flood(peer: RawPeer, piece: Buffer, bytes = 1024 * MIB): Promise<void> {
  const many = Buffer.concat(Array.from({ length: Math.ceil(65_536 / piece.length) }, () => piece));
  for (let sent = 0; sent < bytes && !peer.gone; sent += many.length) await peer.write(many);
}

/** A number of full frames that exceeds the host's window for a stream. */
const BEYOND_WINDOW = 40;
const FULL = Buffer.alloc(16_384, ' ');
const headers = (stream: number, block: Buffer): Buffer =>
  frame(TYPE.headers, END_HEADERS, stream, block);
/** A literal header that fills the default HPACK table. */
const LONG_HEADER = Buffer.concat([
  Buffer.from([0x40, 0x01, 0x78, 0x7f, 0x80, 0x1f]),
  Buffer.alloc(4095, 'x'),
]);

const ATTACKS: readonly [string, (peer: RawPeer, stream: number) => Promise<void>][] = [
  ['says that a frame has 16 MiB', (peer, s) => peer.write(frame(0, 0, s, FULL, 0xff_ffff))],
  ['sends noise', (peer) => flood(peer, randomBytes(65_536), MIB)],
  ['answers in HTTP/1.1', (peer) => peer.write(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'.repeat(99)))],
  ['sends data before headers', (peer, s) => peer.write(frame(TYPE.data, 0, s, FULL))],
  ['answers what nobody asked', (peer) => peer.write(headers(77, STATUS_200))],
  ['begins a stream of its own', (peer) => peer.write(headers(2, STATUS_200))],
  [
    'promises to push',
    async (peer, s) => {
      const promise = (id: number): Buffer =>
        frame(TYPE.pushPromise, END_HEADERS, s, Buffer.from([0, 0, id >> 8, id & 0xff, 0x88]));
      // Before the settings are acknowledged a promise is allowed: the host refuses it without an
      // error.
      for (let id = 2; id < 4096; id += 2) await peer.write(promise(id));
      await peer.write(frame(TYPE.settings, ACK, 0));
      await peer.write(promise(4096));
    },
  ],
  [
    'takes no notice of windows',
    async (peer, s) => {
      await peer.write(headers(s, STATUS_200));
      for (let n = 0; n < BEYOND_WINDOW; n += 1) await peer.write(frame(TYPE.data, 0, s, FULL));
    },
  ],
  [
    'answers without end',
    async (peer, s) => {
      await peer.write(headers(s, STATUS_200));
      await flood(peer, frame(TYPE.data, 0, s, FULL));
    },
  ],
  [
    'goes on with its headers for ever',
    async (peer, s) => {
      await peer.write(frame(TYPE.headers, 0, s, STATUS_200));
      await flood(peer, frame(TYPE.continuation, 0, s, FULL));
    },
  ],
  [
    'sends headers that are small on the wire and large in memory',
    // Each reference to the long header takes one byte.
    (peer, s) => peer.write(headers(s, Buffer.concat([LONG_HEADER, Buffer.alloc(12_000, 0xbe)]))),
  ],
  ['wants frames of 1 byte', (peer) => peer.write(frame(TYPE.settings, 0, 0, setting(5, 1)))],
  [
    'wants windows of 4 GiB',
    (peer) => peer.write(frame(TYPE.settings, 0, 0, setting(4, 0xffff_ffff))),
  ],
  [
    'opens windows too far',
    (peer) => peer.write(frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))),
  ],
  ['opens a window by nothing', (peer) => peer.write(frame(8, 0, 0, Buffer.alloc(4)))],
  ['resets the request', (peer, s) => peer.write(frame(3, 0, s, Buffer.from([0, 0, 0, 2])))],
  ['says goodbye, at length', (peer) => peer.write(frame(TYPE.goaway, 0, 0, FULL))],
  [
    'goes on after its answer',
    async (peer, s) => {
      await peer.answer(s, { specDigest: 'forged' });
      await flood(peer, frame(TYPE.data, 0, s, FULL), 64 * MIB);
    },
  ],
];

it.each(ATTACKS)(
  'ends only the box whose guest %s',
  async (_, attack) => {
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss);
    }, 20);
    home.takeover = rawGuest(attack);
    const id = await home.create(MINUTE, { Confidential: { Tee: 'simulate' } });
    const starting = home.call('POST', `/containers/${id}/start`);
    await expectOtherBoxWorks();
    expect(await starting).toMatchObject({ status: 500, body: { code: 'agent-failed' } });
    clearInterval(watch);
    await expectOtherBoxWorks();
    expect(home.host.vm(id)?.running).toBe(false);
    expect((await home.call('DELETE', `/containers/${id}`)).status).toBe(204);
    expect(most - before).toBeLessThan(MOST_MEMORY);
  },
  60_000,
);

it('gives up at the start timeout on a guest that allows no streams', async () => {
  await home.stop();
  await home.startOn({ ...home.config, startTimeoutMs: 1500 });
  // A limit of 0 concurrent streams makes each request of the host wait.
  home.takeover = (_, stream) => {
    stream.resume();
    stream.write(frame(TYPE.settings, 0, 0, setting(3, 0)));
  };
  const id = await home.create(MINUTE);
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({
    status: 500,
    body: { code: 'agent-timeout' },
  });
  expect(home.host.vm(id)?.running).toBe(false);
});
