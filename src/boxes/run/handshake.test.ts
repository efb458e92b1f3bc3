import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { connectGuest } from '../../guest/connection.ts';
import { FakeAgent } from '../../guest/testing/fake-agent.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import { fakeVm } from '../../guest/testing/fake-vm.ts';
import { NO_LIMITS } from '../record/limits.ts';
import { NO_SECURITY } from '../record/security.ts';
import { specDocument } from '../spec/box-spec.ts';
import { Handshake } from './handshake.ts';

const signal = new AbortController().signal;
const SPEC = specDocument(
  {
    ...{ hostname: 'box', entrypoint: [], cmd: ['/true'], env: [], cwd: '/', user: '' },
    ...{ terminal: false, openStdin: false, memoryBytes: 0, nanoCpus: 0 },
    limits: NO_LIMITS,
    security: NO_SECURITY,
  },
  {
    layers: [{ serial: 'layer-0' }],
    changes: { kind: 'memory' },
    mounts: [],
    network: { kind: 'none' },
  },
);

/**
 * Drops the agent's answers from the resume on, and closes the connection once `over` returns true.
 */
function deafened(agent: FakeAgent, over: () => boolean): Pick<FakeAgent, 'serve'> {
  let lost = false;
  return {
    serve: (stream: Duplex) => {
      agent.serve(stream);
      if (lost) return;
      lost = true;
      const pass = stream.write.bind(stream);
      stream.write = ((chunk: Buffer, ...rest: []) => {
        if (agent.reseeded === undefined) return pass(chunk, ...rest);
        if (over()) stream.destroy();
        return true;
      }) as typeof stream.write;
    },
  };
}

it('sends the spec to a paused guest once, also when the answer to the resume is lost', async () => {
  const agent = new FakeAgent({ paused: true });
  const handshake = new Handshake('a'.repeat(64), 2, (guest) => guest.putSpec(SPEC));
  const vm = fakeVm(deafened(agent, () => agent.spec !== undefined));
  const guest = await connectGuest(vm, { signal, deadlineMs: 5000, known: handshake.known });
  await handshake.specSent;
  expect(agent.spec?.hostname).toBe('box');
  guest.close();
});

it('reports that the agent refused the spec of the box', async () => {
  const agent = new FakeAgent({ paused: true, refuseSpec: new FakeRefusal('conflict', 'no') });
  const handshake = new Handshake('a'.repeat(64), 2, (guest) => guest.putSpec(SPEC));
  const vm = fakeVm(deafened(agent, () => true));
  const guest = await connectGuest(vm, { signal, deadlineMs: 5000, known: handshake.known });
  await expect(handshake.specSent).rejects.toMatchObject({ code: 'conflict' });
  guest.close();
});
