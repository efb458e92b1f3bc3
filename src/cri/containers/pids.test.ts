import { expect, it } from 'vitest';
import { NamespaceMode } from '../api/enums.ts';
import { servePod } from '../testing/serve-pod.ts';

const { POD, CONTAINER, TARGET } = NamespaceMode;
const INVALID = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

const pod = servePod();

const sharing = (namespaceOptions: object) => ({
  linux: { securityContext: { namespaceOptions: { network: POD, ipc: POD, ...namespaceOptions } } },
});
const specOf = (id: string) => pod.guest?.specs.get(id);

it('gives a container a PID namespace of its own, the pod’s, or that of a container that runs', async () => {
  const own = await pod.started('own', undefined, sharing({ pid: CONTAINER }));
  const shared = await pod.started('shared', undefined, sharing({ pid: POD }));
  const options = sharing({ pid: TARGET, targetId: own.slice(0, 13) });
  const debug = await pod.started('debug', undefined, options);
  expect([own, shared, debug].map((id) => specOf(id)?.pids)).toEqual([
    undefined,
    { kind: 'pod' },
    { kind: 'container', id: own },
  ]);
});

it('gives a container the pod’s PID namespace where it asks for none, as containerd does', async () => {
  const asked = [{}, { linux: {} }, { linux: { securityContext: {} } }, sharing({})];
  for (const [index, more] of asked.entries()) {
    const id = await pod.started(`silent-${index}`, undefined, more);
    expect(specOf(id)?.pids).toEqual({ kind: 'pod' });
  }
});

it('refuses to join a container that does not run, is of another pod, or is none', async () => {
  const created = await pod.create('created');
  const refused = (targetId: string) =>
    expect(pod.create('debug', undefined, sharing({ pid: TARGET, targetId }))).rejects;
  await refused(created).toMatchObject({
    code: FAILED_PRECONDITION,
    details: expect.stringContaining('it is created'),
  });
  await refused('f'.repeat(64)).toMatchObject({ code: NOT_FOUND });
  await refused('').toMatchObject({ code: INVALID, details: expect.stringContaining('target_id') });
  await pod.startContainer(created);
  const other = await pod.run({
    metadata: { name: 'other', uid: 'uid', namespace: 'default', attempt: 0 },
  });
  const first = pod.id;
  pod.id = other;
  try {
    await refused(created).toMatchObject({
      code: FAILED_PRECONDITION,
      details: expect.stringContaining(`it is of the pod ${first}`),
    });
  } finally {
    pod.id = first;
    await pod.removePod(other);
  }
});
