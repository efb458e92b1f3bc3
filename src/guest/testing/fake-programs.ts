/**
 * The programs that the fake agent's boxes hold, by the last part of `args[0]`.
 *
 * `true` `false` `echo` `cat` `env` `pwd` `id` `exit N` `sleep SECONDS|infinity` `stubborn`
 * (ignores SIGTERM) `bytes N` (N bytes, byte i is i mod 251) `fail TEXT` (standard error, 1)
 * `close-stdin` `tty` (prints its size, again on each resize, until `q`) `oom`, and `sh -c` with
 * `;`-separated commands of these, each with an optional `>&2`. An agent adds `probe`, which its
 * test controls.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ProcessSpec } from '@a3s-box/policies';
import type { FakeProgram, FakeProgramContext } from './fake-process.ts';
import { FakeRefusal } from './fake-refusal.ts';

const FOREVER = 2_147_483_647;

type Programs = Readonly<Record<string, FakeProgram>>;

function argument(context: FakeProgramContext, index: number): string {
  return context.spec.args[index] ?? '';
}

async function sleep(context: FakeProgramContext): Promise<number> {
  const seconds = argument(context, 1);
  const milliseconds = seconds === 'infinity' ? FOREVER : Number(seconds) * 1000;
  await delay(milliseconds, undefined, { signal: context.killed, ref: false });
  return 0;
}

async function cat(context: FakeProgramContext): Promise<number> {
  for (;;) {
    const data = await context.read();
    if (data === undefined) return 0;
    await context.stdout(data);
  }
}

/** `size` bytes, each its own offset modulo 251. */
function pattern(start: number, size: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, i) => (start + i) % 251));
}

async function bytes(context: FakeProgramContext): Promise<number> {
  const total = Number(argument(context, 1));
  const block = 32 * 1024;
  for (let start = 0; start < total; start += block) {
    const size = Math.min(block, total - start);
    await context.stdout(pattern(start, size));
  }
  return 0;
}

async function tty(context: FakeProgramContext): Promise<number> {
  if (!context.spec.terminal) {
    await context.stderr('not a tty\n');
    return 1;
  }
  const print = ({ rows, columns }: { rows: number; columns: number }): void => {
    void context.stdout(`${rows} ${columns}\r\n`);
  };
  print(context.size());
  context.onResize(print);
  for (;;) {
    const data = await context.read();
    if (data === undefined || data.includes('q')) return 0;
    await context.stdout(data);
  }
}

async function shell(programs: Programs, context: FakeProgramContext): Promise<number> {
  if (argument(context, 1) !== '-c') return await cat(context);
  let code = 0;
  for (const command of argument(context, 2).split(';')) {
    const words = command.trim().split(/\s+/);
    const toStderr = words.at(-1) === '>&2';
    const args = toStderr ? words.slice(0, -1) : words;
    const program = programs[args[0] ?? ''];
    if (program === undefined) {
      await context.stderr(`sh: ${args[0]}: not found\n`);
      code = 127;
      continue;
    }
    const spec = { ...context.spec, args };
    code = await program({ ...context, spec, ...(toStderr ? { stdout: context.stderr } : {}) });
    if (args[0] === 'exit') return code;
  }
  return code;
}

const PROGRAMS: Programs = {
  true: async () => 0,
  false: async () => 1,
  echo: async (context) => {
    await context.stdout(`${context.spec.args.slice(1).join(' ')}\n`);
    return 0;
  },
  env: async (context) => {
    await context.stdout(context.spec.env.map((entry) => `${entry}\n`).join(''));
    return 0;
  },
  pwd: async (context) => {
    await context.stdout(`${context.spec.cwd}\n`);
    return 0;
  },
  id: async (context) => {
    await context.stdout(`${context.spec.user === '' ? 'root' : context.spec.user}\n`);
    return 0;
  },
  fail: async (context) => {
    await context.stderr(`${context.spec.args.slice(1).join(' ')}\n`);
    return 1;
  },
  exit: async (context) => Number(argument(context, 1)) & 0xff,
  sleep,
  stubborn: async (context) => {
    context.onSignal('SIGTERM', () => void context.stdout('ignored SIGTERM\n'));
    await delay(FOREVER, undefined, { signal: context.killed, ref: false });
    return 0;
  },
  cat,
  bytes,
  tty,
  'close-stdin': async (context) => {
    context.closeStdin();
    await delay(FOREVER, undefined, { signal: context.killed, ref: false });
    return 0;
  },
  oom: async (context) => {
    context.outOfMemory();
    return 0;
  },
};

/** The programs above and `more`; the shell knows them all. */
export function fakePrograms(more: Programs = {}): Programs {
  const programs: Record<string, FakeProgram> = { ...PROGRAMS };
  programs['sh'] = (context) => shell(programs, context);
  return Object.assign(programs, more);
}

/** The program of a process, or why it cannot start. */
export function findProgram(
  programs: Programs,
  { args, user, cwd }: ProcessSpec,
  missing: readonly string[],
  users: readonly string[],
): FakeProgram {
  for (const name of user.split(':')) {
    if (/^\d+$/.test(name) || users.includes(name)) continue;
    throw new FakeRefusal('user-not-found', `unable to find user ${name}`);
  }
  if (missing.some((path) => cwd.startsWith(path))) {
    throw new FakeRefusal('cwd-invalid', `${cwd}: no such file or directory`);
  }
  const name = args[0] ?? '';
  if (name.startsWith('/etc')) {
    throw new FakeRefusal('command-not-executable', `exec: "${name}": permission denied`);
  }
  const program = programs[name.slice(name.lastIndexOf('/') + 1)];
  if (program !== undefined) return program;
  const message = `exec: "${name}": executable file not found in $PATH`;
  throw new FakeRefusal('command-not-found', message);
}
