import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runsEgressProgram } from '../../../src/networks/egress/host-program.ts';
import {
  type KeptSecrets,
  makeSecrets,
  writeSecrets,
} from '../../../src/networks/egress/secrets.ts';
import type { Lab } from './lab.ts';
import { BROKEN, canRun, certificate, openWorld } from './world.ts';

const VALUE = 'the-value-of-the-secret';
const HOST = 'api.example.org';
const OTHER = 'other.example.org';
/** The host, with others on its address, and one that says that it is the host. */
const [API, FALSE] = ['203.0.113.30', '203.0.113.40'] as const;

describe.runIf(await canRun())('a box with an egress secret', () => {
  let lab: Lab;
  let kept: KeptSecrets;
  let placeholder: string;

  beforeAll(async () => {
    lab = await openWorld();
    for (const address of [API, FALSE]) {
      lab.ip('world', 'addr', 'add', `${address}/32`, 'dev', 'lo');
      const [key, cert] = certificate(lab.directory, HOST);
      await lab.world('serveHttps', { address, key, cert });
      if (address === API) lab.roots = [cert];
    }
    await lab.name(HOST, [{ owner: HOST, a: API }]);
    await lab.name(OTHER, [{ owner: OTHER, a: API }]);
    const asked = { name: 'TOKEN', host: HOST, header: 'authorization', value: VALUE };
    kept = makeSecrets([asked], Date.now());
    placeholder = kept.secrets[0]?.placeholder ?? '';
    await writeSecrets(secretsFile(), kept);
    await limit();
  });
  afterAll(() => lab?.close());

  const secretsFile = (): string => join(lab.directory, 'egress-secrets.json');
  const limit = (): Promise<void> =>
    lab.limit([{ rules: ['allow:*.example.org:tcp:443'] }], { secretsFile: secretsFile() });
  const ask = async (address: string, name: string): Promise<string> =>
    await lab.guest('https', {
      ...{ address, name, ca: kept.authority.certificate },
      headers: { authorization: `Bearer ${placeholder}`, 'x-other': placeholder },
    });

  it('sends the value to its host in its header alone', async () => {
    await lab.lookUp(HOST);
    expect(JSON.parse(await ask(API, HOST))).toEqual({
      // The host says what it got, in a way that is not the value itself.
      ...{ authorization: [...`Bearer ${VALUE}`].join(' '), other: placeholder },
    });
  });

  it('ends TLS for no other host, on the same address either', async () => {
    await lab.lookUp(OTHER);
    expect(await ask(API, OTHER)).toMatch(/certificate|self.signed|issuer/i);
  });

  it('sends no value to a host that does not prove its name', async () => {
    await lab.name(HOST, [{ owner: HOST, a: FALSE }]);
    await limit();
    await lab.lookUp(HOST);
    expect(await ask(FALSE, HOST)).toContain('no verified connection');
    await lab.name(HOST, [{ owner: HOST, a: API }]);
  });

  it('reaches the host by no address that the box has not resolved', async () => {
    await limit();
    await lab.lookUp(OTHER);
    expect(await ask(API, HOST)).toEqual(BROKEN);
  });

  it('writes the value to no file but that of the server', async () => {
    // The files of namespaces cannot be read.
    const isSmall = (path: string): boolean => {
      const { size } = statSync(path);
      return size > 0 && size < 2 ** 26;
    };
    const holding = readdirSync(lab.directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => isSmall(path) && readFileSync(path).includes(VALUE));
    expect(holding).toEqual([secretsFile()]);
    expect(statSync(holding[0] ?? '').mode & 0o777).toBe(0o600);
    for (const name of ['cmdline', 'environ']) {
      expect(readFileSync(`/proc/${lab.programPid()}/${name}`).includes(VALUE)).toBe(false);
    }
  });

  it('starts again with its secrets, and not without their file', async () => {
    const end = async (): Promise<void> => {
      process.kill(lab.programPid(), 'SIGKILL');
      await expect.poll(() => runsEgressProgram(lab.namespace)).toBe(false);
    };
    await end();
    await lab.serve();
    await lab.lookUp(HOST);
    expect(await ask(API, HOST)).toContain([...VALUE].join(' '));
    await end();
    rmSync(secretsFile());
    await expect(lab.serve()).rejects.toMatchObject({ code: 'network-failed' });
  });
});
