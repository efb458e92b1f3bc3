import { describe, expect, it } from 'vitest';
import { parseHexBytes, parseHexNumber } from './confidential/hex.ts';
import { parseTcb } from './confidential/tcb.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { encodeFilters, parseFilter } from './filter.ts';
import { parseVolume } from './mounts/volume.ts';
import { parsePort } from './port.ts';
import { parseBytes, parseCpus } from './size.ts';
import { parseTimeLimit } from './times/duration.ts';
import { parseInstant } from './times/instant.ts';
import { parseTimestamp } from './times/timestamp.ts';

describe('parseBytes', () => {
  it.each([
    ['0', 0],
    ['1048576', 1048576],
    ['512m', 512 * 2 ** 20],
    ['1.5G', 1.5 * 2 ** 30],
    ['64MiB', 64 * 2 ** 20],
    ['2 kb', 2048],
    ['10b', 10],
  ])('reads %s as a number of bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each(['', 'm', '-1', '1e3', '0x10', '1 2', '99999999p', '1.m', 'mm'])(
    'refuses %s as a number of bytes',
    (text) => {
      expect(() => parseBytes(text)).toThrow(RangeError);
    },
  );
});

describe('parseCpus', () => {
  it.each([
    ['1', 1e9],
    ['.5', 5e8],
    ['1.25', 1.25e9],
    ['0.000000001', 1],
  ])('reads %s as a number of CPUs', (text, nanos) => expect(parseCpus(text)).toBe(nanos));

  it.each(['', '.', 'x', '-1', '1e3', '1.0000000001', '1/2'])(
    'refuses %s as a number of CPUs',
    (text) => {
      expect(() => parseCpus(text)).toThrow(RangeError);
    },
  );
});

describe('parsePort', () => {
  it.each([
    ['80', [['', '', '80/tcp']]],
    ['8080:80', [['', '8080', '80/tcp']]],
    [':80', [['', '', '80/tcp']]],
    ['127.0.0.1:8080:80/tcp', [['127.0.0.1', '8080', '80/tcp']]],
    ['127.0.0.1::80', [['127.0.0.1', '', '80/tcp']]],
    ['0:80', [['', '0', '80/tcp']]],
    ['[::1]:8080:80', [['::1', '8080', '80/tcp']]],
    ['[fd00::9]::53/udp', [['fd00::9', '', '53/udp']]],
    ['::1:8080:80', [['::1', '8080', '80/tcp']]],
    ['[::]:80', [['::', '', '80/tcp']]],
    ['53:53/udp', [['', '53', '53/udp']]],
    ['8000-8010:80', [['', '8000-8010', '80/tcp']]],
    ['1-2:80', [['', '1-2', '80/tcp']]],
    [
      '8080-8081:80-81',
      [
        ['', '8080', '80/tcp'],
        ['', '8081', '81/tcp'],
      ],
    ],
  ])('reads the port mapping %s', (text, bindings) => {
    expect(
      parsePort(text).map(({ hostIp, hostPort, boxPort }) => [hostIp, hostPort, boxPort]),
    ).toEqual(bindings);
  });

  it.each([
    '',
    'x',
    '80:0',
    '65536:80',
    '80:65536',
    '1-2:80-82',
    '0-2:80',
    '2-1:1-2',
    '1-65535:1-65535',
    'host:1:2',
    '[x]:1:2',
    '[]:1:2',
    '1.2.3:1:2',
    'ratls/udp',
    '80/sctp',
  ])('refuses the port mapping %s', (text) => expect(() => parsePort(text)).toThrow());
});

