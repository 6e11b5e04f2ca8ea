import { readFileSync } from 'node:fs';

/** Fails if the report of `npm audit --json` names a package that the service loads or that its bundle contains. */
const [, , report] = process.argv;
const { vulnerabilities = {}, message } = JSON.parse(readFileSync(report, 'utf8'));
// Some registries take no audits, so there is nothing to learn.
if (message !== undefined) console.error(message);
const { dependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const notices = readFileSync('dist/THIRD-PARTY-NOTICES.txt', 'utf8');
const shipped = new Set([
  ...Object.keys({ ...dependencies, ...optionalDependencies }),
  ...[...notices.matchAll(/^== (\S+) /gm)].map(([, name]) => name),
]);
// A package is also listed for the advisories of its dependencies, but then `via` names these packages.
const found = Object.entries(vulnerabilities).flatMap(([name, { via }]) =>
  via.filter(({ severity }) => shipped.has(name) && ['high', 'critical'].includes(severity)),
);
for (const { name, range, severity, title, url } of found)
  console.error(`${name} ${range}: ${title} (${severity}), ${url}`);
if (found.length > 0) process.exit(1);
