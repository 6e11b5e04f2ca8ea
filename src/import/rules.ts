/** The types of records in imports and exports. */
export const recordTypes = ['customer', 'account'] as const;
export type RecordType = (typeof recordTypes)[number];

/** The formats of files that can be imported. */
export const importFormats = ['ndjson', 'csv', 'togai', 'stripe', 'lago'] as const;
export type ImportFormat = (typeof importFormats)[number];

/** The formats of exports. */
export const exportFormats = ['ndjson', 'csv'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** What happens to a record whose id exists. */
export const existingModes = ['fail', 'skip', 'update'] as const;
export type ExistingMode = (typeof existingModes)[number];
