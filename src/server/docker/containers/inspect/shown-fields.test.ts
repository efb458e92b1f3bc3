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
    'shows the network bridge when the request names %j',
    async (NetworkMode) => {
      const { HostConfig, NetworkSettings } = await inspected({ HostConfig: { NetworkMode } });
      expect(HostConfig).toMatchObject({ NetworkMode: 'bridge' });
      expect(Object.keys(NetworkSettings?.['Networks'] ?? {})).toEqual(['bridge']);
    },
  );

  it('lists and filters boxes by the network bridge', async () => {
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

  it('shows no directory, stop signal or ports when neither request nor image names any', async () => {
    const { Config } = await inspected();
    expect(Config).toMatchObject({ WorkingDir: '' });
    expect(Config).not.toHaveProperty('StopSignal');
    expect(Config).not.toHaveProperty('ExposedPorts');
  });

  it('shows directory, stop signal and ports as requested', async () => {
    const asked = { WorkingDir: '/', StopSignal: 'SIGTERM', ExposedPorts: { '81/tcp': {} } };
    expect((await inspected(asked))['Config']).toMatchObject(asked);
  });
});

it('starts a box in / and stops it with SIGTERM by default', async () => {
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
  it('shows the comment of an image’s latest step, and no ports where it names none', async () => {
    const { body } = await home.call('GET', '/images/busybox/json');
    expect(body).toMatchObject({ Comment: 'Imported from -' });
    expect(body).not.toHaveProperty('Config.ExposedPorts');
  });

  it.each([
    ['/v1.43', true],
    ['/v1.44', false],
    ['/v1.45', false],
    ['', false],
  ])('shows the virtual size of an image under the version %j: %s', async (version, has) => {
    const image = (await home.call('GET', `${version}/images/busybox/json`)).body;
    const [listed] = (await home.call('GET', `${version}/images/json`)).body as [Document];
    for (const each of [image, listed]) {
      expect(Object.hasOwn(each as Document, 'VirtualSize')).toBe(has);
      expect(each).toMatchObject({ Size: TEST_IMAGE.size });
    }
  });
});
