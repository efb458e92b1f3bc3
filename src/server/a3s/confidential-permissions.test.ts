import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { confidentialBoxes } from '../testing/confidential-boxes.ts';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  home.trust.rules = [allowConfidential('**')];
  await home.start();
});
afterEach(() => home.remove());

const { body, changed, guestOf, record, running } = confidentialBoxes(() => home);

describe('the permissions of the host', () => {
  const EXEC = { Cmd: ['true'] };

  it('permits the host nothing by default, and refuses before anything changes', async () => {
    const id = await running();
    const before = record(id).generation;
    const denied = [
      await home.call('POST', `/containers/${id}/exec`, EXEC),
      await home.call('GET', `/containers/${id}/logs?stdout=1`),
      await home.call('POST', `/containers/${id}/attach?stream=1&stdout=1`),
      await home.call('POST', `/containers/${id}/attach?logs=1&stdout=1`),
      await home.call('POST', `/containers/${id}/resize?h=1&w=1`),
      await home.call('POST', `/containers/${id}/kill?signal=SIGUSR1`),
      await home.call('POST', `/containers/${id}/stop?signal=SIGUSR1`),
    ];
    for (const answer of denied) {
      expect(answer).toMatchObject({
        status: 403,
        body: { code: 'host-not-permitted', remedy: expect.stringContaining('--host-may ') },
      });
    }
    expect(record(id).generation).toBe(before);
    expect(existsSync(join(home.config.home, 'boxes', id, 'output.log'))).toBe(false);
  });

  it('says which rule of the launch spec decided, to the caller and in an event', async () => {
    const id = await running({ HostMay: ['stats'] });
    const denied = [
      await home.call('POST', `/containers/${id}/exec`, EXEC),
      await home.call('GET', `/containers/${id}/logs?stdout=1`),
      await home.call('GET', `/containers/${id}/archive?path=/`),
      await home.call('GET', `/containers/none/archive?path=/`),
    ];
    const decided = ['hostMay', 'hostMay', 'confidential', undefined];
    expect(denied.map(({ body }) => (body as { rule?: string }).rule)).toEqual(decided);
    const filters = encodeURIComponent(JSON.stringify({ event: ['spec-refused'] }));
    const until = Math.ceil(Date.now() / 1000);
    const { body: text } = await home.call(
      'GET',
      `/events?since=0&until=${until}&filters=${filters}`,
    );
    const events = String(text)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).Actor);
    const refused = { error: 'host-not-permitted', tee: 'SIMULATED' };
    expect(events).toMatchObject([
      { ID: id, Attributes: { ...refused, rule: 'hostMay', needs: 'exec' } },
      { ID: id, Attributes: { ...refused, rule: 'hostMay', needs: 'logs' } },
      { ID: id, Attributes: { ...refused, rule: 'confidential' } },
    ]);
    expect(events[0].Attributes.reason).toContain('does not let the host (exec)');
  });

  it('always permits the host to end the box', async () => {
    const id = await running();
    expect((await home.call('POST', `/containers/${id}/kill?signal=TERM`)).status).toBe(204);
    await changed(id, ({ state }) => state.status === 'exited');
    await home.call('POST', `/containers/${id}/start`);
    expect((await home.call('POST', `/containers/${id}/kill`)).status).toBe(204);
    expect(record(id).state).toMatchObject({ status: 'exited', exitCode: 137 });
  });

  it('stores output on the host only with the permission for logs', async () => {
    const quiet = await home.create(['sh', '-c', 'echo seen'], body());
    const kept = await home.create(['sh', '-c', 'echo seen'], body({ HostMay: ['logs'] }));
    for (const id of [quiet, kept]) {
      const waiting = home.call('POST', `/containers/${id}/wait?condition=next-exit`);
      await home.call('POST', `/containers/${id}/start`);
      expect((await waiting).body).toEqual({ StatusCode: 0 });
    }
    expect(readdirSync(join(home.config.home, 'boxes', quiet))).not.toContain('output.log');
    const { body: output } = await home.call('GET', `/containers/${kept}/logs?stdout=1`);
    expect(String(output)).toContain('seen');
  });

  it('lets a client attach with that permission, and stores none of the output', async () => {
    const id = await home.create(
      ['sh', '-c', 'echo seen'],
      body({ HostMay: ['attach'] }, { Tty: true }),
    );
    const attached = home.call('POST', `/containers/${id}/attach?stream=1&stdout=1`);
    const waiting = home.call('POST', `/containers/${id}/wait?condition=next-exit`);
    await home.call('POST', `/containers/${id}/start`);
    await waiting;
    expect((await attached).body).toContain('seen');
    expect(readdirSync(join(home.config.home, 'boxes', id))).not.toContain('output.log');
    expect(await home.call('GET', `/containers/${id}/logs?stdout=1`)).toMatchObject({
      body: { code: 'host-not-permitted' },
    });
  });

  it('passes on the guest’s refusal, whatever this host has on record', async () => {
    const id = await running({ HostMay: ['exec'] });
    const { spec } = guestOf(id);
    if (spec !== undefined) guestOf(id).spec = { ...spec, hostMay: [] };
    const exec = await home.call('POST', `/containers/${id}/exec`, { ...EXEC, Detach: true });
    const started = await home.call('POST', `/exec/${(exec.body as { Id: string }).Id}/start`, {
      Detach: true,
    });
    expect(started).toMatchObject({ status: 403, body: { code: 'host-not-permitted' } });
  });

  it.each([true, false])(
    'refuses a snapshot of a confidential box (memory: %s)',
    async (memory) => {
      const box = await running();
      expect(await home.call('POST', '/a3s/v1/snapshots', { box, memory })).toMatchObject({
        status: 400,
        body: { code: 'unsupported-option' },
      });
    },
  );
});
