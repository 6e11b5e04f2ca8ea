import type { Row } from './bench.ts';

export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
export const milliseconds = (value: number): string =>
  value >= 100 ? whole(value) : value.toFixed(value >= 10 ? 1 : 2);

export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join(
    '\n',
  );
}

/** A column that divides a figure of one column by the best of others. */
export interface Ratio {
  title: string;
  of: string;
  /** The columns to compare with. */
  to: string[];
}

interface Layout {
  head: string;
  figure: string | ((figures: Record<string, number>) => string);
  ratios?: Ratio[];
  /** Whether a higher figure is better, as of throughput. */
  isHigherBetter?: boolean;
}

const labelOf = ({ name, connections }: Row) =>
  connections === undefined ? name : `${name}, ${connections} connection${connections === 1 ? '' : 's'}`;

function ratioOf(row: Row[], figure: string, { of, to }: Ratio, isHigherBetter: boolean): string {
  const figureOf = (column: string) => row.find((one) => one.column === column)?.figures[figure];
  const own = figureOf(of);
  const others = to.flatMap((column) => figureOf(column) ?? []).filter((value) => value > 0);
  if (own === undefined || others.length === 0) return '';
  return (own / (isHigherBetter ? Math.max(...others) : Math.min(...others))).toFixed(2);
}

/** A table with a line for each case and a column for each service. */
export function pivot(rows: Row[], { head, figure, ratios = [], isHigherBetter = true }: Layout): string {
  const columns = [...new Set(rows.map(({ column }) => column))];
  const labels = [...new Set(rows.map(labelOf))];
  const lines = labels.map((label) => {
    const row = rows.filter((one) => labelOf(one) === label);
    const cells = columns.map((column) => {
      const figures = row.find((one) => one.column === column)?.figures;
      if (figures === undefined) return '';
      const shown = typeof figure === 'string' ? whole(figures[figure] ?? 0) : figure(figures);
      const { failed = 0, refused = 0 } = figures;
      return failed + refused > 0 ? `${shown} (${whole(failed + refused)} refused)` : shown;
    });
    const compared = typeof figure === 'string' ? figure : 'p50';
    return [label, ...cells, ...ratios.map((ratio) => ratioOf(row, compared, ratio, isHigherBetter))];
  });
  return table([head, ...columns, ...ratios.map(({ title }) => title)], lines);
}

/** `p50 / p99` in milliseconds. */
export const latency = ({ p50 = 0, p99 = 0 }: Record<string, number>): string =>
  `${milliseconds(p50)} / ${milliseconds(p99)}`;

/** CPU microseconds of service and database. */
export const cpu = ({ serviceUs = 0, databaseUs = 0 }: Record<string, number>): string =>
  `${whole(serviceUs)} + ${whole(databaseUs)}`;

/** The ratios to show for services in this order: to the other commit, or to the peers and the limit. */
export function serviceRatios(titles: string[], isAgainst: boolean): Ratio[] {
  const [own = '', ...others] = titles;
  if (isAgainst) return [{ title: 'ratio', of: own, to: others }];
  const peers = others.filter((title) => title !== 'the limit');
  return [
    { title: 'to the best peer', of: own, to: peers },
    { title: 'to the limit', of: own, to: ['the limit'] },
  ];
}

/** Throughput, latency and CPU time of rows that `compare` returned. */
export function comparisonTables(rows: Row[], ratios: Ratio[]): string {
  return [
    pivot(rows, { head: 'Requests/s', figure: 'perSecond', ratios }),
    pivot(rows, { head: 'p50 / p99, ms', figure: latency, ratios: [] }),
    pivot(rows, { head: 'CPU µs per request, service + database', figure: cpu }),
  ].join('\n\n');
}
