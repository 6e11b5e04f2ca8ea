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
  /** Sends the remaining spans. */
  close(): Promise<void>;
}

/** Reports failed exports to `onLoss`. Only spans are lost. */
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
 * Sends spans to a collector in batches, with OTLP over HTTP. If the caller has a trace, it decides whether the request
 * is sampled; other requests always are.
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
