/**
 * Every field of Docker's create document, v1.45, and its effect here: for the test that proves it
 * of each, and the table in docs/docker-api.md. Those of `HostConfig` are in a file of their own.
 *
 * @module
 */
import { differs, type Field, works } from './create-field.ts';

export const CONFIG_FIELDS: Readonly<Record<string, Field>> = {
  Hostname: works('h1', ({ spec }) => spec.hostname),
  Domainname: works('example.com', ({ spec }) => spec.domainname),
  User: works('1:2', ({ spec }) => spec.process.user),
  AttachStdin: works(true, ({ record }) => record.attach.stdin),
  AttachStdout: works(true, ({ record }) => record.attach.stdout),
  AttachStderr: works(true, ({ record }) => record.attach.stderr),
  ExposedPorts: works({ '81/tcp': {} }, ({ record }) => record.exposedPorts, ['81/tcp']),
  Tty: works(true, ({ spec }) => spec.process.terminal),
  OpenStdin: works(true, ({ spec }) => spec.process.stdin),
  StdinOnce: works(true, ({ record }) => record.stdinOnce),
  Env: {
    ...works(['A=1'], ({ spec }) => spec.process.env.includes('A=1'), true),
    shown: ['A=1', 'PATH=/bin', 'FROM_IMAGE=yes'],
  },
  Cmd: works(['sleep', '1000'], ({ spec }) => spec.process.args),
  Healthcheck: {
    ...differs(
      'a probe is an exec, which the guest bounds; a bare list of words is taken and never run, with a warning',
      { Test: ['CMD', 'true'], Interval: 3_600_000_000_000, Retries: 2 },
      ({ record: { health } }) => ({ test: health?.test, retries: health?.retries }),
      { test: ['CMD', 'true'], retries: 2 },
    ),
  },
  ArgsEscaped: differs(
    'as Docker on Linux, kept and shown: nothing reads it',
    true,
    ({ record }) => record.argsEscaped,
  ),
  Image: works('busybox', ({ record }) => record.image.reference),
  Volumes: {
    ...differs(
      'anonymous volumes; an image’s own too, unless the box is confidential',
      { '/data': {}, '/bound': {} },
      ({ record }) => record.volumeMounts.map(({ destination }) => destination),
      ['/data'],
    ),
    besideHost: { Binds: ['/tmp:/bound'] },
  },
  WorkingDir: works('/w', ({ spec }) => spec.process.cwd),
  Entrypoint: works(['sleep'], ({ spec }) => spec.process.args[0], 'sleep'),
  NetworkDisabled: differs(
    'the same as `NetworkMode` of `none`, which is shown as well; networks and ports beside it are refused',
    true,
    ({ spec }) => spec.network.kind,
    'none',
  ),
  MacAddress: differs(
    'of the card in the main network, `bridge` included; deprecated by Docker, which warns',
    '02:00:00:00:00:01',
    ({ vm }) => vm.nic?.mac,
  ),
  OnBuild: differs(
    'of images that are made of the box: nothing is built here',
    ['RUN true'],
    ({ record }) => record.onBuild,
  ),
  Labels: {
    ...works({ a: 'b' }, ({ record }) => record.labels['a'], 'b'),
    shown: { a: 'b', origin: 'image' },
  },
  StopSignal: works('SIGINT', ({ record }) => record.stopSignal),
  StopTimeout: works(3, ({ record }) => record.stopTimeout),
  Shell: {
    ...works(['/bin/ash', '-c'], ({ record }) => record.health?.test, [
      ...['CMD', '/bin/ash', '-c', 'true'],
    ]),
    beside: { Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 3_600_000_000_000 } },
  },
};
