/**
 * A repository that a faulty registry serves, and downloads from it, for tests.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { afterEach, expect } from 'vitest';
import type { Digest } from '../../oci/digest.ts';
import type { RetryLimits } from '../exchange/attempts.ts';
import type { BlobDescriptor } from '../registry.ts';
import { openRepository } from '../repository.ts';
import { type Answer, type FaultRegistry, startFaultRegistry } from './fault-registry.ts';
import { type PlainTransport, plainTransport } from './plain-transport.ts';

const QUICK = { backoffMs: 1 };

export interface Faulty {
  readonly retryLimits?: Partial<RetryLimits>;
  readonly signal?: AbortSignal;
}

/** Registries and transports of one test file. Each test ends its own. */
export function blobSource() {
  let registry: FaultRegistry | undefined;
  let transport: PlainTransport | undefined;

  async function close(): Promise<void> {
    await transport?.close();
    await registry?.stop();
  }
  afterEach(close);

  async function repository(answer: Answer, { retryLimits, signal }: Faulty = {}) {
    await close();
    registry = await startFaultRegistry(answer);
    transport = plainTransport(registry.host);
    return openRepository(transport, `${registry.host}/team/app`, {
      access: 'pull',
      retryLimits: { ...QUICK, ...retryLimits },
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async function pull(answer: Answer, bytes: Buffer, faulty?: Faulty): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    const blob = (await repository(answer, faulty)).blob(descriptorOf(bytes));
    for await (const chunk of blob) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The registry of the last repository. */
  const current = (): FaultRegistry => {
    if (registry === undefined) throw new Error('no registry was started');
    return registry;
  };

  return { current, pull, repository };
}

export function descriptorOf(bytes: Buffer): BlobDescriptor {
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { digest, size: bytes.length };
}

/** What a test expects of a download that fails with this text. */
export const failed = (text: string) =>
  expect.objectContaining({ code: 'registry-failed', message: expect.stringContaining(text) });
