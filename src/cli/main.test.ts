import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { codeCachePath, readCodeCache } from './code-cache.ts';
import { BuiltCli } from './testing/built-cli.ts';
import { EvidenceFiles } from './testing/evidence-files.ts';
import { FakeServer } from './testing/fake-server.ts';
import { Screen } from './testing/screen.ts';
import { VERSION } from './version.ts';

const cli = new BuiltCli();
const server = new FakeServer();

beforeAll(() => server.listen(cli.config.socket));
afterEach(() => {
  server.calls.length = 0;
  server.answers.clear();
});
afterAll(async () => {
  await server.close();
  cli.remove();
});

const ATTEST_HELP = ['attest', 'verify', '--help'];

const read = (file: string): string => readFileSync(join(cli.directory, file), 'utf8');

function bundleOf(directory: string): string {
  return readdirSync(directory).find((file) => /^cli-[0-9a-f]{16}\.js$/.test(file)) ?? '';
}

describe('in a terminal', () => {
  let screen: Screen;
  afterEach(() => screen.end());

  const RUN = '"$NODE" "$CLI" run -it box type; echo "status=$?"\r';
  it('passes keys to the box as they are typed, and exits with its status', async () => {
    screen = new Screen(cli);
    screen.type(RUN);
    await screen.until('ready');
    screen.type('a');
    await screen.until('<61>');
    screen.type('\x03\r');
    await screen.until('<030d>|<03>.*<0d>');
    screen.type('n');
    await screen.until('down\nonly');
    screen.type('q');
    await screen.until('status=7');
    await screen.expectSane();
  });

  it('sends the size of the terminal at the start and at each change', async () => {
    screen = new Screen(cli, 91, 31);
    screen.type(RUN);
    await screen.until('\\[91x31\\]');
    expect(
      JSON.parse(server.called('POST /containers/create')?.body ?? '').HostConfig.ConsoleSize,
    ).toEqual([31, 91]);
    screen.resize(120, 40);
    await screen.until('\\[120x40\\]');
    screen.type('q');
    await screen.until('status=7');
  });

  it('detaches on ctrl-p ctrl-q, and leaves the box running', async () => {
    screen = new Screen(cli);
    screen.type(RUN);
    await screen.until('ready');
    screen.type('\x10');
    screen.type('x');
    await screen.until('<10>?78>|<1078>|<10>.*<78>');
    screen.type('\x10\x11');
    await screen.until('status=0');
    expect(server.log.some((call) => call.startsWith('DELETE'))).toBe(false);
    await screen.expectSane();
  });

  it('completes commands, flags and names of the server in bash', async () => {
    server.answers.set('GET /containers/json', { json: [{ Names: ['/web-one'] }] });
    server.answers.set('GET /images/json', { json: [{ RepoTags: ['registry:5000/app:v1'] }] });
    screen = new Screen(cli);
    screen.type('exec bash --norc --noprofile\r');
    screen.type('a3s-box() { "$NODE" "$CLI" "$@"; }\r');
    screen.type('source <(a3s-box completion bash); PS1="re""ady> "\r');
    await screen.until('ready> ');
    const completed = async (keys: string, line: string): Promise<void> => {
      screen.type(`${keys}\t`);
      await screen.until(line);
      screen.type('\x15');
    };
    await completed('a3s-box unpau', 'a3s-box unpause ');
    await completed('a3s-box run --memory-r', '--memory-reservation ');
    await completed('a3s-box container restart w', 'restart web-one ');
    await completed('a3s-box rmi registry:5000/a', 'registry:5000/app:v1 ');
    await completed('a3s-box completion f', 'completion fish ');
  });

  it('ends an exec on a signal, and restores the terminal', async () => {
    screen = new Screen(cli);
    screen.type('"$NODE" "$CLI" run -d box signals >/dev/null\r');
    screen.type(`sh -c 'echo pid=$$; exec "$NODE" "$CLI" exec -it box type'; echo "status=$?"\r`);
    const pid = await screen.until(/(?<=pid=)\d+/);
    await screen.until('ready');
    process.kill(Number(pid), 'SIGTERM');
    await screen.until('status=143');
    await screen.expectSane();
  });
});

describe('in a pipeline', () => {
  const ended = async (child: ChildProcessWithoutNullStreams): Promise<number | null> => {
    const [code] = (await once(child, 'close')) as [number | null];
    return code;
  };

  it('the command line ends silently when the reader of its output closes the pipe', async () => {
    const child = cli.spawn('run', 'box', 'flood');
    const complaint = text(child.stderr);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await ended(child)).toBe(141);
    expect(await complaint).toBe('');
  });

  it('slows the box to a slow reader, without buffering or losing output', async () => {
    const child = cli.spawn('run', '-i', 'box', 'cat');
    const block = Buffer.alloc(1024 * 1024, 'z');
    let written = 0;
    child.stdin.on('error', () => undefined);
    // Nothing reads the output: the pipes fill up, and writes block.
    while (child.stdin.write(block)) written++;
    expect(written).toBeLessThan(20);
    child.stdin.end();
    let read = 0;
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) read += chunk.length;
    expect(read).toBe((written + 1) * block.length);
  });

  it('passes Ctrl-C to the box as SIGINT', async () => {
    const child = cli.spawn('run', 'box', 'signals');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    const output = text(child.stdout);
    expect(await ended(child)).toBe(130);
    expect(await output).toBe('got SIGINT\n');
  });
});

