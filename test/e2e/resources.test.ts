// What a box is held to, each limit by a workload that runs into it: in its guest, and on the host.
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor, type Result } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const MIB = 2 ** 20;
const FOREVER = ['sh', '-c', 'trap exit TERM; while :; do sleep 0.1; done'];
/** What starts no process, and so goes on where the box may have no more. */
const STILL = ['tail', '-f', '/dev/null'];
const BUSY = ['sh', '-c', 'while :; do :; done'];
const TWICE_BUSY = ['sh', '-c', 'while :; do :; done & while :; do :; done'];
/** Processors of this host that a VMM can be sent to. */
const PROCESSORS = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
const ONE = PROCESSORS?.[1] ?? '0';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** The API of an actor's server. */
class Api {
  readonly actor: Actor;
  #count = 0;

  constructor(actor: Actor) {
    this.actor = actor;
  }

  call(method: string, path: string, body?: unknown): Promise<Answer> {
    const { socket: socketPath } = this.actor;
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const options = { socketPath, method, path: `/v1.45${path}`, headers, agent: false };
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode ?? 0,
            body: text.startsWith('{') ? JSON.parse(text) : text,
          });
        });
      });
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** A box that runs; its name. */
  async start(command: readonly string[], host: Record<string, unknown>): Promise<string> {
    const name = `box-${this.#count++}`;
    const asked = { Image: BUSYBOX, Cmd: command, HostConfig: { NetworkMode: 'none', ...host } };
    const created = await this.call('POST', `/containers/create?name=${name}`, asked);
    expect(created).toMatchObject({ status: 201 });
    expect(await this.call('POST', `/containers/${name}/start`)).toMatchObject({ status: 204 });
    return name;
  }

  /** Runs it to its end. */
  async finish(command: readonly string[], host: Record<string, unknown>) {
    const name = await this.start(command, host);
    await this.call('POST', `/containers/${name}/wait`);
    const logs = await this.actor.run(['logs', name]);
    const { body } = await this.call('GET', `/containers/${name}/json`);
    return { name, state: (body as { State: object }).State, logs };
  }

  async update(name: string, body: Record<string, unknown>): Promise<void> {
    expect(await this.call('POST', `/containers/${name}/update`, body)).toEqual({
      ...{ status: 200, body: { Warnings: [] } },
    });
  }

  exec(name: string, script: string): Promise<Result> {
    return this.actor.run(['exec', name, 'sh', '-c', script]);
  }

  async remove(name: string): Promise<void> {
    await this.call('DELETE', `/containers/${name}?force=1`);
  }

  async id(name: string): Promise<string> {
    return ((await this.call('GET', `/containers/${name}/json`)).body as { Id: string }).Id;
  }

  async vmm(name: string): Promise<number> {
    const { body } = await this.call('GET', `/containers/${name}/json`);
    return (body as { State: { Pid: number } }).State.Pid;
  }

  async stats(name: string, query: string): Promise<StatsDocument> {
    return (await this.call('GET', `/containers/${name}/stats?${query}`)).body as StatsDocument;
  }
}

interface CpuStats {
  readonly cpu_usage: { readonly total_usage: number };
  readonly throttling_data: { readonly throttled_periods: number };
}

interface StatsDocument {
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
}

/** Processors and nice value of each thread, and the nice value of the session. */
function held(pid: number): readonly string[] {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const at = `/proc/${pid}/task/${thread}`;
    const status = readFileSync(`${at}/status`, 'utf8');
    const stat = readFileSync(`${at}/stat`, 'utf8');
    const nice = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16];
    return `on ${/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1]}, nice ${nice}`;
  });
  const group = readFileSync(`/proc/${pid}/autogroup`, 'utf8');
  return [...new Set(threads), `group ${/nice (-?\d+)/.exec(group)?.[1]}`];
}

interface Thread {
  /** Of a processor's time that it has had, a hundredth of a second each. */
  readonly ticks: number;
  /** That it ran on last. */
  readonly processor: string | undefined;
}

/** By id; none that ends meanwhile. */
function threads(pid: number): ReadonlyMap<string, Thread> {
  const found = new Map<string, Thread>();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8');
    } catch {
      continue;
    }
    // From the third field, the state, on.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    found.set(id, { ticks, processor: fields[36] });
  }
  return found;
}

function ticksOf(pid: number): number {
  return [...threads(pid).values()].reduce((sum, { ticks }) => sum + ticks, 0);
}

const root = (path: string, rate: number) => ({ [path]: [{ Path: '/dev/root', Rate: rate }] });

