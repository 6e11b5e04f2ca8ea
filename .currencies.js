import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Currencies of ISO 4217 that circulate, but are no country's tender in CLDR. */
const others = ['VED', 'XAD'];
/** Codes that stand for no currency: metals, funds of accounting, tests. */
const noCurrency = /^X(A[GU]|B[A-D]|DR|EU|FO|FU|P[DT]|RE|SU|TS|UA|XX)$/;

/** Writes the currency codes of Unicode's CLDR into `src/lib/currencies.ts`. */
const directory = mkdtempSync(join(tmpdir(), 'currencies-'));
try {
  const [archive] = JSON.parse(
    execFileSync('npm', ['pack', '--json', 'cldr-core'], { cwd: directory, encoding: 'utf8' }),
  );
  execFileSync('tar', ['xzf', archive.filename, 'package/supplemental/currencyData.json'], {
    cwd: directory,
  });
  const file = join(directory, 'package', 'supplemental', 'currencyData.json');
  const regions = JSON.parse(readFileSync(file, 'utf8')).supplemental.currencyData.region;
  const today = new Date().toISOString().slice(0, 10);
  const isCurrent = ({ _from, _to = '9999', _tender }) =>
    _tender !== 'false' && _from <= today && _to > today;
  const spans = Object.entries(regions)
    .filter(([region]) => region !== 'ZZ')
    .flatMap(([, list]) => list.flatMap(Object.entries))
    .filter(([code]) => !noCurrency.test(code));
  const current = new Set([...others, ...spans.filter(([, span]) => isCurrent(span)).map(([code]) => code)]);
  const withdrawn = new Set(spans.map(([code]) => code).filter((code) => !current.has(code)));
  const listed = (name, codes) =>
    `export const ${name} = \`\n${[...codes]
      .sort()
      .join(' ')
      .replaceAll(/(.{1,99})(?: |$)/g, '  $1\n')}\`\n  .trim()\n  .split(/\\s+/);\n`;
  writeFileSync(
    'src/lib/currencies.ts',
    `/** Currency codes of Unicode CLDR ${archive.version}, written by \`npm run currencies\`. */\n\n/** The currencies in use. */\n${listed('currentCurrencies', current)}\n/** The currencies that were in use before. */\n${listed('withdrawnCurrencies', withdrawn)}`,
  );
} finally {
  rmSync(directory, { recursive: true });
}
