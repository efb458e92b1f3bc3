import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SELF_TEST_LINE, SELF_TEST_STATUS } from '../../boxes/self-test/program.ts';
import { A3sError } from '../../errors.ts';
import type { FakeProgram } from '../../guest/testing/fake-process.ts';
import { TestHome } from '../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
  runs(async ({ stdout }) => {
    await stdout(SELF_TEST_LINE);
    return SELF_TEST_STATUS;
  });
});
afterEach(() => home.remove());

const runs = (program: FakeProgram): void => {
  home.agentOptions = { programs: { 'self-test': program } };
};
const test = (body: object) => home.call('POST', '/a3s/v1/host/self-test', body);

/** What a self-test could leave behind. */
function left(): readonly string[] {
  expect(home.host.running).toEqual([]);
  expect(existsSync(join(home.config.runtimeDir, 'self-test'))).toBe(false);
  return readdirSync(home.config.home).filter((name) => name.includes('self-test'));
}

it.each(['kvm', 'tcg'] as const)('runs a program in a microVM with %s', async (accelerator) => {
  expect(await test({ accelerator })).toMatchObject({ status: 200, body: { accelerator } });
  const [spec] = home.host.launches;
  expect(spec).toMatchObject({ accelerator, nic: undefined, shares: [] });
  expect(spec?.template).toBeUndefined();
  expect(left()).toEqual([]);
  expect((await home.call('GET', '/containers/json?all=1')).body).toEqual([]);
});

it('runs a program in a microVM of libkrun, which chooses no accelerator', async () => {
  expect(await test({ engine: 'krun' })).toMatchObject({ status: 200, body: { engine: 'krun' } });
  const [spec] = home.host.launches;
  expect(spec).toMatchObject({ engine: 'krun', nic: undefined, shares: [] });
  expect(spec?.accelerator).toBeUndefined();
  expect(left()).toEqual([]);
});

it('runs one self-test after the other', async () => {
  const both = await Promise.all([test({ accelerator: 'tcg' }), test({ accelerator: 'tcg' })]);
  expect(both.map(({ status }) => status)).toEqual([200, 200]);
});

it('reports why a microVM could not be launched', async () => {
  home.host.failNextLaunch(new A3sError('accelerator-unavailable', 'no KVM'));
  expect(await test({ accelerator: 'kvm' })).toMatchObject({
    status: 500,
    body: { code: 'accelerator-unavailable', message: 'no KVM' },
  });
  expect(left()).toEqual([]);
});

it.each<[string, FakeProgram]>([
  ['another status', ({ stdout }) => stdout(SELF_TEST_LINE).then(() => 0)],
  ['no output', async () => SELF_TEST_STATUS],
  ['other output', ({ stdout }) => stdout('other\n').then(() => SELF_TEST_STATUS)],
  ['endless output', ({ stdout }) => stdout('x'.repeat(65_536)).then(() => SELF_TEST_STATUS)],
])('fails where the program ends with %s', async (_, program) => {
  runs(program);
  expect(await test({ accelerator: 'tcg' })).toMatchObject({
    status: 500,
    body: { code: 'agent-failed' },
  });
  expect(left()).toEqual([]);
});

it.each([{}, { accelerator: 'hvf' }, { accelerator: 'tcg', more: 1 }, { engine: 'qemu' }])(
  'refuses the request %j',
  async (body) => {
    expect(await test(body)).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
    expect(home.host.launches).toEqual([]);
  },
);
