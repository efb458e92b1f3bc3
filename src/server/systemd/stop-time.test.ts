import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KILL_MS } from '../../boxes/verbs/main-signals.ts';
import { HOST_STOP_MS } from '../serve.ts';
import { ANSWER_MS } from './host-stops.ts';

/** The time for a server to close its files after its boxes have ended. */
const LET_GO_MS = 10_000;

it.each(['a3s-box.service', 'user/a3s-box.service'])(
  'sets a stop timeout in %s that is longer than stopping all boxes takes',
  (unit) => {
    const path = join(import.meta.dirname, '../../../packaging/systemd', unit);
    const [, seconds] = /^TimeoutStopSec=([0-9]+)$/m.exec(readFileSync(path, 'utf8')) ?? [];
    const takes = ANSWER_MS + HOST_STOP_MS + KILL_MS + LET_GO_MS;
    expect(takes).toBeLessThan(1000 * Number(seconds));
  },
);
