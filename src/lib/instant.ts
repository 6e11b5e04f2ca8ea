const spelling =
  /^(\d{4}-\d\d-\d\d)(?:[Tt ]((?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.(\d{1,9}))? ?(?:([Zz]|UTC|GMT)|([+-]\d\d):?(\d\d))?)?$/;

/**
 * Parses an instant in RFC 3339, as Python sends it (`2024-01-01T00:00:00+0000`) or as Ruby does
 * (`2022-06-04 00:00:00 UTC`). The default time is midnight, the default offset UTC. Returns undefined for any other text.
 */
export function parseInstant(text: string): Date | undefined {
  const parts = spelling.exec(text);
  if (parts === null) return undefined;
  const [, day, time = '00:00:00', fraction = '0', , hours = '+00', minutes = '00'] = parts;
  const instant = new Date(`${day}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}${hours}:${minutes}`);
  // Date moves a day that the month lacks, such as February 30, into the next month.
  const exists = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(instant.getTime()) || Number.isNaN(exists.getTime())) return undefined;
  return exists.toISOString().slice(0, 10) === day ? instant : undefined;
}
