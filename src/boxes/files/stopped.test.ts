import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { A3sError } from '../../errors.ts';
import { PROTOCOL } from '../../guest/protocol.ts';
import { FakeAgent } from '../../guest/testing/fake-agent.ts';
import type { FakeFiles } from '../../guest/testing/fake-files.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import { TestHome } from '../../server/testing/home.ts';
import { allowConfidential } from '../../server/testing/signed-images.ts';
import { FakeTemplates, TEMPLATE_KEY } from '../../server/testing/templates.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const put = (id: string) =>
  home.call('PUT', `/containers/${id}/archive?path=/tmp`, JSON.stringify('an archive'));
const state = async (id: string): Promise<unknown> => {
  const { body } = await home.call('GET', `/containers/${id}/json`);
  return (body as { State: unknown }).State;
};
const disk = (id: string): string => join(home.config.home, 'boxes', id, 'changes.ext4');
/** Directories of sockets of microVMs. */
const directories = (): string[] =>
  readdirSync(home.config.runtimeDir).filter((name) => /^[0-9a-f]{12}$/.test(name));

/** What agents do instead of an answer to a request. */
function onRequest(route: string, instead: () => void): void {
  home.takeover = (agent, stream) => {
    vi.spyOn(agent, 'answer').mockImplementation((asked, headers) => {
      if (headers[':path'] === route) instead();
      else FakeAgent.prototype.answer.call(agent, asked, headers);
    });
    agent.serve(stream);
  };
}

/** Prepares the files of the agents that are launched from now on. */
function withFiles(prepare: (files: FakeFiles) => void): void {
  home.takeover = (agent, stream) => {
    prepare(agent.files);
    agent.serve(stream);
  };
}

