// A box whose bind source leads elsewhere than at its creation.
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHome } from '../../../../testing/home.ts';

let home: TestHome;
let source: string;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
  source = join(home.config.home, 'mine');
  mkdirSync(source);
});
afterEach(() => home.remove());

/** Replaces the source by a link, which needs write access to its parent only. */
function replaceByLink(): void {
  renameSync(source, `${source}.aside`);
  mkdirSync(join(home.config.home, 'secret'));
  symlinkSync(join(home.config.home, 'secret'), source);
}

const shared = (): readonly string[] =>
  home.host.launches.flatMap(({ shares }) => shares.map(({ path }) => path));

it('does not restart a box by its policy when its bind source has become a link', async () => {
  const id = await home.create(['sleep', 'infinity'], {
    HostConfig: { Binds: [`${source}:/data`], RestartPolicy: { Name: 'always' } },
  });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  replaceByLink();
  home.host.vm(id)?.crash();
  const error = () => home.runtime.store.expect(id).state.error;
  await expect.poll(error, { timeout: 20_000 }).toContain('when the box was created');
  expect(shared()).toEqual([source]);
});

it('refuses to start a box whose bind source has become a link, until it is back', async () => {
  const id = await home.create(['sleep', 'infinity'], {
    HostConfig: { Binds: [`${source}:/data`] },
  });
  replaceByLink();
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({
    status: 409,
    body: { code: 'bind-source-changed' },
  });
  rmSync(source);
  renameSync(`${source}.aside`, source);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  expect(shared()).toEqual([source]);
});
