/**
 * The product on a host with KVM, in `npm test`. One host and a few boxes serve all tests, in their
 * order.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type Installation, install } from '../e2e/installation.ts';
import { until } from '../e2e/processes.ts';
import { BoxChecks, COUNTING } from './box-checks.ts';
import { ADDRESS, type KvmHost, startKvmHost } from './kvm-host.ts';

let installation: Installation;
let host: KvmHost;
let boxes: BoxChecks;

beforeAll(async () => {
  installation = await install();
  host = await startKvmHost(installation, { keep: false });
  boxes = new BoxChecks(host);
});
afterAll(async () => {
  await host?.host.kill();
  installation?.remove();
});

/** A failure says how the box was: it is gone afterwards. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  const { stdout, stderr } = await host.run(['inspect', '--format', '{{json .State}}', 'main']);
  process.stderr.write(`the box after "${task.name}": ${stdout}${stderr}\n`);
});

describe('on a host with KVM', () => {
  it('boots the first box with KVM, with the host’s CPU model and clock', async () => {
    await host.ok([
      ...['run', '-d', '--name', 'cold', '--network', 'none', BUSYBOX, 'sleep', '100000'],
    ]);
    expect(await boxes.startOf('cold')).toBe('cold');
    const [vmm] = await boxes.vmms();
    const command = await host.host.sh(`tr '\\0' ' ' < /proc/${vmm}/cmdline`);
    expect(command).toMatch(/ -accel kvm,\S+ -cpu host /);
    await boxes.expectKvmClock('cold');
    await host.docker(['rm', '-f', 'cold']);
  });

  it('makes a template with KVM, and starts the next box from it', async () => {
    await host.ok(['template', 'warm']);
    await host.ok([
      ...['run', '-d', '--name', 'main', '-p', '127.0.0.1:8080:8080', BUSYBOX],
      ...['sh', '-c', `echo served > /tmp/served; httpd -p 8080 -h /tmp; ${COUNTING}`],
    ]);
    expect(await boxes.startOf('main')).toBe('template');
    await boxes.expectKvmClock('main');
  });

  it('answers on a published port as soon as the box listens', async () => {
    await until('the box listens', async () =>
      (await boxes.inside('main', 'netstat -ltn')).includes(':8080 '),
    );
    const get = 'busybox wget -qO- http://127.0.0.1:8080/served';
    expect(await host.host.sh(get)).toBe('served');
  });

  it('lets a box reach an address of the host', async () => {
    await host.host.sh(
      `mkdir /tmp/bound; echo outside > /tmp/bound/in; busybox httpd -p ${ADDRESS}:9000 -h /tmp/bound`,
    );
    expect(await boxes.inside('main', `wget -qO- http://${ADDRESS}:9000/in`)).toBe('outside');
  });

  it('runs exec with its streams, its status and a terminal', async () => {
    const piped = await host.run(['exec', '-i', 'main', 'sh', '-c', 'cat; echo err >&2; exit 7'], {
      stdin: 'in',
    });
    expect(piped).toEqual({ code: 7, stdout: 'in', stderr: 'err\n' });
    const words = `stty cols 91 rows 33; exec ${host.command(['exec', '-it', 'main', 'sh', '-c', '"tty; stty size"']).join(' ')}`;
    const typed = await host.typed(['script', '-qec', words, '/dev/null']);
    expect(typed.replaceAll('\r', '')).toMatch(/^\/dev\/pts\/\d+\n33 91\n$/);
  });

  it('leaves no box and no process on the host', async () => {
    await host.docker(['rm', '-f', 'main']);
    expect(await host.docker(['ps', '--all', '--quiet'])).toBe('');
    expect(await host.processes('^/usr/bin/qemu-system|passt|virtiofsd')).toEqual([]);
  });
});
