/**
 * The agent's socket as a broker in a confidential box has it, as far as keys are derived: for
 * tests.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { derivedKey, parseHeader, referenceOf, type SealedHeader } from '@a3s-box/sealing';

/** The guest whose agent this is. */
export interface DerivingGuest {
  readonly tee: SealedHeader['tee'];
  readonly measurement: Uint8Array;
  /** What the processor derives its keys from. */
  readonly processorKey: Uint8Array;
}

export const DERIVING: DerivingGuest = {
  tee: 'simulated',
  measurement: new Uint8Array(48).fill(3),
  processorKey: new Uint8Array(32).fill(7),
};

interface Asked {
  readonly purpose: string;
  readonly policy?: SealedHeader['policy'];
  readonly reference?: string;
}

type Answer = readonly [status: number, document: object];

/** @param change what is answered in place of the true answer */
export async function deriveSocket(
  path: string,
  guest: DerivingGuest = DERIVING,
  change: (answer: Answer) => Answer = (answer) => answer,
): Promise<AsyncDisposable> {
  const server = createServer(async (request, response) => {
    const asked = (await bodyOf(request)) as Asked;
    const [status, document] = change(await answer(guest, asked));
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document));
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(guest: DerivingGuest, asked: Asked): Promise<Answer> {
  const { tee, measurement, processorKey } = guest;
  const given = asked.reference === undefined ? undefined : Buffer.from(asked.reference, 'base64');
  const exact = (asked.policy ?? 'exact') === 'exact';
  const header: SealedHeader = given
    ? parseHeader(given).header
    : {
        ...{ tee, policy: exact ? 'exact' : 'upgradable', purpose: asked.purpose },
        ...{ guestSvn: 1, tcbVersion: 2n, hostData: new Uint8Array(32), salt: randomBytes(32) },
        measurement: exact ? measurement : new Uint8Array(48),
        idKeyDigest: exact ? new Uint8Array(48) : new Uint8Array(48).fill(5),
      };
  if (header.tee !== tee) return refusal('sealed-tee');
  if (header.purpose !== asked.purpose) return refusal('sealed-purpose');
  if (exact && !Buffer.from(measurement).equals(header.measurement)) {
    return refusal('sealed-measurement');
  }
  const reference = await referenceOf(header, processorKey);
  if (given !== undefined && !given.equals(reference)) return refusal('seal-broken');
  const key = await derivedKey(header, processorKey);
  return [200, { key: base64(key), reference: base64(reference) }];
}

function refusal(code: string): Answer {
  return [403, { error: { code, message: 'it is refused' } }];
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}
