import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LaunchedContainer } from '@a3s-box/policies';
import { readPolicyDocument } from '@a3s-box/policies/document';
import { expect, it } from 'vitest';
import { parseBroker } from '../box-options/broker.ts';
import { parseSecretOptions } from '../box-options/secret.ts';
import { HANDLERS, teeOf } from './handlers.ts';
import { containerSecrets } from './measure/container-secrets.ts';
import { launchedContainer } from './measure/launched-container.ts';
import { readManifest } from './measure/pod-manifest.ts';
import { IMAGE_CONFIG as imageConfig, VERITY_LAYER as LAYER } from './testing/manifest-image.ts';

const ROOT = join(import.meta.dirname, '../..');
const DIRECTORY = join(ROOT, 'packaging/kubernetes');
const ENDPOINT = 'unix:///run/a3s-box/cri.sock';
const TAINT = { key: 'a3s.dev/runtime', value: 'a3s', effect: 'NoSchedule' };

const text = (...path: string[]) => readFileSync(join(DIRECTORY, ...path), 'utf8');
const files = readdirSync(DIRECTORY, { encoding: 'utf8', recursive: true });
const read = (file: string) => readPolicyDocument(text(file));
const page = readFileSync(join(ROOT, 'docs/boxes/kubernetes.md'), 'utf8');

it('each document of the packaging is YAML, and the page on Kubernetes names it', () => {
  const documents = files.filter((file) => file.endsWith('.yaml')).sort();
  expect(documents).toEqual([
    ...['confidential-deployment.yaml', 'installer/daemon-set.yaml'],
    ...['k3s-agent.yaml', 'kubeadm-join.yaml', 'kubelet.yaml'],
    ...['runtime-class-simulate.yaml', 'runtime-class-snp.yaml', 'runtime-class.yaml'],
    'sample-pod.yaml',
  ]);
  for (const file of documents) {
    expect(read(file)).toBeTypeOf('object');
    expect(page).toContain(`packaging/kubernetes/${file}`);
  }
});

it('the runtime class has a handler that the server knows, and leads to its nodes', () => {
  expect(read('runtime-class.yaml')).toMatchObject({
    kind: 'RuntimeClass',
    handler: expect.toSatisfy((name: string) => name !== '' && HANDLERS.includes(name)),
    overhead: { podFixed: { memory: '120Mi' } },
    scheduling: {
      nodeSelector: { 'a3s.dev/runtime': 'a3s' },
      tolerations: [{ ...TAINT, operator: 'Equal' }],
    },
  });
  expect(read('sample-pod.yaml')).toMatchObject({ spec: { runtimeClassName: 'a3s' } });
  expect(page).toContain('`120Mi`');
});

it('the runtime classes of confidential pods have the handlers for them', () => {
  const classes = {
    'a3s-snp': 'runtime-class-snp.yaml',
    'a3s-simulate': 'runtime-class-simulate.yaml',
  };
  for (const [name, file] of Object.entries(classes)) {
    expect(read(file)).toMatchObject({ metadata: { name }, handler: name });
    expect(teeOf(name)).toBeDefined();
  }
});

it('the sample of a confidential deployment is one that can be measured', () => {
  const { spec, hostname, annotations } = readManifest(text('confidential-deployment.yaml'));
  expect(spec.runtimeClassName).toBe('a3s-snp');
  expect(hostname).toBe('sample');
  const broker = parseBroker(annotations['dev.a3s.broker'] ?? '');
  expect(broker).toMatchObject({ host: 'broker.example', tenant: 'shop' });
  const secret = parseSecretOptions('token', annotations['dev.a3s.secret.token'] ?? '');
  expect(secret.resource).toBe('shop/web/token');
  const containers = spec.containers.map(({ name }) => name);
  const own = containerSecrets(annotations, { containers, secrets: [secret.name] });
  expect(Object.fromEntries(own)).toEqual({ web: [], worker: ['token'] });
  const image = { config: imageConfig, manifestDigest: `sha256:${'a'.repeat(64)}` } as const;
  for (const container of spec.containers) {
    const made = launchedContainer(spec, hostname, container, { image, layers: [LAYER] });
    expect(LaunchedContainer.parse(made)).toEqual(made);
    expect(made.process.user).toBe('1000:1000');
  }
});

it('kubelet, kubeadm and k3s find the socket that the service serves, on labelled nodes', () => {
  expect(read('kubelet.yaml')).toMatchObject({ containerRuntimeEndpoint: ENDPOINT });
  expect(read('kubeadm-join.yaml')).toMatchObject({
    nodeRegistration: {
      criSocket: ENDPOINT,
      kubeletExtraArgs: [{ name: 'node-labels', value: 'a3s.dev/runtime=a3s' }],
      taints: [TAINT],
    },
  });
  expect(read('k3s-agent.yaml')).toEqual({
    'container-runtime-endpoint': ENDPOINT,
    'node-label': ['a3s.dev/runtime=a3s'],
    'node-taint': ['a3s.dev/runtime=a3s:NoSchedule'],
  });
});

it('the service has the command of the packaged unit, and serves CRI besides', () => {
  const unit = readFileSync(join(ROOT, 'packaging/systemd/a3s-box.service'), 'utf8');
  const [command] = /^ExecStart=.+$/m.exec(unit) ?? [];
  const socket = ENDPOINT.replace('unix://', '');
  const settings = text('a3s-box-cri.conf')
    .split('\n')
    .filter((line) => !/^(#|$)/.test(line));
  expect(settings).toEqual(['[Service]', 'ExecStart=', `${command} --cri ${socket}`]);
});

it('the installer copies files that are there, runs its script on the node, and keeps no rights', () => {
  const copied = text('installer/Dockerfile').match(/packaging\/\S+/g) ?? [];
  for (const file of copied.filter((each) => !each.endsWith('Dockerfile'))) {
    expect(files).toContain(file.replace('packaging/kubernetes/', ''));
  }
  execFileSync('sh', ['-n', join(DIRECTORY, 'installer/install.sh')]);
  expect(read('installer/daemon-set.yaml')).toMatchObject({
    spec: {
      template: {
        spec: {
          hostPID: true,
          initContainers: [{ command: ['/bin/sh', '/installer/install.sh', '/host'] }],
          containers: [{ securityContext: { runAsNonRoot: true } }],
          volumes: [{ name: 'host', hostPath: { path: '/' } }],
        },
      },
    },
  });
});
