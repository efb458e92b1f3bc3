import { LaunchedContainer } from '@a3s-box/policies';
import { describe, expect, it } from 'vitest';
import { IMAGE_CONFIG, VERITY_LAYER } from '../testing/manifest-image.ts';
import { launchedContainer } from './launched-container.ts';
import { readManifest } from './pod-manifest.ts';
import { bytesOf, millisOf } from './quantity.ts';
import { togetherOf } from './together.ts';

const POD = {
  ...{ automountServiceAccountToken: false, enableServiceLinks: false },
  ...{ dnsPolicy: 'None', dnsConfig: {} },
  securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
};

/** A Pod in JSON, which is YAML too. */
function manifest(container: object, pod: object = {}, metadata: object = {}): string {
  const containers = [{ name: 'web', image: 'busybox', ...container }];
  const spec = { ...POD, containers, ...pod };
  return JSON.stringify({ kind: 'Pod', metadata: { name: 'shop', ...metadata }, spec });
}

function launched(container: object, pod: object = {}, user = IMAGE_CONFIG.user) {
  const read = readManifest(manifest(container, pod));
  const [asked] = read.spec.containers;
  if (asked === undefined) throw new Error('one container');
  const config = { ...IMAGE_CONFIG, user };
  const image = { config, manifestDigest: `sha256:${'a'.repeat(64)}` } as const;
  const made = launchedContainer(read.spec, read.hostname, asked, {
    image,
    layers: [VERITY_LAYER],
  });
  expect(LaunchedContainer.parse(made)).toEqual(made);
  return made;
}

