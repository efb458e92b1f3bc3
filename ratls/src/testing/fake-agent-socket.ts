/**
 * The agent's socket as a workload sees it, for tests.
 *
 * @module
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { attestDocument } from '../server/attest.ts';
import type { EvidenceSource } from '../server/evidence-source.ts';

/** @param source what a report is asked of: under the purpose of a workload */
export async function agentSocket(path: string, source: EvidenceSource): Promise<AsyncDisposable> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    response.setHeader('content-type', 'application/json');
    if (request.url === '/v1/identity') {
      const { tee, instance, specDigest } = await source.identity();
      response.end(JSON.stringify({ tee, instance: hex(instance), specDigest: hex(specDigest) }));
      return;
    }
    const { data } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const evidence = await source.evidence(Buffer.from(data, 'base64'));
    response.end(JSON.stringify(attestDocument(evidence)));
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

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
