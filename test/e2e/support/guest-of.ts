/**
 * The agent of a box, for a host that bypasses its server.
 *
 * @module
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { vmmSockets } from '../../../src/engine/qemu/command-line/arguments.ts';
import { connectGuest } from '../../../src/guest/connection.ts';
import type { Guest } from '../../../src/guest/guest.ts';
import type { Actor } from '../actor.ts';
import { scaled } from '../time-scale.ts';

/** Only what hangs takes so long. */
const DEADLINE_MS = scaled(120_000);

/**
 * Sends requests over the agent's socket directly. The server must be dead, and gets no request.
 */
export async function guestOf(actor: Actor, id: string): Promise<Guest> {
  const { control } = vmmSockets(join(actor.runtimeDir, id.slice(0, 12)));
  const vm = {
    connect: async (signal: AbortSignal) => {
      const socket = connect({ path: control, signal });
      await once(socket, 'connect');
      return socket;
    },
    console: async () => Buffer.alloc(0),
    exited: new Promise<never>(() => {}),
  };
  const signal = AbortSignal.timeout(DEADLINE_MS);
  return connectGuest(vm, { signal, deadlineMs: DEADLINE_MS });
}
