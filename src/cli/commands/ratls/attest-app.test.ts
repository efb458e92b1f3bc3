import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AgentServer,
  agentServer,
  guestSource,
  policyFor,
  specText,
} from '@a3s-box/ratls/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';

const cwd = mkdtempSync(join(tmpdir(), 'a3s-app-'));
const SOCKET = join(cwd, 'server.sock');
const [ONE, TWO] = ['1'.repeat(64), '2'.repeat(64)] as const;

let agents: readonly [AgentServer, AgentServer];
/** The agent that answers for each box. */
let agentOf: ReadonlyMap<string, AgentServer>;
let server: Server;
let boxes: readonly object[];
let asked: string[];

beforeAll(async () => {
  const agent = (instance: number) =>
    agentServer({ source: guestSource({ spec: specText('shop', []), now: new Date(), instance }) });
  agents = [await agent(1), await agent(2)];
  server = createServer((request, answer) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://server');
    if (pathname.endsWith('/containers/json')) asked.push(searchParams.get('filters') ?? '');
    answer.end(pathname.endsWith('/containers/json') ? JSON.stringify(boxes) : '{}');
  });
  server.on('upgrade', (request, socket) => {
    asked.push(request.url ?? '');
    socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    const [, id = ''] = /boxes\/([0-9a-f]{64})\/ratls$/.exec(request.url ?? '') ?? [];
    const guest = connect(agentOf.get(id)?.port ?? 0, '127.0.0.1');
    socket.pipe(guest).pipe(socket);
    guest.on('error', () => socket.destroy());
    socket.on('error', () => guest.destroy());
  });
  server.listen(SOCKET);
  await once(server, 'listening');
  const { measurements } = policyFor();
  const policy = {
    tee: 'simulated',
    measurements,
    hostData: 'any-explicit',
    crl: { required: false },
  };
  writeFileSync(join(cwd, 'api.yaml'), JSON.stringify(policy));
  const other = { ...policy, measurements: ['00'.repeat(48)] };
  writeFileSync(join(cwd, 'other.yaml'), JSON.stringify(other));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  for (const agent of agents) await agent[Symbol.asyncDispose]();
  rmSync(cwd, { recursive: true });
});
beforeEach(() => {
  agentOf = new Map([
    [ONE, agents[0]],
    [TWO, agents[1]],
  ]);
  asked = [];
  application({ api: 'api.yaml' });
});

function application(services: object): void {
  const schema = 'a3s-box/application-policy/v1';
  const document = { schema, application: 'shop', services };
  writeFileSync(join(cwd, 'application.yaml'), JSON.stringify(document));
}

function summary(
  Id: string,
  service: string,
  name: string,
  Confidential: object | null = {},
): object {
  return {
    Id,
    Names: [`/${name}`],
    Labels: { 'com.docker.compose.service': service },
    Confidential,
  };
}

function attest(...args: readonly string[]): Promise<Transcript> {
  const all = ['attest', 'app', '--policy=application.yaml', '--allow-simulated', ...args];
  return transcript(SOCKET, all, { cwd, home: cwd });
}

