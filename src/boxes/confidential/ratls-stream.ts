/**
 * Carries bytes between a client and a guest's RA-TLS server. This host cannot read them, and a
 * client need not trust it for them.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { linkedSignal } from '../../async/linked-signal.ts';
import { A3sError } from '../../errors.ts';
import { SpecRefusal } from '../record/spec-refusal.ts';
import type { ClientStream } from '../run/client-stream.ts';
import { MAX_RATLS_CONNECTIONS } from '../run/ratls-connections.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';

/** How long a stream without progress is kept open, whose client may be gone unnoticed. */
const STALLED_MS = 60_000;

/**
 * @throws A3sError `unsupported-option` for a plain box, `box-not-running`, `ratls-busy` for too
 * many at a time
 */
export async function openRatls(
  rt: Pick<RunServices, 'store' | 'running'>,
  id: string,
  signal: AbortSignal,
): Promise<Duplex> {
  const box = rt.store.expect(id);
  if (box.definition.confidential === undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot reach ${box.name} by RA-TLS: it is a plain box`,
      { remedy: 'Create it with --tee snp, or --tee simulate.' },
    );
  }
  return await openStream(rt.running.expect(id), box.name, signal);
}

/**
 * Opens a stream to a guest that seals or unseals for the client. The guest decides what it does.
 * The host refuses before that where the launch spec permits no sealing.
 *
 * @throws A3sError as {@link openRatls}, `sealing-not-permitted`
 */
export async function openSealing(
  rt: Pick<RunServices, 'store' | 'running'>,
  id: string,
  operation: 'seal' | 'unseal',
  signal: AbortSignal,
): Promise<Duplex> {
  const box = rt.store.expect(id);
  const { name, definition } = box;
  const { confidential } = definition;
  if (confidential === undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot ${operation} in ${name}: it is a plain box, and no secure processor has keys for it`,
      { remedy: 'Create it with --tee snp, or --tee simulate, and --sealing.' },
    );
  }
  if (confidential.sealing === undefined || confidential.sealing === 'none') {
    throw new SpecRefusal(
      'sealing-not-permitted',
      `Cannot ${operation} in ${name}: its launch spec says sealing none`,
      {
        ...{ box, decided: { rule: 'sealing', needs: ['exact', 'upgradable'] } },
        remedy: 'Create the box with --sealing exact, and --sealer for who may seal from outside.',
      },
    );
  }
  return openRatls(rt, id, signal);
}

async function openStream(running: RunningBox, name: string, signal: AbortSignal): Promise<Duplex> {
  const evicted = new AbortController();
  const release = running.ratlsConnections.admit(() => evicted.abort(busy(name)));
  if (release === undefined) throw busy(name);
  const linked = linkedSignal(signal, running.signal, evicted.signal);
  const over = (): void => {
    linked.unlink();
    release();
  };
  try {
    const stream = await (await running.guest()).ratls(linked.signal);
    if (stream.closed) over();
    else stream.once('close', over);
    return stream;
  } catch (error) {
    over();
    throw error;
  }
}

function busy(name: string): A3sError {
  return new A3sError(
    'ratls-busy',
    `Cannot reach ${name} by RA-TLS: ${MAX_RATLS_CONNECTIONS} connections are open already`,
    { remedy: 'Try again in a few seconds, or publish its RA-TLS port with -p PORT:ratls.' },
  );
}

/**
 * Carries both directions until either side has ended.
 *
 * The end of a client's bytes may mean that the client is gone, so the stream is closed when the
 * guest sends nothing for `stalledMs` after it. The stream is also closed when the guest accepts no
 * bytes for that long.
 */
export async function carryRatls(
  guest: Duplex,
  client: ClientStream,
  stalledMs = STALLED_MS,
): Promise<void> {
  const end = (): void => void guest.destroy();
  client.gone.addEventListener('abort', end, { once: true });
  if (client.gone.aborted) end();
  let idleTimer: NodeJS.Timeout | undefined;
  const up = (async () => {
    for await (const chunk of client.input) {
      if (guest.destroyed) return;
      if (!guest.write(chunk)) await room(guest, stalledMs);
    }
    if (guest.destroyed) return;
    guest.end();
    idleTimer = setTimeout(end, stalledMs);
  })();
  up.catch(end);
  try {
    for await (const chunk of guest) {
      idleTimer?.refresh();
      await client.write(1, chunk as Buffer);
    }
  } catch (error) {
    if (!client.gone.aborted && !guest.destroyed) throw error;
  } finally {
    clearTimeout(idleTimer);
    client.gone.removeEventListener('abort', end);
    guest.destroy();
  }
}

function room(guest: Duplex, stalledMs: number): Promise<void> {
  return new Promise((resolve) => {
    const stalled = setTimeout(() => guest.destroy(), stalledMs);
    const done = (): void => {
      clearTimeout(stalled);
      guest.off('drain', done).off('close', done);
      resolve();
    };
    guest.on('drain', done).on('close', done);
  });
}
