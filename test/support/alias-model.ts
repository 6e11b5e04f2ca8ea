/** A model of the alias mutations on lists of spans. Instants are in milliseconds. */

export interface Span {
  value: string;
  account: string;
  from: number;
  until: number;
}

export type Operation =
  | { kind: 'create'; account: string; spans: { value: string; from: number; until: number }[] }
  | { kind: 'add'; account: string; spans: { value: string; from: number; until: number }[] }
  | { kind: 'remove'; account: string; value: string; at: number | undefined }
  | { kind: 'transfer'; account: string; value: string; at: number | undefined }
  | { kind: 'archive'; account: string }
  | { kind: 'restore'; account: string };

export type Outcome =
  | 'ACCEPTED'
  | 'ID_TAKEN'
  | 'ALIAS_TAKEN'
  | 'NOT_FOUND'
  | 'INVALID_INPUT'
  | 'NOT_ALLOWED_IN_STATUS';

/** The spans of a tenant, and the spans that the archive of each archived account ended. */
export interface Model {
  spans: Span[];
  archived: Map<string, Span[]>;
}

/** Returns a model in which each account has its own id forever. */
export function newModel(accounts: readonly string[]): Model {
  const own = accounts.map((id) => ({ value: id, account: id, from: -Infinity, until: Infinity }));
  return { spans: own, archived: new Map() };
}

const isOwnId = (span: Span) => span.value === span.account;

function overlaps(a: Omit<Span, 'account'>, b: Omit<Span, 'account'>): boolean {
  return a.value === b.value && a.from < b.until && b.from < a.until;
}

/** Ends some of the spans at an instant. */
function endAt(spans: Span[], ending: Span[], at: number): Span[] {
  return spans.flatMap((span) => {
    if (!ending.includes(span)) return [span];
    return span.from < at ? [{ ...span, until: at }] : [];
  });
}

type Next = Model | Exclude<Outcome, 'ACCEPTED'>;

/** Starts a span without a beginning at the latest end of the past spans that it overlaps, if that is before its end. */
function settle(model: Model, span: Span, now: number): Span {
  if (span.from !== -Infinity) return span;
  const past = model.spans.filter((other) => overlaps(span, other) && other.until <= now);
  const from = Math.max(-Infinity, ...past.map(({ until }) => until));
  return from < span.until ? { ...span, from } : span;
}

function claim(model: Model, given: Span[], now: number): Next {
  const spans = given.map((span) => settle(model, span, now));
  if (spans.some((span) => model.spans.some((other) => overlaps(span, other)))) return 'ALIAS_TAKEN';
  return { ...model, spans: [...model.spans, ...spans] };
}

function remove(model: Model, account: string, value: string, at: number, now: number): Next {
  if (model.archived.has(account)) return 'NOT_ALLOWED_IN_STATUS';
  if (value === account) return 'INVALID_INPUT';
  const ending = model.spans.filter(
    (span) => span.account === account && span.value === value && span.until > at,
  );
  if (ending.length === 0) return 'NOT_FOUND';
  if (ending.some(({ from }) => from >= at && from < now)) return 'INVALID_INPUT';
  return { ...model, spans: endAt(model.spans, ending, at) };
}

function transfer(model: Model, to: string, value: string, at: number): Next {
  const span = model.spans.find((one) => one.value === value && one.from <= at && one.until > at);
  if (span === undefined) return 'NOT_FOUND';
  if (isOwnId(span) || span.account === to || value === to) return 'INVALID_INPUT';
  if (model.archived.has(to) || model.archived.has(span.account)) return 'NOT_ALLOWED_IN_STATUS';
  const left = endAt(model.spans, [span], at);
  return { ...model, spans: [...left, { ...span, account: to, from: at }] };
}

function archive(model: Model, account: string, now: number): Next {
  if (model.archived.has(account)) return 'NOT_ALLOWED_IN_STATUS';
  const ending = model.spans.filter((span) => span.account === account && !isOwnId(span) && span.until > now);
  return {
    spans: endAt(model.spans, ending, now),
    archived: new Map(model.archived).set(account, ending),
  };
}

function restore(model: Model, account: string, now: number): Next {
  const ended = model.archived.get(account);
  if (ended === undefined) return 'NOT_ALLOWED_IN_STATUS';
  const archived = new Map(model.archived);
  archived.delete(account);
  const returning = ended.filter((span) => span.until > now);
  return claim(
    { ...model, archived },
    returning.map((span) => ({ ...span, from: Math.max(span.from, now) })),
    now,
  );
}

function create(model: Model, account: string, spans: Span[], now: number): Next {
  const own = claim(model, [{ value: account, account, from: -Infinity, until: Infinity }], now);
  return typeof own === 'string' ? 'ID_TAKEN' : claim(own, spans, now);
}

/** Returns the model after an operation at `now`, or the error code. */
export function apply(model: Model, operation: Operation, now: number): Next {
  const { account } = operation;
  switch (operation.kind) {
    case 'create':
    case 'add': {
      if (model.archived.has(account)) return 'NOT_ALLOWED_IN_STATUS';
      const spans = operation.spans.map((span) => ({ ...span, account })).filter((span) => !isOwnId(span));
      return operation.kind === 'add' ? claim(model, spans, now) : create(model, account, spans, now);
    }
    case 'remove':
      return remove(model, account, operation.value, operation.at ?? now, now);
    case 'transfer':
      return transfer(model, account, operation.value, operation.at ?? now);
    case 'archive':
      return archive(model, account, now);
    case 'restore':
      return restore(model, account, now);
  }
}

export function outcomeOf(next: Next): Outcome {
  return typeof next === 'string' ? next : 'ACCEPTED';
}

export function holderAt(model: Model, value: string, at: number): string | undefined {
  return model.spans.find((span) => span.value === value && span.from <= at && span.until > at)?.account;
}

export function valuesAt(model: Model, account: string, at: number): string[] {
  const spans = model.spans.filter((span) => span.account === account && span.from <= at && span.until > at);
  return spans
    .filter((span) => !isOwnId(span))
    .map((span) => span.value)
    .toSorted();
}
