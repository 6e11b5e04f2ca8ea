import { accountRoutes } from './account/rest.ts';
import { aliasRoutes } from './account-aliases/rest.ts';
import { tenantRoutes } from './auth/rest.ts';
import { customerRoutes } from './customer/rest.ts';
import { settingRoutes } from './owner-settings/rest.ts';
import { docsRoutes } from './rest/docs.ts';
import { documentRoutes } from './rest/openapi.ts';
import type { Rest, RestOptions } from './rest/route.ts';
import { createRest } from './rest/server.ts';

/** Creates the REST API with all its routes. */
export function createRouter(options: RestOptions): Rest {
  const rest = createRest(options);
  accountRoutes(rest);
  aliasRoutes(rest);
  customerRoutes(rest);
  settingRoutes(rest);
  tenantRoutes(rest);
  if (options.restDocs) {
    documentRoutes(rest);
    docsRoutes(rest);
  }
  return rest;
}
