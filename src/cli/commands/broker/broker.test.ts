import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyPin } from '../../../broker/testing/certificate.ts';
import {
  launchGuest,
  person,
  policyDocument,
  SERVER,
  startTestBroker,
  type TestBroker,
  type Who,
} from '../../../broker/testing/test-broker.ts';
import { TestGuest } from '../../../broker/testing/test-guest.ts';
import { transcript } from '../../testing/fake-context.ts';

let broker: TestBroker;
let cwd: string;
beforeAll(async () => {
  broker = await startTestBroker({ limits: 'requestsPerSecond: 10000, burst: 10000' });
  cwd = mkdtempSync(join(tmpdir(), 'a3s-broker-cli-'));
  for (const who of ['alice', 'olga', 'mallory'] as const) {
    const { cert, key } = person(who);
    writeFileSync(join(cwd, `${who}.crt`), cert);
    writeFileSync(join(cwd, `${who}.key`), key);
  }
  writeFileSync(join(cwd, 'web.json'), JSON.stringify(policyDocument()));
});
afterAll(async () => {
  rmSync(cwd, { recursive: true });
  await broker[Symbol.asyncDispose]();
});

async function run(line: string, { as = 'alice', input = '' }: { as?: Who; input?: string } = {}) {
  const stdin = new PassThrough();
  stdin.end(input);
  const flags = [
    ...[`--broker=127.0.0.1:${broker.running.ports.admin}`, `--server-pin=${keyPin(SERVER.cert)}`],
    ...[`--cert=${as}.crt`, `--key=${as}.key`],
  ];
  const args = ['broker', ...line.split(' '), ...flags];
  return transcript('/nonexistent', args, { cwd, stdin });
}

async function out(line: string, options?: Parameters<typeof run>[1]): Promise<string> {
  const { status, stdout, stderr } = await run(line, options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe('the commands of the broker', () => {
  it('puts a secret, grants it, and revokes the grant: a guest gets it in between', async () => {
    expect(await out('secret put default/db/password', { input: 'hunter2' })).toBe('version 1\n');
    expect(await out('policy put web --file web.json')).toBe('version 1\n');
    expect(await out('grant put db --path default/db/* --policy web')).toBe('version 1\n');
    const guest = new TestGuest((path) => broker.url(path), launchGuest());
    const cookie = await guest.enter();
    const { body } = await guest.resource(cookie, 'default/db/password');
    expect(guest.decrypt(body)).toBe('hunter2');
    expect(await out('revoke grant db')).toBe('db\n');
    expect((await guest.resource(cookie, 'default/db/password')).status).toBe(403);
    expect(await out('revoke grant db --lift')).toBe('db\n');
    expect((await guest.resource(cookie, 'default/db/password')).status).toBe(200);
    expect(await out('revoke sessions')).toBe('1 sessions\n');
    expect((await guest.resource(cookie, 'default/db/password')).status).toBe(401);
  });

  it('sets, lists and removes the counter of a volume, and grants counters', async () => {
    expect(await out('grant put counters --path default/volumes/* --policy web --counter')).toBe(
      'version 1\n',
    );
    const grants = JSON.parse(await out('grant ls')) as { name: string; document: unknown }[];
    expect(grants.find(({ name }) => name === 'counters')?.document).toEqual({
      path: 'default/volumes/*',
      policy: 'web',
      counter: true,
    });
    const volume = '0123456789abcdef0123456789abcdef';
    const set = `counter set default/volumes/data --volume ${volume} --generation`;
    expect(await out(`${set} 7`)).toBe('version 1\n');
    expect(JSON.parse(await out('counter ls'))).toMatchObject([
      { name: 'default/volumes/data', volume, generation: 7 },
    ]);
    expect(await run(`${set} 0`)).toMatchObject({ status: 125 });
    expect(await run(`counter set nothing --volume ${volume} --generation 1`)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('repository/type/tag'),
    });
    expect(await out('counter rm default/volumes/data')).toBe('default/volumes/data\n');
    expect(await out('counter ls')).toBe('[]\n');
  });

  it('makes the key of sealed volumes once, and removes it with --discard-data alone', async () => {
    const path = 'default/volumes/key';
    expect(await out(`volume-key create ${path}`)).toBe(`${path}\n`);
    expect(JSON.parse(await out('volume-key ls'))).toMatchObject([{ name: path, version: 1 }]);
    for (const line of [`volume-key create ${path}`, `volume-key rm ${path}`]) {
      expect(await run(line)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('(broker-volume-key)'),
      });
    }
    expect(await out(`volume-key rm ${path} --discard-data`)).toBe(`${path}\n`);
    expect(await out('volume-key ls')).toBe('[]\n');
  });

  it('rotates, lists and removes secrets', async () => {
    await out('secret put default/key/one', { input: 'first' });
    expect(await out('secret rotate default/key/one --bytes 48')).toBe('version 2\n');
    expect(JSON.parse(await out('secret ls'))).toContainEqual(
      expect.objectContaining({ name: 'default/key/one', version: 2 }),
    );
    expect(await out('secret rm default/key/one')).toBe('default/key/one\n');
    expect(await run('secret rm default/key/one')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('(broker-no-such-record)'),
    });
  });

  it('rotates the root key and reads the audit log as an operator', async () => {
    expect(await out('root-key rotate', { as: 'olga' })).toBe('epoch 2\n');
    const checkpoint = await out('audit checkpoint', { as: 'olga' });
    const exported = await out('audit export', { as: 'olga' });
    expect(exported.split('\n')).toContain(checkpoint.trimEnd());
    const { entries } = JSON.parse(await out('audit ls --from 1'));
    expect(entries[0]).toMatchObject({ tenant: 'default' });
  });

  it('sends nothing to a broker whose key is not the pinned one', async () => {
    const { ports } = broker.running;
    const line = `broker secret ls --broker=127.0.0.1:${ports.admin} --cert=alice.crt --key=alice.key`;
    const other = `${line} --server-pin=${'00'.repeat(32)}`.split(' ');
    expect(await transcript('/nonexistent', other, { cwd })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('(broker-unreachable)'),
    });
  });

  it('reports a client that the broker does not let in', async () => {
    expect(await run('secret ls', { as: 'mallory' })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('(broker-unauthenticated)'),
    });
  });

  it.each([
    'secret',
    'secret get default/a/b',
    'secret put',
    'secret put default/a',
    'secret ls default/a/b',
    'policy put web',
    'grant put g --path a/b/c',
    'revoke policy',
    'revoke secret x',
    'root-key show',
    'audit verify',
    'audit ls more',
  ])('refuses the command line %j before anything is sent', async (line) => {
    const { status } = await transcript('/nonexistent', ['broker', ...line.split(' ')], { cwd });
    expect([1, 125]).toContain(status);
  });
});