describe('the program that is installed', () => {
  const bin = join(import.meta.dirname, '../bin/a3s-box.cjs');

  it('tells how to build the program when it is not built', async () => {
    const moved = join(cli.directory, 'src/bin/a3s-box.cjs');
    mkdirSync(dirname(moved), { recursive: true });
    copyFileSync(bin, moved);
    const child = spawn(process.execPath, [moved]);
    const complaint = text(child.stderr);
    const [code] = await once(child, 'close');
    expect(code).toBe(125);
    expect(await complaint).toContain('Run npm run setup first.');
  });

  it('the installed program prints the version of its package', () => {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
    expect(VERSION).toBe(manifest.version);
  });

  it('loads no schema library, and the attestation library only when needed', async () => {
    const bundle = read(bundleOf(cli.directory));
    for (const part of ['ZodError', 'YAMLParseError', 'CommanderError', 'bufbuild', 'TUFError']) {
      expect(bundle).not.toContain(part);
    }
    expect(read('image-policy.cjs')).toContain('ZodError');
    expect(read('commander.cjs')).toContain('CommanderError');
    const moved = join(cli.directory, 'moved');
    mkdirSync(moved);
    for (const file of ['a3s-box.cjs', 'commander.cjs', bundleOf(cli.directory)]) {
      copyFileSync(join(cli.directory, file), join(moved, file));
    }
    const child = spawn(process.execPath, [join(moved, 'a3s-box.cjs'), ...ATTEST_HELP], {
      env: cli.env,
    });
    const output = text(child.stdout);
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(await output).toContain('--report-data hex');
  });

  it('runs with the code cache of its build, with a damaged one and without one', async () => {
    const version = async (): Promise<string> => {
      const child = cli.spawn('version', '--client');
      const output = text(child.stdout);
      expect(await once(child, 'close')).toEqual([0, null]);
      return output;
    };
    const said = await version();
    expect(said).toContain(` Version:           ${VERSION}\n`);
    const path = codeCachePath(join(cli.directory, bundleOf(cli.directory)));
    const cache = readFileSync(path);
    writeFileSync(path, cache.subarray(0, cache.length / 2));
    expect(await version()).toBe(said);
    rmSync(path);
    expect(await version()).toBe(said);
    writeFileSync(path, cache);
  });

  it('builds a code cache that V8 accepts', () => {
    const bundle = join(cli.directory, bundleOf(cli.directory));
    const cachedData = readCodeCache(bundle);
    expect(cachedData).toBeDefined();
    const check = `const { Script } = require('node:vm'); const { readFileSync } = require('node:fs');
      const cachedData = readFileSync(0);
      const script = new Script(readFileSync(process.argv[1], 'utf8'), { cachedData });
      process.exitCode = script.cachedDataRejected === false ? 0 : 1;`;
    const { status } = spawnSync(process.execPath, ['-e', check, bundle], { input: cachedData });
    expect(status).toBe(0);
  });

  it('bundles the program as ASCII, which Node.js need not decode', () => {
    const bytes = readFileSync(join(cli.directory, bundleOf(cli.directory)));
    expect(bytes.every((byte) => byte < 0x80)).toBe(true);
  });

  it('reads image policies with a separate bundle', async () => {
    const path = join(cli.directory, 'policy.yaml');
    writeFileSync(path, 'images: [{ pattern: "**", allowUnsigned: true }]');
    const child = cli.spawn('policy', 'check', path);
    const output = text(child.stdout);
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(await output).toContain('1. **\n   Boots, signed or not');
  });

  it('fails with one line when its output is full', async () => {
    const command = '"$0" "$1" --help > /dev/full';
    const child = spawn('/bin/sh', ['-c', command, process.execPath, cli.bundle]);
    const complaint = text(child.stderr);
    expect(await once(child, 'close')).toEqual([125, null]);
    expect(await complaint).toMatch(/^a3s-box: cannot write standard output: .*\(disk-full\)\n$/);
  });

  it('verifies evidence without a server', async () => {
    const files = new EvidenceFiles(cli.directory, 'hardware', 'genoa-v5');
    const child = cli.spawn(
      'attest',
      'verify',
      '--json',
      '--report=-',
      `--at=${files.document.now}`,
    );
    child.stdin.end(files.report);
    const output = text(child.stdout);
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(JSON.parse(await output)).toMatchObject({ accepted: false, code: 'vek-supplied' });
    expect(server.log).toEqual([]);
  });

  it('refuses invalid envelopes and policies with its own errors', async () => {
    for (const line of [
      'attest show --report /dev/null',
      'policy check /dev/null',
      'attest verify --report gone',
      'attest explain --actual 00',
    ]) {
      const child = cli.spawn(...line.split(' '));
      const complaint = text(child.stderr);
      const [code] = await once(child, 'close');
      expect(await complaint).toMatch(/^a3s-box: .+ \([a-z-]+\)\n/);
      expect(await complaint).not.toContain('internal');
      expect(code).toBe(2);
    }
  });
});
