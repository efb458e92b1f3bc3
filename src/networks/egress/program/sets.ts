/**
 * Adds addresses to sets of the packet filter of the namespace that this program runs in.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { formatAddress } from '../../ipv4.ts';
import { EGRESS_TABLE } from '../packet-rules.ts';
import type { AddToSets } from './pins.ts';

const DEADLINE_MS = 10_000;

/** What comes while nft runs is added by the next one, all at once. */
export function setsOf(nft: string): AddToSets {
  let last: Promise<void> = Promise.resolve();
  let next: { commands: string[]; done: Promise<void> } | undefined;
  return (elements) => {
    if (next === undefined) {
      const batch = { commands: [] as string[], done: Promise.resolve() };
      batch.done = last
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          return run(nft, batch.commands);
        });
      last = batch.done;
      next = batch;
    }
    for (const { set, address, seconds } of elements) {
      const element = (more: string): string =>
        `element ${EGRESS_TABLE} ${set} { ${formatAddress(address)}${more} }`;
      // An element that is there keeps its time: it is taken away and comes again, in one go.
      next.commands.push(
        `add ${element(' timeout 1s')}`,
        `delete ${element('')}`,
        `add ${element(` timeout ${seconds}s`)}`,
      );
    }
    return next.done;
  };
}

/** A program before this one may have left addresses whose names are forgotten. */
export async function emptySets(nft: string, sets: readonly string[]): Promise<void> {
  await run(
    nft,
    sets.map((set) => `flush set ${EGRESS_TABLE} ${set}`),
  );
}

async function run(nft: string, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  const child = spawn(nft, ['-f', '-'], {
    ...{ stdio: ['pipe', 'ignore', 'pipe'], env: {} },
    ...{ timeout: DEADLINE_MS, killSignal: 'SIGKILL' },
  });
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  child.stdin?.on('error', () => undefined).end(`${commands.join('\n')}\n`);
  const [[code, signal], why] = await Promise.all([closed, firstLine(child.stderr)]);
  if (code === 0) return;
  throw new Error(`the packet filter did not take the addresses: ${why || (signal ?? code)}`);
}

/** What follows it shows where in the input it is. */
async function firstLine(output: Readable | null): Promise<string> {
  let text = '';
  for await (const chunk of output ?? []) if (text.length < 1000) text += String(chunk);
  return text.trim().split('\n')[0] ?? '';
}
