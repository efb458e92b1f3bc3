import { type IPty, spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** A person at a terminal: types, and reads what is on it. */
class Person {
  screen = '';
  exitCode: number | undefined;
  readonly #pty: IPty;

  constructor(actor: Actor, args: readonly string[]) {
    const [program, ...rest] = actor.command(args);
    this.#pty = spawn(program, rest, {
      cols: 90,
      rows: 33,
      cwd: actor.directory,
      env: { ...actor.env, TERM: 'xterm' },
    });
    this.#pty.onData((text) => {
      this.screen += text;
    });
    this.#pty.onExit(({ exitCode }) => {
      this.exitCode = exitCode;
    });
  }

  type(text: string): void {
    this.#pty.write(text);
  }

  resize(columns: number, rows: number): void {
    this.#pty.resize(columns, rows);
  }

  async sees(text: string): Promise<void> {
    await until(
      `«${text}» on the screen: ${JSON.stringify(this.screen)}`,
      () => this.screen.includes(text),
      60_000,
    );
  }

  async ends(): Promise<number> {
    await until(
      `the program ends: ${JSON.stringify(this.screen)}`,
      () => this.exitCode !== undefined,
      60_000,
    );
    return this.exitCode ?? -1;
  }
}

describe.each(ANY_ACTOR)('a terminal of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  it('run -it gives a terminal with size, resize, line discipline, interrupt and exit code', async () => {
    const person = new Person(actor, ['run', '--rm', '-it', '--network', 'none', BUSYBOX, 'sh']);
    person.type('test -t 0 && test -t 1 && echo is-a-"tty"\r');
    await person.sees('is-a-tty');
    person.type('stty size\r');
    await person.sees('33 90');
    person.resize(121, 41);
    person.type('until [ "$(stty size)" = "41 121" ]; do :; done; echo re"sized"\r');
    await person.sees('resized');
    person.type('sh -c "echo sle\'\'eping; exec sleep 1000"\r');
    await person.sees('sleeping');
    person.type('\x03');
    await person.sees('^C');
    person.type('echo status-$?\r');
    await person.sees('status-130');
    person.type('exit 5\r');
    expect(await person.ends()).toBe(5);
  });

  it('detaches from a terminal by the detach keys, and attaches again', async () => {
    const person = new Person(actor, [
      'run',
      '-it',
      '--name',
      'kept',
      '--network',
      'none',
      BUSYBOX,
      'sh',
    ]);
    person.type('A=still-"here"\r');
    await person.sees('#');
    person.type('\x10\x11');
    expect(await person.ends()).toBe(0);
    expect(await actor.ok(['inspect', '--format', '{{.State.Status}}', 'kept'])).toBe('running');

    const again = new Person(actor, ['attach', 'kept']);
    again.type('echo $A\r');
    await again.sees('still-here');
    again.type('exit\r');
    expect(await again.ends()).toBe(0);
    await actor.ok(['rm', 'kept']);
  });

  it('exec -it opens a terminal', async () => {
    await actor.ok(['run', '-d', '--name', 'host', '--network', 'none', BUSYBOX, 'sleep', '1000']);
    const person = new Person(actor, ['exec', '-it', 'host', 'sh']);
    person.type('stty size; tty; echo $TERM\r');
    await person.sees('33 90');
    await person.sees('/dev/pts/');
    await person.sees('xterm');
    person.type('exit 4\r');
    expect(await person.ends()).toBe(4);
    await actor.ok(['rm', '-f', 'host']);
  });
});
