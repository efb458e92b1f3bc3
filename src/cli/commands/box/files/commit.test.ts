import { describe, expect, it } from 'vitest';
import { transcript } from '../../../testing/fake-context.ts';
import { serveFake } from '../../../testing/serve-fake.ts';

const { server, socket } = serveFake();
const ID = `sha256:${'1'.repeat(64)}`;

describe('commit', () => {
  it('asks for an image with everything that was given, and prints its id', async () => {
    server.answers.set('POST /commit', { status: 201, json: { Id: ID } });
    const given = ['-a', 'me <m@e>', '-m', 'why', '-c', 'CMD ["x"]', '--change', 'ENV A=1'];
    const done = await transcript(socket, [
      ...['commit', ...given, '--pause=false', 'web', 'host:5000/team/app:1'],
    ]);
    expect(done).toMatchObject({ status: 0, stdout: `${ID}\n`, stderr: '' });
    expect([...(server.calls.at(-1)?.query ?? [])]).toEqual([
      ['container', 'web'],
      ['repo', 'host:5000/team/app'],
      ['tag', '1'],
      ['author', 'me <m@e>'],
      ['comment', 'why'],
      ['changes', 'CMD ["x"]'],
      ['changes', 'ENV A=1'],
      ['pause', '0'],
    ]);
  });

  it('commit does not pause a box with --no-pause, which excludes --pause', async () => {
    server.answers.set('POST /commit', { status: 201, json: { Id: ID } });
    for (const [given, pause] of [
      [['--no-pause'], '0'],
      [['--no-pause=false'], '1'],
    ] as const) {
      expect((await transcript(socket, ['commit', ...given, 'web'])).status).toBe(0);
      expect(server.calls.at(-1)?.query.get('pause')).toBe(pause);
    }
    const both = await transcript(socket, ['commit', '--no-pause', '--pause', 'web']);
    expect(both.status).toBe(1);
    expect(both.stderr).toContain('conflicting options: --no-pause and --pause cannot be used');
  });

  it('pauses unless told otherwise, and may leave the image without a name', async () => {
    server.answers.set('POST /commit', { status: 201, json: { Id: ID } });
    await transcript(socket, ['container', 'commit', 'web']);
    expect(Object.fromEntries(server.calls.at(-1)?.query ?? [])).toEqual({
      ...{ container: 'web', pause: '1' },
    });
  });

  it('refuses a name with a digest', async () => {
    const done = await transcript(socket, ['commit', 'web', `app@${ID}`]);
    expect(done.status).toBe(1);
    expect(server.calls).toEqual([]);
    expect(done.stderr).toContain('refusing to create a tag with a digest reference');
  });
});
