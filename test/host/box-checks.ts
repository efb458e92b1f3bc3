/**
 * Requests and assertions about boxes in the tests on a host with KVM.
 *
 * @module
 */
import { expect } from 'vitest';
import type { KvmHost } from './kvm-host.ts';

/** Boot id, host name, randomness: what no two boxes may share. */
const IDENTITY =
  'cat /proc/sys/kernel/random/boot_id; hostname; head -c 16 /dev/urandom | od -An -tx1';
const CLOCK_SOURCE = 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource';

/** A box's program that counts, in a variable and in shared memory. */
export const COUNTING = 'n=0; while :; do n=$((n + 1)); echo $n > /dev/shm/n; sleep 0.5; done';

export class BoxChecks {
  readonly #host: KvmHost;

  constructor(host: KvmHost) {
    this.#host = host;
  }

  /** Runs a script in a box; returns its output. */
  inside(box: string, script: string): Promise<string> {
    return this.#host.docker(['exec', box, 'sh', '-c', script]);
  }

  /** How its VM was started. */
  async startOf(box: string): Promise<string | undefined> {
    return (await this.#host.inspect(box)).Machine?.Start;
  }

  /** Process ids of all VMs. */
  vmms(): Promise<readonly string[]> {
    return this.#host.pids('^/usr/bin/qemu-system');
  }

  /** Three values that no two boxes may share. */
  async identity(box: string): Promise<readonly string[]> {
    return (await this.inside(box, IDENTITY)).split('\n');
  }

  /** How far a box with {@link COUNTING} is. */
  async counted(box: string): Promise<number> {
    return Number(await this.inside(box, 'cat /dev/shm/n'));
  }

  /** Asserts that a box has the host's time, and from which clock. */
  async expectKvmClock(box: string): Promise<void> {
    const before = await this.#time();
    const [source, time] = (await this.inside(box, `${CLOCK_SOURCE}; date +%s`)).split('\n');
    expect(source).toBe('kvm-clock');
    expect(Number(time)).toBeGreaterThanOrEqual(before - 2);
    expect(Number(time)).toBeLessThanOrEqual((await this.#time()) + 2);
  }

  async #time(): Promise<number> {
    return Number(await this.#host.host.sh('date +%s'));
  }
}
