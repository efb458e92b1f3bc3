import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { failureOf } from './failure.ts';
import { parseRequest } from './parse.ts';

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

it('blames the client for invalid requests only', () => {
  const schema = z.strictObject({ list: z.array(z.string()) });
  const theirs = failureOf(thrownBy(() => parseRequest(schema, { list: [1] })));
  expect(theirs).toMatchObject({ status: 400, unexpected: false });
  expect(theirs.body.code).toBe('invalid-argument');
  expect(theirs.body.message).toMatch(/^Invalid request: list\.0: /);
  const ours = failureOf(thrownBy(() => schema.parse({ list: [1] })));
  expect(ours).toMatchObject({ status: 500, unexpected: true });
  expect(ours.body.code).toBe('internal');
  expect(ours.body.message).not.toContain('list');
});

it('does not log unsupported routes as unexpected failures', () => {
  const swarm = failureOf(new A3sError('not-in-swarm', 'this node is not a swarm manager'));
  expect(swarm).toMatchObject({ status: 503, unexpected: false });
  expect(failureOf(new A3sError('vmm-failed', 'it ended'))).toMatchObject({ unexpected: true });
});

it('reports a full disk as such, whether the system or SQLite found it', () => {
  const system = Object.assign(new Error('write'), { code: 'ENOSPC' });
  const sqlite = new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
  for (const error of [system, sqlite]) {
    expect(failureOf(error)).toMatchObject({ status: 500, unexpected: true });
    expect(failureOf(error).body).toMatchObject({ code: 'disk-full' });
  }
});
