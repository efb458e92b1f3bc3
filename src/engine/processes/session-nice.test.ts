import { describe, expect, it } from 'vitest';
import { type SessionFile, setSessionNice } from './session-nice.ts';

function failing(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** The kernel's autogroup file, which answers the first writes with `refusals`. */
class FakeFile implements SessionFile {
  text = '/autogroup-7 nice 0\n';
  readonly paths: string[] = [];
  readonly #refusals: Error[];

  constructor(...refusals: Error[]) {
    this.#refusals = refusals;
  }

  read(): string {
    return this.text;
  }

  write(path: string, text: string): void {
    this.paths.push(path);
    const refusal = this.#refusals.shift();
    if (refusal !== undefined) throw refusal;
    this.text = `/autogroup-7 nice ${text}\n`;
  }
}

describe('the nice value of a session', () => {
  it('writes the nice value of a session once for all its processes', async () => {
    const file = new FakeFile();
    await setSessionNice(5, 3, file);
    await setSessionNice(6, 3, file);
    expect([file.text, file.paths]).toEqual(['/autogroup-7 nice 3\n', ['/proc/5/autogroup']]);
  });

  it.each(['/autogroup-7 nice -4\n', ''])('does not write a nice value over %j', async (text) => {
    const file = new FakeFile();
    file.text = text;
    await setSessionNice(5, -4, file);
    expect(file.paths).toEqual([]);
  });

  it('retries to write the nice value while the kernel answers EAGAIN', async () => {
    const file = new FakeFile(failing('EAGAIN'), failing('EAGAIN'));
    await setSessionNice(5, 3, file);
    expect([file.text, file.paths.length]).toEqual(['/autogroup-7 nice 3\n', 3]);
  });

  it('ignores a process that ends before its nice value is written', async () => {
    const file = new FakeFile(failing('ESRCH'));
    await setSessionNice(5, 3, file);
    expect(file.paths).toHaveLength(1);
  });

  it('gives up on the nice value after its timeout', async () => {
    const file = new FakeFile(...Array<Error>(9999).fill(failing('EAGAIN')));
    await expect(setSessionNice(5, 3, file, 20)).rejects.toMatchObject({
      ...{ code: 'vmm-failed', message: expect.stringContaining('CPU shares') },
    });
  });

  it('reports a nice value that the kernel refuses', async () => {
    const file = new FakeFile(failing('EPERM'));
    await expect(setSessionNice(5, -3, file)).rejects.toMatchObject({ code: 'EPERM' });
  });
});
