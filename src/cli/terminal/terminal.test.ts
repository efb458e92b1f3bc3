import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BuiltCli } from '../testing/built-cli.ts';
import { FakeServer } from '../testing/fake-server.ts';
import { Screen } from '../testing/screen.ts';

const cli = new BuiltCli();
const server = new FakeServer();
const config = join(cli.directory, 'docker');
cli.env['DOCKER_CONFIG'] = config;
let screen: Screen;

beforeAll(() => server.listen(cli.config.socket));
beforeEach(() => mkdirSync(config));
afterEach(() => {
  screen.end();
  server.answers.clear();
  server.calls.length = 0;
  rmSync(config, { recursive: true });
});
afterAll(async () => {
  await server.close();
  cli.remove();
});

const type = (line: string): void => screen.type(`"$NODE" "$CLI" ${line}; echo "status=$?"\r`);

const layers = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    id: String(index).padStart(12, 'b'),
    status: 'Downloading',
    progressDetail: { current: 5_000_000, total: 10_000_000 },
  }));

describe('pull', () => {
  const endless = (count: number): void => {
    const lines = [{ status: 'Pulling from library/a', id: '1' }, ...layers(count)];
    server.answers.set('POST /images/create', { lines, endless: true });
  };

  it('pull draws a bar for each layer, and Ctrl-C restores the terminal', async () => {
    screen = new Screen(cli, 120);
    endless(3);
    const before = server.left;
    type('pull a:1');
    const bar = `Downloading \\[={25}> {25}\\] {6}5MB/10MB`;
    await screen.until(`bbb0: ${bar}\x1b\\[K\r\n\rb+1: ${bar}\x1b\\[K\r\n\rb+2: ${bar}`);
    screen.type('\x03');
    await screen.until('status=130');
    await expect.poll(() => server.left).toBe(before + 1);
    await screen.expectSane();
  });

  it('pull draws no line that wraps, and no more lines than fit', async () => {
    screen = new Screen(cli, 40, 6);
    endless(30);
    type('pull a:1');
    await screen.until('\rbbbbbbbbbbb0: Downloading      5MB/10MB?\x1b\\[K\r\n');
    await screen.until('\r\\.\\.\\. and 26 more\x1b\\[K\r\n');
    screen.resize(30, 10);
    await screen.until('\rbbbbbbbbbbb0: Downloading\x1b\\[K\r\n');
    await screen.until('\r\\.\\.\\. and 22 more\x1b\\[K\r\n');
    screen.type('\x03');
    await screen.until('status=130');
  });

  it('run pulls on the terminal, and then hands it to the box', async () => {
    screen = new Screen(cli, 120);
    type('run -it missing type');
    await screen.until("Unable to find image 'missing:latest' locally");
    await screen.until('Status: Downloaded newer image for missing:latest');
    await screen.until('ready');
    screen.type('q');
    await screen.until('status=7');
    await screen.expectSane();
  });

  it('pull prints plain lines when its output is not a terminal', async () => {
    screen = new Screen(cli);
    type('pull a:1 | cat');
    await screen.until(
      'Pulling fs layer\r\naaaaaaaaaaaa: Pull complete\r\nDigest: sha256:d+\r\nTrust: unsigned',
    );
    await screen.until('docker.io/library/a:1\r\n');
  });
});

describe('login', () => {
  it('login does not show the password', async () => {
    screen = new Screen(cli);
    server.answers.set('POST /auth', { json: { Status: 'Login Succeeded' } });
    type('login r.example');
    await screen.until('Username: ');
    screen.type('ann\r');
    await screen.until('Password: ');
    screen.type('sesame\r');
    // An echoed password would appear here.
    await screen.until(/^[^s]*\r\nWARNING! Your password will be stored unencrypted/);
    await screen.until('Login Succeeded\r\nstatus=0');
    await screen.expectSane();
    const { auths } = JSON.parse(readFileSync(join(config, 'config.json'), 'utf8'));
    expect(Buffer.from(auths['r.example'].auth, 'base64').toString()).toBe('ann:sesame');
  });

  it.each(['\x03', 'SIGTERM'])(
    'login stores nothing when %j comes at the password',
    async (how) => {
      screen = new Screen(cli);
      screen.type(
        `sh -c 'echo pid=$$; exec "$NODE" "$CLI" login -u ann r.example'; echo "status=$?"\r`,
      );
      const pid = await screen.until(/(?<=pid=)\d+/);
      await screen.until('Password: ');
      if (how === 'SIGTERM') process.kill(Number(pid), how);
      else screen.type(`sesame${how}`);
      await screen.until(how === 'SIGTERM' ? 'status=143' : 'status=130');
      await screen.expectSane();
      expect(existsSync(join(config, 'config.json'))).toBe(false);
    },
  );
});

describe('save and import', () => {
  it('save and import refuse to use a terminal', async () => {
    screen = new Screen(cli);
    type('save a');
    await screen.until('cowardly refusing to save to a terminal .*\r\nUse the -o flag or redirect');
    await screen.until('status=1');
    type('import -');
    await screen.until('cannot import from a terminal');
    await screen.until('status=1');
    expect(server.log).toEqual([]);
  });
});

describe('image prune', () => {
  it('image prune asks at the terminal first', async () => {
    screen = new Screen(cli);
    const json = { ImagesDeleted: [], SpaceReclaimed: 1_000 };
    server.answers.set('POST /images/prune', { json });
    writeFileSync(join(config, 'config.json'), '{}');
    type('image prune');
    await screen.until('want to continue\\? \\[y/N\\] ');
    screen.type('n\r');
    await screen.until('status=0');
    expect(server.log).toEqual([]);
    type('image prune');
    await screen.until('want to continue\\? \\[y/N\\] ');
    screen.type('y\r');
    await screen.until('Total reclaimed space: 1kB\r\nstatus=0');
  });
});
