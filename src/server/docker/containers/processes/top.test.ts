import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

const NUMBER: unknown = expect.stringMatching(/^\d+$/);

const top = (id: string, psArgs?: string) =>
  home.call(
    'GET',
    `/containers/${id}/top${psArgs === undefined ? '' : `?ps_args=${encodeURIComponent(psArgs)}`}`,
  );

describe('top', () => {
  it('lists the processes of a running or paused box', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${id}/start`);
    expect(await top(id)).toMatchObject({
      status: 200,
      body: {
        Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
        Processes: [
          ['root', '1', '0', NUMBER, expect.any(String), '?', '00:00:00', 'sleep infinity'],
        ],
      },
    });
    await home.call('POST', `/containers/${id}/pause`);
    expect((await top(id, '-o pid,comm')).body).toEqual({
      Titles: ['PID', 'COMMAND'],
      Processes: [['1', 'sleep']],
    });
  });

  it('refuses unknown ps options, and columns without the process id', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${id}/start`);
    for (const [args, message] of [
      ['-o nothing', 'unknown user-defined format specifier'],
      ['-o comm', "Couldn't find PID field in ps output"],
    ] as const) {
      expect(await top(id, args)).toMatchObject({
        ...{ status: 400, body: { code: 'invalid-argument' } },
        body: { message: expect.stringContaining(message) },
      });
    }
  });

  it('refuses to list processes of a box that does not run', async () => {
    const id = await home.create(['true']);
    expect(await top(id)).toMatchObject({
      status: 409,
      body: { code: 'box-not-running', message: `Container ${id} is not running` },
    });
  });
});
