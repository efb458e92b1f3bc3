import { existsSync, readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../../../errors.ts';
import { TestHome } from '../../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

async function output(id: string): Promise<string> {
  const { body } = await home.call('GET', `/containers/${id}/logs?stdout=1&stderr=1`);
  return String(body);
}

describe('a box', () => {
  it('creates, starts, waits for, reads and removes a box', async () => {
    const id = await home.create(['sh', '-c', 'echo hello; exit 3'], { Tty: true });
    const waiting = home.call('POST', `/containers/${id}/wait?condition=next-exit`);
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
    expect((await waiting).body).toEqual({ StatusCode: 3 });
    expect(await output(id)).toBe('hello\n');
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'exited', ExitCode: 3, Error: '' } });
    expect((await home.call('DELETE', `/containers/${id}`)).status).toBe(204);
    expect((await home.call('GET', `/containers/${id}/json`)).status).toBe(404);
    expect(home.host.running).toEqual([]);
    expect(readdirSync(join(home.config.home, 'boxes'))).toEqual([]);
    expect(readdirSync(home.config.runtimeDir)).toEqual(['server.sock']);
  });

  it('removes a box with --rm at its end without a trace', async () => {
    const id = await home.create(['true'], { HostConfig: { AutoRemove: true } });
    const waiting = home.call('POST', `/containers/${id}/wait?condition=removed`);
    await home.call('POST', `/containers/${id}/start`);
    expect((await waiting).body).toEqual({ StatusCode: 0 });
    expect((await home.call('GET', `/containers/${id}/json`)).status).toBe(404);
    expect(existsSync(join(home.config.home, 'boxes', id))).toBe(false);
  });

  it('stops a box by its signal, and by force when it ignores the signal', async () => {
    const polite = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${polite}/start`);
    expect((await home.call('POST', `/containers/${polite}/start`)).status).toBe(304);
    expect((await home.call('POST', `/containers/${polite}/stop`)).status).toBe(204);
    expect((await home.call('POST', `/containers/${polite}/stop`)).status).toBe(304);
    const { body } = await home.call('GET', `/containers/${polite}/json`);
    expect(body).toMatchObject({ State: { ExitCode: 143, Error: '' } });

    const stubborn = await home.create(['stubborn']);
    await home.call('POST', `/containers/${stubborn}/start`);
    expect((await home.call('POST', `/containers/${stubborn}/stop?t=0`)).status).toBe(204);
    const after = await home.call('GET', `/containers/${stubborn}/json`);
    expect(after.body).toMatchObject({ State: { ExitCode: 137 } });
  });

  it('reports exit code 137 and the reason for a box that loses its microVM', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${id}/start`);
    const waiting = home.call('POST', `/containers/${id}/wait`);
    home.host.vm(id)?.crash('the VMM ended with signal SIGKILL');
    const why = 'the microVM ended unexpectedly: the VMM ended with signal SIGKILL';
    expect((await waiting).body).toEqual({ StatusCode: 137, Error: { Message: why } });
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({
      State: { Status: 'exited', Error: why },
    });
  });

  it('keeps a box running when its control stream is cut, and loses no output', async () => {
    const id = await home.create(['cat'], { OpenStdin: true, StdinOnce: true, Tty: true });
    await home.call('POST', `/containers/${id}/start`);
    home.host.vm(id)?.disconnect();
    const exec = await home.call('POST', `/containers/${id}/exec`, { Cmd: ['true'] });
    expect(exec.status).toBe(201);
    await home.call('POST', `/containers/${id}/kill`);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'exited', ExitCode: 137 } });
  });

  it('chooses another free host port when the first one is taken before the launch', async () => {
    const taken = new A3sError('port-in-use', 'Bind for 0.0.0.0:1 failed');
    const bindings = (HostPort: string) => ({
      HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort }] } },
    });
    home.host.failNextLaunch(taken);
    const any = await home.create(['sleep', 'infinity'], bindings(''));
    expect((await home.call('POST', `/containers/${any}/start`)).status).toBe(204);
    const { body } = await home.call('GET', `/containers/${any}/json`);
    const { Ports } = (body as { NetworkSettings: { Ports: Record<string, unknown[]> } })
      .NetworkSettings;
    expect(Ports['80/tcp']).toEqual([
      { HostIp: '127.0.0.1', HostPort: expect.stringMatching(/^\d+$/) },
    ]);
    const held = createServer();
    await new Promise<void>((resolve) => held.listen(0, '127.0.0.1', resolve));
    const { port } = held.address() as AddressInfo;
    const one = await home.create(['sleep', 'infinity'], bindings(String(port)));
    expect(await home.call('POST', `/containers/${one}/start`)).toMatchObject({
      status: 500,
      body: { code: 'port-in-use', message: expect.stringContaining('port is already allocated') },
    });
    held.close();
    expect((await home.call('POST', `/containers/${one}/start`)).status).toBe(204);
  });

  it('keeps a box whose program is missing as created, with Docker’s code and words', async () => {
    const id = await home.create(['no-such-program']);
    const { status, body } = await home.call('POST', `/containers/${id}/start`);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      code: 'command-not-found',
      message: expect.stringContaining('executable file not found in $PATH'),
    });
    const inspected = await home.call('GET', `/containers/${id}/json`);
    expect(inspected.body).toMatchObject({ State: { Status: 'created', ExitCode: 127 } });
    // Docker's client would say an error once more.
    expect((await home.call('POST', `/containers/${id}/wait`)).body).toEqual({ StatusCode: 127 });
    expect(home.host.running).toEqual([]);
    expect(readdirSync(home.config.runtimeDir)).toEqual(['server.sock']);
  });
});