describe('a container of a manifest', () => {
  it('takes from the image what the manifest leaves out, and adds what kubelet adds', () => {
    expect(launched({})).toMatchObject({
      name: 'web',
      rootfs: { changes: 'memory', readonly: false, layers: [{ root: 'c'.repeat(64) }] },
      process: {
        args: ['/entry', 'serve'],
        env: ['HOSTNAME=shop', 'MODE=fast', 'PATH=/bin'],
        ...{ cwd: '/srv', user: '1000', terminal: false, stdin: false },
      },
      stopSignal: 'SIGQUIT',
      confinement: { seccomp: 'default', noNewPrivileges: false, groupsPolicy: 'merge' },
      resources: {},
      ignoredMounts: ['/dev/termination-log', '/etc/hosts'],
      hostEnv: expect.arrayContaining(['KUBERNETES_SERVICE_HOST', 'KUBERNETES_PORT_443_TCP_ADDR']),
    });
    expect(launched({}).tmpfs).toBeUndefined();
  });

  it('takes what the manifest says', () => {
    const made = launched(
      {
        ...{ command: ['/bin/web'], args: ['-v'], workingDir: '/' },
        env: [
          { name: 'MODE', value: 'slow' },
          { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'KUBERNETES_PORT', value: 'mine' },
        ],
        resources: { limits: { memory: '64Mi', cpu: '0.5' }, requests: { cpu: '100m' } },
        securityContext: {
          ...{ runAsUser: 7, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
          capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
        },
        volumeMounts: [{ name: 'cache', mountPath: '/cache' }],
        terminationMessagePath: '/dev/why',
      },
      {
        volumes: [{ name: 'cache', emptyDir: { sizeLimit: '1Mi' } }],
        securityContext: {
          ...{ runAsGroup: 8, supplementalGroups: [9], supplementalGroupsPolicy: 'Strict' },
          seccompProfile: { type: 'Unconfined' },
        },
      },
    );
    expect(made).toMatchObject({
      process: { args: ['/bin/web', '-v'], cwd: '/', user: '7:8' },
      rootfs: { readonly: true },
      confinement: {
        ...{ capabilities: ['CAP_NET_BIND_SERVICE'], noNewPrivileges: true },
        ...{ seccomp: 'unconfined', groups: ['9'], groupsPolicy: 'strict' },
      },
      resources: { memoryBytes: 2 ** 26, cpuMillis: 500 },
      tmpfs: [...[{ destination: '/cache', sizeBytes: 2 ** 20, mode: 0o777, flags: ['exec'] }]],
      ignoredMounts: ['/dev/why', '/etc/hosts'],
    });
    expect(made.process.env).toContain('MODE=slow');
    expect(made.hostEnv).toContain('POD_IP');
    // What the manifest has a value for, the host does not choose.
    expect(made.hostEnv).not.toContain('KUBERNETES_PORT');
  });

  it.each([
    ['', '0'],
    ['0:0', '0'],
    ['www:www', 'www'],
    ['12', '12'],
  ])('runs as kubelet says of the image’s user %j: %j', (user, expected) => {
    expect(launched({}, {}, user).process.user).toBe(expected);
  });

  it.each([
    [{ args: ['$(POD_IP)'] }, {}, 'kubelet would replace'],
    [{ env: [{ name: 'A', value: '$(B)' }] }, {}, 'kubelet would replace'],
    [{}, { securityContext: {} }, 'seccompProfile: it is missing'],
    [{ volumeMounts: [{ name: 'x', mountPath: '/x' }] }, {}, 'there is no volume "x"'],
    [
      { volumeMounts: ['/x', '/y'].map((mountPath) => ({ name: 'x', mountPath })) },
      { volumes: [{ name: 'x', emptyDir: {} }] },
      'mounted more than once',
    ],
    [{ resources: { limits: { memory: '1.5Gi' } } }, {}, 'no number of bytes'],
    [{ resources: { limits: { cpu: '1m' } } }, {}, 'no number of processors'],
    [{ env: [{ name: 'A=B', value: '1' }] }, {}, 'is no name'],
  ])('refuses %j in a pod with %j', (container, pod, why) => {
    expect(() => launched(container, pod)).toThrow(why);
  });
});

describe('a manifest', () => {
  it.each([
    ['lifecycle', { lifecycle: {} }, {}],
    ['containers.0', { volumeDevices: [] }, {}],
    ['privileged', { securityContext: { privileged: true } }, {}],
    [
      'initContainers.0',
      {},
      { initContainers: [{ name: 'a', image: 'b', restartPolicy: 'Never' }] },
    ],
    ['ephemeralContainers', {}, { ephemeralContainers: [] }],
    ['hostNetwork', {}, { hostNetwork: true }],
    ['shareProcessNamespace', {}, { shareProcessNamespace: true }],
    ['automountServiceAccountToken', {}, { automountServiceAccountToken: undefined }],
    ['enableServiceLinks', {}, { enableServiceLinks: true }],
    ['dnsPolicy', {}, { dnsPolicy: 'ClusterFirst' }],
    ['volumes.0', {}, { volumes: [{ name: 'x', hostPath: { path: '/' } }] }],
    ['seccompProfile', { securityContext: { seccompProfile: { type: 'Localhost' } } }, {}],
    ['valueFrom', { env: [{ name: 'A', valueFrom: { secretKeyRef: {} } }] }, {}],
  ])(
    'refuses a manifest by the name of what no confidential pod has: %s',
    (name, container, pod) => {
      expect(() => readManifest(manifest(container, pod))).toThrow(name);
    },
  );

  it('keeps all that is not an annotation of its pods', () => {
    const source = manifest({}, { nodeSelector: { a: 'b' } }, { annotations: { x: 'y' } });
    const { annotations, annotated, hostname } = readManifest(source);
    expect(hostname).toBe('shop');
    expect(annotations).toEqual({ x: 'y' });
    const { metadata, ...rest } = JSON.parse(source) as Record<string, object>;
    expect(annotated({ z: '1' })).toEqual({
      ...rest,
      metadata: { ...metadata, annotations: { z: '1' } },
    });
  });

  it('needs a host name where Kubernetes gives each pod another name', () => {
    const { spec } = JSON.parse(manifest({})) as { spec: object };
    const workload = (more: object) =>
      JSON.stringify({ kind: 'Deployment', spec: { template: { spec: { ...spec, ...more } } } });
    expect(() => readManifest(workload({}))).toThrow('spec.template.spec.hostname: it is missing');
    const { hostname, annotated } = readManifest(workload({ hostname: 'db' }));
    expect(hostname).toBe('db');
    expect(annotated({ z: '1' })).toMatchObject({
      spec: { template: { metadata: { annotations: { z: '1' } } } },
    });
  });

  it.each(['{', 'a: &x 1', '[]', 'kind: Service'])(
    'refuses a manifest that is no pod: %s',
    (source) => {
      expect(() => readManifest(source)).toThrow('the manifest cannot be used');
    },
  );
});

describe('containers that run before others', () => {
  const limits = (memoryBytes?: number) => ({
    resources: memoryBytes === undefined ? {} : { memoryBytes, cpuMillis: 100 },
  });
  const pod = (init: object[]) =>
    readManifest(
      manifest({}, { initContainers: init.map((each) => ({ image: 'busybox', ...each })) }),
    ).spec;
  const sidecar = { name: 'proxy', restartPolicy: 'Always' };

  it('count while they run, as with kubelet', () => {
    const spec = pod([{ name: 'first' }, sidecar, { name: 'second' }]);
    const of = (first: number, second: number) =>
      togetherOf(spec, [
        { name: 'first', ...limits(first) },
        { name: 'proxy', ...limits(10) },
        { name: 'second', ...limits(second) },
        { name: 'web', ...limits(30) },
      ]);
    expect(of(20, 20)).toEqual({ memoryBytes: 40, cpuMillis: 200 });
    expect(of(50, 20).memoryBytes).toBe(50);
    expect(of(20, 50).memoryBytes).toBe(60);
  });

  it('add nothing to the limits of the pod without limits of their own', () => {
    const of = (memoryBytes?: number) =>
      togetherOf(pod([{ name: 'first' }]), [
        { name: 'first', ...limits() },
        { name: 'web', ...limits(memoryBytes) },
      ]);
    expect(of(30)).toEqual({ memoryBytes: 30, cpuMillis: 100 });
    expect(of()).toEqual({});
  });

  it('share no volume with others', () => {
    const volumeMounts = [{ name: 'x', mountPath: '/x' }];
    const init = [{ name: 'first', image: 'busybox', volumeMounts }];
    expect(() =>
      launched({ volumeMounts }, { initContainers: init, volumes: [{ name: 'x', emptyDir: {} }] }),
    ).toThrow('mounted more than once');
  });
});

describe('quantities', () => {
  it.each([
    ['64Mi', 2 ** 26],
    ['1G', 1e9],
    [1024, 1024],
    ['2Ti', 2 ** 41],
  ])('reads %j as bytes', (quantity, bytes) => {
    expect(bytesOf('memory', quantity)).toBe(bytes);
  });

  it.each(['', '0', '-1', '1.5Gi', '1e3', '64mi', '9007199254740993', '99999999Ti'])(
    'refuses %j as bytes',
    (quantity) => {
      expect(() => bytesOf('memory', quantity)).toThrow('no number of bytes');
    },
  );

  it.each([
    ['500m', 500],
    ['0.5', 500],
    [2, 2000],
    ['1.25', 1250],
  ])('reads %j as thousandths of a processor', (quantity, millis) => {
    expect(millisOf('cpu', quantity)).toBe(millis);
  });

  it.each(['', '0', '9m', '0.0005', '1,5', '-1'])('refuses %j as processors', (quantity) => {
    expect(() => millisOf('cpu', quantity)).toThrow('no number of processors');
  });
});
