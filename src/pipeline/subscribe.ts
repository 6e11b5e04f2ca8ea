import { RequestCache } from '@pothos/plugin-scope-auth';
import {
  createSourceEventStream,
  type ExecutionArgs,
  execute,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import { isAsyncIterable } from 'graphql-yoga';
import type { Caller, ChangeBatch, ChangeStream } from '../ctx.ts';
import { createCancel } from '../lib/cancel.ts';
import type { Engine, Event, Events, Exchange, Operation, Part } from './exchange.ts';

type ArgsFor = (engine: Engine, operation: Operation) => ExecutionArgs;

/** Subscriptions with the same document, variables and access. */
interface Channel {
  subscriptions: number;
  /** The results for each batch. The feed passes the same batch to all subscriptions with the same filter. */
  results: WeakMap<ChangeBatch, Promise<readonly Event[]>>;
}

/** Returns the variables for the argument `after`, which do not affect the result for a change. */
function positionVariables({ selectionSet }: OperationDefinitionNode): ReadonlySet<string> {
  const roots = selectionSet.selections.flatMap((node) => (node.kind === Kind.FIELD ? [node] : []));
  const values = roots.flatMap(({ arguments: given = [] }) =>
    given.flatMap(({ name, value }) => (name.value === 'after' ? [value] : [])),
  );
  return new Set(values.flatMap((value) => (value.kind === Kind.VARIABLE ? [value.name.value] : [])));
}

/** Returns what determines the results of a subscription for a change. */
function channelKey({ caller, definition, params }: Operation): string {
  const ignored = positionVariables(definition);
  const variables = Object.entries(params.variables ?? {}).filter(([name]) => !ignored.has(name));
  const { tenant, scopes } = caller.viewer;
  return JSON.stringify([tenant.id, scopes, params.query, params.operationName, variables.sort()]);
}

/**
 * Returns the caller of a subscription for the changes of now. Its tenant may have changed since the subscription began.
 * The feed ends subscriptions with invalid tokens, so this keeps their viewers.
 */
async function currentCaller(caller: Caller): Promise<Caller> {
  const found = await caller.renew?.().catch(() => undefined);
  const viewer = { ...caller.viewer, tenant: found?.tenant ?? caller.viewer.tenant };
  return { ...caller, viewer, now: new Date(), cancel: createCancel() };
}

/** Runs a document for each change of a batch, with one instant and new loaders. */
async function runForChanges(args: ExecutionArgs, { changes, ids }: ChangeBatch): Promise<readonly Event[]> {
  const results = await Promise.all(changes.map(async (rootValue) => execute({ ...args, rootValue })));
  RequestCache.clearForContext(args.contextValue as object);
  return results.map((result, index) => ({ id: ids[index], result }));
}

interface EventsOptions {
  stream: ChangeStream;
  run(batch: ChangeBatch): Promise<readonly Event[]>;
  toResult(error: unknown): Part;
  onEnd(): void;
}

/** Returns the results of a stream of changes. An error is its last event. */
function eventsOf({ stream, run, toResult, onEnd }: EventsOptions): Events {
  let isRunning = false;
  let isOpen = true;
  let position = stream.position();
  function end(): void {
    if (isOpen) onEnd();
    isOpen = false;
  }
  async function next(): Promise<IteratorResult<readonly Event[], undefined>> {
    if (!isOpen) return { value: undefined, done: true };
    try {
      const { value, done } = await stream.next();
      if (done) {
        end();
        return { value: undefined, done };
      }
      isRunning = true;
      const events = await run(value as ChangeBatch);
      isRunning = false;
      return { value: events, done: false };
    } catch (error) {
      end();
      void stream.return?.();
      return { value: [{ id: undefined, result: toResult(error) }], done: false };
    }
  }
  const events: Events = {
    next,
    async return() {
      end();
      await stream.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => events,
    position() {
      // While results are pending, the client must not skip them.
      if (!isRunning) position = stream.position();
      return position;
    },
  };
  return events;
}

/** Ends events when their connection closes, also if that happened before they started. */
function endWhenClosed(events: Events, { closed }: Exchange): Events {
  const end = () => void events.return();
  if (closed.aborted) end();
  else closed.addEventListener('abort', end);
  return events;
}

/**
 * Returns a function that runs subscriptions. A document runs once for each change, however many subscriptions have
 * the same document, variables and access.
 */
export function createSubscribe(argsFor: ArgsFor, options: NonNullable<ExecutionArgs['options']>) {
  const channels = new Map<string, Channel>();

  return async (
    exchange: Exchange,
    engine: Engine,
    operation: Operation,
    toResult: (error: unknown) => Part,
  ): Promise<Part | Events> => {
    const stream = await createSourceEventStream({ ...argsFor(engine, operation), options });
    if (!isAsyncIterable(stream)) return stream;
    const key = channelKey(operation);
    const channel = channels.get(key) ?? { subscriptions: 0, results: new WeakMap() };
    channels.set(key, channel);
    channel.subscriptions += 1;
    const runNow = async (batch: ChangeBatch) => {
      const caller = await currentCaller(operation.caller);
      return runForChanges({ ...argsFor(engine, { ...operation, caller }), options }, batch);
    };
    const run = (batch: ChangeBatch) => {
      const known = channel.results.get(batch);
      if (known !== undefined) return known;
      const running = runNow(batch);
      channel.results.set(batch, running);
      return running;
    };
    const onEnd = () => {
      channel.subscriptions -= 1;
      if (channel.subscriptions === 0) channels.delete(key);
    };
    return endWhenClosed(
      eventsOf({ stream: stream as unknown as ChangeStream, run, toResult, onEnd }),
      exchange,
    );
  };
}
