export const entityTypes = ['ACCOUNT', 'CUSTOMER'] as const;

/** The entities that have versions. */
export type EntityType = (typeof entityTypes)[number];
