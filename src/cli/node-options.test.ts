import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { refuseOptionsOfNode } from './node-options.ts';
import { BuiltCli } from './testing/built-cli.ts';
import { FakeServer } from './testing/fake-server.ts';

const REFUSED = expect.objectContaining({ code: 'invalid-argument', status: 125 });

describe('refuseOptionsOfNode', () => {
  const started = (...commandLine: string[]) => ({ commandLine, ancestors: [] });

  it.each([
    [['run', '--env-file', 'f', 'image']],
    [['run', '--env-file=f', 'image']],
    [['run', 'image', 'program', '--env-file', 'f']],
    [['run', 'image', 'program', '--env-file-if-exists', 'f']],
  ])('refuses %j after a script that node runs', (args) => {
    expect(() => refuseOptionsOfNode(args, started('node', 'cli.cjs', ...args))).toThrow(REFUSED);
    expect(() => refuseOptionsOfNode(args, started())).toThrow(REFUSED);
    expect(() =>
      refuseOptionsOfNode(args, started('node', '--', 'cli.cjs', ...args)),
    ).not.toThrow();
  });

  it('accepts --env-file after a double dash, where Node.js does not look', () => {
    const args = ['run', 'image', '--', 'program', '--env-file', 'f'];
    expect(() => refuseOptionsOfNode(args, started('node', 'cli.cjs', ...args))).not.toThrow();
  });

  it('refuses --env-file below npx, however npx starts the program', () => {
    const args = ['run', '--env-file', 'f', 'image'];
    const commandLine = ['node', '--', 'cli.cjs', ...args];
    for (const ancestors of [[['npm exec a3s-box run']], [['sh', '-c'], ['npm exec a3s-box']]]) {
      expect(() => refuseOptionsOfNode(args, { commandLine, ancestors })).toThrow(REFUSED);
    }
    for (const ancestors of [
      [['bash'], ['npm run test']],
      [['sh', '-c'], ['npm exec']],
    ]) {
      expect(() => refuseOptionsOfNode(args, { commandLine, ancestors })).not.toThrow();
    }
  });
});

