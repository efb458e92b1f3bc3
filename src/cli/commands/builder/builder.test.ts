import { expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const a3s = (...args: string[]): Promise<Transcript> =>
  transcript(socket, ['builder', ...args], {});

const BUILDER = {
  ...{ name: 'default', state: 'running', box: 'ab'.repeat(32), uses: 1 },
  ...{ cache: 'a3s-builder-default', cacheBytes: 1_500_000_000, cacheLimitBytes: 2 ** 35 },
};

it('lists builders as a table, by name only, and by a format', async () => {
  server.answers.set('GET /a3s/v1/builders', { json: { builders: [BUILDER] } });
  expect((await a3s('ls')).stdout).toBe(
    [
      'NAME      STATE     BOX ID         USES      CACHE SIZE',
      'default   running   abababababab   1         1.5GB',
      '',
    ].join('\n'),
  );
  expect((await a3s('ls', '-q')).stdout).toBe('default\n');
  expect((await a3s('ls', '--format', '{{.Cache}}')).stdout).toBe('a3s-builder-default\n');
});

it('inspects and removes builders, and reports missing ones', async () => {
  server.answers.set('GET /a3s/v1/builders/default', { json: BUILDER });
  server.answers.set('DELETE /a3s/v1/builders/default', { status: 204 });
  const missing = { status: 404, json: { code: 'no-such-builder', message: 'No such builder: x' } };
  server.answers.set('GET /a3s/v1/builders/x', missing);
  server.answers.set('DELETE /a3s/v1/builders/x', missing);
  const shown = await a3s('inspect', 'default', 'x');
  expect(JSON.parse(shown.stdout)).toEqual([BUILDER]);
  expect(shown).toMatchObject({ status: 1, stderr: expect.stringContaining('no-such-builder') });
  const removed = await a3s('rm', '--force', 'default', 'x');
  expect(removed).toMatchObject({ status: 1, stdout: 'default\n' });
  expect(removed.stderr).toContain('No such builder: x');
  const asked = server.called('DELETE /a3s/v1/builders/default');
  expect(asked?.query.get('force')).toBe('true');
});
