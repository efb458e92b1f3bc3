/**
 * Carrying bytes between a client and a guest's RA-TLS server. This host cannot read them, and need not be believed for them.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { A3sError } from '../../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Stdio } from '../stdio.ts';

/** @throws A3sError `unsupported-option` for a plain box, `box-not-running` */
export async function openRatls(rt: Runtime, id: string, signal: AbortSignal): Promise<Duplex> {
  const box = rt.store.expect(id);
  if (box.definition.confidential === undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot reach ${box.name} by RA-TLS: it is a plain box`,
      { remedy: 'Create it with --tee snp, or --tee simulate.' },
    );
  }
  const live = rt.live.expect(id);
  const guest = await live.guest();
  return await guest.ratls(AbortSignal.any([signal, live.signal]));
}

/** Until either side has ended. */
export async function carryRatls(guest: Duplex, stdio: Stdio): Promise<void> {
  const end = (): void => void guest.destroy();
  stdio.gone.addEventListener('abort', end, { once: true });
  const up = (async () => {
    for await (const chunk of stdio.input) {
      if (guest.destroyed) return;
      if (!guest.write(chunk)) await room(guest);
    }
    guest.end();
  })();
  up.catch(end);
  try {
    for await (const chunk of guest) await stdio.write(1, chunk as Buffer);
  } catch (error) {
    if (!stdio.gone.aborted && !guest.destroyed) throw error;
  } finally {
    stdio.gone.removeEventListener('abort', end);
    guest.destroy();
  }
}

function room(guest: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      guest.off('drain', done).off('close', done);
      resolve();
    };
    guest.on('drain', done).on('close', done);
  });
}
