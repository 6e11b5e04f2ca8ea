CREATE TABLE "accounts" (
	"tenant_id" integer NOT NULL,
	"id" varchar(50) collate "C" NOT NULL,
	"node_id" uuid NOT NULL,
	"customer_id" varchar(50) collate "C" NOT NULL,
	"name" varchar(255) NOT NULL,
	"status" varchar(10) NOT NULL,
	"invoice_currency" varchar(3),
	"net_term_days" smallint,
	"primary_email" varchar(320),
	"address_phone_number" varchar(30),
	"address_line1" varchar(255),
	"address_line2" varchar(255),
	"address_postal_code" varchar(20),
	"address_city" varchar(100),
	"address_state" varchar(100),
	"address_country" varchar(2),
	"email_recipients" varchar(320)[],
	"additional_email_recipients" varchar(320)[],
	"tags" varchar(50)[] NOT NULL,
	"metadata" jsonb NOT NULL,
	"version" integer NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "accounts_pkey" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "accounts_tenant_id_node_id_key" UNIQUE("tenant_id","node_id"),
	CONSTRAINT "accounts_id_check" CHECK (char_length("accounts"."id") >= 1),
	CONSTRAINT "accounts_name_check" CHECK (char_length("accounts"."name") >= 3),
	CONSTRAINT "accounts_status_check" CHECK ("accounts"."status" in ('DRAFT', 'ACTIVE', 'ARCHIVED')),
	CONSTRAINT "accounts_net_term_days_check" CHECK ("accounts"."net_term_days" between 0 and 365),
	CONSTRAINT "accounts_invoice_currency_check" CHECK ("accounts"."invoice_currency" ~ '^[A-Z]{3}$'),
	CONSTRAINT "accounts_recipients_check" CHECK (("accounts"."email_recipients" is null) = ("accounts"."additional_email_recipients" is null))
);
--> statement-breakpoint
CREATE TABLE "aliases" (
	"tenant_id" integer NOT NULL,
	"value" varchar(50) collate "C" NOT NULL,
	"account_id" varchar(50) collate "C" NOT NULL,
	"effective_from" timestamp(3) with time zone NOT NULL,
	"effective_until" timestamp(3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "aliases_pkey" PRIMARY KEY("tenant_id","value","effective_from"),
	CONSTRAINT "aliases_value_check" CHECK (char_length("aliases"."value") >= 1),
	CONSTRAINT "aliases_span_check" CHECK ("aliases"."effective_from" < "aliases"."effective_until")
);
--> statement-breakpoint
CREATE TABLE "customers" (
	"tenant_id" integer NOT NULL,
	"id" varchar(50) collate "C" NOT NULL,
	"node_id" uuid NOT NULL,
	"name" varchar(255) NOT NULL,
	"status" varchar(10) NOT NULL,
	"primary_email" varchar(320) NOT NULL,
	"address_phone_number" varchar(30),
	"address_line1" varchar(255),
	"address_line2" varchar(255),
	"address_postal_code" varchar(20),
	"address_city" varchar(100),
	"address_state" varchar(100),
	"address_country" varchar(2),
	"metadata" jsonb NOT NULL,
	"version" integer NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "customers_pkey" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "customers_tenant_id_node_id_key" UNIQUE("tenant_id","node_id"),
	CONSTRAINT "customers_id_check" CHECK (char_length("customers"."id") >= 1),
	CONSTRAINT "customers_name_check" CHECK (char_length("customers"."name") >= 3),
	CONSTRAINT "customers_status_check" CHECK ("customers"."status" in ('ACTIVE', 'ARCHIVED'))
);
--> statement-breakpoint
CREATE TABLE "changes" (
	"tenant_id" integer NOT NULL,
	"id" uuid NOT NULL,
	"customer_id" varchar(50) collate "C" NOT NULL,
	"account_id" varchar(50) collate "C",
	"kind" varchar(20) NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" varchar(200) NOT NULL,
	"request_id" varchar(100) NOT NULL,
	"version" integer NOT NULL,
	"before" jsonb,
	"after" jsonb,
	CONSTRAINT "changes_pkey" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "changes_kind_check" CHECK ("changes"."kind" in ('CUSTOMER_CREATED', 'CUSTOMER_UPDATED', 'CUSTOMER_ARCHIVED', 'CUSTOMER_RESTORED', 'ACCOUNT_CREATED', 'ACCOUNT_UPDATED', 'ACCOUNT_ARCHIVED', 'ACCOUNT_RESTORED', 'ALIASES_ADDED', 'ALIASES_REMOVED', 'ALIAS_TRANSFERRED', 'SETTINGS_PUT', 'SETTINGS_REMOVED'))
);
--> statement-breakpoint
CREATE TABLE "idempotency_records" (
	"tenant_id" integer NOT NULL,
	"key" varchar(255) collate "C" NOT NULL,
	"fingerprint" varchar(43) NOT NULL,
	"answer" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "idempotency_records_pkey" PRIMARY KEY("tenant_id","key")
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"tenant_id" integer NOT NULL,
	"owner_type" varchar(8) NOT NULL,
	"owner_id" varchar(50) collate "C" NOT NULL,
	"namespace" varchar(50) collate "C" NOT NULL,
	"id" varchar(50) collate "C" NOT NULL,
	"name" varchar(255) NOT NULL,
	"data_type" varchar(10) NOT NULL,
	"value" varchar(4096) NOT NULL,
	"account_id" varchar(50) collate "C" GENERATED ALWAYS AS (case when owner_type = 'ACCOUNT' then owner_id end) STORED,
	"customer_id" varchar(50) collate "C" GENERATED ALWAYS AS (case when owner_type = 'CUSTOMER' then owner_id end) STORED,
	CONSTRAINT "settings_pkey" PRIMARY KEY("tenant_id","owner_type","owner_id","namespace","id"),
	CONSTRAINT "settings_owner_type_check" CHECK ("settings"."owner_type" in ('ACCOUNT', 'CUSTOMER')),
	CONSTRAINT "settings_data_type_check" CHECK ("settings"."data_type" in ('STRING', 'NUMERIC', 'JSON', 'JSON_LOGIC')),
	CONSTRAINT "settings_id_check" CHECK (char_length("settings"."id") >= 1),
	CONSTRAINT "settings_namespace_check" CHECK (char_length("settings"."namespace") >= 1),
	CONSTRAINT "settings_name_check" CHECK (char_length("settings"."name") >= 1)
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"tenant_id" integer NOT NULL,
	"id" uuid NOT NULL,
	"name" varchar(100) NOT NULL,
	"token_hash" "bytea" NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	CONSTRAINT "api_keys_pkey" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "api_keys_token_hash_key" UNIQUE("token_hash")
);
--> statement-breakpoint
CREATE TABLE "tenants" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "tenants_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" varchar(50) NOT NULL,
	"base_currency" varchar(3) NOT NULL,
	"net_term_days" smallint NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "tenants_name_key" UNIQUE("name"),
	CONSTRAINT "tenants_net_term_days_check" CHECK ("tenants"."net_term_days" between 0 and 365)
);
--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_customer_fkey" FOREIGN KEY ("tenant_id","customer_id") REFERENCES "public"."customers"("tenant_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "aliases" ADD CONSTRAINT "aliases_account_fkey" FOREIGN KEY ("tenant_id","account_id") REFERENCES "public"."accounts"("tenant_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "customers" ADD CONSTRAINT "customers_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "changes" ADD CONSTRAINT "changes_account_fkey" FOREIGN KEY ("tenant_id","account_id") REFERENCES "public"."accounts"("tenant_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "changes" ADD CONSTRAINT "changes_customer_fkey" FOREIGN KEY ("tenant_id","customer_id") REFERENCES "public"."customers"("tenant_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "idempotency_records" ADD CONSTRAINT "idempotency_records_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "settings" ADD CONSTRAINT "settings_account_fkey" FOREIGN KEY ("tenant_id","account_id") REFERENCES "public"."accounts"("tenant_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "settings" ADD CONSTRAINT "settings_customer_fkey" FOREIGN KEY ("tenant_id","customer_id") REFERENCES "public"."customers"("tenant_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "accounts_updated_at_idx" ON "accounts" USING btree ("tenant_id","updated_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "accounts_customer_updated_at_idx" ON "accounts" USING btree ("tenant_id","customer_id","updated_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "aliases_account_idx" ON "aliases" USING btree ("tenant_id","account_id");--> statement-breakpoint
CREATE INDEX "customers_updated_at_idx" ON "customers" USING btree ("tenant_id","updated_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "changes_account_idx" ON "changes" USING btree ("tenant_id","account_id","id") WHERE "changes"."account_id" is not null;--> statement-breakpoint
CREATE INDEX "changes_customer_idx" ON "changes" USING btree ("tenant_id","customer_id","id") WHERE "changes"."account_id" is null;--> statement-breakpoint
CREATE INDEX "idempotency_records_created_at_idx" ON "idempotency_records" USING btree ("created_at");