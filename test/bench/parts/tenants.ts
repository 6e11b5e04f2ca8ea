import { type Part, type Row, withServices } from '../bench.ts';
import { compare } from '../compare.ts';
import { checkResponses, requestsOf } from '../requests.ts';
import { isOwn } from '../services.ts';
import { comparisonTables } from '../tables.ts';
import type { Workload } from '../workloads.ts';

const workloads: Workload[] = ['W2', 'W6', 'W3', 'W4', 'W7', 'W1'];
const quickWorkloads: Workload[] = ['W2', 'W6', 'W1'];
const tenantCounts = [1, 8];
const connections = 32;
const part = 'tenants';

export const tenantsPart: Part = {
  name: part,
  title: '8 tenants at 32 connections',
  async run(bench) {
    const services = bench.services.filter(isOwn);
    const rows = await withServices(bench, await bench.small(), services, async (running) => {
      const all: Row[] = [];
      for (const workload of bench.isQuick ? quickWorkloads : workloads) {
        await checkResponses(running, workload);
        const entries = tenantCounts.flatMap((tenants) =>
          running.map((service) => ({
            column: `${bench.isAgainst ? `${service.title}, ` : ''}${tenants} tenant${tenants === 1 ? '' : 's'}`,
            service,
            requests: requestsOf(service, workload),
            tenants,
          })),
        );
        all.push(...(await compare(bench, part, [{ name: workload, connections, entries }])));
      }
      return all;
    });
    const ratios = services.map(({ title }) => {
      const prefix = bench.isAgainst ? `${title}, ` : '';
      return { title: `${prefix}8 to 1`, of: `${prefix}8 tenants`, to: [`${prefix}1 tenant`] };
    });
    return { rows, markdown: comparisonTables(rows, ratios) };
  },
};
