import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const PRUNED_BOXES = { ContainersDeleted: ['a'.repeat(64)], SpaceReclaimed: 1_500 };
const PRUNED_IMAGES = { ImagesDeleted: [{ Untagged: 'x:1' }], SpaceReclaimed: 2_000_000 };

function prune(line: string, answer?: string): Promise<Transcript> {
  server.answers.set('POST /containers/prune', { json: PRUNED_BOXES });
  server.answers.set('POST /images/prune', { json: PRUNED_IMAGES });
  server.answers.set('POST /networks/prune', { json: { NetworksDeleted: ['old'] } });
  const stdin = new PassThrough();
  stdin.end(answer ?? '');
  return transcript(socket, line.split(' '), { stdin });
}

const filtersOf = (call: string): unknown =>
  JSON.parse(server.called(call)?.query.get('filters') ?? 'null');

describe('container prune', () => {
  it.each(['y\n', 'Y\n'])('prunes boxes when the answer is %j', async (answer) => {
    expect(await prune('container prune', answer)).toMatchObject({
      status: 0,
      stdout:
        'WARNING! This will remove all stopped boxes.\nAre you sure you want to continue? [y/N] ' +
        `Deleted Boxes:\n${'a'.repeat(64)}\n\nTotal reclaimed space: 1.5kB\n`,
    });
  });

  it.each(['n\n', '\n', ''])('prunes nothing when the answer is %j', async (answer) => {
    expect(await prune('container prune', answer)).toMatchObject({ status: 0 });
    expect(server.log).toEqual([]);
  });

  it('sends filters of a prune, and does not ask with --force', async () => {
    const done = await prune('container prune -f --filter until=24h --filter label=a=b');
    expect(done.stdout).not.toContain('WARNING');
    expect(filtersOf('POST /containers/prune')).toEqual({ until: ['24h'], label: ['a=b'] });
  });

  it('reports zero bytes when there is nothing to prune', async () => {
    const json = { ContainersDeleted: null, SpaceReclaimed: 0 };
    server.answers.set('POST /containers/prune', { json });
    const done = await transcript(socket, ['container', 'prune', '-f']);
    expect(done).toMatchObject({ status: 0, stdout: 'Total reclaimed space: 0B\n' });
  });
});

describe('system prune', () => {
  it('prunes boxes before images that only they used', async () => {
    expect(await prune('system prune --filter label=x', 'y\n')).toMatchObject({
      status: 0,
      stdout: [
        'WARNING! This will remove:',
        '  - all stopped boxes',
        '  - all networks not used by at least one box',
        '  - all dangling images',
        '',
        '  Items to be pruned will be filtered with:',
        '  - label=x',
        '',
        'Are you sure you want to continue? [y/N] Deleted Boxes:',
        'a'.repeat(64),
        '',
        'Deleted Networks:',
        'old',
        '',
        'Deleted Images:',
        'untagged: x:1',
        '',
        'Total reclaimed space: 2.002MB',
        '',
      ].join('\n'),
    });
    expect(server.log).toEqual([
      'POST /containers/prune',
      'POST /networks/prune',
      'POST /images/prune',
    ]);
    expect(filtersOf('POST /containers/prune')).toEqual({ label: ['x'] });
    expect(filtersOf('POST /images/prune')).toEqual({ label: ['x'], dangling: ['true'] });
  });

  it('prunes all unused images with -a', async () => {
    const asked = await prune('system prune -a', 'n\n');
    expect(asked.stdout).toContain('all images without at least one box associated to them');
    await prune('system prune -af');
    expect(filtersOf('POST /images/prune')).toEqual({ dangling: ['false'] });
  });

  it('removes anonymous volumes with --volumes, between the boxes and the images', async () => {
    const json = { VolumesDeleted: ['b'.repeat(64)], SpaceReclaimed: 500 };
    server.answers.set('POST /volumes/prune', { json });
    expect(await prune('system prune --volumes --filter label=x', 'y\n')).toMatchObject({
      status: 0,
      stdout: [
        'WARNING! This will remove:',
        '  - all stopped boxes',
        '  - all networks not used by at least one box',
        '  - all anonymous volumes not used by at least one box',
        '  - all dangling images',
        '',
        '  Items to be pruned will be filtered with:',
        '  - label=x',
        '',
        'Are you sure you want to continue? [y/N] Deleted Boxes:',
        'a'.repeat(64),
        '',
        'Deleted Networks:',
        'old',
        '',
        'Deleted Volumes:',
        'b'.repeat(64),
        '',
        'Deleted Images:',
        'untagged: x:1',
        '',
        'Total reclaimed space: 2.002MB',
        '',
      ].join('\n'),
    });
    expect(server.log).toEqual([
      'POST /containers/prune',
      'POST /networks/prune',
      'POST /volumes/prune',
      'POST /images/prune',
    ]);
    // All volumes would be removed by `all`, which is for images.
    await prune('system prune -a -f --volumes');
    expect(server.calls.at(-2)?.query.get('filters') ?? null).toBeNull();
  });

  it('refuses --volumes with the filter that no volume has', async () => {
    const done = await prune('system prune -f --volumes --filter until=24h');
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('The "until" filter is not supported with "--volumes"');
    expect(server.log).toEqual([]);
  });
});
