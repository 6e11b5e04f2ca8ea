CREATE TABLE "registered_aliases" (
	"tenant_id" integer NOT NULL,
	"value" varchar(255) collate "C" NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "registered_aliases_pkey" PRIMARY KEY("tenant_id","value")
);
--> statement-breakpoint
ALTER TABLE "accounts" DROP CONSTRAINT "accounts_name_check";--> statement-breakpoint
ALTER TABLE "customers" DROP CONSTRAINT "customers_name_check";--> statement-breakpoint
ALTER TABLE "accounts" ALTER COLUMN "address_phone_number" SET DATA TYPE varchar(50);--> statement-breakpoint
ALTER TABLE "accounts" ALTER COLUMN "address_city" SET DATA TYPE varchar(255);--> statement-breakpoint
ALTER TABLE "accounts" ALTER COLUMN "address_state" SET DATA TYPE varchar(255);--> statement-breakpoint
ALTER TABLE "aliases" ALTER COLUMN "value" SET DATA TYPE varchar(255) collate "C";--> statement-breakpoint
ALTER TABLE "customers" ALTER COLUMN "address_phone_number" SET DATA TYPE varchar(50);--> statement-breakpoint
ALTER TABLE "customers" ALTER COLUMN "address_city" SET DATA TYPE varchar(255);--> statement-breakpoint
ALTER TABLE "customers" ALTER COLUMN "address_state" SET DATA TYPE varchar(255);--> statement-breakpoint
ALTER TABLE "aliases" ADD COLUMN "ordinal" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "registered_aliases" ADD CONSTRAINT "registered_aliases_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_name_check" CHECK (char_length("accounts"."name") >= 1);--> statement-breakpoint
ALTER TABLE "customers" ADD CONSTRAINT "customers_name_check" CHECK (char_length("customers"."name") >= 1);--> statement-breakpoint
UPDATE "accounts" SET "tags" = "folded"."tags" FROM (
	SELECT "tenant_id", "id", array(
		SELECT "tag" FROM unnest("accounts"."tags") WITH ORDINALITY AS "given"("raw", "place"),
			lateral (SELECT normalize(regexp_replace("raw", '^\s+|\s+$', '', 'g'), NFC) AS "tag") AS "line"
		WHERE "tag" <> '' GROUP BY "tag" ORDER BY min("place")
	)::varchar(50)[] AS "tags" FROM "accounts" WHERE cardinality("tags") > 0
) AS "folded"
WHERE "accounts"."tenant_id" = "folded"."tenant_id" AND "accounts"."id" = "folded"."id" AND "accounts"."tags" <> "folded"."tags";
