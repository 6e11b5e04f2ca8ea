import { z } from 'zod';

// zod compiles object parsers with `new Function` unless this is set before the first schema is created.
z.config({ jitless: true });

export { z };