describe('files of a box that does not run', () => {
  it('serves files of a stopped box by a microVM without main process, network and events', async () => {
    const ports = { '80/tcp': [{ HostPort: '' }] };
    const id = await home.create(['true'], { HostConfig: { PortBindings: ports } });
    const before = await state(id);
    const launched = vi.spyOn(home.runtime.engine, 'launch');
    const published = vi.spyOn(home.runtime.events, 'publish');
    expect(await put(id)).toMatchObject({ status: 200 });
    expect(launched.mock.calls.map(([{ nic }]) => nic)).toEqual([undefined]);
    expect(home.agents.get(id)?.files.written).toHaveLength(1);
    expect(home.agents.get(id)?.spec?.network).toEqual({ kind: 'none' });
    expect(published.mock.calls.map(([, action]) => action)).toEqual(['extract-to-dir']);
    expect(home.host.running).toHaveLength(0);
    expect(directories()).toEqual([]);
    expect(await state(id)).toEqual(before);
  });

  it('keeps the exit code and the times of the last run when files are copied', async () => {
    const id = await home.create(['false']);
    await home.call('POST', `/containers/${id}/start`);
    await home.call('POST', `/containers/${id}/wait`);
    const before = await state(id);
    expect(before).toMatchObject({ Status: 'exited', ExitCode: 1 });
    expect((await home.call('HEAD', `/containers/${id}/archive?path=/`)).status).toBe(200);
    expect(await state(id)).toEqual(before);
  });

  it('keeps copied files on the disk of a box that never ran, also after a server restart', async () => {
    const [kept, unused] = [await home.create(['true']), await home.create(['true'])];
    expect((await put(kept)).status).toBe(200);
    await home.stop();
    await home.start();
    expect(existsSync(disk(kept))).toBe(true);
    expect(existsSync(disk(unused))).toBe(false);
    expect((await home.call('POST', `/containers/${kept}/start`)).status).toBe(204);
  });

  it.each([
    ['of a size of its own', { StorageOpt: { size: '64M' } }, async () => undefined],
    [
      'that a failed start has left',
      {},
      async (id: string) => {
        home.agentOptions = { refuseSpec: new FakeRefusal('setup-failed', 'no disk') };
        expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(500);
        home.agentOptions = {};
      },
    ],
    [
      'that a failed copy has left',
      {},
      async (id: string) => {
        home.agentOptions = { refuseSpec: new FakeRefusal('setup-failed', 'no disk') };
        expect((await put(id)).status).toBe(500);
        home.agentOptions = {};
      },
    ],
  ] as const)('keeps copied files on a disk %s', async (_, HostConfig, before) => {
    const id = await home.create(['true'], { HostConfig });
    await before(id);
    expect((await put(id)).status).toBe(200);
    await home.stop();
    await home.start();
    expect(existsSync(disk(id))).toBe(true);
  });

  it('leaves nothing behind where the guest refuses to copy', async () => {
    const id = await home.create(['true']);
    expect(await home.call('GET', `/containers/${id}/archive?path=/absent`)).toMatchObject({
      ...{ status: 404, body: { code: 'no-such-file' } },
    });
    home.agentOptions = { refuseSpec: new FakeRefusal('setup-failed', 'no disk') };
    expect(await put(id)).toMatchObject({ status: 500, body: { code: 'agent-failed' } });
    expect(home.host.running).toHaveLength(0);
    expect(directories()).toEqual([]);
    home.agentOptions = {};
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  });

  it.each([
    ['does not power off', () => new Promise<void>(() => undefined)],
    ['ends in another way', async (id: string) => home.host.vm(id)?.panic()],
  ])('reports copied files as lost where the guest %s', async (_, instead) => {
    Object.assign(home.runtime, { filesTiming: { powerOffMs: 200 } });
    const error = vi.spyOn(home.runtime.log, 'error');
    const id = await home.create(['true']);
    onRequest('/v1/poweroff', () => void instead(id));
    expect(await put(id)).toMatchObject({
      ...{ status: 500, body: { code: 'agent-failed' } },
      body: { message: expect.stringContaining('may be lost') },
    });
    expect(error).toHaveBeenCalled();
    // What was read is whole.
    expect((await home.call('GET', `/containers/${id}/archive?path=/`)).status).toBe(200);
    expect(home.host.running).toHaveLength(0);
    expect(directories()).toEqual([]);
  });

  it('delays the end of the server by a short time while files are copied', async () => {
    Object.assign(home.runtime, { filesTiming: { abortMs: 200 } });
    const asked = new Promise<void>((resolve) => onRequest('/v1/poweroff', resolve));
    const id = await home.create(['true']);
    put(id).catch(() => undefined);
    await asked;
    await home.stop();
    expect(home.host.running).toHaveLength(0);
  });

  it('delays neither the server nor a client where the guest of a copy does not come', async () => {
    const ids = [await home.create(['true']), await home.create(['true'])];
    home.takeover = (_, stream) => stream.resume();
    const path = `/containers/${ids[0]}/archive?path=/`;
    const sent = request({ socketPath: home.config.socket, path, agent: false });
    sent.on('error', () => undefined).end();
    await expect.poll(() => home.host.running.length).toBe(1);
    sent.destroy();
    await expect.poll(() => home.host.running.length).toBe(0);
    home.call('HEAD', `/containers/${ids[1]}/archive?path=/`).catch(() => undefined);
    await expect.poll(() => home.host.running.length).toBe(1);
    await home.stop();
    expect(home.host.running).toHaveLength(0);
  });

  it.each([
    ['that nobody reads', Buffer.alloc(32 * 1024 * 1024), false],
    ['that the guest does not go on with', Buffer.alloc(0), true],
  ])('ends a copy with an archive %s', async (_, archive, stuck) => {
    Object.assign(home.runtime, { filesTiming: { idleMs: 300, abortMs: 300 } });
    const error = vi.spyOn(home.runtime.log, 'error');
    const id = await home.create(['true']);
    withFiles((files) => {
      files.paths.set('/', { archive });
      if (stuck) vi.spyOn(files, 'export').mockImplementation(async (s) => s.respond());
    });
    const path = `/containers/${id}/${stuck ? 'export' : 'archive?path=/'}`;
    const sent = request({ socketPath: home.config.socket, path, agent: false });
    // Node drops an answer that nobody listens to.
    sent.on('response', () => undefined);
    sent.on('error', () => undefined).end();
    await expect.poll(() => home.host.running.length).toBe(1);
    await expect.poll(() => home.host.running.length, { timeout: 5000 }).toBe(0);
    const late = expect.objectContaining({ code: 'agent-timeout' });
    expect(error).toHaveBeenCalledWith('a copy of files stalled', late, { box: id });
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
    sent.destroy();
  });

  it('ends a copy where the guest does not read an upload', async () => {
    Object.assign(home.runtime, { filesTiming: { idleMs: 300, answerMs: 5000 } });
    const id = await home.create(['true']);
    withFiles((files) => {
      vi.spyOn(files, 'write').mockImplementation(async (stream) => void stream.pause());
    });
    const body = JSON.stringify('x'.repeat(8 * 1024 * 1024));
    expect(await home.call('PUT', `/containers/${id}/archive?path=/tmp`, body)).toMatchObject({
      body: { code: 'agent-timeout', message: expect.stringContaining('nothing of it moved') },
    });
    expect(home.host.running).toHaveLength(0);
  });

  it('ends a copy by a forced removal, and counts its volumes as mounted until then', async () => {
    const id = await home.create(['true'], { HostConfig: { Binds: ['data:/data'] } });
    withFiles((files) => {
      vi.spyOn(files, 'export').mockImplementation(async (stream) => stream.respond());
    });
    home.call('GET', `/containers/${id}/export`).catch(() => undefined);
    await expect.poll(() => home.agents.get(id)?.spec).toBeDefined();
    const other = { box: 'other', isFirst: true, isFillable: true };
    expect((await home.runtime.volumes.mount('data', other)).fill).toBeUndefined();
    expect((await home.call('DELETE', `/containers/${id}?force=1`)).status).toBe(204);
    expect(home.host.running).toHaveLength(0);
    const { fill } = await home.runtime.volumes.mount('data', other);
    expect(fill).toBeDefined();
    fill?.release();
  });

  it('delays a start until files are copied', async () => {
    const id = await home.create(['true']);
    const copied = put(id);
    await expect.poll(() => home.agents.has(id)).toBe(true);
    const started = home.call('POST', `/containers/${id}/start`);
    expect((await copied).status).toBe(200);
    expect((await started).status).toBe(204);
  });

  it.each(['archive?path=/', 'changes', 'export'])(
    'refuses GET %s of a stopped confidential box',
    async (verb) => {
      home.trust.rules = [allowConfidential('**')];
      const id = await home.create(['true'], { Confidential: { Tee: 'simulate' } });
      expect(await home.call('GET', `/containers/${id}/${verb}`)).toMatchObject({
        status: 403,
        body: { code: 'host-not-permitted', message: expect.stringContaining('sees no file') },
      });
    },
  );

  it('copies files in a microVM from a template, and in a booted one where that fails', async () => {
    const templates = Object.assign(new FakeTemplates(), { protocol: PROTOCOL.maximum });
    Object.assign(home.runtime, { templates });
    const launched = vi.spyOn(home.runtime.engine, 'launch');
    const id = await home.create(['true']);
    expect(await put(id)).toMatchObject({ status: 200 });
    home.host.failNextLaunch(new A3sError('template-unusable', 'it is damaged'));
    expect((await put(id)).status).toBe(200);
    expect(launched.mock.calls.map(([{ template }]) => template?.key)).toEqual([
      ...[TEMPLATE_KEY, TEMPLATE_KEY, undefined],
    ]);
    expect(templates.held).toBe(0);
    expect(home.host.running).toHaveLength(0);
  });

  it('removes the microVM of a copy when the server before was killed', async () => {
    const id = await home.create(['true']);
    await home.stop();
    // What such a server leaves.
    mkdirSync(join(home.config.runtimeDir, id.slice(0, 12)), { recursive: true });
    await home.start();
    expect(home.host.sweeps).toContain(id.slice(0, 12));
    expect(directories()).toEqual([]);
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  });
});
