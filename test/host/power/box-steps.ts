/**
 * Commands with boxes that run, and what each promises.
 *
 * @module
 */
import { BUSYBOX } from '../../e2e/installation.ts';
import { until } from '../../e2e/processes.ts';
import type { HostState, KnownBox } from './host-state.ts';
import { endlessOutput, outputOf, printLines, WRITER } from './output-lines.ts';

const KEPT = 'kept';
const WRITES_ON = 'writer';
/** It is gone when its command ends. */
const BRIEF = 'brief';

export function boxSteps(state: HostState): readonly (() => Promise<string>)[] {
  const steps = new BoxSteps(state);
  return [
    () => steps.run(),
    () => steps.runDetached(),
    () => steps.showOutput(),
    () => steps.showOutput(),
    () => steps.keepFile(),
    () => steps.kill(),
    () => steps.commit(),
    () => steps.snapshotMemory(),
    () => steps.snapshotDisk(),
    () => steps.restore(),
    () => steps.writeToVolume(),
    () => steps.removeIdle(),
  ];
}

class BoxSteps {
  readonly #state: HostState;

  constructor(state: HostState) {
    this.#state = state;
  }

  /** What it writes is promised once its end is known, and so is its exit code. */
  async run(): Promise<string> {
    const name = await this.#name();
    const number = this.#state.number();
    const [box, output, exit] = this.#beginRun(name, outputOf(number));
    const args = ['run', '--name', name, '--network', 'none', ...this.#logOptions(), BUSYBOX];
    const ran = await this.#state.place.run([...args, 'sh', '-c', printLines(number)]);
    if (ran.code !== 7) throw new Error(`run: ${ran.code}\n${ran.stdout}${ran.stderr}`);
    const at = this.#state.position;
    for (const done of [output, exit]) done(at);
    const id = await this.#state.ok(['inspect', '--format', '{{.Id}}', name]);
    box(at, `${id} no`);
    this.#add({ name, id, runs: false });
    return 'run';
  }

  /** The same, by what `wait` reports. */
  async runDetached(): Promise<string> {
    const name = await this.#name();
    const number = this.#state.number();
    const [box, output, exit] = this.#beginRun(name, outputOf(number));
    const id = await this.#start(name, ['sh', '-c', printLines(number)], this.#logOptions());
    box(this.#state.position, `${id} no`);
    const code = await this.#state.ok(['wait', name]);
    if (code !== '7') throw new Error(`wait: ${code}`);
    for (const done of [output, exit]) done(this.#state.position);
    this.#add({ name, id, runs: false });
    return 'wait';
  }

  #beginRun(name: string, output: string) {
    return [
      this.#state.begin(`box ${name}`, 'any'),
      this.#state.begin(`output ${name}`, output),
      this.#state.begin(`exit ${name}`, '7'),
    ] as const;
  }

  /** What `logs` shows of a box that writes all the time is promised. */
  async showOutput(): Promise<string> {
    const writer = this.#state.boxes.get(WRITES_ON) ?? (await this.#startWriter());
    const before = (await this.#logs(writer)).length;
    const done = this.#state.begin(`shown ${writer.name}`, 'any');
    let stdout = '';
    await until('the box has gone on writing', async () => {
      stdout = await this.#logs(writer);
      return stdout.length > before;
    });
    if (!endlessOutput(stdout.length).startsWith(stdout)) {
      throw new Error(`logs shows what was not written:\n${stdout.slice(-2000)}`);
    }
    done(this.#state.position, stdout);
    return 'logs';
  }

  async #logs({ name }: KnownBox): Promise<string> {
    const { code, stdout, stderr } = await this.#state.place.run(['logs', name]);
    if (code !== 0) throw new Error(`logs: ${stderr}`);
    return stdout;
  }

  async #startWriter(): Promise<KnownBox> {
    const box = this.#state.begin(`box ${WRITES_ON}`, 'any');
    const id = await this.#start(WRITES_ON, ['sh', '-c', WRITER], ['--log-driver', 'local']);
    box(this.#state.position, `${id} no`);
    return this.#add({ name: WRITES_ON, id, runs: true });
  }

  /** What a box has written and synced is promised. */
  async keepFile(): Promise<string> {
    const running = this.#running();
    const box = running ?? (await this.#startSleeper());
    const text = `kept ${this.#state.number()}`;
    const file = this.#state.begin(`file ${box.name}`, text);
    await this.#state.ok(['exec', box.name, 'sh', '-c', `echo ${text} > /${KEPT} && sync`]);
    file(this.#state.position);
    return 'exec';
  }

  async #startSleeper(): Promise<KnownBox> {
    const name = await this.#name();
    const box = this.#state.begin(`box ${name}`, 'any');
    const id = await this.#start(name, ['sleep', '100000']);
    box(this.#state.position, `${id} no`);
    return this.#add({ name, id, runs: true });
  }

  async kill(): Promise<string> {
    const box = this.#running();
    if (box === undefined) return await this.keepFile();
    const exit = this.#state.begin(`exit ${box.name}`, '137');
    await this.#state.ok(['kill', box.name]);
    await this.#state.ok(['wait', box.name]);
    exit(this.#state.position);
    this.#add({ ...box, runs: false });
    return 'kill';
  }

  async commit(): Promise<string> {
    const box = this.#withFile() ?? this.#state.anyBox() ?? (await this.#startSleeper());
    const name = `test/committed-${this.#state.random.below(3)}:1`;
    const done = this.#state.begin(`image ${name}`, 'any');
    const id = await this.#state.ok(['commit', box.name, name]);
    done(this.#state.position, id);
    this.#state.images.set(name, id);
    return 'commit';
  }

  /** Its memory goes with the host's; that there was one is promised. */
  async snapshotMemory(): Promise<string> {
    const box = this.#running() ?? (await this.#startSleeper());
    return await this.#replaceSnapshot('memory', 'gone', ['--memory', box.name]);
  }

  /** It has what the box has written. */
  async snapshotDisk(): Promise<string> {
    const box = this.#withFile();
    if (box === undefined) return await this.keepFile();
    const file = this.#state.ledger.promised(`file ${box.name}`);
    return await this.#replaceSnapshot(snapshotOf(box), 'ready', [box.name], file);
  }

  async #replaceSnapshot(
    name: string,
    state: string,
    args: readonly string[],
    file?: string,
  ): Promise<string> {
    if (this.#state.ledger.promised(`snapshot ${name}`) !== undefined) {
      const gone = this.#state.begin(`snapshot-file ${name}`, undefined);
      await this.#state.promise(`snapshot ${name}`, undefined, ['snapshot', 'rm', name]);
      gone(this.#state.position);
    }
    const content = this.#state.begin(`snapshot-file ${name}`, file);
    const create = ['snapshot', 'create', '--name', name, ...args];
    await this.#state.promise(`snapshot ${name}`, state, create);
    content(this.#state.position);
    return 'snapshot create';
  }

  /** A stopped box has the snapshot's files from then on. */
  async restore(): Promise<string> {
    const { ledger } = this.#state;
    const box = this.#state
      .idleBoxes()
      .find((each) => ledger.promised(`snapshot ${snapshotOf(each)}`) !== undefined);
    if (box === undefined) return await this.snapshotDisk();
    const file = ledger.promised(`snapshot-file ${snapshotOf(box)}`);
    await this.#state.promise(`file ${box.name}`, file, ['snapshot', 'restore', snapshotOf(box)]);
    return 'snapshot restore';
  }

  /** What was synced is promised, on a directory of the host's and on a disk. */
  async writeToVolume(): Promise<string> {
    const { volumes, random } = this.#state;
    const [name, kind] = random.pick([
      ...volumes,
      ['shared', 'directory'] as const,
      ['database', 'disk'] as const,
    ]);
    if (!volumes.has(name)) {
      const options = kind === 'disk' ? ['--opt', 'type=disk', '--opt', 'size=32m'] : [];
      await this.#state.promise(`volume ${name}`, kind, ['volume', 'create', ...options, name]);
      volumes.set(name, kind);
    }
    const text = `written ${this.#state.number()}`;
    const script = `echo ${text} > /data/new && sync && mv /data/new /data/${KEPT} && sync`;
    const box = this.#state.begin(`box ${BRIEF}`, 'any');
    await this.#state.promise(`volume-file ${name}`, text, [
      ...['run', '--rm', '--name', BRIEF, '--network', 'none', '--volume', `${name}:/data`],
      ...[BUSYBOX, 'sh', '-c', script],
    ]);
    box(this.#state.position, undefined);
    return 'volume';
  }

  async removeIdle(): Promise<string> {
    const [box] = this.#state.idleBoxes();
    if (box === undefined) return await this.run();
    return await this.#state.remove([box], ['rm', box.name]);
  }

  async #start(
    name: string,
    command: readonly string[],
    options: readonly string[] = [],
  ): Promise<string> {
    const args = ['run', '-d', '--name', name, '--network', 'none', ...options, BUSYBOX];
    return await this.#state.ok([...args, ...command]);
  }

  /** Files of a log are begun, removed and compressed as well. */
  #logOptions(): readonly string[] {
    const small = ['--log-opt', 'max-size=8k', '--log-opt', 'max-file=9'];
    return this.#state.random.pick([[], small, [...small, '--log-opt', 'compress=true']]);
  }

  /** One that is free; a box is removed where none is. */
  async #name(): Promise<string> {
    const free = this.#state.freeName();
    if (free !== undefined) return free;
    const box = this.#state.random.pick(
      [...this.#state.boxes.values()].filter(({ name }) => name !== WRITES_ON),
    );
    await this.#state.remove([box], ['rm', '--force', box.name]);
    return box.name;
  }

  #running(): KnownBox | undefined {
    const boxes = this.#state.runningBoxes().filter(({ name }) => name !== WRITES_ON);
    return boxes.length === 0 ? undefined : this.#state.random.pick(boxes);
  }

  /** A box with a file that was promised. */
  #withFile(): KnownBox | undefined {
    const { boxes, ledger, random } = this.#state;
    const found = [...boxes.values()].filter(
      ({ name }) => ledger.promised(`file ${name}`) !== undefined,
    );
    return found.length === 0 ? undefined : random.pick(found);
  }

  #add(box: Omit<KnownBox, 'restart'>): KnownBox {
    const added = { restart: 'no', ...box };
    this.#state.boxes.set(box.name, added);
    return added;
  }
}

function snapshotOf({ id }: KnownBox): string {
  return `disk-of-${id.slice(0, 12)}`;
}