describe('parseVolume', () => {
  it.each([
    ['/a:/b', '/a:/b'],
    ['/a:/b:ro', '/a:/b:ro'],
    ['/a:/b:rw', '/a:/b:rw'],
    ['/a:/b:ro,z,nocopy,cached,rprivate', '/a:/b:ro,z,nocopy,cached,rprivate'],
    ['/a:/b:Z,delegated,rslave', '/a:/b:Z,delegated,rslave'],
    ['./x:/b', '/cwd/x:/b'],
    ['../x:/b:ro', '/x:/b:ro'],
    ['.:/b', '/cwd:/b'],
    ['/a/../c:/b', '/c:/b'],
    ['name:/b', 'name:/b'],
    ['name:/b:nocopy', 'name:/b:nocopy'],
  ])('reads the volume %s', (text, bind) =>
    expect(parseVolume(text, '/cwd')).toEqual({ kind: 'bind', bind }),
  );

  it('takes a path alone for an anonymous volume', () => {
    expect(parseVolume('/data', '/cwd')).toEqual({ kind: 'anonymous', path: '/data' });
  });

  it.each([
    ['', 'invalid empty volume spec'],
    [':/b', 'invalid spec: :/b: empty section between colons'],
    ['/a:', 'invalid spec: /a:: empty section between colons'],
    ['/a:/b:', 'invalid spec: /a:/b:: empty section between colons'],
    ['/a:/b:ro:x', 'invalid spec: /a:/b:ro:x: too many colons'],
    ['/a:/b:ro:', 'invalid spec: /a:/b:ro:: too many colons'],
    ['/a:b', 'the path in the box must be absolute and not the root: b'],
    ['/a:/', 'the path in the box must be absolute and not the root: /'],
    ['name', 'the path in the box must be absolute and not the root: name'],
    ['/', 'the path in the box must be absolute and not the root: /'],
    ['~/a:/b', 'the host path must be absolute: ~/a'],
    ['/a:/b:rx', 'invalid mode: rx'],
    ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['name:/b:z,Z', 'invalid mode: z,Z'],
    ['name:/b:ro,', 'invalid mode: ro,'],
  ])('refuses the volume %j', (text, why) => {
    expect(() => parseVolume(text, '/cwd')).toThrow(new RangeError(why));
  });
});

describe('parseDetachKeys', () => {
  it.each([
    ['ctrl-p,ctrl-q', [16, 17]],
    ['ctrl-@,a', [0, 97]],
    ['ctrl-[', [27]],
    ['', []],
  ])('reads the detach keys %s', (text, bytes) =>
    expect([...parseDetachKeys(text)]).toEqual(bytes),
  );

  it.each(['ctrl-1', 'ab', ',', 'ctrl-', 'é'])('refuses the detach keys %s', (text) => {
    expect(() => parseDetachKeys(text)).toThrow(RangeError);
  });
});

describe('parseTimestamp', () => {
  const NOW = Date.parse('2024-01-02T00:00:00Z');

  it.each([
    ['1700000000', '1700000000'],
    ['1700000000.5', '1700000000.5'],
    ['42m', '1704151080.000000000'],
    ['1h30m', '1704148200.000000000'],
    ['2024-01-01T12:00:00Z', '1704110400'],
    ['2024-01-01T12:00:00.25Z', '1704110400.25'],
    ['2024-01-01T12:00:00+01:00', '1704106800'],
    ['2024-01-01Z', '1704067200'],
  ])('reads the timestamp %s', (text, seconds) => expect(parseTimestamp(text, NOW)).toBe(seconds));

  it.each(
    ['', 'yesterday', '2024-13-01T00:00:00Z', '5', '-5m', '5d'].filter((text) => text !== '5'),
  )('refuses the timestamp %s', (text) => {
    expect(() => parseTimestamp(text, NOW)).toThrow(RangeError);
  });
});

describe('filters', () => {
  it('combines filter flags into one document', () => {
    const filters = ['status=running', 'label=a=b', 'status=exited'].map(parseFilter);
    expect(encodeFilters(filters)).toBe('{"status":["running","exited"],"label":["a=b"]}');
    expect(encodeFilters([])).toBeUndefined();
    expect(() => parseFilter('x')).toThrow(RangeError);
  });
});

