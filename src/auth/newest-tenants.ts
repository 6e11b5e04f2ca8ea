import { LRUCache } from 'lru-cache';
import type { TenantRow } from '../tenant/table.ts';

const maxRemembered = 10_000;

/** The newest known versions of the tenants that this replica has changed. */
export interface NewestTenants {
  /** Remembers a changed tenant. */
  note(tenant: TenantRow): void;
  /** Returns the newest known version of a tenant, which may be the given one. */
  newest(tenant: TenantRow): TenantRow;
}

/**
 * Creates the memory of the tenants that this replica has changed. Look-ups of tokens are cached, so they may have an
 * older version for some seconds, also one that a look-up finds while the tenant changes.
 */
export function createNewestTenants(): NewestTenants {
  const changed = new LRUCache<number, TenantRow>({ max: maxRemembered });
  function newest(tenant: TenantRow): TenantRow {
    const known = changed.get(tenant.id);
    return known !== undefined && known.version > tenant.version ? known : tenant;
  }
  return {
    note(tenant) {
      changed.set(tenant.id, newest(tenant));
    },
    newest,
  };
}