describe.each(ACTORS)('a box of %s', (who) => {
  let actor: Actor;
  let api: Api;
  beforeAll(async () => {
    actor = new Actor(who, installation);
    api = new Api(actor);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  it('applies CPU set and shares to the VMM, before and after an update', async () => {
    const name = await api.start(FOREVER, { CpusetCpus: ONE, CpuShares: 512 });
    expect(held(await api.vmm(name))).toEqual([`on ${ONE}, nice 3`, 'group 3']);
    // A template may be in the making beside it.
    const own = (await api.id(name)).slice(0, 12);
    const vm = actor.boxProcesses().filter(({ commandLine }) => commandLine.includes(own));
    expect(vm.length).toBeGreaterThan(0);
    for (const { pid } of vm) expect(held(pid)).toContain(`on ${ONE}, nice 3`);
    await api.update(name, { CpuShares: 256 });
    expect(held(await api.vmm(name))).toEqual([`on ${ONE}, nice 6`, 'group 6']);
    // A server that is killed leaves it so, and the next one can change it.
    const pid = await api.vmm(name);
    await actor.killServer();
    expect(await actor.ok(['ps', '--format', '{{.Names}}'])).toBe(name);
    expect(held(pid)).toEqual([`on ${ONE}, nice 6`, 'group 6']);
    await api.update(name, { CpuShares: 128 });
    expect(held(pid)).toEqual([`on ${ONE}, nice 9`, 'group 9']);
    await api.remove(name);
  });
});

describe('a box', () => {
  let actor: Actor;
  let api: Api;
  beforeAll(async () => {
    const [who = 'ordinary user'] = ACTORS;
    actor = new Actor(who, installation);
    api = new Api(actor);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  it('reports a box killed for lack of memory like Docker', async () => {
    const since = Math.floor(Date.now() / 1000) - 1;
    const eater = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=100M', 'count=1'];
    const limits = { Memory: 64 * MIB, MemorySwap: 64 * MIB };
    const { name, state } = await api.finish(eater, limits);
    expect(state).toMatchObject({ Status: 'exited', ExitCode: 137, OOMKilled: true });
    const events = await actor.ok([
      ...['events', '--since', String(since), '--until', String(Math.ceil(Date.now() / 1000) + 1)],
      ...['--filter', `container=${name}`, '--format', '{{.Action}}'],
    ]);
    expect(events.split('\n').filter((each) => ['oom', 'die'].includes(each))).toEqual([
      ...['oom', 'die'],
    ]);
    await api.remove(name);
  });

  it('enforces the ulimits of a process', async () => {
    const Ulimits = [
      { Name: 'nofile', Soft: 10, Hard: 20 },
      { Name: 'fsize', Soft: 16_384, Hard: 16_384 },
    ];
    const open = [3, 4, 5, 6, 7, 8, 9].map((fd) => `exec ${fd}</dev/null`).join('; ');
    const script = `ulimit -Hn; dd if=/dev/zero of=/f bs=1k count=64; echo $?; ${open}; cat /etc/passwd`;
    const { name, state, logs } = await api.finish(['sh', '-c', script], { Ulimits });
    // SIGXFSZ.
    expect(logs.stdout).toBe('20\n153\n');
    expect(logs.stderr).toMatch(/file descriptors|open files/);
    expect(state).toMatchObject({ ExitCode: 1 });
    await api.remove(name);
  });

  it('applies the limits of a box from its start, and updated ones while it runs', async () => {
    const name = await api.start(STILL, {
      ...{ Memory: 128 * MIB, MemoryReservation: 32 * MIB, CpuShares: 512, CpuQuota: 50_000 },
      PidsLimit: 20,
    });
    const files = 'memory.max memory.low cpu.weight pids.max';
    const values = async () => {
      const read = await api.exec(name, `cd /sys/fs/cgroup; cat ${files}; cut -d" " -f1 cpu.max`);
      expect(read).toMatchObject({ code: 0, stderr: '' });
      return read.stdout.trim().split('\n');
    };
    const most = async (): Promise<string> => {
      const forks = 'i=0; while [ $i -lt 40 ]; do sleep 9 & i=$((i+1)); done';
      const { stderr } = await api.exec(name, forks);
      expect(await api.exec(name, 'killall sleep')).toMatchObject({ code: 0 });
      return stderr;
    };
    const [memory, low, weight, pids, quota] = await values();
    expect([memory, low, weight, pids]).toEqual([`${128 * MIB}`, `${32 * MIB}`, '20', '20']);
    expect(await most()).toMatch(/can't fork/);
    await api.update(name, { PidsLimit: 100, CpuQuota: 25_000, CpuShares: 1024 });
    expect(await most()).not.toMatch(/can't fork/);
    await api.update(name, { MemoryReservation: 16 * MIB, Memory: 32 * MIB });
    const [less, lower, heavier, more, smaller] = await values();
    expect([less, lower, heavier, more]).toEqual([`${32 * MIB}`, `${16 * MIB}`, '39', '100']);
    expect(Number(smaller)).toBe(Number(quota) / 2);
    const eaten = await api.exec(name, 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo $?');
    // The kernel may take the shell along.
    expect([eaten.stdout.trim(), String(eaten.code)]).toContain('137');
    const large = await api.call('POST', `/containers/${name}/update`, { Memory: 8192 * MIB });
    expect(large).toMatchObject({ status: 409 });
    await api.update(name, { Memory: 128 * MIB });
    expect((await values())[0]).toBe(`${128 * MIB}`);
    await api.remove(name);
  });

  it('limits the CPU of a box, stops it while paused, and keeps the limit after a server crash', async () => {
    const name = await api.start(BUSY, { NanoCpus: 2e8 });
    await until('it was held back', async () => {
      const { cpu_stats } = await api.stats(name, 'stream=0&one-shot=1');
      return cpu_stats.throttling_data.throttled_periods > 3;
    });
    expect((await api.call('GET', `/containers/${name}/top`)).body).toMatchObject({
      Processes: [['root', '1', '0', ...Array(4).fill(expect.any(String)), BUSY.join(' ')]],
    });
    expect(await api.call('POST', `/containers/${name}/pause`)).toMatchObject({ status: 204 });
    const stands = async (): Promise<void> => {
      const { cpu_stats, precpu_stats } = await api.stats(name, 'stream=0');
      expect(cpu_stats.cpu_usage.total_usage).toBe(precpu_stats.cpu_usage.total_usage);
    };
    await stands();
    await actor.killServer();
    expect(await actor.ok(['ps', '--format', '{{.Names}} {{.Status}}'])).toMatch(/\(Paused\)$/);
    await stands();
    const before = (await api.stats(name, 'stream=0&one-shot=1')).cpu_stats.cpu_usage.total_usage;
    expect(await api.call('POST', `/containers/${name}/unpause`)).toMatchObject({ status: 204 });
    await until('it goes on', async () => {
      const { cpu_stats } = await api.stats(name, 'stream=0&one-shot=1');
      return cpu_stats.cpu_usage.total_usage > before;
    });
    expect(await api.call('POST', `/containers/${name}/pause`)).toMatchObject({ status: 204 });
    expect(await api.call('POST', `/containers/${name}/stop?t=0`)).toMatchObject({ status: 204 });
    await api.remove(name);
  });

  it('runs a box only on its CPU set, however many CPUs its microVM has', async () => {
    const name = await api.start(TWICE_BUSY, { NanoCpus: 2e9, CpusetCpus: ONE });
    const pid = await api.vmm(name);
    const before = threads(pid);
    const elsewhere = new Set<string | undefined>();
    await until('both of its processors have computed', () => {
      let busy = 0;
      for (const [id, { ticks, processor }] of threads(pid)) {
        const more = ticks - (before.get(id)?.ticks ?? 0);
        // One that has slept since before it was held shows where it ran then.
        if (more > 0 && processor !== ONE) elsewhere.add(processor);
        if (more >= 50) busy += 1;
      }
      return busy >= 2;
    });
    expect([...elsewhere]).toEqual([]);
    await api.remove(name);
  });

  it('divides a CPU between boxes by their shares', async () => {
    const heavy = await api.start(BUSY, { CpusetCpus: ONE, CpuShares: 1024 });
    const light = await api.start(BUSY, { CpusetCpus: ONE, CpuShares: 256 });
    const pids = [await api.vmm(heavy), await api.vmm(light)] as const;
    const [heavyBefore, lightBefore] = [ticksOf(pids[0]), ticksOf(pids[1])];
    // Whatever else wants that processor takes of both alike: what is compared is a ratio, of the
    // same while. It should be 3.8.
    let [heavyTicks, lightTicks] = [0, 0];
    await until('both have computed', () => {
      heavyTicks = ticksOf(pids[0]) - heavyBefore;
      lightTicks = ticksOf(pids[1]) - lightBefore;
      return lightTicks >= 100;
    });
    expect(heavyTicks / lightTicks).toBeGreaterThan(2);
    await api.remove(heavy);
    await api.remove(light);
  });

  it('limits the disk rates of a box from its start and after an update', async () => {
    const name = await api.start(FOREVER, root('BlkioDeviceWriteBps', 2_000_000));
    const takes = async (script: string): Promise<number> => {
      const before = performance.now();
      const { code, stderr } = await api.exec(name, script);
      expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      return performance.now() - before;
    };
    // A tenth of a second's worth, and one request, may go ahead.
    const write = 'dd if=/dev/zero of=/f bs=1000000 count=8 conv=fsync';
    expect(await takes(write)).toBeGreaterThan(2500);
    await api.update(name, {
      ...root('BlkioDeviceWriteBps', 0),
      ...root('BlkioDeviceReadBps', 2_000_000),
      ...root('BlkioDeviceWriteIOps', 20),
    });
    expect(await takes('dd if=/f of=/dev/null bs=512k iflag=direct')).toBeGreaterThan(2500);
    const small = 'dd if=/dev/zero of=/f bs=4096 count=60 conv=notrunc oflag=direct';
    expect(await takes(small)).toBeGreaterThan(2000);
    await api.remove(name);
  });
});
