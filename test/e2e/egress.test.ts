import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordBytes } from '../../src/networks/egress/testing/dns-bytes.ts';
import { certificate } from '../networks/egress/world.ts';
import { Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

/**
 * Addresses that the host delivers to itself for the time of these tests, though no device has
 * them, so that they are not among its own: a DNS server, a web server with several sites, and
 * another server.
 */
const [DNS, SITES, OTHER] = ['198.51.100.53', '198.51.100.80', '198.51.100.81'] as const;
const REFUSED_SITES = ['sibling.example.net', 'evil.example'];
/** It gets a secret of one box. */
const API = 'api.example.org';
const VALUE = 'the-value-of-the-secret';

describe.runIf(process.geteuid?.() === 0)('boxes whose reach is limited', () => {
  let installation: Installation;
  let actor: Actor;
  let world: ChildProcess;
  let port: number;

  beforeAll(async () => {
    for (const address of [DNS, SITES, OTHER]) lo('add', address);
    world = fork(join(import.meta.dirname, '../networks/egress/peer.mjs'));
    await new Promise((resolve) => world.once('message', resolve));
    await ask('serveDns', { address: DNS });
    for (const address of [SITES, OTHER]) await ask('serveHttp', { address });
    for (const name of ['good.example.org', API, ...REFUSED_SITES]) {
      await ask('setName', {
        name,
        records: [recordBytes({ owner: name, a: SITES }).toString('hex')],
      });
    }
    installation = await install();
    actor = new Actor('root', installation);
    const [key, cert] = certificate(actor.directory, API);
    await ask('serveHttps', { address: SITES, key, cert });
    // The authorities that the server trusts.
    await actor.prepare({ SSL_CERT_FILE: join(actor.directory, 'cert.pem') });
    port = await freePort();
    const limits = ['--egress', 'allow:*.example.org:tcp:80', '--dns', DNS];
    const secret = join(actor.directory, 'secret');
    writeFileSync(secret, `${VALUE}\n`);
    limits.push(
      '--egress',
      `allow:${API}:tcp:443`,
      '--egress-secret',
      `TOKEN=@${secret},host=${API}`,
    );
    await start('limited', ...limits, '-p', `127.0.0.1:${port}:80`);
    const policy = ['--egress', `allow:${OTHER}:tcp:80`];
    await actor.ok(['network', 'create', ...policy, 'shared']);
    await start('one', '--network', 'shared');
    await start('two', '--network', 'shared', '--egress', 'deny:0.0.0.0/0');
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
    await installation.remove();
    world.disconnect();
    for (const address of [DNS, SITES, OTHER]) lo('del', address);
  });

  function lo(verb: 'add' | 'del', address: string): void {
    execFileSync('ip', ['route', verb, 'local', `${address}/32`, 'dev', 'lo']);
  }
  function ask(command: string, values: object): Promise<unknown> {
    return new Promise((resolve) => {
      world.once('message', resolve);
      world.send({ id: 1, command, ...values });
    });
  }
  async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  /** A box that serves a page with its own name. */
  async function start(name: string, ...options: string[]): Promise<void> {
    const serve = `mkdir -p /www && echo ${name} > /www/index.html && exec httpd -f -p 80 -h /www`;
    await actor.ok(['run', '-d', '--name', name, ...options, BUSYBOX, 'sh', '-c', serve]);
  }
  const inside = async (box: string, script: string): Promise<string> =>
    (await actor.run(['exec', box, 'sh', '-c', script])).stdout.trimEnd();
  const page = (box: string, host: string, options = ''): Promise<string> =>
    inside(box, `wget -q -T 3 ${options} -O - http://${host}/ || echo none`);
  const shows = (box: string, host: string, text: string) =>
    expect.poll(() => page(box, host)).toBe(text);
  function programs(): number[] {
    return readdirSync('/proc')
      .filter((pid) => {
        try {
          if (!/^\d+$/.test(pid)) return false;
          const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
          // Not the process that keeps its jail.
          const isOurs = (arg: string): boolean =>
            arg.startsWith(actor.runtimeDir) && arg.endsWith('/egress.cjs');
          return program.endsWith('/node') && args.some(isOurs);
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  it('lets a box reach permitted names alone, also where it starts from a template', async () => {
    expect(await actor.ok(['inspect', '--format', '{{.Machine.Start}}', 'limited'])).toBe(
      'template',
    );
    await shows('limited', 'good.example.org', `${SITES} good.example.org`);
    for (const name of [...REFUSED_SITES, SITES, OTHER])
      expect(await page('limited', name)).toBe('none');
    // The address is open by now, and the other site on it is not.
    expect(await page('limited', SITES, '--header "Host: sibling.example.net"')).toBe('none');
    expect(
      await inside('limited', `nslookup good.example.org ${OTHER} >/dev/null || echo none`),
    ).toBe('none');
  });

  it('puts an egress secret into requests of a box, which has a placeholder', async () => {
    expect(await inside('limited', 'echo "$TOKEN"')).toMatch(/^a3s-egress-secret-[0-9a-f]{32}$/);
    const send = 'wget -q -T 5 --header "Authorization: Bearer $TOKEN" -O -';
    expect(JSON.parse(await inside('limited', `${send} https://${API}/ 2>/dev/null`))).toEqual({
      authorization: [...`Bearer ${VALUE}`].join(' '),
    });
    const authorities = '/run/a3s/authorities';
    expect(
      await inside('limited', `cmp ${authorities}/box.pem $SSL_CERT_FILE && cat $SSL_CERT_FILE`),
    ).toMatch(/^-----BEGIN CERTIFICATE-----\n[\s\S]*\n-----END CERTIFICATE-----$/);
    expect(await actor.ok(['inspect', 'limited'])).not.toContain(VALUE);
  });

  it('names the rule that decides a connection, before and afterwards', async () => {
    const explain = (box: string, target: string) =>
      actor.ok(['network', 'policy', 'explain', box, target]);
    expect(await explain('limited', 'good.example.org:80')).toContain(
      'through bridge: allowed by allow:*.example.org:tcp:80 (policy of the box)',
    );
    expect(await explain('limited', 'evil.example:80')).toContain('refused by default:deny');
    expect(await explain('one', `${OTHER}:80`)).toContain('through shared: allowed');
    expect(await explain('two', `${OTHER}:80`)).toContain('refused by deny:0.0.0.0/0');
    const events = async () =>
      await actor.ok(['events', '--since', '0', '--until', String(Math.ceil(Date.now() / 1000))]);
    await expect.poll(events).toMatch(/egress-refused .*target=evil\.example/);
  });

  it('lets boxes reach others of their network, and outside what box and network allow', async () => {
    await shows('two', 'one', 'one');
    await shows('one', 'two', 'two');
    await shows('one', OTHER, `${OTHER} ${OTHER}`);
    expect(await page('one', SITES)).toBe('none');
    expect(await page('two', OTHER)).toBe('none');
  });

  it('reaches a limited box by its published ports', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect((await answer.text()).trim()).toBe('limited');
  });

  it('limits boxes while their server is killed, and resolves their names', async () => {
    await actor.killServer();
    expect(programs()).toHaveLength(3);
    await shows('limited', 'good.example.org', `${SITES} good.example.org`);
    expect(await page('limited', 'evil.example')).toBe('none');
  });

  it('starts another egress program for a box whose program was killed', async () => {
    const before = programs();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await until('other programs', () => {
      const now = programs();
      return now.length === 3 && now.every((pid) => !before.includes(pid));
    });
    await shows('limited', 'good.example.org', `${SITES} good.example.org`);
    expect(await page('limited', SITES, '--header "Host: sibling.example.net"')).toBe('none');
  });

  it('limits a box again when it is restarted', async () => {
    await actor.ok(['restart', '--time', '0', 'limited']);
    await shows('limited', 'good.example.org', `${SITES} good.example.org`);
    expect(await page('limited', OTHER)).toBe('none');
    await actor.ok(['rm', '-f', 'limited', 'two']);
    await until('the programs of one box', () => programs().length === 1);
  });

  it('limits a confidential box by the policy that its launch spec has', async () => {
    const before = programs().length;
    const images = join(actor.directory, 'images.yaml');
    const lax = '{ pattern: "**", allowUnsigned: true, allowUnsignedConfidential: true }';
    writeFileSync(images, `images: [${lax}]`, { mode: 0o644 });
    const flags = ['--tee', 'simulate', '--host-may', 'exec', '--image-policy', images];
    const limits = ['--egress', `allow:${OTHER}:tcp:80`];
    const spec = join(actor.directory, 'spec.json');
    const command = [BUSYBOX, 'sleep', '1000'];
    await actor.ok(['measure', ...flags, ...limits, '--spec-out', spec, ...command]);
    expect(JSON.parse(readFileSync(spec, 'utf8'))).toMatchObject({
      egress: { default: 'deny', rules: [`allow:${OTHER}/32:tcp:80`] },
    });
    await actor.ok(['run', '-d', '--name', 'attested', ...flags, ...limits, ...command]);
    const shown = ['inspect', '--format', '{{.Confidential.HostData}}', 'attested'];
    const digest = createHash('sha256').update(readFileSync(spec)).digest('hex');
    expect(await actor.ok(shown)).toBe(digest);
    await shows('attested', OTHER, `${OTHER} ${OTHER}`);
    expect(await page('attested', SITES)).toBe('none');
    await actor.ok(['rm', '-f', 'attested']);
    await until('as many programs as before', () => programs().length === before);
  });

  it('limits boxes from a pool, whose cards led elsewhere before, and their forks', {
    timeout: scaled(600_000),
  }, async () => {
    const fill = ['pool', 'set', '--size', '1', '--network', 'default', '--wait'];
    const startOf = (box: string) => actor.ok(['inspect', '--format', '{{.Machine.Start}}', box]);
    await actor.ok(fill, { deadlineMs: 240_000 });
    const limits = ['--egress', 'allow:*.example.org:tcp:80', '--dns', DNS];
    await start('pooled', ...limits, '-p', `127.0.0.1:${port}:80`);
    expect(await startOf('pooled')).toBe('pool');
    await shows('pooled', 'good.example.org', `${SITES} good.example.org`);
    for (const name of [...REFUSED_SITES, SITES, OTHER]) {
      expect(await page('pooled', name)).toBe('none');
    }
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect((await answer.text()).trim()).toBe('pooled');
    await actor.ok(['snapshot', 'create', '--memory', '--name', 'saved', 'pooled']);
    await actor.ok(['run', '-d', '--name', 'forked', '--from-snapshot', 'saved']);
    expect(await startOf('forked')).toBe('snapshot');
    await shows('forked', 'good.example.org', `${SITES} good.example.org`);
    expect(await page('forked', OTHER)).toBe('none');
    expect(await page('forked', 'evil.example')).toBe('none');
    await actor.ok(['rm', '-f', 'forked']);
    await actor.ok(['snapshot', 'rm', 'saved']);
    await actor.ok(fill, { deadlineMs: 240_000 });
    await start('three', '--network', 'shared');
    expect(await startOf('three')).toBe('pool');
    await shows('three', 'one', 'one');
    await shows('one', 'three', 'three');
    await shows('three', OTHER, `${OTHER} ${OTHER}`);
    expect(await page('three', SITES)).toBe('none');
    await actor.ok(['pool', 'rm', 'default']);
    await actor.ok(['rm', '-f', 'one', 'pooled', 'three']);
    await until('no program', () => programs().length === 0);
  });
});
