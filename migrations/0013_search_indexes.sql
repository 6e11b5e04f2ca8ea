-- outside a transaction
-- Fills the text of existing rows in short transactions. Can be interrupted and run again.
DO $$
DECLARE
  position record;
  upper record;
BEGIN
  SELECT 0 AS tenant_id, '' COLLATE "C" AS id INTO position;
  LOOP
    SELECT tenant_id, id::text COLLATE "C" AS id INTO upper FROM (SELECT tenant_id, id FROM customers
      WHERE (tenant_id, id) > (position.tenant_id, position.id COLLATE "C") ORDER BY tenant_id, id LIMIT 500) AS batch
      ORDER BY tenant_id DESC, id DESC LIMIT 1;
    EXIT WHEN NOT FOUND;
    UPDATE customers SET search_text = NULL, facets = NULL WHERE search_text IS NULL
      AND (tenant_id, id) > (position.tenant_id, position.id COLLATE "C") AND (tenant_id, id) <= (upper.tenant_id, upper.id COLLATE "C");
    COMMIT;
    position := upper;
  END LOOP;
END;
$$;
--> statement-breakpoint
-- Fills the text of existing rows in short transactions. Can be interrupted and run again.
DO $$
DECLARE
  position record;
  upper record;
BEGIN
  SELECT 0 AS tenant_id, '' COLLATE "C" AS id INTO position;
  LOOP
    SELECT tenant_id, id::text COLLATE "C" AS id INTO upper FROM (SELECT tenant_id, id FROM accounts
      WHERE (tenant_id, id) > (position.tenant_id, position.id COLLATE "C") ORDER BY tenant_id, id LIMIT 500) AS batch
      ORDER BY tenant_id DESC, id DESC LIMIT 1;
    EXIT WHEN NOT FOUND;
    UPDATE accounts SET search_text = NULL, facets = NULL WHERE search_text IS NULL
      AND (tenant_id, id) > (position.tenant_id, position.id COLLATE "C") AND (tenant_id, id) <= (upper.tenant_id, upper.id COLLATE "C");
    COMMIT;
    position := upper;
  END LOOP;
END;
$$;
--> statement-breakpoint
-- An interrupted attempt leaves an invalid index.
DROP INDEX CONCURRENTLY IF EXISTS "accounts_search_idx";
--> statement-breakpoint
CREATE INDEX CONCURRENTLY "accounts_search_idx" ON "accounts" USING gin ("search_text" gin_trgm_ops,"metadata" jsonb_path_ops,"facets");
--> statement-breakpoint
-- An interrupted attempt leaves an invalid index.
DROP INDEX CONCURRENTLY IF EXISTS "customers_search_idx";
--> statement-breakpoint
CREATE INDEX CONCURRENTLY "customers_search_idx" ON "customers" USING gin ("search_text" gin_trgm_ops,"metadata" jsonb_path_ops,"facets");
--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "accounts_filter_idx";
--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "aliases_search_idx";
--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "customers_filter_idx";
