import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../../../testing/images.ts';

class Images extends FakeImages {
  override async history(): ReturnType<FakeImages['history']> {
    const step = { id: TEST_IMAGE.id, created: TEST_IMAGE.created, size: 0, tags: [] };
    return [
      { ...step, createdBy: '', comment: 'Imported from -' },
      { ...step, createdBy: 'RUN make', comment: 'earlier' },
    ];
  }
}

const home = new TestHome(new Images(TEST_IMAGE));
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

type Document = Readonly<Record<string, unknown>>;

async function inspected(more: Document = {}): Promise<Readonly<Record<string, Document>>> {
  const id = await home.create(['sleep', 'infinity'], more);
  return (await home.call('GET', `/containers/${id}/json`)).body as Record<string, Document>;
}

describe('the inspection of a box', () => {
  it.each(['default', 'bridge', ''])(
    'calls the network bridge that was asked for as %j',
    async (NetworkMode) => {
      const { HostConfig, NetworkSettings } = await inspected({ HostConfig: { NetworkMode } });
      expect(HostConfig).toMatchObject({ NetworkMode: 'bridge' });
      expect(Object.keys(NetworkSettings?.['Networks'] ?? {})).toEqual(['bridge']);
    },
  );

  it('and so does the list', async () => {
    const id = await home.create(['true']);
    const none = await home.create(['true'], { HostConfig: { NetworkMode: 'none' } });
    const { body } = await home.call('GET', '/containers/json?all=1');
    expect(body).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ Id: id, HostConfig: { NetworkMode: 'bridge' } }),
        expect.objectContaining({ Id: none, HostConfig: { NetworkMode: 'none' } }),
      ]),
    );
    for (const name of ['bridge', 'default']) {
      const filters = encodeURIComponent(JSON.stringify({ network: [name] }));
      const found = (await home.call('GET', `/containers/json?all=1&filters=${filters}`)).body;
      const ids = (found as { Id: string }[]).map(({ Id }) => Id);
      expect(ids).toContain(id);
      expect(ids).not.toContain(none);
    }
  });

  it('has no directory, stop signal or ports where neither request nor image names one', async () => {
    const { Config } = await inspected();
    expect(Config).toMatchObject({ WorkingDir: '' });
    expect(Config).not.toHaveProperty('StopSignal');
    expect(Config).not.toHaveProperty('ExposedPorts');
  });

  it('has them as they were asked for', async () => {
    const asked = { WorkingDir: '/', StopSignal: 'SIGTERM', ExposedPorts: { '81/tcp': {} } };
    expect((await inspected(asked))['Config']).toMatchObject(asked);
  });
});

it('a box without a directory and a stop signal begins in / and ends by SIGTERM', async () => {
  const id = await home.create(['sleep', 'infinity']);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  expect(home.agents.get(id)?.spec?.process.cwd).toBe('/');
  const { body } = await home.call('POST', `/containers/${id}/exec`, { Cmd: ['pwd'] });
  expect(home.runtime.execs.expect((body as { Id: string }).Id).process.cwd).toBe('/');
  expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
  expect((await home.call('GET', `/containers/${id}/json`)).body).toMatchObject({
    State: { Status: 'exited', ExitCode: 143 },
  });
});

describe('an image', () => {
  it('has the comment of its latest step, and no ports where it names none', async () => {
    const { body } = await home.call('GET', '/images/busybox/json');
    expect(body).toMatchObject({ Comment: 'Imported from -' });
    expect(body).not.toHaveProperty('Config.ExposedPorts');
  });

  it.each([
    ['/v1.43', true],
    ['/v1.44', false],
    ['/v1.45', false],
    ['', false],
  ])('asked for by %j has a virtual size: %s', async (version, has) => {
    const image = (await home.call('GET', `${version}/images/busybox/json`)).body;
    const [listed] = (await home.call('GET', `${version}/images/json`)).body as [Document];
    for (const each of [image, listed]) {
      expect(Object.hasOwn(each as Document, 'VirtualSize')).toBe(has);
      expect(each).toMatchObject({ Size: TEST_IMAGE.size });
    }
  });
});
