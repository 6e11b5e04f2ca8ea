import stringWidth from 'string-width';

/** An option of the commands that print data. */
export interface Printed {
  /** Whether to print JSON. */
  json?: boolean;
}

/** Returns lines whose columns are aligned. */
function table(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => stringWidth(line[column] ?? ''))),
  );
  return lines.map((line) =>
    line
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell)))
      .join('  ')
      .trimEnd(),
  );
}

/**
 * Prints rows: a table on a terminal, otherwise lines with tabs between the columns. With `json`, prints the data of all
 * rows as one array.
 */
export function printRows<Row>(
  rows: readonly Row[],
  columns: Readonly<Record<string, (row: Row) => string>>,
  { json = false }: Printed,
): void {
  if (json) {
    console.log(JSON.stringify(rows, null, 2));
    return;
  }
  const cells = rows.map((row) => Object.values(columns).map((cellOf) => cellOf(row)));
  const lines = process.stdout.isTTY
    ? table([Object.keys(columns), ...cells])
    : cells.map((line) => line.join('\t'));
  for (const line of lines) console.log(line);
}

/** Prints the text, or with `json` the data. */
export function printResult(data: object, text: string, { json = false }: Printed): void {
  console.log(json ? JSON.stringify(data, null, 2) : text);
}
