/**
 * The programs that lead ports at IPv6 addresses of the host to boxes without IPv6: one for each
 * box that has such ports. Each outlives the server. The next one knows it by its arguments, and
 * starts those that have ended again.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { KeyedLock } from '../../async/keyed-lock.ts';
import { A3sError } from '../../errors.ts';
import { RELAY_IDENTITY } from '../../jail/identity.ts';
import type { JailProgram } from '../../jail/jail.ts';
import { spawnInJail } from '../../jail/spawn.ts';
import { parseJson } from '../../parse-json.ts';
import { endAll } from '../../processes/end-all.ts';
import { statOf, userOf } from '../../processes/fence.ts';
import { Backoff } from '../host/backoff.ts';
import type { NetworkLog } from '../host/host-networks.ts';
import { Opened, type RelayedPort, relayArgument } from './relayed-port.ts';

/** Its name, which is its first argument; the second one is the place of its box. */
const NAME = 'a3s-port-relay';
const FIRST_ORDINARY_PORT = 1024;
const READY_MS = 60_000;
const END_MS = 10_000;
const HEAP_MIB = 64;
const LIMITS = {
  // Two for each connection, and one for each sender of datagrams.
  openFiles: 8192,
  fileBytes: 0,
  dataBytes: 512 * 1024 * 1024,
  // Threads of the programs of all boxes together, and of an ordinary user's other programs.
  processes: 16_384,
};

type Ports = readonly RelayedPort[];

export class PortRelays {
  readonly #places: string;
  readonly #bundle: string;
  readonly #log: NetworkLog;
  readonly #locks = new KeyedLock();
  readonly #backoff = new Backoff();
  /** By the id of the box. */
  readonly #wanted = new Map<string, Ports>();
  /** The process that was found last for each box. */
  readonly #found = new Map<string, number>();
  /** Boxes whose program could not be started the last time, so that it is in the log once. */
  readonly #broken = new Set<string>();

  /**
   * @param directory tells homes apart; nothing is made in it
   * @param bundle the program
   */
  constructor(directory: string, bundle: string, log: NetworkLog) {
    this.#places = join(directory, 'port-relays');
    this.#bundle = bundle;
    this.#log = log;
  }

  /**
   * Opens these ports for a box, in place of those that it has.
   *
   * @throws A3sError `port-in-use`, `invalid-argument`, `network-failed`
   */
  async publish(box: string, ports: Ports): Promise<void> {
    // Most boxes never have any.
    if (ports.length === 0 && !this.#wanted.has(box)) return;
    await this.#locks.run(box, async () => {
      this.#wanted.delete(box);
      await this.#end(box);
      if (ports.length === 0) return;
      // While its program starts, nobody else takes it for one that has ended.
      await this.#start(box, ports);
      this.#wanted.set(box, ports);
    });
  }

  /**
   * Ends the programs of other boxes, and those that lead elsewhere. What has ended is started by a
   * repair, once it is known which boxes run: until then, the port of the loopback may be another
   * program's.
   */
  async reconcile(wanted: ReadonlyMap<string, Ports>): Promise<void> {
    for (const [box, ports] of wanted) {
      if (ports.length > 0) this.#wanted.set(box, ports);
    }
    const programs = this.#programs();
    for (const box of new Set(programs.map((each) => each.box))) {
      if (this.#isServing(box, () => programs)) continue;
      await this.#mend(box, () => this.#end(box));
    }
  }

  /** Never rejects. */
  async repair(): Promise<void> {
    for (const box of [...this.#wanted.keys()]) {
      if (this.#isServing(box)) {
        this.#broken.delete(box);
        continue;
      }
      if (!this.#backoff.mayTry(box)) continue;
      await this.#mend(box, async () => {
        await this.#locks.run(box, async () => {
          const ports = this.#wanted.get(box);
          if (ports === undefined || this.#isServing(box)) return;
          await this.#end(box);
          await this.#start(box, ports);
        });
      });
    }
  }

  async #mend(box: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#broken.delete(box);
    } catch (error) {
      const message = 'ports of a box at IPv6 addresses are not in order';
      if (!this.#broken.has(box)) this.#log.error(message, error, { box });
      this.#broken.add(box);
    }
  }

  /** Whether a program leads the ports that the box should have, and no others. */
  #isServing(box: string, programs = () => this.#programs()): boolean {
    const ports = this.#wanted.get(box);
    if (ports === undefined) return false;
    const known = this.#found.get(box);
    const isRight = (found: Program | undefined): boolean =>
      found?.box === box && found.ports.join(' ') === ports.map(relayArgument).join(' ');
    if (known !== undefined && isRight(this.#program(known))) return true;
    const found = programs().find(isRight);
    if (found === undefined) this.#found.delete(box);
    else this.#found.set(box, found.pid);
    return found !== undefined;
  }

  async #start(box: string, ports: Ports): Promise<void> {
    await using bundle = await openBundle(this.#bundle);
    const node = process.execPath;
    const program: JailProgram = {
      path: node,
      args: [
        ...[`--max-old-space-size=${HEAP_MIB}`, '--optimize-for-size', '-'],
        ...[NAME, this.#place(box), ...ports.map(relayArgument)],
      ],
      identity: RELAY_IDENTITY,
      // The program comes on its standard input: its directory may be where no other user comes.
      stdio: [bundle.fd, 'pipe', 'ignore'],
      writable: [],
      readable: node.startsWith('/usr/') ? [] : [node],
      network: true,
      lowPorts: isRoot() && ports.some(({ hostPort }) => hostPort < FIRST_ORDINARY_PORT),
      outlives: true,
      filter: { memoryFiles: false },
      limits: LIMITS,
    };
    try {
      await opened(await spawnInJail(program));
    } catch (error) {
      await this.#end(box);
      throw error;
    }
  }

  /** Ends all processes of the box's program, its jail's among them. */
  async #end(box: string): Promise<void> {
    const last = statOf(this.#found.get(box) ?? 0);
    this.#found.delete(box);
    // Others may have killed it just now.
    const ending = last?.ending === true ? [last] : [];
    const find = (): number[] =>
      this.#programs().flatMap((each) => (each.box === box ? [each.pid] : []));
    await endAll(find, ending, AbortSignal.timeout(END_MS));
  }

  #place(box: string): string {
    return join(this.#places, box);
  }

  #programs(): Program[] {
    return readdirSync('/proc').flatMap((name) => this.#program(Number(name)) ?? []);
  }

  #program(pid: number): Program | undefined {
    if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return undefined;
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const at = args.indexOf(NAME);
      const place = at < 0 ? undefined : args[at + 1];
      if (place === undefined || !place.startsWith(`${this.#places}/`)) return undefined;
      // Anybody's program may have such arguments.
      if (!isOurs(userOf(pid))) return undefined;
      const box = place.slice(this.#places.length + 1);
      return { pid, box, ports: args.slice(at + 2, -1) };
    } catch {
      return undefined;
    }
  }
}

