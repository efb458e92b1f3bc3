/**
 * Both ends of a session export the same bytes. What keeps evidence of one end from passing for
 * that of the other is the role, and the key.
 *
 * @module
 */
import type { TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import {
  ATTEST_EXPORTER,
  EXPORTER_SIZE,
  PURPOSES,
  ROLES,
  type Role,
  reportDataOf,
} from '../binding/report-data.ts';
import { attestDocument } from '../server/attest.ts';
import { selfSigned } from '../server/self-signed.ts';
import { readBody, respondJson } from '../server/streams.ts';
import { type AgentServerOptions, agentServer } from '../testing/agent-server.ts';
import { guestSource, trusting } from '../testing/simulated-source.ts';
import { connect } from './connect.ts';

/** A server whose report is bound as it has to be, but for its role. */
async function serverInRole(role: Role) {
  const source = guestSource();
  const own = await selfSigned(source);
  const override: AgentServerOptions['override'] = async (stream) => {
    const body = await readBody(stream, 4096);
    const nonce = Buffer.from(JSON.parse(body?.toString() ?? '{}').nonce, 'base64');
    const socket = stream.session?.socket as TLSSocket;
    const exporter = socket.exportKeyingMaterial(EXPORTER_SIZE, ATTEST_EXPORTER, nonce);
    const purpose = PURPOSES.session;
    const identity = await source.identity();
    const data = reportDataOf({ purpose, spki: own.spki, nonce, exporter, role, ...identity });
    respondJson(stream, 200, attestDocument(await source.evidence(data)));
    return true;
  };
  return await agentServer({ source, own, override });
}

it('accepts a report that its server bound to the bytes which the client exports, too', async () => {
  await using server = await serverInRole(ROLES.server);
  using session = await connect(trusting(server.port));
  expect(session.peer.simulated).toBe(true);
});

it('refuses a report of the same session that was made in the role of its client', async () => {
  await using server = await serverInRole(ROLES.client);
  await expect(connect(trusting(server.port))).rejects.toMatchObject({ code: 'report-data' });
});

it('accepts a box that was reached by its own connection, unless the caller names another', async () => {
  const source = guestSource();
  await using server = await agentServer({ source });
  const own = Buffer.from((await source.identity()).instance).toString('hex');
  {
    using session = await connect(trusting(server.port));
    expect(session.peer.instance).toBe(own);
  }
  const expected = { instance: 'ff'.repeat(16) };
  await expect(connect(trusting(server.port, { expect: expected }))).rejects.toMatchObject({
    code: 'expected-instance',
    found: own,
  });
});
