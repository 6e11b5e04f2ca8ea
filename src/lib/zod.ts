import { z } from 'zod';

// zod compiles parsers of objects with `new Function` unless this is set before the first schema is made.
z.config({ jitless: true });

export { z };
