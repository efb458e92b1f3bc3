/**
 * Lines at the bottom of a terminal that are drawn over as they change.
 *
 * Nothing above them is ever touched: where the terminal has become so small that what was drawn
 * has moved, they are drawn anew below.
 *
 * @module
 */
import type { Context } from '../../context.ts';
import { isFinished, type ProgressRow, rowText } from './progress-row.ts';

type Terminal = Context['stdout'];

const REDRAW_MS = 80;
const UP = (lines: number): string => `\x1b[${lines}A`;
const CLEAR_TO_END_OF_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

export class ProgressScreen {
  readonly #terminal: Terminal;
  readonly #rows = new Map<string, ProgressRow>();
  /** The lines on the screen; the cursor stands at the start of the line below them. */
  #drawn: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.on('resize', this.#schedule);
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  /** Shows the row in its place, now or soon: layers report more often than anybody reads. */
  show(row: ProgressRow): void {
    this.#rows.set(row.id, row);
    if (this.#drawn.length === 0) this.#draw(this.#visible());
    else this.#schedule();
  }

  /** Writes a line above the rows, which go on below it. */
  above(text: string): void {
    if (this.#drawn.length === 0) {
      this.#terminal.write(`${text}\n`);
      return;
    }
    const back = this.#isWhereItWas() ? UP(this.#drawn.length) : '';
    this.#terminal.write(`${back}\r${text}${CLEAR_TO_END_OF_LINE}\n`);
    this.#drawn = [];
    this.#draw(this.#visible());
  }

  /** Leaves all rows as they are for good, and writes below them. */
  line(text: string): void {
    this.#finish();
    this.#terminal.write(`${text}\n`);
  }

  /** Leaves the terminal as others expect it. */
  end(): void {
    this.#finish();
    this.#terminal.off('resize', this.#schedule);
  }

  #finish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#rows.size === 0) return;
    this.#draw([...this.#rows.values()].map((row) => rowText(row, this.#columns)));
    this.#rows.clear();
    this.#drawn = [];
  }

  readonly #schedule = (): void => {
    if (this.#rows.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw(this.#visible());
    }, REDRAW_MS).unref();
  };

  get #columns(): number {
    return this.#terminal.columns || 80;
  }

  get #height(): number {
    return Math.max((this.#terminal.rows || 24) - 1, 1);
  }

  /** As many as the terminal has room for; those that still move come first. */
  #visible(): readonly string[] {
    const rows = [...this.#rows.values()];
    const columns = this.#columns;
    if (rows.length <= this.#height) return rows.map((row) => rowText(row, columns));
    const room = this.#height - 1;
    const moving = rows.filter((row) => !isFinished(row));
    const shown = new Set([...moving, ...rows.filter(isFinished)].slice(0, room));
    const lines = rows.filter((row) => shown.has(row)).map((row) => rowText(row, columns));
    const more = `... and ${rows.length - room} more`;
    return [...lines, more.slice(0, Math.max(columns - 1, 1))];
  }

  #draw(lines: readonly string[]): void {
    const back = this.#isWhereItWas() && this.#drawn.length > 0 ? UP(this.#drawn.length) : '';
    const text = lines.map((line) => `\r${line}${CLEAR_TO_END_OF_LINE}\n`).join('');
    this.#terminal.write(`${back}${text}${CLEAR_BELOW}`);
    this.#drawn = lines;
  }

  /**
   * Not where a line no longer fits, and so was wrapped, or where the first has left the screen.
   */
  #isWhereItWas(): boolean {
    const columns = this.#columns;
    return this.#drawn.length <= this.#height && this.#drawn.every((line) => line.length < columns);
  }
}
