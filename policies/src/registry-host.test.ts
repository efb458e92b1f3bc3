import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostSpelling } from './registry-host.ts';

describe('hostSpelling', () => {
  it.each([
    ['registry.example', 'registry.example'],
    ['registry.example:5000', 'registry.example:5000'],
    ['Registry.Example:5000', 'registry.example:5000'],
    ['localhost', 'localhost'],
    ['host:443', 'host:443'],
    ['host:80', 'host:80'],
    ['docker.io', 'docker.io'],
    ['docker.io:5000', 'docker.io:5000'],
    ['registry.example:05000', 'registry.example:5000'],
    ['registry.example:443', 'registry.example'],
    ['registry.example:0080', 'registry.example'],
    ['localhost:443', 'localhost'],
    ['[::1]:80', '[::1]'],
    ['host:0443', 'host:443'],
    ['0x7f.0.0.1:5000', '127.0.0.1:5000'],
    ['2130706433:5000', '127.0.0.1:5000'],
    ['[2001:DB8:0::1]', '[2001:db8::1]'],
    ['[::ffff:a00:1]:5000', '10.0.0.1:5000'],
    ['DOCKER.IO', 'docker.io'],
    ['registry-1.docker.io:443', 'docker.io'],
  ])('spells the registry host %s as %s', (text, host) => {
    expect(hostSpelling(text)).toEqual({ host });
  });

  it.each([
    ['registry.example:0', 'has port 0, where nothing can listen'],
    ['registry.example:00', 'has port 0, where nothing can listen'],
    ['registry.example:65536', 'is neither the name nor the address of a host'],
    ['256.0.0.1', 'is neither the name nor the address of a host'],
    ['registry.7', 'is neither the name nor the address of a host'],
    ['xn--a.example', 'is neither the name nor the address of a host'],
    ['0.0.0.0:5000', 'has an address of no host'],
    ['0:5000', 'has an address of no host'],
    ['[::]:5000', 'has an address of no host'],
    ['[::ffff:0:0]:5000', 'has an address of no host'],
    ['Host', 'without a dot needs its port, as in host:443'],
  ])('refuses the registry host %s, which %s', (text, fault) => {
    expect(hostSpelling(text)).toEqual({ fault });
  });

  it(
    'leaves the canonical spelling of a host unchanged, and keeps the host it means',
    async () => {
      const label = fc.constantFrom('a', 'b-c', '1', '0x7f', '127', 'docker', 'io', 'localhost');
      const name = fc.oneof(
        fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
        fc.ipV4Extended(),
        fc.ipV6().map((address) => `[${address}]`),
      );
      const port = fc.option(fc.nat(70_000), { nil: undefined });
      await fuzz(
        fc.property(name, port, (host, number) => {
          const text = number === undefined ? host : `${host}:${number}`;
          const spelling = hostSpelling(text);
          if (spelling.host === undefined) return;
          expect(hostSpelling(spelling.host)).toEqual(spelling);
          const mapped = new URL(`https://${text}`).hostname.startsWith('[::ffff:');
          if (mapped || spelling.host === 'docker.io') return;
          expect(new URL(`https://${spelling.host}`).hostname).toBe(
            new URL(`https://${text}`).hostname,
          );
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
