// Imported first, so that its configuration also applies to schemas with OpenAPI methods.
import '../lib/zod.ts';

export { z } from '@hono/zod-openapi';
