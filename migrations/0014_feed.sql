CREATE TABLE "feed" (
	"tenant_id" integer NOT NULL,
	"position" bigint NOT NULL,
	"change_id" uuid NOT NULL,
	CONSTRAINT "feed_pkey" PRIMARY KEY("tenant_id","position"),
	CONSTRAINT "feed_change_key" UNIQUE("tenant_id","change_id")
);
--> statement-breakpoint
CREATE TABLE "feed_state" (
	"id" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"system_identifier" text,
	"seen" "pg_snapshot",
	CONSTRAINT "feed_state_one_row_check" CHECK ("feed_state"."id" = 1)
);

--> statement-breakpoint
INSERT INTO "feed_state" DEFAULT VALUES;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "refuse_rewriting_history"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', tg_table_name, tg_op USING ERRCODE = 'restrict_violation';
END;
$$;
--> statement-breakpoint
CREATE TRIGGER "feed_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "feed"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_rewriting_history"();
