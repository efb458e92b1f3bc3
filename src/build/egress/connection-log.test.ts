import { expect, it } from 'vitest';
import { ConnectionLog } from './connection-log.ts';

function opened() {
  const lines: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[] =
    [];
  let time = 0;
  const log = new ConnectionLog(
    { info: (message, fields = {}) => void lines.push({ message, fields }) },
    () => time,
  );
  const hosts = () => lines.map(({ fields }) => fields['host']);
  return { log, lines, hosts, pass: (ms: number) => (time += ms) };
}

const REACHED = 'a step of a build has reached a host';
const REFUSED = 'a connection of a step of a build was refused';

it('logs each host that is reached once, however many there are', () => {
  const { log, hosts } = opened();
  for (let number = 0; number < 1100; number += 1) {
    log.reached(`${number}.test:443`);
    // One that is asked for again and again is not forgotten.
    log.reached('often.test:443');
  }
  log.reached('1099.test:443');
  expect(hosts()).toHaveLength(1101);
  // It was forgotten.
  log.reached('0.test:443');
  expect(hosts().at(-1)).toBe('0.test:443');
});

it('logs a host that is reached whatever was refused before', () => {
  const { log, lines } = opened();
  for (let number = 0; number < 5000; number += 1) log.refused(`${number}.test:443`, 'no');
  log.reached('other.test:443');
  expect(lines.at(-1)).toEqual({ message: REACHED, fields: { host: 'other.test:443' } });
});

it('bounds refusals in time, and counts those that are left out', () => {
  const { log, lines, pass } = opened();
  for (let number = 0; number < 1030; number += 1) log.refused(`${number}.test:443`, 'no');
  expect(lines).toHaveLength(1024);
  pass(1000);
  log.refused('later.test:443', 'no');
  log.refused('last.test:443', 'no');
  expect(lines).toHaveLength(1025);
  const fields = { host: 'later.test:443', reason: 'no', leftOut: 6 };
  expect(lines.at(-1)).toEqual({ message: REFUSED, fields });
});

it('logs a refusal once for each reason', () => {
  const { log, lines } = opened();
  for (const reason of ['one', 'one', 'other']) log.refused('a.test:443', reason);
  expect(lines.map(({ fields }) => fields['reason'])).toEqual(['one', 'other']);
});
