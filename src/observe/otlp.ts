import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { createTracing, type Tracing } from './trace.ts';

export interface Traces {
  tracing: Tracing;
  /** Sends what has not been sent. */
  close(): Promise<void>;
}

/** A lost collector loses spans and nothing else; `onLoss` is told why. */
function reporting(exporter: SpanExporter, onLoss: (error: Error | undefined) => void): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result: ExportResult) => {
        if (result.code === ExportResultCode.FAILED) onLoss(result.error);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}

/**
 * Sends spans by OTLP over HTTP to a collector, in batches. Whether a request is recorded is its caller's choice
 * where the caller is traced; else it is.
 */
export function exportTraces(collector: string, onLoss: (error: Error | undefined) => void): Traces {
  const exporter = new OTLPTraceExporter({ url: `${collector.replace(/\/$/, '')}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'accountgraph' }),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new BatchSpanProcessor({ exporter: reporting(exporter, onLoss) })],
  });
  return {
    tracing: createTracing(provider.getTracer('accountgraph')),
    close: () => provider.shutdown(),
  };
}
