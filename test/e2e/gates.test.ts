import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor, ANY_ACTOR, type Result } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { processesWith, until } from './processes.ts';
import { SOAK } from './soak.ts';
import { Killer } from './support/killer.ts';
import { tracesOf } from './support/traces.ts';
import { scaled } from './time-scale.ts';

const CREATES = SOAK ? 50 : 6;
const CYCLES = SOAK ? 200 : 15;
/** Commands that run at once: each copy of a template takes half a second of a processor. */
const AT_ONCE = 4;
const GATE_MS = scaled(SOAK ? 3_600_000 : 600_000);
/** What a command says whose server went away under it. */
const SERVER_WENT = /\(server-unreachable\)/;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ACTORS)('%s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  const records = async (format: string) =>
    (await actor.ok(['ps', '--all', '--no-trunc', '--format', format]))
      .split('\n')
      .filter((line) => line !== '');

  /** Right, or it says that the server went, with Docker's status; nothing in between. */
  function expectFailure({ code, stderr }: Result, status: number): void {
    expect({ code, stderr }).toEqual({ code: status, stderr: expect.stringMatching(SERVER_WENT) });
  }

  it(
    'loses no box and leaves no traces while the server is killed repeatedly',
    async () => {
      const before = tracesOf(actor);
      const killer = new Killer(actor);
      const created = create(killer);
      const cycled = cycle(killer);
      const [ids, broken] = await Promise.all([created, cycled]);
      const kills = await killer.stop();

      expect(kills).toBeGreaterThan(0);
      // Each that reported success is on record, and was started by nobody.
      const known = await records('{{.ID}} {{.State}}');
      expect(known).toEqual(expect.arrayContaining(ids.map((id) => `${id} created`)));
      // Boxes whose command has gone with its server come to their end without it; some were never
      // started.
      await until('every box that was started has gone', async () =>
        (await records('{{.State}}')).every((state) => state === 'created'),
      );
      const left = await records('{{.Names}}');
      const excused = new Set([...broken, ...gates()]);
      expect(left.filter((box) => !excused.has(box))).toEqual([]);
      if (left.length > 0) expect(await missedBy(['rm', ...left], broken)).toEqual([]);

      await expect.poll(() => tracesOf(actor)).toEqual(before);
      expect(await records('{{.ID}}')).toEqual([]);
    },
    GATE_MS,
  );

  /**
   * The lines that a command printed as errors. A start that was cut off ends as `created` before
   * its box is removed, so a box of `mayHaveGone` is excused when it has gone meanwhile.
   */
  async function missedBy(args: readonly string[], mayHaveGone: readonly string[]) {
    const { code, stderr } = await actor.run(args);
    const lines = stderr.split('\n').filter((line) => line !== '');
    expect(code).toBe(lines.length === 0 ? 0 : 1);
    const gone = new Set(
      mayHaveGone.map((box) => `a3s-box: No such container: ${box} (no-such-box)`),
    );
    return lines.filter((line) => !gone.has(line));
  }

  const gates = () => Array.from({ length: CREATES }, (_, index) => `gate-${index}`);

  /** All at once. @returns the ids of those that reported success */
  async function create(killer: Killer): Promise<readonly string[]> {
    const results = await Promise.all(
      gates().map(async (box) => {
        const args = ['create', '--name', box, '--network', 'none', BUSYBOX, 'true'];
        const result = await actor.run(args, { deadlineMs: GATE_MS });
        if (result.code === 0) killer.succeeded();
        else expectFailure(result, 1);
        return result;
      }),
    );
    return results.filter(({ code }) => code === 0).map(({ stdout }) => stdout.trim());
  }

  /** A few at a time. @returns the names of those whose command failed */
  async function cycle(killer: Killer): Promise<readonly string[]> {
    const numbers = Array.from({ length: CYCLES }, (_, index) => index).values();
    const broken: string[] = [];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const number of numbers) {
          const box = `cycle-${number}`;
          const status = number % 7;
          const args = ['run', '--rm', '--name', box, '--network', 'none', BUSYBOX];
          const program = ['sh', '-c', `echo ${number}; exit ${status}`];
          const result = await actor.run([...args, ...program], { deadlineMs: GATE_MS });
          if (SERVER_WENT.test(result.stderr)) {
            expectFailure(result, 125);
            broken.push(box);
            continue;
          }
          const { code, stdout, stderr } = result;
          expect({ code, stdout, stderr }).toEqual({
            ...{ code: status, stdout: `${number}\n`, stderr: '' },
          });
          killer.succeeded();
        }
      }),
    );
    return broken;
  }
});

describe.each(ANY_ACTOR)('an empty home of %s', (name) => {
  it('thirty commands that start at once in an empty home share one server', async () => {
    const actor = new Actor(name, installation);
    try {
      const started = Array.from({ length: 30 }, () => actor.run(['ps', '--quiet']));
      for (const result of await Promise.all(started)) {
        expect(result).toMatchObject({ code: 0, stdout: '', stderr: '' });
      }
      // Those that came too late have said so, and are on their way out.
      await until(
        'one server is left',
        () =>
          processesWith('server.cjs').filter(({ environment }) =>
            environment.includes(`A3S_HOME=${actor.home}`),
          ).length === 1,
      );
      const log = readFileSync(join(actor.home, 'server.log'), 'utf8');
      expect(log.match(/"message":"serving"/g)?.length).toBe(1);
    } finally {
      await actor.leave();
    }
    expect(actor.remains()).toEqual([]);
  });
});
