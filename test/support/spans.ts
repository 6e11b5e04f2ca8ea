/** Returns a dated alias. Without an instant, the span is open on that side. */
export const span = (value: string, effectiveFrom?: string, effectiveUntil?: string) => ({
  value,
  ...(effectiveFrom && { effectiveFrom }),
  ...(effectiveUntil && { effectiveUntil }),
});

/** Returns the instant one millisecond earlier. */
export const justBefore = (instant: string) => new Date(Date.parse(instant) - 1).toISOString();
