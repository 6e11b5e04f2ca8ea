CREATE EXTENSION IF NOT EXISTS btree_gist;
--> statement-breakpoint
-- At any instant a value belongs to at most one account of a tenant. The value stands here as a 64-bit hash seeded with
-- its tenant: a GiST index over text costs twice as much.
ALTER TABLE "aliases" ADD CONSTRAINT "aliases_no_overlap" EXCLUDE USING gist (
  hashtextextended("value", "tenant_id") WITH =,
  tstzrange("effective_from", "effective_until") WITH &&
);
--> statement-breakpoint
CREATE FUNCTION "refuse_rewriting_history"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'changes is append-only: % is refused', tg_op USING ERRCODE = 'restrict_violation';
END;
$$;
--> statement-breakpoint
CREATE TRIGGER "changes_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "changes"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_rewriting_history"();
