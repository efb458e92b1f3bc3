import { expect, it } from 'vitest';
import { readConfig } from './config.ts';

it('accepts weak jails only for A3S_ALLOW_WEAK_JAIL=1', () => {
  const accepts = (value: string | undefined): boolean =>
    readConfig({ A3S_ALLOW_WEAK_JAIL: value }, 1000, '/opt/a3s').leastJail === 'none';
  expect(accepts('1')).toBe(true);
  for (const value of [undefined, '', '0', 'no', 'true']) expect(accepts(value)).toBe(false);
});

it('requires all features of a jail for A3S_JAIL=require, and takes no other value or a contrary one', () => {
  const least = (env: Record<string, string>) => readConfig(env, 1000, '/opt/a3s').leastJail;
  expect(least({})).toBe('one-feature');
  expect(least({ A3S_JAIL: 'require' })).toBe('all-features');
  expect(() => least({ A3S_JAIL: 'on' })).toThrow('A3S_JAIL=on: it takes require');
  const both = { A3S_JAIL: 'require', A3S_ALLOW_WEAK_JAIL: '1' };
  expect(() => least(both)).toThrow('A3S_ALLOW_WEAK_JAIL=1 accepts what it refuses');
});

it('uses a fixed socket path that a systemd unit can name, unless A3S_HOME is set to another home', () => {
  const socket = (env: Record<string, string>, uid: number) => readConfig(env, uid, '/opt').socket;
  expect(socket({}, 0)).toBe('/run/a3s-box/server.sock');
  expect(socket({ A3S_HOME: '/var/lib/a3s-box' }, 0)).toBe('/run/a3s-box/server.sock');
  expect(socket({ A3S_HOME: '/srv/a3s' }, 0)).toMatch(/^\/run\/a3s-box\/[0-9a-f]{8}\/server.sock$/);
  const user = { XDG_RUNTIME_DIR: '/run/user/1000', XDG_DATA_HOME: '/data' };
  expect(socket(user, 1000)).toBe('/run/user/1000/a3s-box/server.sock');
  expect(socket({ ...user, A3S_HOME: '/data/other' }, 1000)).toMatch(/[0-9a-f]{8}\/server.sock$/);
});

it('enables templates unless they are switched off, and bounds their settings', () => {
  const templates = (env: Record<string, string>) => readConfig(env, 1000, '/opt/a3s').templates;
  expect(templates({})).toEqual({ enabled: true, max: 8, maxAgeMs: 86_400_000 });
  expect(templates({ A3S_TEMPLATES: 'off' }).enabled).toBe(false);
  expect(templates({ A3S_TEMPLATES: 'on', A3S_TEMPLATES_MAX: '2' })).toMatchObject({
    enabled: true,
    max: 2,
  });
  expect(templates({ A3S_TEMPLATE_MAX_AGE: '60' }).maxAgeMs).toBe(60_000);
  for (const [name, value] of [
    ['A3S_TEMPLATES', 'no'],
    ['A3S_TEMPLATES_MAX', '0'],
    ['A3S_TEMPLATES_MAX', '65'],
    ['A3S_TEMPLATE_MAX_AGE', '1.5'],
    ['A3S_TEMPLATE_MAX_AGE', '604801'],
  ] as const) {
    expect(() => templates({ [name]: value })).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining(`${name}=${value}`),
      }),
    );
  }
});

it('keeps a builder that nobody uses for ten minutes unless A3S_BUILDER_IDLE says otherwise', () => {
  const builder = (env: Record<string, string>) => readConfig(env, 0, '/opt/a3s').builder;
  expect(builder({})).toEqual({
    ...{ directory: '/opt/a3s/builder', idleMs: 600_000, snapshots: true },
  });
  expect(builder({ A3S_BUILDER_IDLE: '5' }).idleMs).toBe(5000);
  expect(() => builder({ A3S_BUILDER_IDLE: '0' })).toThrow('it takes 1 to 86400 whole seconds');
  expect(builder({ A3S_BUILDER_SNAPSHOT: 'off' }).snapshots).toBe(false);
  expect(() => builder({ A3S_BUILDER_SNAPSHOT: 'no' })).toThrow(
    'Cannot use A3S_BUILDER_SNAPSHOT=no: it takes on or off',
  );
});

it('waits ten seconds for the KVM probe unless A3S_KVM_TIMEOUT says otherwise', () => {
  const timeout = (env: Record<string, string>) => readConfig(env, 0, '/opt/a3s').kvmTimeoutMs;
  expect(timeout({})).toBe(10_000);
  expect(timeout({ A3S_KVM_TIMEOUT: '90' })).toBe(90_000);
  expect(() => timeout({ A3S_KVM_TIMEOUT: '601' })).toThrow('it takes 1 to 600 whole seconds');
});
