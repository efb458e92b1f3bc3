import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { SOAK } from './soak.ts';

/** How often a server is killed in a change of networks, at moments all over it. */
const KILLS = SOAK ? 40 : 6;

describe.runIf(process.geteuid?.() === 0)('boxes that move between networks', () => {
  let installation: Installation;
  let actor: Actor;

  beforeAll(async () => {
    installation = await install();
    actor = new Actor('root', installation);
    await actor.prepare();
    for (const network of ['alpha', 'beta']) await actor.ok(['network', 'create', network]);
    await actor.ok(['network', 'create', '--subnet', '10.123.9.0/24', 'gamma']);
    await start('one', '--network', 'alpha');
    await start('two', '--network', 'beta');
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
    await installation.remove();
  });

  /** A box that serves a page with its own name. */
  async function start(name: string, ...options: string[]): Promise<void> {
    const serve = `mkdir -p /www && echo ${name} > /www/index.html && exec httpd -f -p 80 -h /www`;
    await actor.ok(['run', '-d', '--name', name, ...options, BUSYBOX, 'sh', '-c', serve]);
  }
  const inside = async (box: string, script: string): Promise<string> =>
    (await actor.run(['exec', box, 'sh', '-c', script])).stdout.trimEnd();
  const page = (box: string, host: string): Promise<string> =>
    inside(box, `wget -q -T 3 -O - http://${host}/ || echo none`);
  const shows = (box: string, host: string, text: string) =>
    expect.poll(() => page(box, host)).toBe(text);
  const devices = (box: string): Promise<string> =>
    inside(box, 'ls /sys/class/net | grep eth | xargs');

  it('connects a box while it runs, by a card of its own, with alias and address', async () => {
    expect(await page('one', 'two')).toBe('none');
    await actor.ok(['network', 'connect', '--alias', 'also', 'beta', 'one']);
    expect(await devices('one')).toBe('eth0 eth1');
    await shows('one', 'two', 'two');
    await shows('two', 'one', 'one');
    expect(await page('two', 'also')).toBe('one');
    await actor.ok(['network', 'connect', '--ip', '10.123.9.9', 'gamma', 'one']);
    expect(await inside('one', 'ip -o -4 addr show eth2')).toContain('10.123.9.9/24');
    expect(await inside('one', 'grep -c a3s /etc/hosts; grep -c $(hostname) /etc/hosts')).toMatch(
      /3$/,
    );
    // The way out is the first by name.
    expect(await inside('one', 'ip route show default')).toContain('eth0');
  });

  it('keeps all networks of a box that is restarted, and while the server is killed', async () => {
    await actor.ok(['restart', '--time', '0', 'one']);
    expect(await devices('one')).toBe('eth0 eth1 eth2');
    await shows('two', 'also', 'one');
    await actor.killServer();
    await shows('one', 'two', 'two');
  });

  it('disconnects a box while it runs, from its first network too', async () => {
    await actor.ok(['network', 'disconnect', 'alpha', 'one']);
    expect(await devices('one')).toBe('eth1 eth2');
    expect(await inside('one', 'ip route show default')).toContain('eth1');
    await shows('one', 'two', 'two');
    await actor.ok(['network', 'disconnect', 'beta', 'one']);
    expect(await page('two', 'also')).toBe('none');
    expect(await page('one', 'two')).toBe('none');
    await actor.ok(['network', 'connect', 'beta', 'one']);
    expect(await devices('one')).toBe('eth0 eth2');
    await shows('one', 'two', 'two');
    const refused = await actor.run(['network', 'disconnect', 'alpha', 'one']);
    expect(refused.stderr).toContain('is not connected to the network alpha');
  });

  it('moves a box out of its own network into others, and starts one that is in several', async () => {
    await start('own');
    await actor.ok(['network', 'connect', 'beta', 'own']);
    await shows('own', 'two', 'two');
    expect(await inside('own', 'ip route show default')).toContain('eth1');
    await actor.ok(['network', 'disconnect', 'bridge', 'own']);
    expect(await devices('own')).toBe('eth1');
    await shows('two', 'own', 'own');
    const networks = ['--network', 'name=alpha,gw-priority=-1', '--network', 'gamma'];
    await start('both', ...networks, '--network-alias', 'x');
    expect(await devices('both')).toBe('eth0 eth1');
    expect(await inside('both', 'ip route show default')).toContain('eth1');
    await shows('one', 'both', 'both');
    await actor.ok(['stop', '--time', '0', 'own']);
    await actor.ok(['network', 'connect', 'bridge', 'own']);
    await actor.ok(['start', 'own']);
    expect(await devices('own')).toBe('eth0 eth1');
    await shows('own', 'two', 'two');
  });

  it('puts networks in order, as they are on record, that a server was killed in changing', async () => {
    const names = '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}';
    const before = performance.now();
    await actor.ok(['network', 'connect', 'beta', 'both']);
    const took = performance.now() - before;
    let killed = 0;
    for (let at = 0; at < KILLS; at += 1) {
      const isIn = (await actor.ok(['inspect', '--format', names, 'both'])).includes('beta');
      const change = actor.run(['network', isIn ? 'disconnect' : 'connect', 'beta', 'both']);
      await delay((took * (at + 0.5)) / KILLS);
      await actor.killServer();
      if ((await change).code !== 0) killed += 1;
      const shown = await actor.ok(['inspect', '--format', names, 'both']);
      const wanted = shown.includes('beta') ? 'eth0 eth1 eth2' : 'eth0 eth1';
      await expect.poll(() => devices('both')).toBe(wanted);
      await shows('both', 'two', shown.includes('beta') ? 'two' : 'none');
      await shows('two', 'both', shown.includes('beta') ? 'both' : 'none');
    }
    expect(killed).toBeGreaterThan(0);
    await actor.run(['network', 'disconnect', 'beta', 'both']);
    expect(await devices('both')).toBe('eth0 eth1');
  });

  it('finds a box from a pool by name from its start, and connects and disconnects it while it runs', async () => {
    await actor.ok(['pool', 'set', '--size', '1', '--network', 'default', '--wait']);
    const networks = ['--network', 'name=beta,alias=ready', '--network', 'bridge'];
    await start('pooled', ...networks, '-v', `${actor.directory}:/shared:ro`);
    expect(await actor.ok(['inspect', '--format', '{{.Machine.Start}}', 'pooled'])).toBe('pool');
    expect(await devices('pooled')).toBe('eth0 eth1');
    await shows('two', 'ready', 'pooled');
    await shows('pooled', 'two', 'two');
    await actor.ok(['network', 'connect', '--alias', 'also-ready', 'gamma', 'pooled']);
    expect(await devices('pooled')).toBe('eth0 eth1 eth2');
    await shows('pooled', 'both', 'both');
    await shows('both', 'also-ready', 'pooled');
    await actor.ok(['network', 'disconnect', 'beta', 'pooled']);
    expect(await page('two', 'ready')).toBe('none');
    expect(await page('pooled', 'two')).toBe('none');
    await actor.ok(['network', 'disconnect', 'bridge', 'pooled']);
    await shows('pooled', 'both', 'both');
    await actor.ok(['network', 'connect', 'beta', 'pooled']);
    await shows('two', 'pooled', 'pooled');
    await actor.ok(['pool', 'rm', 'default']);
    await actor.ok(['rm', '-f', 'pooled']);
  });

  it('links boxes in the default network to one of them, and not to each other', async () => {
    await start('reader', '--link', 'own:store');
    await start('writer', '--link', 'own');
    expect(await devices('reader')).toBe('eth0 eth1');
    expect(await page('reader', 'store')).toBe('own');
    expect(await page('writer', 'own')).toBe('own');
    const name = await inside('reader', 'echo $STORE_NAME; ip route show default');
    expect(name).toMatch(/^\/reader\/store\ndefault via 10\.0\.2\.2 dev eth0/);
    const address = (box: string): Promise<string> =>
      inside(box, 'ip -o -4 addr show eth1 | awk \'{ split($4, a, "/"); print a[1] }\'');
    const [reader, writer] = [await address('reader'), await address('writer')];
    expect(await page('own', reader)).toBe('reader');
    expect(await page('reader', writer)).toBe('none');
    const store = await inside('reader', 'awk \'$2 == "store" { print $1 }\' /etc/hosts');
    expect(await page('one', store)).toBe('none');
    // Neither out, nor to the DNS server of networks.
    const asked = `nslookup -type=a example.com ${store.replace(/\.2$/, '.1')}`;
    expect(await inside('reader', `timeout 3 ${asked} > /dev/null 2>&1 || echo none`)).toBe('none');
    await actor.ok(['restart', '--time', '0', 'own']);
    await actor.killServer();
    await shows('reader', 'store', 'own');
    expect(await actor.ok(['network', 'ls'])).not.toContain('container:');
    await actor.ok(['rm', '--link', 'reader/store']);
    expect(await devices('reader')).toBe('eth0');
    expect(await page('reader', store)).toBe('none');
    await actor.ok(['rm', '-f', 'reader', 'writer']);
  });

  it('gives boxes IPv6 of a network, at their start and while they run', async () => {
    await actor.ok(['network', 'create', '--ipv6', '--subnet', 'fd00:a3::/64', 'six']);
    await start('first', '--network', 'six', '--ip6', 'fd00:a3::9');
    await actor.ok(['network', 'connect', 'six', 'two']);
    const reaches = (box: string, host: string): Promise<string> =>
      inside(box, `ping -6 -c 1 -W 3 ${host} > /dev/null && echo yes || echo no`);
    await expect.poll(() => reaches('two', 'first')).toBe('yes');
    await expect.poll(() => reaches('first', 'two')).toBe('yes');
    expect(await page('two', '[fd00:a3::9]')).toBe('first');
    expect(await inside('first', 'ip -6 -o addr show eth0')).toContain('fd00:a3::9/64');
    // The way out is that of IPv4, which this box has elsewhere.
    expect(await inside('first', 'ip -6 route show default')).toContain('via fe80::1 dev eth0');
    expect(await inside('two', 'ip -6 route show default')).toBe('');
    const shown = '{{range .Containers}}{{.Name}} {{.IPv6Address}}\n{{end}}';
    const seen = await actor.ok(['network', 'inspect', '--format', shown, 'six']);
    expect(seen.split('\n')).toEqual(
      expect.arrayContaining(['first fd00:a3::9/64', 'two fd00:a3::2/64']),
    );
    await actor.ok(['restart', '--time', '0', 'first']);
    await expect.poll(() => reaches('two', 'first')).toBe('yes');
    await actor.ok(['network', 'disconnect', 'six', 'two']);
    expect(await inside('two', 'ip -6 -o addr show scope global')).toBe('');
    expect(await reaches('two', 'fd00:a3::9')).toBe('no');
    await actor.ok(['network', 'connect', 'six', 'two']);
    await expect.poll(() => reaches('two', 'first')).toBe('yes');
  });

  it('leaves nothing on the host after the last box', async () => {
    await actor.ok(['rm', '-f', 'one', 'two', 'own', 'both', 'first']);
    const left = () =>
      execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
        .split('\n')
        .filter(
          (line) => /^\S*(pasta|aardvark|passt)/.test(line) && line.includes(actor.runtimeDir),
        );
    await until('no process is left', () => left().length === 0);
    for (const network of ['alpha', 'beta', 'gamma', 'six'])
      await actor.ok(['network', 'rm', network]);
    expect(execFileSync('findmnt', ['-rn', '-o', 'TARGET'], { encoding: 'utf8' })).not.toContain(
      actor.runtimeDir,
    );
  });
});
