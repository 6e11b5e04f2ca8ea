import { type Part, withServices } from '../bench.ts';
import { compare } from '../compare.ts';
import { mixedRequests, mixShares } from '../mix.ts';
import { checkResponses } from '../requests.ts';
import { comparisonTables, serviceRatios } from '../tables.ts';

const part = 'mixed';

export const mixedPart: Part = {
  name: part,
  title: 'A mixed load of 70 % reads and 30 % writes',
  async run(bench) {
    const connectionCounts = bench.isQuick ? [32] : [1, 8, 32];
    const rows = await withServices(bench, await bench.small(), bench.services, async (running) => {
      for (const [workload] of mixShares) await checkResponses(running, workload);
      const entries = running.map((service) => ({
        column: service.title,
        service,
        requests: mixedRequests(service),
      }));
      return compare(
        bench,
        part,
        connectionCounts.map((connections) => ({ name: 'mixed', connections, entries })),
      );
    });
    const titles = bench.services.map(({ title }) => title);
    return { rows, markdown: comparisonTables(rows, serviceRatios(titles, bench.isAgainst)) };
  },
};
