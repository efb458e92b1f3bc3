/**
 * Whole applications by the real docker compose, in the order of their lives. As root, whose server
 * makes networks.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, type Result } from '../../e2e/actor.ts';
import { BUSYBOX, type Installation, install } from '../../e2e/installation.ts';
import { until } from '../../e2e/processes.ts';
import { SOAK } from '../../e2e/soak.ts';

const APPLICATION = `
name: shop
include: [migration.yaml]
x-base: &base {image: "${BUSYBOX}", init: true, stop_grace_period: 1s}
services:
  db:
    <<: *base
    command: sh -c 'while :; do echo "rows $$(cat /run/secrets/token) $$(cat /app.conf)" | nc -l -p 5432; done'
    networks: {back: {aliases: [database], ipv4_address: 10.77.0.10}}
    secrets: [token]
    configs: [{source: settings, target: /app.conf}]
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M, pids: 50}, reservations: {memory: 64M}}}
    tmpfs: ["/scratch:size=1m"]
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    ulimits: {nofile: {soft: 100, hard: 200}}
    restart: unless-stopped
    logging: {driver: json-file, options: {max-size: 1m}}
    healthcheck: {test: "netstat -ltn | grep -q :5432", interval: 1s, retries: 30}
  web:
    <<: *base
    command: sh -c 'nc database 5432 > /tmp/page; exec httpd -f -p 8080 -h /tmp'
    networks: [front, back]
    ports: ["127.0.0.1::8080"]
    depends_on:
      db: {condition: service_healthy, restart: true}
      migrate: {condition: service_completed_successfully}
    environment: {COLOR: blue}
    user: "1000:1000"
    working_dir: /tmp
    hostname: shop-web
    labels: {tier: front}
    extra_hosts: ["outside:host-gateway"]
    sysctls: {net.ipv4.ip_default_ttl: 70}
    volumes: ["data:/data:ro", "./site:/site:ro", /kept]
    configs: [{source: inline, target: /inline.conf}]
    healthcheck: {test: [CMD, wget, -qO-, "http://127.0.0.1:8080/page"], interval: 1s, retries: 30}
  client:
    extends: {file: common.yaml, service: patient}
    build: .
    develop:
      watch:
        - {action: sync, path: ./site, target: /synced}
        - {action: sync+restart, path: ./program, target: /program}
    command: sh -c 'trap "exit 4" TERM; while :; do sleep 1 & wait $$!; done'
    networks: [front]
  job:
    <<: *base
    network_mode: none
    command: sh -c 'echo counted; exit 3'
    profiles: [jobs]
  visitor:
    <<: *base
    command: wget -qO- http://entrance:8080/page
    networks: [front]
    links: ["web:entrance"]
    profiles: [jobs]
networks:
  front: {}
  back: {internal: true, ipam: {config: [{subnet: 10.77.0.0/24, gateway: 10.77.0.1}]}}
secrets: {token: {file: token}}
configs: {settings: {file: settings}, inline: {content: "of $COMPOSE_PROJECT_NAME"}}
`;

const FILES = {
  'compose.yaml': APPLICATION,
  'common.yaml': `services: {patient: {image: "${BUSYBOX}", init: true, stop_grace_period: 30s}}`,
  'migration.yaml': `
services:
  migrate:
    image: ${BUSYBOX}
    network_mode: none
    command: sh -c 'echo migrated > /data/state'
    volumes: [{type: volume, source: data, target: /data}]
volumes: {data: {labels: {kind: state}}}
`,
  token: 'sesame',
  settings: 'mode=test',
  'site/page': 'from the host',
  'program/main': 'first',
};

describe.runIf(process.geteuid?.() === 0)('docker compose', () => {
  let installation: Installation;
  let actor: Actor;
  let project: string;

  beforeAll(async () => {
    installation = await install();
    actor = new Actor('root', installation);
    await actor.prepare();
    project = join(actor.directory, 'project');
    for (const name of ['site', 'program']) mkdirSync(join(project, name), { recursive: true });
    for (const [name, text] of Object.entries(FILES)) {
      writeFileSync(join(project, name), text);
    }
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
    installation.remove();
  });

  const run = (...args: string[]): Promise<Result> =>
    actor.run(['compose', '--project-directory', project, ...args], { deadlineMs: 300_000 });
  async function compose(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr });
    return stdout.trimEnd();
  }
  const lines = async (...args: string[]): Promise<readonly string[]> =>
    (await compose(...args))
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  const ids = (...services: string[]) => lines('ps', '--quiet', '--no-trunc', ...services);
  const states = () => lines('ps', '--all', '--format', '{{.Service}} {{.State}} {{.Health}}');

  it('brings an application up in the order of its dependencies', async () => {
    await compose('up', '--detach', '--wait', 'web', 'client');
    expect(await states()).toEqual([
      ...['client running ', 'db running healthy', 'migrate exited ', 'web running healthy'],
    ]);
  });

  it('gives services their names, secrets, configurations, volumes and settings', async () => {
    const address = await compose('port', 'web', '8080');
    const page = await fetch(`http://${address}/page`);
    expect(await page.text()).toBe('rows sesame mode=test\n');
    const script =
      'id -u; hostname; pwd; echo $COLOR; cat /data/state /site/page /inline.conf; echo; cat /proc/sys/net/ipv4/ip_default_ttl; grep -c outside /etc/hosts; touch /data/x 2>/dev/null || echo read-only';
    expect(await compose('exec', '--no-TTY', 'web', 'sh', '-c', script)).toBe(
      '1000\nshop-web\n/tmp\nblue\nmigrated\nfrom the hostof shop\n70\n1\nread-only',
    );
    const inside =
      'ulimit -n; cat /sys/fs/cgroup/pids.max; touch /x 2>/dev/null || touch /scratch/x';
    expect(await compose('exec', '-T', 'db', 'sh', '-c', inside)).toBe('100\n50');
    // The internal network leads nowhere, and the client is not in it.
    const lost = await run('exec', '-T', 'client', 'nc', '-w', '2', 'database', '5432');
    expect(lost.code).not.toBe(0);
    expect(await compose('exec', '-T', 'client', 'wget', '-qO-', 'http://web:8080/page')).toContain(
      'rows sesame',
    );
  });

  it('shows projects, services, images, statistics and events', async () => {
    const [found] = JSON.parse(await compose('ls', '--format', 'json'));
    expect(found).toMatchObject({ Name: 'shop', Status: 'running(3)' });
    expect(await lines('config', '--services')).toEqual(['client', 'db', 'migrate', 'web']);
    const [repository, tag] = BUSYBOX.split(':');
    const image = { ContainerName: 'shop-web-1', Repository: repository, Tag: tag };
    expect(JSON.parse(await compose('images', '--format', 'json', 'web'))).toMatchObject([image]);
    const statistics = ['stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', 'client'];
    expect(await compose(...statistics)).toMatch(/shop-client-1 [1-9]/);
    expect(await compose('version', '--short')).toMatch(/^2\./);
    const events = actor.start(['compose', '--project-directory', project, 'events', '--json']);
    let said = '';
    events.stdout?.on('data', (data: Buffer) => {
      said += data.toString();
    });
    // Compose asks for events from now on, and does not say when it has. Health checks have events,
    // too.
    await until('it has reported an event of the client', async () => {
      await compose('exec', '-T', 'client', 'true');
      const whole = said.split('\n').slice(0, -1);
      const found = whole.map((line): { service: string; action: string } => JSON.parse(line));
      return found.some((each) => each.service === 'client' && /^exec_start/.test(each.action));
    });
    const ended = once(events, 'exit');
    events.kill('SIGINT');
    await ended;
  });

  it('leaves alone what is as it should be, and replaces what has changed', async () => {
    const before = { web: await ids('web'), client: await ids('client') };
    const asRoot = ['exec', '-T', '--user', 'root', 'web'];
    await compose(...asRoot, 'sh', '-c', 'echo of the first > /kept/note');
    await compose('up', '--detach', '--wait', 'web', 'client');
    expect({ web: await ids('web'), client: await ids('client') }).toEqual(before);
    const changed = APPLICATION.replace('COLOR: blue', 'COLOR: red');
    writeFileSync(join(project, 'compose.yaml'), changed);
    await compose('up', '--detach', '--wait', 'web', 'client');
    expect(await ids('client')).toEqual(before.client);
    expect(await ids('web')).not.toEqual(before.web);
    expect(await compose('exec', '-T', 'web', 'sh', '-c', 'echo $COLOR')).toBe('red');
    // The anonymous volume goes on to the next box.
    expect(await compose(...asRoot, 'cat', '/kept/note')).toBe('of the first');
    if (!SOAK) return;
    const anew = ['--renew-anon-volumes', '--force-recreate', '--no-deps'];
    await compose('up', '--detach', '--wait', ...anew, 'web');
    expect((await run(...asRoot, 'cat', '/kept/note')).code).not.toBe(0);
  });

  it('scales a service, and copies, pauses, restarts, kills and removes', async () => {
    await compose('up', '--detach', '--no-recreate', '--scale', 'client=2', 'client');
    expect(await ids('client')).toHaveLength(2);
    await compose('cp', 'web:/tmp/page', join(project, 'copied'));
    await compose('pause', 'client');
    expect(await states()).toContain('client paused ');
    await compose('unpause', 'client');
    await compose('restart', '--timeout', '30', 'client');
    expect(await compose('top', 'client')).toContain('sleep 1');
    await compose('stop', '--timeout', '30', 'client');
    expect(await states()).toContain('client exited ');
    await compose('start', 'client');
    expect(await ids('client')).toHaveLength(2);
    expect(await compose('logs', '--no-color', 'migrate', 'web')).toBe('');
    await compose('kill', '--signal', 'KILL', 'client');
    await compose('rm', '--force', 'client');
    expect(await ids('client')).toEqual([]);
    await compose('create', '--no-build', 'client');
    expect(await states()).toContain('client created ');
    await compose('scale', '--no-deps', 'client=0');
    expect(await lines('ps', '--all', '--quiet', 'client')).toEqual([]);
  });

  const WATCHING = SOAK ? ['watch --no-up', 'up --watch client'] : ['watch --no-up'];
  it.each(WATCHING)('copies what changes into a service under %s', async (name) => {
    const command = name.split(' ');
    await compose('up', '--detach', 'client');
    const watching = actor.start(['compose', '--project-directory', project, ...command]);
    let said = '';
    watching.stdout?.on('data', (data: Buffer) => {
      said += data.toString();
    });
    await until('compose watches', () => said.includes('Watch enabled'));
    writeFileSync(join(project, 'site/page'), name);
    const copied = async (path: string) =>
      (await run('exec', '-T', 'client', 'cat', path)).stdout === name;
    await until('the file is copied', () => copied('/synced/page'));
    const startedAt = async () =>
      await actor.ok(['inspect', '--format', '{{.State.StartedAt}}', ...(await ids('client'))]);
    const before = await startedAt();
    // As editors do: compose removes the first name from the box, and copies the second.
    writeFileSync(join(project, 'program/temporary'), name);
    renameSync(join(project, 'program/temporary'), join(project, 'program/main'));
    await until('the replaced file is copied', () => copied('/program/main'));
    await until('the service is started again', async () => (await startedAt()) !== before);
    const ended = once(watching, 'exit');
    watching.kill('SIGINT');
    await ended;
  });

  it('attaches to a service, and waits for it, until it ends', async () => {
    await compose('up', '--detach', 'client');
    const waiting = run('wait', 'client');
    const attached = run('attach', '--no-stdin', 'client');
    await until('compose is attached', async () => {
      const { stdout } = await actor.run(['events', '--since', '1m', '--until', '0s']);
      return stdout.includes('container attach');
    });
    await compose('kill', '--signal', 'KILL', 'client');
    expect((await attached).code).toBe(137);
    expect((await waiting).code).toBe(137);
  });

  it('reports the exit status of a job, and its output', async () => {
    const once = await run('--profile', 'jobs', 'run', '--rm', '--no-TTY', 'job');
    expect({ code: once.code, stdout: once.stdout }).toEqual({ code: 3, stdout: 'counted\n' });
    const up = await run('--profile', 'jobs', 'up', '--exit-code-from', 'job', '--no-deps', 'job');
    expect(up.code).toBe(3);
    expect(up.stdout).toMatch(/job-1 .*counted/);
    const logs = ['logs', '--no-color', '--no-log-prefix', 'job'];
    expect(await compose('--profile', 'jobs', ...logs)).toMatch(/counted$/);
    const abort = ['up', '--abort-on-container-exit', '--no-deps', 'job', 'client'];
    expect((await run('--profile', 'jobs', ...abort)).code).toBe(3);
    expect(await states()).toContainEqual(expect.stringMatching(/^client exited/));
  });

  it('gives a service names of its own for others by links', async () => {
    const visit = ['run', '--rm', '--no-TTY', '--no-deps', 'visitor'];
    expect(await compose('--profile', 'jobs', ...visit)).toContain('rows sesame');
    const other = await run('exec', '-T', 'web', 'wget', '-qO-', 'http://entrance:8080/page');
    expect(other.code).not.toBe(0);
  });

  it('goes on with a server that was killed in the middle', async () => {
    const up = run('up', '--detach', '--wait', '--force-recreate', 'web');
    await until('the first service is replaced', async () => {
      const names = await actor.run(['ps', '--all', '--format', '{{.Names}}']);
      return /_shop-/.test(names.stdout);
    });
    await actor.killServer();
    const { code } = await up;
    // Compose itself gives up where its call was cut off; the next one goes on from there.
    if (code !== 0) await compose('up', '--detach', '--wait', 'web');
    const running = (await states()).filter((line) => line.startsWith('web'));
    expect(running).toEqual(['web running healthy']);
    const address = await compose('port', 'web', '8080');
    expect(await (await fetch(`http://${address}/page`)).text()).toContain('rows sesame');
  });

  it('removes the boxes of services that the file has no more', async () => {
    const other = `name: shop
services: {other: {image: "${BUSYBOX}", command: sleep 1000, init: true, network_mode: none}}`;
    writeFileSync(join(project, 'other.yaml'), other);
    const file = ['--file', join(project, 'other.yaml')];
    await compose(...file, 'up', '--detach', '--remove-orphans');
    expect(await actor.ok(['ps', '--all', '--format', '{{.Names}}'])).toBe('shop-other-1');
  });

  it('leaves no box, network or process of it, and no volumes but anonymous ones that it handed on', async () => {
    await compose('--profile', 'jobs', 'down', '--volumes', '--remove-orphans');
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    // Compose has named the anonymous volume that it handed on, so Docker keeps it as well, and
    // removes no volume of an orphan.
    const volumes = await actor.ok(['volume', 'ls', '--quiet']);
    expect(volumes).toMatch(/^[0-9a-f]{64}(\n[0-9a-f]{64})?$/);
    await actor.ok(['volume', 'prune', '--force']);
    expect(await actor.ok(['volume', 'ls', '--quiet'])).toBe('');
    expect(await actor.ok(['network', 'ls', '--format', '{{.Name}}'])).toBe('bridge\nnone');
    await expect.poll(() => actor.boxProcesses()).toEqual([]);
    // Namespaces are mounted below its directory.
    expect(execFileSync('findmnt', ['-rn', '-o', 'TARGET'], { encoding: 'utf8' })).not.toContain(
      actor.runtimeDir,
    );
  });
});
