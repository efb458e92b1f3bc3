import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { guestOf } from './support/guest-of.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ANY_ACTOR)('after a crash, %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  function killServer(): void {
    const pid = actor.serverPid();
    if (pid === undefined) throw new Error('there is no server to kill');
    process.kill(pid, 'SIGKILL');
  }

  it('finds a box running after a crash, with complete output and its exit code', async () => {
    await actor.ok([
      ...['run', '-d', '--name', 'counting', '--network', 'none', BUSYBOX],
      ...[
        'sh',
        '-c',
        'mkfifo /go; i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i + 1)); done; read x < /go; exit 6',
      ],
    ]);
    await until(
      'output flows',
      async () => (await actor.ok(['logs', '--tail', '1', 'counting'])) !== '',
    );
    killServer();
    await until('the server is dead', () => actor.serverPid() === undefined);
    expect(await actor.ok(['ps', '--format', '{{.Names}} {{.State}}'])).toBe('counting running');
    killServer();
    await until('the server is dead again', () => actor.serverPid() === undefined);
    // The box may end, and this process with it, before it has reported its own end.
    await actor.run(['exec', 'counting', 'sh', '-c', 'echo > /go']);
    expect(await actor.ok(['wait', 'counting'])).toBe('6');
    const expected = Array.from({ length: 3000 }, (_, index) => String(index)).join('\n');
    const logs = await actor.run(['logs', 'counting']);
    expect(logs.stdout).toBe(`${expected}\n`);
    await actor.ok(['rm', 'counting']);
  });

  it('keeps the exit code of a box that ended while no server ran', async () => {
    const id = await actor.ok([
      ...['run', '-d', '--name', 'alone', '--network', 'none', BUSYBOX],
      ...['sh', '-c', 'mkfifo /go; echo before; read x < /go; echo after; exit 6'],
    ]);
    await until('it waits', async () => (await actor.ok(['logs', 'alone'])) === 'before');
    await actor.killServer();
    expect(actor.vmms().length).toBe(1);
    const guest = await guestOf(actor, id);
    const go = { args: ['sh', '-c', 'echo > /go'], env: ['PATH=/bin'], cwd: '/', user: '' };
    await guest.startProcess('go', { ...go, terminal: false, stdin: false });
    expect(await guest.ended('main')).toMatchObject({ exitCode: 6 });
    guest.close();
    expect(await actor.ok(['wait', 'alone'])).toBe('6');
    expect(await actor.ok(['logs', 'alone'])).toBe('before\nafter');
    await until('its microVM is gone', () => actor.boxProcesses().length === 0);
    await actor.ok(['rm', 'alone']);
  });

  it('reports a box whose VMM was killed', async () => {
    await actor.ok(['run', '-d', '--name', 'shot', '--network', 'none', BUSYBOX, 'sleep', '1000']);
    const [vmm] = actor.vmms();
    if (vmm === undefined) throw new Error('the box has no VMM');
    process.kill(vmm.pid, 'SIGKILL');
    expect(await actor.ok(['wait', 'shot'])).toBe('137');
    const state = JSON.parse(await actor.ok(['inspect', 'shot']))[0].State;
    expect(state).toMatchObject({ Status: 'exited', ExitCode: 137, Running: false });
    expect(state.Error).toContain('microVM ended unexpectedly');
    await actor.ok(['rm', 'shot']);
  });

  it('leaves no partial box when the server dies while boxes start', async () => {
    for (const delay of [50, 400, 1_200]) {
      const starting = actor.start([
        'run',
        '-d',
        '--name',
        `half-${delay}`,
        '--network',
        'none',
        BUSYBOX,
        'sleep',
        '1000',
      ]);
      await new Promise((resolve) => setTimeout(resolve, delay));
      if (actor.serverPid() !== undefined) killServer();
      starting.kill('SIGKILL');
    }
    await until('each start is finished or undone', async () => {
      const running = await actor.ok(['ps', '--quiet']);
      return actor.vmms().length === (running === '' ? 0 : running.split('\n').length);
    });
    const all = await actor.ok(['ps', '--all', '--quiet']);
    if (all !== '') await actor.ok(['rm', '--force', ...all.split('\n')]);
    expect(actor.boxProcesses()).toEqual([]);
  });
});
