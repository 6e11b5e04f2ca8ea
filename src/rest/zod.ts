// First, so that schemas made with the methods for OpenAPI follow its configuration, too.
import '../lib/zod.ts';

export { z } from '@hono/zod-openapi';
