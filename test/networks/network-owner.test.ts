import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PASTA_IDENTITY } from '../../src/jail/identity.ts';
import { makeNamespace, removeNamespace } from '../../src/networks/host/namespace.ts';

const [KNOWN, UNKNOWN] = [2_050_359_296, 2_050_359_297] as const;

let directory: string;
let namespace: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-owner-'));
  namespace = join(directory, 'network');
});
afterEach(async () => {
  await removeNamespace(namespace);
  rmSync(directory, { recursive: true });
});

const inside = (command: readonly string[], input = '') =>
  execFileSync('nsenter', [`--net=${namespace}`, ...command], { encoding: 'utf8', input });

/** Sends a packet as a user of the host. */
function send(uid: number): void {
  const shell = ['bash', '-c', 'echo >/dev/udp/127.0.0.1/9'];
  inside(['setpriv', `--reuid=${uid}`, '--clear-groups', '--', ...shell]);
}

it.runIf(process.geteuid?.() === 0)(
  'lets rules of a network name users of the host whom its owner knows',
  async () => {
    await makeNamespace(namespace, { root: PASTA_IDENTITY, known: [KNOWN] });
    const rule = `meta skuid ${KNOWN} udp dport 9 counter`;
    const chain = 'type filter hook output priority filter; policy accept;';
    inside(['nft', '-f', '-'], `table inet test { chain out { ${chain}\n${rule}\n}\n}\n`);
    send(UNKNOWN);
    send(KNOWN);
    expect(inside(['nft', 'list', 'table', 'inet', 'test'])).toContain('counter packets 1 ');
  },
);
