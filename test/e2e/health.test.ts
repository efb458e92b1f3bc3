import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ANY_ACTOR)('a health check of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  async function health(): Promise<{
    Status: string;
    Log: { ExitCode: number; Output: string }[];
  }> {
    return JSON.parse(await actor.ok(['inspect', 'checked']))[0].State.Health;
  }

  async function becomes(status: string): Promise<void> {
    await until(`the box is ${status}`, async () => (await health()).Status === status);
  }

  function inBox(line: string): Promise<string> {
    return actor.ok(['exec', 'checked', 'sh', '-c', line]);
  }

  it('a health check runs inside the confined box, and continues after a server restart', async () => {
    const confinement = 'id -u; grep -E "^(Seccomp|NoNewPrivs|CapEff):" /proc/self/status';
    await actor.ok([
      ...['run', '-d', '--name', 'checked', '--network', 'none', '--user', '1000'],
      ...['--health-cmd', `${confinement}; test -e /well`, '--health-interval', '200ms'],
      ...['--health-retries', '1', BUSYBOX, 'sleep', '1000'],
    ]);
    await becomes('unhealthy');
    await actor.ok(['exec', '--user', '0', 'checked', 'touch', '/well']);
    await becomes('healthy');
    expect(await actor.ok(['ps', '--format', '{{.Status}}'])).toMatch(/\(healthy\)$/);
    // What it says of itself is what an exec does.
    const said = await inBox(confinement);
    expect((await health()).Log.at(-1)).toMatchObject({ ExitCode: 0, Output: `${said}\n` });

    await actor.killServer();
    await actor.ok(['exec', '--user', '0', 'checked', 'rm', '/well']);
    await becomes('unhealthy');
    await actor.ok(['rm', '--force', 'checked']);
  });

  it('a hanging health check is killed at its timeout, and its children go on', async () => {
    const first = 'touch /once; sleep 987 & echo hangs; sleep 986; echo late > /late';
    await actor.ok([
      ...['run', '-d', '--name', 'checked', '--network', 'none', '--health-timeout', '5s'],
      ...['--health-cmd', `test -e /once || { ${first}; }`, '--health-interval', '200ms'],
      ...[BUSYBOX, 'sleep', '1000'],
    ]);
    let seen = await health();
    await until('the probe after it went well', async () => {
      seen = await health();
      return seen.Log.length > 1;
    });
    expect(seen.Log[0]).toMatchObject({
      ExitCode: -1,
      Output: expect.stringMatching(/^Health check exceeded timeout \(5s\): hangs/),
    });
    expect((await health()).Status).toBe('healthy');
    const all = await inBox('for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done');
    const left = all.split('\n').map((line) => line.trim());
    const kept = left.filter((line) => /^sleep|once/.test(line)).sort();
    expect(kept).toEqual(['sleep 1000', 'sleep 986', 'sleep 987']);
    await actor.ok(['rm', '--force', 'checked']);
    expect(actor.boxProcesses()).toEqual([]);
  });
});
