/**
 * What it costs to trust a confidential box before a byte is said to it, and to give it a secret.
 * All boxes here are simulated: on hardware the reports come from the processor, which takes
 * milliseconds for each.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { createServer, type Server, connect as tlsConnect } from 'node:tls';
import { connect, type RatlsSession } from '@a3s-box/ratls';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { type ConfidentialPlace, startConfidential } from '../../confidential-place.ts';
import { inTurns } from '../../in-turns.ts';
import { type BenchmarkResult, compared, timed } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

/** As many as a launch spec can name. */
const MOST_SECRETS = 64;
/** Handshakes at once, and how many make one figure. */
const AT_ONCE = 4;
const HANDSHAKES = 40;

/** From the first byte of TCP to evidence that is verified and accepted. */
async function attested({ options }: ConfidentialPlace, signal: AbortSignal): Promise<void> {
  const session = await connect({ ...options, signal });
  session.close();
}

/** A handshake with the listener, without any challenge. */
function handshake(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      ...{ host: '127.0.0.1', port, servername: '', ALPNProtocols: ['h2'] },
      ...{ minVersion: 'TLSv1.3', rejectUnauthorized: false },
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.destroy();
      resolve();
    });
  });
}

/** Handshakes in a second, several at once. */
async function perSecond(port: number): Promise<number> {
  const milliseconds = await timed(() =>
    Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let done = 0; done < HANDSHAKES / AT_ONCE; done += 1) await handshake(port);
      }),
    ),
  );
  return HANDSHAKES / (milliseconds / 1000);
}

async function challenges(asked: Asked, place: ConfidentialPlace): Promise<BenchmarkResult> {
  const port = portOf(place);
  const { plain, ours } = await inTurns(asked, {
    plain: () => timed(() => handshake(port)),
    ours: () => timed(() => attested(place, asked.signal)),
  });
  const peer = { name: 'a handshake alone', samples: plain };
  return compared('attest', 'ms', ours, peer, '<= 5');
}

async function handshakes(asked: Asked, place: ConfidentialPlace): Promise<BenchmarkResult> {
  const server = await hostServer();
  try {
    const address = server.address();
    const hostPort = typeof address === 'object' && address !== null ? address.port : 0;
    const few = { ...asked, samples: Math.min(asked.samples, 10) };
    const { host, ours } = await inTurns(few, {
      host: () => perSecond(hostPort),
      ours: () => perSecond(portOf(place)),
    });
    const peer = { name: 'Node on the host', samples: host };
    return compared('ratls-throughput', 'handshakes/s', ours, peer, '>= 0.1');
  } finally {
    server.close();
  }
}

/** With a key of the same kind, and no VM in between. */
async function hostServer(): Promise<Server> {
  const pem = execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes'],
    ...['-subj', '/CN=bench', '-keyout', '-'],
  ]);
  const server = createServer({
    key: pem,
    cert: pem,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.3',
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Each secret can be given once: there are as many figures as secrets, at most. */
async function injections(asked: Asked, place: ConfidentialPlace): Promise<BenchmarkResult> {
  const session = await connect({ ...place.options, signal: asked.signal });
  try {
    // The first delivery does not count. One secret stays undelivered, since the box starts its
    // program when it has all.
    const samples = Math.min(asked.samples, place.secrets.length - 2);
    const next = place.secrets[Symbol.iterator]();
    const { info, ours } = await inTurns(
      { ...asked, samples },
      {
        info: () => timed(() => session.info()),
        ours: () => timed(() => inject(session, next.next().value ?? '', place.key)),
      },
    );
    return compared('inject', 'ms', ours, { name: 'a question on it', samples: info }, '<= 5');
  } finally {
    session.close();
  }
}

function inject(session: RatlsSession, name: string, key: KeyObject): Promise<void> {
  return session.injectSecret(name, Buffer.alloc(32, name), key);
}

function portOf({ options }: ConfidentialPlace): number {
  return options.port ?? 0;
}

export const attest: Benchmark = {
  name: 'attest',
  run: (asked) =>
    withActor(async ({ actor }) => {
      const place = await startConfidential(actor, Math.min(asked.samples + 2, MOST_SECRETS));
      return [
        await challenges(asked, place),
        await handshakes(asked, place),
        await injections(asked, place),
      ];
    }),
};
