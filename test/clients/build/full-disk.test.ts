import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { BASE, BuildHome } from './home.ts';

const MIB = 1024 * 1024;
/** Enough for what a builder has from the start, and for busybox a few times. */
const DISK_BYTES = 96 * MIB;
const SHELL = 'FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/busybox\n';
const LONG_MS = 120_000;
const NEXT = { timeout: 60_000, interval: 1_000 };

let build: BuildHome;

beforeAll(async () => {
  build = await BuildHome.start(() => undefined, { diskBytes: DISK_BYTES });
});
afterAll(() => build?.remove());

const big = (): Buffer => Buffer.alloc(2 * DISK_BYTES, 'x');
const copying = (): string => {
  const context = build.context('FROM scratch\nCOPY big /\n');
  writeFileSync(join(context, 'big'), big());
  return context;
};
const running = (step: string): string => build.context(`${SHELL}RUN ${step}\n`);
const FULL =
  /^ERROR: .*: no space left on device.*\. The disk of the builder was full: build again/im;
const STEP = /No space left on device\n[\s\S]*^ERROR: .*exit code: 1$/m;

it.each([
  ['a step', () => running('busybox dd if=/dev/zero of=/big bs=1M'), STEP],
  [
    'the cache of a step',
    () => running('--mount=type=cache,target=/c busybox dd if=/dev/zero of=/c/big bs=1M'),
    STEP,
  ],
  ['its context', copying, FULL],
  [
    'its result',
    () => running('--mount=type=cache,target=/d busybox dd if=/dev/zero of=/d/big bs=1M || true'),
    FULL,
  ],
])(
  'fails a build that fills the disk of the builder with %s, and builds again once that is removed',
  async (_, context, reason) => {
    const ran = await build.docker(['build', '--no-cache', context()]);
    expect(ran.status, ran.stderr).not.toBe(0);
    expect(ran.stderr).toMatch(reason);
    const small = build.context(BASE);
    // BuildKit removes what the failed build has left after that build has ended.
    const next = () => build.docker(['build', '--no-cache', small]);
    await vi.waitFor(async () => expect((await next()).status).toBe(0), NEXT);
  },
  LONG_MS,
);
