import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const MEGABYTE = 2 ** 20;
/** Lines that the box writes as fast as it can, each with bytes that are no text. */
const LINES = 60_000;
const WRITER = `
awk 'BEGIN { for (i = 0; i < ${LINES}; i++) printf "%07d \\377\\200\\001 the quick brown fox jumps over the lazy dog\\n", i }'
read x < /go
echo done >&2
`;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe('the log of a box', () => {
  const [name = 'ordinary user'] = ACTORS;
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  function directory(): string {
    const [id = ''] = readdirSync(join(actor.home, 'boxes'));
    return join(actor.home, 'boxes', id);
  }

  function kept(): number {
    return readdirSync(directory())
      .filter((each) => each.startsWith('output.log'))
      .reduce((sum, each) => sum + statSync(join(directory(), each)).size, 0);
  }

  /** The most that the server ever had in memory. */
  function serverMemory(): number {
    const status = readFileSync(`/proc/${actor.serverPid()}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  it('rotates the log of a fast box across a server crash without losing kept output', async () => {
    await actor.ok([
      ...['run', '-d', '--name', 'fast', '--network', 'none'],
      ...['--log-driver', 'json-file', '--log-opt', 'max-size=200k', '--log-opt', 'max-file=3'],
      ...[BUSYBOX, 'sh', '-c', `mkfifo /go; ${WRITER}`],
    ]);
    await until(
      'output flows',
      async () => (await actor.ok(['logs', '--tail', '1', 'fast'])) !== '',
    );
    for (let kills = 0; kills < 2; kills += 1) {
      await actor.killServer();
      expect(await actor.ok(['ps', '--format', '{{.State}}'])).toBe('running');
    }
    const last = String(LINES - 1).padStart(7, '0');
    await until('all of it is there', async () => {
      const { bytes } = await actor.run(['logs', '--tail', '1', 'fast']);
      return bytes.includes(last);
    });
    expect(kept()).toBeLessThanOrEqual(600_000);
    const { bytes } = await actor.run(['logs', 'fast']);
    expect(bytes.length).toBeGreaterThan(380_000);
    const lines = bytes.toString('latin1').split('\n').slice(0, -1);
    // The oldest file may begin within a line.
    const whole = lines.slice(1);
    const first = LINES - whole.length;
    for (const [index, line] of whole.entries()) {
      const number = String(first + index).padStart(7, '0');
      expect(line).toBe(`${number} \xff\x80\x01 the quick brown fox jumps over the lazy dog`);
    }
    expect(serverMemory()).toBeLessThan(400 * MEGABYTE);
    await actor.ok(['exec', 'fast', 'sh', '-c', 'echo > /go']);
    expect(await actor.ok(['wait', 'fast'])).toBe('0');
    const errors = await actor.run(['logs', '--tail', '1', 'fast']);
    expect([errors.stdout, errors.stderr]).toEqual(['', 'done\n']);
    await actor.ok(['rm', 'fast']);
  });

  it('sends output under the log driver none to the client, and does not keep it', async () => {
    const seen = await actor.run([
      ...['run', '--name', 'unseen', '--network', 'none', '--log-driver', 'none', BUSYBOX],
      ...['sh', '-c', 'head -c 3000000 /dev/zero; echo err >&2'],
    ]);
    expect(seen.code).toBe(0);
    expect(seen.bytes.length).toBe(3_000_000);
    expect(seen.stderr).toBe('err\n');
    const later = await actor.run(['logs', 'unseen']);
    expect(later.code).toBe(1);
    expect(later.stderr).toContain('configured logging driver does not support reading');
    expect(readdirSync(directory()).filter((each) => each.startsWith('output'))).toEqual([]);
    await actor.ok(['rm', 'unseen']);
  });
});
