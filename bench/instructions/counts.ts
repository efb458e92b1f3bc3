/**
 * Reads the output of `plugin.c`: instructions that an emulated host executed until a mark.
 *
 * @module
 */

/** Instructions, except the last. */
export interface Counts {
  readonly hostUser: number;
  readonly hostKernel: number;
  readonly guestUser: number;
  readonly guestKernel: number;
  /** How often the host's kernel entered a guest; it is left as often. */
  readonly entries: number;
}

/** The host's, and the guest's. */
export function total({ hostUser, hostKernel, guestUser, guestKernel }: Counts): number {
  return hostUser + hostKernel + guestUser + guestKernel;
}

/**
 * @param text one line for each mark
 * @throws Error where a line is not what the plugin writes
 */
export function parseMarks(text: string): readonly Counts[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      if (!/^\d+( \d+){4}$/.test(line)) throw new Error(`not a line of the plugin: ${line}`);
      const [hostUser = 0, hostKernel = 0, guestUser = 0, guestKernel = 0, entries = 0] = line
        .split(' ')
        .map(Number);
      return { hostUser, hostKernel, guestUser, guestKernel, entries };
    });
}

/** What was executed between two marks. */
export function between(before: Counts, after: Counts): Counts {
  return {
    hostUser: after.hostUser - before.hostUser,
    hostKernel: after.hostKernel - before.hostKernel,
    guestUser: after.guestUser - before.guestUser,
    guestKernel: after.guestKernel - before.guestKernel,
    entries: after.entries - before.entries,
  };
}
