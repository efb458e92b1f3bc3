/**
 * Detects a firmware that gave up, and loops until its VM is switched off.
 *
 * @module
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { until } from '../processes.ts';

/** Times in a row that the processor has to be found in one loop of few instructions. */
const LOOKS = 40;
const LOOP_BYTES = 32n;

/**
 * Starts the VM, and waits until its processor is in such a loop.
 *
 * @param monitor path of the socket
 * @throws where the VM is switched off instead
 */
export async function untilHalted(monitor: string, signal: AbortSignal): Promise<void> {
  const socket = connect({ path: monitor, signal });
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const ask = async (execute: string, args: object = {}): Promise<unknown> => {
    socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the monitor closed before it answered ${execute}`);
      const message: { event?: string; return?: unknown; error?: unknown } = JSON.parse(value);
      if (message.event === 'SHUTDOWN') throw new Error('the microVM was switched off');
      if (message.error !== undefined) throw new Error(`${execute}: ${value}`);
      if (message.return !== undefined) return message.return;
    }
  };
  const human = (line: string): Promise<unknown> =>
    ask('human-monitor-command', { 'command-line': line });
  try {
    await ask('qmp_capabilities');
    await ask('cont');
    const seen: bigint[] = [];
    await until('the processor loops', async () => {
      const [, address] =
        /\b[ER]IP=([0-9a-f]{8,16})/.exec(String(await human('info registers'))) ?? [];
      if (address === undefined) throw new Error('the monitor shows no instruction pointer');
      seen.push(BigInt(`0x${address}`));
      const [first, ...rest] = seen.slice(-LOOKS);
      if (first === undefined || rest.length < LOOKS - 1) return false;
      return rest.every((at) => at - first < LOOP_BYTES && first - at < LOOP_BYTES);
    });
  } finally {
    socket.destroy();
  }
}
