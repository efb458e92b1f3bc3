import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../client/json.ts';
import { showProgress } from './progress.ts';
import { progressRow, rowText } from './progress-row.ts';

/**
 * As much of a terminal as progress uses: text, new lines, cursor up, clearing. Lines do not
 * reflow, as in xterm.
 */
class Screen extends Writable {
  readonly isTTY = true;
  columns: number;
  rows: number;
  lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns = 80, rows = 24) {
    super({ decodeStrings: false });
    this.columns = columns;
    this.rows = rows;
  }

  override _write(chunk: string | Buffer, _: BufferEncoding, done: () => void): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal reads
    for (const [part] of String(chunk).matchAll(/\x1b\[\d*[A-Z]|[\s\S]/g)) this.#take(part);
    done();
  }

  #take(part: string): void {
    const up = /^.\[(\d+)A$/s.exec(part);
    if (up !== null) this.#row -= Math.min(Number(up[1]), this.#reach);
    else if (part === '\x1b[K') this.#line((line) => line.slice(0, this.#column));
    else if (part === '\x1b[J') this.lines.splice(this.#row + 1);
    else if (part === '\r') this.#column = 0;
    else if (part === '\n') {
      this.#row++;
      this.#column = 0;
      this.lines[this.#row] ??= '';
    } else {
      if (part < ' ') throw new Error(`a terminal got ${JSON.stringify(part)}`);
      this.#line((line) => line.slice(0, this.#column) + part + line.slice(this.#column + 1));
      this.#column++;
      if (this.#column >= this.columns) throw new Error('a line was too long');
    }
  }

  /** The cursor goes up no further than the first row of the screen. */
  get #reach(): number {
    return Math.min(this.#row, this.rows - 1);
  }

  #line(change: (line: string) => string): void {
    this.lines[this.#row] = change(this.lines[this.#row] ?? '');
  }

  get shown(): string {
    return this.lines.join('\n');
  }
}

const layer = (id: number, status: string, current = 0, total = 0): JsonObject => ({
  id: String(id).padStart(12, 'a'),
  status,
  progressDetail: current > 0 ? { current, total } : {},
});

const show = async (
  screen: Screen,
  source: AsyncIterable<JsonObject> | Iterable<JsonObject>,
): Promise<string> => {
  async function* each(): AsyncGenerator<JsonObject> {
    yield* source;
  }
  await showProgress(each(), screen, {});
  return screen.shown;
};

describe('progress on a terminal', () => {
  it('keeps the last status of each layer, in the order of arrival', async () => {
    const screen = new Screen(120);
    screen.write('$ a3s-box pull x\n');
    const shown = await show(screen, [
      { id: 'latest', status: 'Pulling from library/x' },
      layer(1, 'Pulling fs layer'),
      layer(2, 'Waiting'),
      layer(1, 'Downloading', 10, 100),
      layer(2, 'Downloading', 10, 100),
      layer(1, 'Pull complete'),
      layer(2, 'Pull complete'),
      { id: 'bbbbbbbbbbbb', status: `Signature left out: ${'a long reason, '.repeat(4)}` },
      { status: 'Digest: sha256:00' },
      { aux: {} },
    ]);
    expect(shown).toBe(
      '$ a3s-box pull x\nlatest: Pulling from library/x\n' +
        'aaaaaaaaaaa1: Pull complete\naaaaaaaaaaa2: Pull complete\n' +
        `bbbbbbbbbbbb: Signature left out: ${'a long reason, '.repeat(4)}\nDigest: sha256:00\n`,
    );
  });

  it('redraws the progress of each layer in place', async () => {
    const screen = new Screen(120);
    async function* source(): AsyncGenerator<JsonObject> {
      yield layer(1, 'Waiting');
      yield layer(2, 'Downloading', 5_000_000, 10_000_000);
      await expect.poll(() => screen.shown).toContain('aaaaaaaaaaa2');
      expect(screen.shown).toBe(
        `aaaaaaaaaaa1: Waiting\naaaaaaaaaaa2: Downloading [${'='.repeat(25)}>${' '.repeat(25)}]      5MB/10MB\n`,
      );
      yield layer(1, 'Downloading', 7_000_000, 0);
      await expect.poll(() => screen.shown).toContain('aaaaaaaaaaa1: Downloading      7MB\n');
    }
    await show(screen, source());
    expect(screen.lines.length).toBe(3);
  });

  it('draws as many layers as fit, and all of them at the end', async () => {
    const screen = new Screen(80, 6);
    async function* source(): AsyncGenerator<JsonObject> {
      for (let id = 10; id < 30; id++) yield layer(id, id < 15 ? 'Pull complete' : 'Waiting');
      await expect.poll(() => screen.shown).toContain('... and 16 more');
      expect(screen.shown).toMatch(
        /^aaaaaaaaaa15.+\naaaaaaaaaa16.+\n.+\n.+\n\.\.\. and 16 more\n$/,
      );
    }
    await show(screen, source());
    expect(screen.lines).toHaveLength(21);
    expect(screen.shown).not.toContain('more');
  });

  it.each([
    ['narrower', 30, 24],
    ['lower', 100, 3],
  ])('keeps the text above when the terminal becomes %s', async (_, columns, rows) => {
    const screen = new Screen(100);
    screen.write('precious\n');
    async function* source(): AsyncGenerator<JsonObject> {
      for (let id = 1; id < 7; id++) yield layer(id, 'Downloading', 50, 100);
      await expect.poll(() => screen.shown).toContain('aaaaaaaaaaa6');
      Object.assign(screen, { columns, rows });
      screen.emit('resize');
      yield layer(1, 'Verifying Checksum');
      await expect.poll(() => screen.shown).toContain('aaaaaaaaaaa1: Verif');
    }
    await show(screen, source());
    expect(screen.lines[0]).toBe('precious');
    expect(screen.listenerCount('resize')).toBe(0);
  });

  it('prints messages of the server above the progress rows', async () => {
    const screen = new Screen(100);
    async function* source(): AsyncGenerator<JsonObject> {
      yield { stream: 'first\n' };
      yield layer(1, 'Loading', 1, 2);
      yield { stream: 'second\n' };
      yield layer(1, 'Loading', 2, 2);
      await expect.poll(() => screen.shown).toContain('2B/2B');
      yield { stream: 'third' };
    }
    await show(screen, source());
    expect(screen.lines).toEqual([
      'first',
      'second',
      'third',
      expect.stringMatching(/^aaaaaaaaaaa1: Loading .* 2B\/2B$/),
      '',
    ]);
  });

  it('leaves the rows at an error, with the cursor below', async () => {
    const screen = new Screen();
    function* source(): Generator<JsonObject> {
      yield layer(1, 'Waiting');
      yield layer(2, 'Downloading', 1, 2);
      throw new Error('cut');
    }
    await expect(show(screen, source())).rejects.toThrow('cut');
    screen.write('a3s-box: cut\n');
    expect(screen.lines).toEqual([
      'aaaaaaaaaaa1: Waiting',
      expect.stringMatching(/^aaaaaaaaaaa2: Downloading /),
      'a3s-box: cut',
      '',
    ]);
  });

  it('removes control characters from progress messages', async () => {
    const screen = new Screen();
    const evil = '\x1b[2J\x1b[9A\r\n\u{9b}5A';
    await show(screen, [
      { id: `aa${evil}`, status: `x${evil}`, progressDetail: {} },
      { id: 'b', status: `Digest: ${evil.replace('\n', '')}` },
      { status: 'ok' },
    ]);
    expect(screen.lines).toHaveLength(4);
  });
});

describe('a row', () => {
  it.each([
    [200, 50],
    [111, 50],
    [110, 50],
    [80, 20],
    [70, 10],
    [69, 0],
  ])('draws a progress row in %d columns with a bar of %d', (columns, bar) => {
    const text = rowText(progressRow(layer(1, 'Downloading', 1, 1e9)), columns);
    expect(/\[(.*)\]/.exec(text)?.[1]?.length ?? 1).toBe(bar + 1);
    expect(text.length).toBeLessThan(columns);
  });

  it.each([0, 1, 2, 20])('fits a progress row into %d columns', (columns) => {
    const text = rowText(progressRow(layer(1, 'Downloading', 1, 2)), columns);
    expect(text.length).toBeLessThanOrEqual(Math.max(columns - 1, 1));
  });

  it('shows progress beyond the total as it is', () => {
    const text = rowText(progressRow(layer(1, 'Downloading', 3e6, 2e6)), 80);
    expect(text).toBe(`aaaaaaaaaaa1: Downloading [${'='.repeat(20)}>]      3MB`);
  });
});