describe('attest app', () => {
  it('accepts an application whose confidential boxes all prove what they are', async () => {
    boxes = [
      summary(TWO, 'api', 'shop-api-2'),
      summary(ONE, 'api', 'shop-api-1'),
      summary('3'.repeat(64), 'web', 'shop-web-1', null),
    ];
    const done = await attest();
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain('SIMULATED');
    expect(done.stdout).toMatch(/api +shop-api-1 +accepted\napi +shop-api-2 +accepted\n\nAccepted/);
    expect(asked).toEqual([
      '{"label":["com.docker.compose.project=shop"]}',
      `/a3s/v1/boxes/${ONE}/ratls`,
      `/a3s/v1/boxes/${TWO}/ratls`,
    ]);
  });

  it('rejects a box that its policy does not accept, beside one that is accepted', async () => {
    application({ api: 'api.yaml', db: 'other.yaml' });
    boxes = [summary(ONE, 'api', 'a'), summary(TWO, 'db', 'd')];
    const done = await attest('--json', '--project=other');
    expect(done.status).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({
      application: 'other',
      accepted: false,
      simulated: true,
      services: [
        { service: 'api', box: 'a', accepted: true, code: 'accepted' },
        { service: 'db', box: 'd', accepted: false, code: 'appraisal' },
      ],
    });
  });

  it('rejects a guest that answers for two boxes, and for two services', async () => {
    agentOf = new Map([ONE, TWO].map((id) => [id, agents[0]]));
    boxes = [summary(ONE, 'api', 'a'), summary(TWO, 'api', 'b')];
    const replicas = await attest();
    expect(replicas.status).toBe(1);
    expect(replicas.stdout).toContain('rejected (same-instance)');
    application({ api: 'api.yaml', db: 'api.yaml' });
    boxes = [summary(ONE, 'api', 'a'), summary(ONE, 'db', 'b')];
    expect(await attest()).toMatchObject({ status: 1 });
  });

  it('shows a box that does not answer as undecided, and what it knows of the others', async () => {
    agentOf = new Map([[TWO, agents[1]]]);
    boxes = [summary(ONE, 'api', 'a'), summary(TWO, 'api', 'b')];
    const done = await attest('--timeout=1s');
    expect(done).toMatchObject({ status: 2 });
    expect(done.stdout).toMatch(/api +a +undecided \([a-z-]+\): .+\napi +b +accepted\n\nUndecided/);
    application({ api: 'other.yaml' });
    const rejected = await attest('--json', '--timeout=1s');
    expect(rejected).toMatchObject({ status: 1 });
    expect(JSON.parse(rejected.stdout)).toMatchObject({
      accepted: false,
      services: [
        { box: 'a', accepted: false, undecided: true, verdict: { checks: [] } },
        { box: 'b', accepted: false, code: 'appraisal' },
      ],
    });
  });

  it('prints names of boxes in one line, whatever the host sends', async () => {
    boxes = [summary(ONE, 'api', 'a\ndb\tb\taccepted\n\nAccepted: all')];
    const done = await attest();
    expect(done.stdout).toContain('api       a?db?b?accepted??Accepted: all   accepted');
    expect(done.stdout.match(/^db/m)).toBeNull();
  });

  it('rejects an application without a box of a service', async () => {
    boxes = [summary(ONE, 'api', 'shop-api-1', null)];
    const done = await attest();
    expect(done.status).toBe(1);
    expect(done.stdout).toContain('rejected (no-box)');
    expect(done.stdout).toContain('Rejected: shop is not what the policy asks for.');
  });

  it('rejects a confidential box of a service that the policy does not name', async () => {
    boxes = [summary(ONE, 'api', 'a'), summary(TWO, 'toString', 'b')];
    const done = await attest();
    expect(done.status).toBe(1);
    expect(done.stdout).toContain('rejected (unnamed-service)');
    expect(asked).toHaveLength(2);
  });

  it('cannot decide by a policy that is none, or without the policy of a service', async () => {
    boxes = [];
    application({ api: '../api.yaml' });
    expect(await attest()).toMatchObject({ status: 2 });
    application({ api: 'missing.yaml' });
    expect(await attest()).toMatchObject({ status: 2 });
    expect(asked).toEqual([]);
  });

  it('connects to no address that a list of boxes names', async () => {
    boxes = [summary('127.0.0.1:1', 'api', 'a')];
    const done = await attest('--json');
    expect(done.status).toBe(2);
    expect(JSON.parse(done.stdout)).toMatchObject({ accepted: false, code: 'internal' });
    expect(asked).toHaveLength(1);
  });

  it('takes no simulated evidence unless that is allowed', async () => {
    boxes = [summary(ONE, 'api', 'a')];
    const args = ['attest', 'app', '--policy=application.yaml'];
    const done = await transcript(SOCKET, args, { cwd, home: cwd });
    expect(done.status).not.toBe(0);
    expect(`${done.stdout}${done.stderr}`).toContain('simulated-not-allowed');
  });
});
