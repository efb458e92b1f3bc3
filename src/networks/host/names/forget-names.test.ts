import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { forgetNames } from './forget-names.ts';

const [web, db] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];
const network = 'ab'.repeat(32);
let temporaryDirectory: string;
let directory: string;
beforeEach(() => {
  temporaryDirectory = mkdtempSync(join(tmpdir(), 'a3s-names-'));
  directory = join(temporaryDirectory, 'aardvark-dns');
  mkdirSync(directory);
});
afterEach(() => rmSync(temporaryDirectory, { recursive: true }));

it.each(['', '%int'])(
  'removes the names of one box, however often they are there%s',
  async (suffix) => {
    const file = join(directory, `abababababab${suffix}`);
    const other = `${db} 10.89.1.3  db,222222222222\n`;
    const own = `${web} 10.89.1.2  web,111111111111\n`;
    writeFileSync(file, `10.89.1.1\n${own}${other}${own}`);
    expect(await forgetNames({ directory, temporaryDirectory }, { box: web, network })).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe(`10.89.1.1\n${other}`);
    expect(await forgetNames({ directory, temporaryDirectory }, { box: web, network })).toBe(false);
    expect(await forgetNames({ directory, temporaryDirectory }, { box: db, network })).toBe(true);
    expect(existsSync(file)).toBe(false);
    expect(await forgetNames({ directory, temporaryDirectory }, { box: db, network })).toBe(false);
  },
);
