import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import type { ProcessEntry } from '../../guest/protocol.ts';
import { parsePsArguments } from './arguments.ts';
import { psTable } from './columns.ts';

const NOW = Date.parse('2026-03-04T12:00:00Z');
const ENTRY: ProcessEntry = {
  ...{ pid: 7, ppid: 1, uid: 1000, gid: 100, user: 'ann', state: 'S', terminal: 'pts/0' },
  ...{ nice: 5, threads: 3, startedAt: '2026-03-04T11:58:20Z', cpuUsec: 12_500_000 },
  ...{ residentBytes: 2 ** 20, virtualBytes: 2 ** 21, name: 'work', args: ['/bin/work', '-x'] },
};

function rows(args: string, entry: Partial<ProcessEntry> = {}) {
  const context = { now: NOW, memoryBytes: 4 * 2 ** 20 };
  const { Titles, Processes } = psTable(parsePsArguments(args), [{ ...ENTRY, ...entry }], context);
  return [Titles.join(' '), (Processes[0] ?? []).join(' ')];
}

describe('ps', () => {
  it.each([
    ['', 'UID PID PPID C STIME TTY TIME CMD', 'ann 7 1 12 11:58 pts/0 00:00:12 /bin/work -x'],
    ['-ef', 'UID PID PPID C STIME TTY TIME CMD', 'ann 7 1 12 11:58 pts/0 00:00:12 /bin/work -x'],
    [
      'aux',
      'USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND',
      'ann 7 12.5 25.0 2048 1024 pts/0 SNl 11:58 0:12 /bin/work -x',
    ],
    ['-e', 'PID TTY TIME CMD', '7 pts/0 00:00:12 work'],
    ['ax', 'PID TTY STAT TIME COMMAND', '7 pts/0 SNl 0:12 /bin/work -x'],
    ['-eo pid,comm', 'PID COMMAND', '7 work'],
    ['-o pid -o args', 'PID COMMAND', '7 /bin/work -x'],
    ['-opid,ni', 'PID NI', '7 5'],
    ['axo pid,s', 'PID S', '7 S'],
    ['--format pid,uid,gid', 'PID UID GID', '7 1000 100'],
    ['--format=pid,nlwp', 'PID NLWP', '7 3'],
    ['-o pid,cmd=WHAT', 'PID WHAT', '7 /bin/work -x'],
    ['-o pid,etime,etimes,pri,tt', 'PID ELAPSED ELAPSED PRI TT', '7 01:40 100 14 pts/0'],
    ['-o pid,lstart', 'PID STARTED', '7 Wed Mar  4 11:58:20 2026'],
  ])('formats the process table for ps %s', (args, titles, row) => {
    expect(rows(args)).toEqual([titles, row]);
  });

  it('shows the date of a process that did not start today', () => {
    const start = (startedAt: string) => rows('-o pid,stime,start,etime,time', { startedAt })[1];
    expect(start('2026-03-01T11:00:00Z')).toBe('7 Mar01 Mar 01 03-01:00:00 00:00:12');
    expect(start('2025-03-01T11:00:00Z')).toBe('7 2025 Mar 01 368-01:00:00 00:00:12');
    expect(start('2026-03-04T12:00:01Z')).toBe('7 12:00 12:00:01 00:00 00:00:12');
  });

  it('shows the user id, [name] and ? for a process without user name, arguments and terminal', () => {
    const bare = { user: '', args: [], terminal: '', nice: -1, threads: 1 };
    expect(rows('-o user,pid,cmd,tty,stat', bare)[1]).toBe('1000 7 [work] ? S<');
  });

  it('replaces control characters in the text of a process', () => {
    expect(rows('-o pid,args', { args: ['a\x1b[2Jb', 'c\u202e\n'] })[1]).toBe('7 a?[2Jb c??');
  });

  it.each([
    ['-x', 'unsupported option \\"-x\\"'],
    ['-ejH', 'unsupported option'],
    ['auxf', 'unsupported option'],
    ['--sort pid', 'unknown gnu long option'],
    ['-o', 'format specification must follow -o'],
    ['-o pid,nope', 'unknown user-defined format specifier'],
    ['-o pid,', 'unknown user-defined format specifier'],
    ['-', 'a - with nothing behind it'],
    ['-o comm', "Couldn't find PID field in ps output"],
    ['-o comm=PID', 'is not allowed'],
    ['-o pid=X', "Couldn't find PID field in ps output"],
    [`-o ${'pid,'.repeat(64)}pid`, 'more than 64 columns'],
    ['a'.repeat(4097), 'it is too long'],
  ])('refuses ps %s', (args, message) => {
    expect(() => parsePsArguments(args)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining(message.replaceAll('\\"', '"')),
      }),
    );
  });

  property.prop([fc.string()])('returns columns or a refusal for any ps arguments', (args) => {
    try {
      expect(parsePsArguments(args).some(({ title }) => title === 'PID')).toBe(true);
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid-argument' });
    }
  });
});
