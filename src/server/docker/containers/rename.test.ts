import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

const rename = (id: string, name: string) =>
  home.call('POST', `/containers/${id}/rename?name=${encodeURIComponent(name)}`);

describe('rename', () => {
  it('renames a running box, which is then found by its new name only', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${id}/start`);
    const before = home.runtime.store.expect(id).name;
    const since = home.runtime.events;
    const renames: Record<string, string>[] = [];
    const publish = since.publish.bind(since);
    since.publish = (...args: Parameters<typeof publish>) => {
      if (args[1] === 'rename') renames.push({ ...args[3] });
      return publish(...args);
    };
    expect((await rename(before, '/other')).status).toBe(204);
    since.publish = publish;
    expect(renames).toMatchObject([{ name: 'other', oldName: `/${before}` }]);
    expect((await home.call('GET', '/containers/other/json')).body).toMatchObject({ Id: id });
    expect((await home.call('GET', `/containers/${before}/json`)).status).toBe(404);
  });

  it.each([
    ['', 400, 'Neither old nor new names may be empty'],
    ['-x', 400, 'Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed'],
    ['same', 400, 'Renaming a container with the same name as its current name'],
    ['taken', 409, 'Conflict. The container name "/taken" is already in use by container'],
  ])('refuses to rename a box to %j in Docker’s words', async (name, status, message) => {
    const id = await home.create(['true']);
    await rename(id, 'same');
    const other = await home.create(['true']);
    await rename(other, 'taken');
    expect(await rename(id, name)).toMatchObject({
      ...{ status, body: { message: expect.stringContaining(message) } },
    });
    expect(home.runtime.store.expect(id).name).toBe('same');
    for (const each of [id, other]) await home.call('DELETE', `/containers/${each}`);
  });
});