describe('an --env-file with NODE_OPTIONS in it', () => {
  const cli = new BuiltCli();
  const server = new FakeServer();
  const file = join(cli.directory, 'env');
  const link = join(cli.directory, 'a3s-box');

  beforeAll(async () => {
    await server.listen(cli.config.socket);
    const hostile = join(cli.directory, 'hostile.cjs');
    writeFileSync(hostile, 'require("node:fs").writeSync(1, "code of the file ran\\n");');
    writeFileSync(file, `NODE_OPTIONS=--require=${hostile}\nOTHER=1\n`);
    // One link as in a checkout, and one as in an installation.
    mkdirSync(join(cli.directory, 'node_modules/.bin'), { recursive: true });
    symlinkSync(cli.bundle, join(cli.directory, 'node_modules/.bin/a3s-box'));
    symlinkSync(cli.bundle, link);
    writeFileSync(join(cli.directory, 'package.json'), '{"name":"a-checkout","private":true}');
  });
  afterEach(() => {
    server.calls.length = 0;
  });
  afterAll(async () => {
    await server.close();
    cli.remove();
  });

  async function run(program: string, ...args: string[]) {
    const child = spawn(program, args, {
      cwd: cli.directory,
      env: { ...cli.env, HOME: cli.directory, npm_config_update_notifier: 'false' },
      timeout: 60_000,
    });
    const output = Promise.all([text(child.stdout), text(child.stderr)]);
    const [status] = await once(child, 'close');
    const [stdout, stderr] = await output;
    return { status, stdout, stderr };
  }
  const environmentOfBox = (): unknown =>
    JSON.parse(server.called('POST /containers/create')?.body ?? '{}').Env;

  const forms: readonly (readonly [string, string, string[]])[] = [
    ['the program itself', cli.bundle, []],
    ['a link to it', link, []],
    ['node with a double dash', process.execPath, ['--', cli.bundle]],
  ];

  it.each(forms)(
    'reads an --env-file for the box alone when started by %s',
    async (_, program, before) => {
      const args = [...before, 'run', '--env-file', file, 'box', 'both'];
      expect(await run(program, ...args)).toMatchObject({ status: 0, stdout: 'to stdout\n' });
      expect(environmentOfBox()).toEqual([
        `NODE_OPTIONS=--require=${join(cli.directory, 'hostile.cjs')}`,
        'OTHER=1',
      ]);
    },
  );

  it.each(forms)(
    'passes --env-file on as an argument of the workload when started by %s',
    async (_, program, before) => {
      const args = [...before, 'run', 'box', 'both', '--env-file', '/nonexistent'];
      expect(await run(program, ...args)).toMatchObject({ status: 0, stdout: 'to stdout\n' });
      const { Cmd } = JSON.parse(server.called('POST /containers/create')?.body ?? '{}');
      expect(Cmd).toEqual(['both', '--env-file', '/nonexistent']);
    },
  );

  it.each(forms)(
    'reports a missing --env-file itself, not by Node.js, when started by %s',
    async (_, program, before) => {
      const ended = await run(program, ...before, 'run', '--env-file', '/nonexistent', 'box');
      expect(ended).toMatchObject({ status: 125, stdout: '' });
      expect(ended.stderr).toMatch(/^a3s-box: open \/nonexistent: no such file or directory \(/);
    },
  );

  it('reads an --env-file for the box alone in a command that npx gives to a shell', async () => {
    const command = `a3s-box run --env-file ${file} box both`;
    const ended = await run('npx', '--offline', '-c', command);
    expect(ended).toMatchObject({ status: 0, stdout: 'to stdout\n' });
    expect(environmentOfBox()).toContain('OTHER=1');
  });

  it.each([
    ['node', process.execPath, [cli.bundle]],
    ['npx', 'npx', ['--offline', 'a3s-box']],
  ])(
    'refuses --env-file through %s, which lets Node.js read it',
    async (reader, program, before) => {
      const harmless = join(cli.directory, 'harmless');
      writeFileSync(harmless, 'OTHER=1\n');
      const ended = await run(program, ...before, 'run', '--env-file', harmless, 'box', 'both');
      expect(ended).toMatchObject({ status: 125, stdout: '' });
      expect(ended.stderr).toContain(
        `cannot use --env-file through ${reader}: Node reads that file itself (invalid-argument)\n`,
      );
      expect(server.log).toEqual([]);
    },
  );

  it('passes neither --env-file nor NODE_OPTIONS on to the server that serve becomes', async () => {
    const tell =
      'console.log(JSON.stringify([process.env.NODE_OPTIONS ?? null, process.argv.slice(2)]))';
    writeFileSync(join(cli.directory, 'server.cjs'), tell);
    symlinkSync(
      join(import.meta.dirname, '../../node_modules/koffi'),
      join(cli.directory, 'node_modules/koffi'),
    );
    cli.env['NODE_OPTIONS'] = '--no-warnings';
    expect(await run(cli.bundle, 'serve', '--restore')).toEqual({
      status: 0,
      stdout: '[null,["--foreground","--restore"]]\n',
      stderr: '',
    });
    delete cli.env['NODE_OPTIONS'];
  });

  it('makes the server of serve offer the streams of CRI where its flags say', async () => {
    writeFileSync(join(cli.directory, 'server.cjs'), 'console.log(JSON.stringify(process.argv))');
    const streams = ['--cri-stream-address', '[::1]:0', '--cri-stream-cert', '/tls.crt'];
    expect((await run(cli.bundle, 'serve', '--cri', '/c.sock', ...streams)).stdout).toContain(
      '"--foreground","--cri","/c.sock","--cri-stream-address=[::1]:0","--cri-stream-cert","/tls.crt"]',
    );
    const alone = await run(cli.bundle, 'serve', ...streams);
    expect(alone.stderr).toContain('--cri-stream-address, -cert and -key go with --cri');
  });

  it('requires all features of a jail of the server that serve --jail require becomes, and takes no other word', async () => {
    writeFileSync(join(cli.directory, 'server.cjs'), 'console.log(process.env.A3S_JAIL)');
    expect(await run(cli.bundle, 'serve', '--jail', 'require')).toMatchObject({
      status: 0,
      stdout: 'require\n',
    });
    const other = await run(cli.bundle, 'serve', '--jail', 'strong');
    expect(other).toMatchObject({ status: 125, stdout: '' });
    expect(other.stderr).toContain('--jail takes require');
  });

  it('no documentation recommends npx', () => {
    const root = join(import.meta.dirname, '../..');
    const docs = readdirSync(join(root, 'docs'), { encoding: 'utf8', recursive: true })
      .filter((file) => file.endsWith('.md'))
      .map((file) => `docs/${file}`);
    const said = ['README.md', 'scripts/quickstart.ts', ...docs].flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .filter((line) => /npx a3s-box/.test(line) && !line.includes('--env-file'))
        .map((line) => `${file}: ${line}`),
    );
    expect(said).toEqual([]);
  });

  it('a checkout has a program to run', async () => {
    const checkout = join(import.meta.dirname, '../../a3s-box');
    expect(await run(checkout, '--env-file', '/nonexistent')).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^a3s-box: unknown flag: --env-file/),
    });
  });
});
