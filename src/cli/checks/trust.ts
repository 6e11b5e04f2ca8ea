import { findIssuerProblem, readKeys } from '../../auth/jwt-keys.ts';
import type { Config } from '../../config.ts';
import { countOf } from '../../lib/wording.ts';
import { readTrustedDocuments } from '../../pipeline/manifest.ts';
import { attempt, type Check, ok, problem, warning } from './check.ts';

/** Checks that the keys of the JWT issuer are available. */
export async function checkIssuer(config: Config): Promise<Check[]> {
  const { jwt } = config;
  if (jwt === undefined) return [];
  const name = 'JWT keys';
  return attempt(name, { config, advice: 'Correct JWT_KEY_FILE.' }, async () => {
    if ('file' in jwt.keys) {
      await readKeys(jwt.keys);
      return ok(name, `The file ${jwt.keys.file} (JWT_KEY_FILE) has public keys.`);
    }
    const { url } = jwt.keys;
    const issuer = `The issuer at ${url.origin}${url.pathname} (JWT_JWKS_URL)`;
    const wrong = await findIssuerProblem(url);
    if (wrong === undefined) return ok(name, `${issuer} has public keys.`);
    return problem(name, `${issuer} ${wrong}.`, 'Correct JWT_JWKS_URL, or ask the operator of the issuer.');
  });
}

/** Checks that the trusted documents can be read. */
export async function checkTrustedDocuments(config: Config): Promise<Check[]> {
  if (config.trustedDocuments === undefined) return [];
  const name = 'trusted documents';
  return attempt(name, { config, advice: 'Correct TRUSTED_DOCUMENTS or the file.' }, async () => {
    const { size } = await readTrustedDocuments(config.trustedDocuments);
    if (size > 0 || !config.trustedDocumentsOnly)
      return ok(name, `The file has ${countOf(size, 'document')}.`);
    const message = 'The file of TRUSTED_DOCUMENTS has no documents, so every request is refused.';
    return problem(name, message, 'Add documents to the file, or unset TRUSTED_DOCUMENTS_ONLY.');
  });
}

/** Warns about keys without which a production service with a DATABASE_URL lacks a feature. */
export function checkKeys({ production, databaseUrl, sessionKeys, webhookKeys }: Config): Check[] {
  if (!production || databaseUrl === undefined) return [];
  const checked: [string, readonly unknown[] | undefined, string, string][] = [
    ['session keys', sessionKeys, 'SESSION_KEYS', '`POST /authenticate` returns 503'],
    ['webhook keys', webhookKeys, 'WEBHOOK_KEYS', 'there are no webhooks'],
  ];
  return checked.map(([name, keys, variable, effect]) =>
    keys !== undefined
      ? ok(name, `${variable} has ${countOf(keys.length, 'key')}.`)
      : warning(
          name,
          `${variable} is unset, so ${effect}.`,
          `To have this feature, set ${variable} to the same keys on every replica. \`openssl rand -base64 32\` makes a key.`,
        ),
  );
}
