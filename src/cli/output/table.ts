/**
 * Columns as Docker's tabwriter lays them out: at least ten wide, three apart, the last one as it
 * is.
 *
 * @module
 */

const MIN_WIDTH = 10;
const PADDING = 3;

/** Lines of tab-separated cells, aligned. */
export function alignColumns(lines: readonly string[], minWidth = MIN_WIDTH): string {
  const rows = lines.map((line) => line.split('\t'));
  const widths: number[] = [];
  for (const row of rows) {
    // The last cell of a line ends no column.
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? minWidth, [...cell].length + PADDING);
    }
  }
  return rows.map((row) => `${layOut(row, widths)}\n`).join('');
}

function layOut(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => {
      if (column === row.length - 1) return cell;
      return cell + ' '.repeat((widths[column] ?? 0) - [...cell].length);
    })
    .join('');
}
