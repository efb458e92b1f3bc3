import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandChannel } from './channel.ts';
import { agentProgram } from './initrd.ts';

const SIGTERM = 15;

/** The agent of the host beside this process, with a socket in place of the port. */
describe('the command channel of an emulated host', () => {
  let directory: string;
  let server: Server;
  let agent: ChildProcess;
  let channel: CommandChannel;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'a3s-channel-'));
    const program = join(directory, 'agent');
    writeFileSync(program, agentProgram(), { mode: 0o755 });
    const path = join(directory, 'socket');
    server = createServer().listen(path);
    await once(server, 'listening');
    const connected = once(server, 'connection') as Promise<[Socket]>;
    // Its standard input is to be a socket, which Node does not hand on from one of its own.
    agent = spawn('python3', ['-c', CONNECT, path, program], { stdio: 'inherit' });
    channel = new CommandChannel((await connected)[0]);
  });
  afterAll(() => {
    channel.close();
    agent.kill('SIGKILL');
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('the command channel carries any bytes in both directions, more than its buffers hold', async () => {
    const bytes = Buffer.alloc(9_000_000, 'a\0\xff\n', 'latin1');
    const { code, stdout } = await channel.run(['cat'], { stdin: bytes });
    expect(code).toBe(0);
    expect(stdout.equals(bytes)).toBe(true);
  });

  it('the command channel separates stdout, stderr, exit status and signal', async () => {
    const said = await channel.run(['sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect([said.code, `${said.stdout}`, `${said.stderr}`]).toEqual([3, 'out\n', 'err\n']);
    expect((await channel.run(['sh', '-c', 'kill -9 $$'])).code).toBe('signal 9');
  });

  it('the command channel runs a command in its directory with its environment', async () => {
    const options = { cwd: '/usr', env: { PATH: '/usr/bin:/bin', WORD: "it's\n2" } };
    const { stdout } = await channel.run(
      ['sh', '-c', 'pwd; echo "$WORD"; echo "[$HOME]"'],
      options,
    );
    expect(`${stdout}`).toBe("/usr\nit's\n2\n[]\n");
  });

  it('the command channel reports a program that cannot be run', async () => {
    const { code, stderr } = await channel.run(['/no/such/program']);
    expect([code, `${stderr}`]).toEqual([127, expect.stringContaining('No such file')]);
  });

  it('the command channel runs several commands, and ends one by a signal to its group', async () => {
    const long = channel.start(['sh', '-c', 'sleep 1000 & wait']);
    expect((await channel.run(['echo', 'meanwhile'])).code).toBe(0);
    long.kill(SIGTERM);
    expect((await long.result).code).toBe('signal 15');
  });

  it('the command channel does not wait for unread input', async () => {
    const { code } = await channel.run(['true'], { stdin: Buffer.alloc(1_000_000) });
    expect(code).toBe(0);
  });

  it('the command channel rejects at the deadline, and leaves nothing running', async () => {
    const late = channel.run(['sh', '-c', 'echo $$; exec sleep 1000'], { deadlineMs: 500 });
    await expect(late).rejects.toThrow('no end within 500 ms: sh -c echo $$; exec sleep 1000');
    const pgrep = ['pgrep', '--full', '--parent', String(agent.pid), 'sleep 1000'];
    await expect.poll(async () => `${(await channel.run(pgrep)).stdout}`).toBe('');
  });

  it('the command channel rejects running commands when the host goes away', async () => {
    // It ends with the agent, once it says so.
    const words = ['setpriv', '--pdeathsig', 'KILL', 'sh', '-c', 'echo in; exec sleep 1000'];
    let begun = (): void => undefined;
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const cut = channel.start(words, { onOutput: () => begun() }).result;
    await running;
    agent.kill('SIGKILL');
    await expect(cut).rejects.toThrow('the emulated host is gone');
    await expect(channel.run(['true'])).rejects.toThrow('the emulated host is gone');
  });
});

const CONNECT = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); os.dup2(s.fileno(), 0)
os.execv(sys.argv[2], [sys.argv[2], '-'])
`;