/** A process that is such a program, or its jail. */
interface Program {
  readonly pid: number;
  readonly box: string;
  /** As in its arguments. */
  readonly ports: readonly string[];
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** Whether a process of this user can be such a program: root's begin as root's. */
function isOurs(uid: number | undefined): boolean {
  if (uid === undefined) return false;
  return uid === process.geteuid?.() || (isRoot() && uid === RELAY_IDENTITY.uid);
}

async function openBundle(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw failed(why, 'Install A3S Box again: a file of it is missing or cannot be read.', cause);
  }
}

/** Resolves once all its ports are open. */
async function opened(child: Awaited<ReturnType<typeof spawnInJail>>): Promise<void> {
  const output = child.stdout as Readable;
  // The program may outlive its jail, which is this child, and keep the output open.
  const timer = setTimeout(() => output.destroy(), READY_MS);
  try {
    let first: string | undefined;
    for await (const line of createInterface({ input: output })) {
      first = line;
      break;
    }
    const answer = Opened.safeParse(parseJson(first ?? ''));
    if (!answer.success) {
      throw failed('its program did not start', 'See a3s-box info for what this host lacks.');
    }
    if (!answer.data.open) throw portError(answer.data);
  } finally {
    clearTimeout(timer);
    // It outlives this process, and says nothing more.
    output.destroy();
    child.unref();
  }
}

function portError({ code, port }: Extract<Opened, { open: false }>): A3sError {
  const where = `[${port.hostIp}]:${port.hostPort}`;
  switch (code) {
    case 'EADDRINUSE':
      return new A3sError('port-in-use', `Cannot publish ${where}: the port is already in use`, {
        remedy: 'Stop what listens there, or publish another port.',
      });
    case 'EACCES':
      return new A3sError('invalid-argument', `Cannot publish ${where}: the port needs root`, {
        remedy: 'Publish a port from 1024 up.',
      });
    default:
      return failed(`${where}: ${code}`, 'Choose an IPv6 address that the host has.');
  }
}

function failed(why: string, remedy: string, cause?: unknown): A3sError {
  return new A3sError('network-failed', `Cannot publish ports at IPv6 addresses: ${why}`, {
    remedy,
    cause,
  });
}