describe('parseHexBytes', () => {
  it('reads hexadecimal bytes in either case', () => {
    expect([...parseHexBytes('00fFA0', 3)]).toEqual([0, 255, 160]);
  });

  it.each(['', '00', '00ffa', '00ffa000', '0x00ff', '00ff 0', '00ffg0'])(
    'refuses %j as hexadecimal bytes',
    (text) => {
      expect(() => parseHexBytes(text, 3)).toThrow(RangeError);
    },
  );

  it('reports the expected and the actual number of hexadecimal digits', () => {
    expect(() => parseHexBytes('00', 3)).toThrow(
      'it takes exactly 6 hexadecimal digits (3 bytes, neither padded nor cut), not 2',
    );
  });
});

describe('parseHexNumber', () => {
  it.each([
    ['0', 0n],
    ['0x21', 0x21n],
    ['21', 0x21n],
    ['ffffFFFFffffFFFF', 0xffff_ffff_ffff_ffffn],
  ])('reads the hexadecimal number %s', (text, number) =>
    expect(parseHexNumber(text)).toBe(number),
  );

  it.each(['', '0x', '-1', '1.5', 'xyz', '0X1', '10000000000000000'])(
    'refuses %j as a hexadecimal number',
    (text) => {
      expect(() => parseHexNumber(text)).toThrow(RangeError);
    },
  );
});

describe('parseInstant', () => {
  it.each([
    ['2026-03-01T12:00:00Z', '2026-03-01T12:00:00.000Z'],
    ['2026-03-01t12:00:00z', '2026-03-01T12:00:00.000Z'],
    ['2026-03-01T13:00:00.25+01:00', '2026-03-01T12:00:00.250Z'],
    ['2024-02-29T23:59:59-00:30', '2024-03-01T00:29:59.000Z'],
    ['0050-12-31T00:00:00Z', '0050-12-31T00:00:00.000Z'],
  ])('reads the instant %s', (text, instant) =>
    expect(parseInstant(text).toISOString()).toBe(instant),
  );

  it.each([
    '',
    'now',
    '2026-03-01',
    '2026-03-01T12:00:00',
    '2026-03-01T12:00Z',
    '2026-03-01 12:00:00Z',
    '2026-03-01T24:00:00Z',
    '2026-03-01T12:00:60Z',
    '2026-02-29T12:00:00Z',
    '2026-04-31T12:00:00Z',
    '2026-13-01T12:00:00Z',
    '2026-00-01T12:00:00Z',
    '2026-03-00T12:00:00Z',
    '2026-03-01T12:00:00+24:00',
    '1767225600',
  ])('refuses the instant %j', (text) => {
    expect(() => parseInstant(text)).toThrow(RangeError);
  });
});

describe('parseTimeLimit', () => {
  it.each([
    ['30', 30_000],
    ['30s', 30_000],
    ['500ms', 500],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('reads the time limit %s', (text, milliseconds) =>
    expect(parseTimeLimit(text)).toBe(milliseconds),
  );

  it.each(['', '0', '0s', '-1s', '1.5s', '1d', '61m', '2h', 's', '30 s'])(
    'refuses the time limit %j',
    (text) => {
      expect(() => parseTimeLimit(text)).toThrow(RangeError);
    },
  );
});

describe('parseTcb', () => {
  it.each([
    ['bl=4,tee=0,snp=24,ucode=213', { bl: 4, tee: 0, snp: 24, ucode: 213 }],
    ['ucode=81,fmc=1,snp=4,tee=1,bl=1', { fmc: 1, bl: 1, tee: 1, snp: 4, ucode: 81 }],
  ])('reads the TCB version %s', (text, tcb) => expect(parseTcb(text)).toEqual(tcb));

  it.each([
    '',
    'bl=4',
    'bl=4,tee=0,snp=24,ucode=256',
    'bl=4,tee=0,snp=24,ucode=-1',
    'bl=4,tee=0,snp=24,ucode=213,bl=4',
    'bl=4,tee=0,snp=24,ucode=213,other=1',
    'bl=4, tee=0,snp=24,ucode=213',
    'bl=4,tee=0,snp=24,ucode=213,',
  ])('refuses the TCB version %j', (text) => {
    expect(() => parseTcb(text)).toThrow(RangeError);
  });
});
