import { type Part, type Row, withServices } from '../bench.ts';
import { compare } from '../compare.ts';
import { checkResponses, requestsOf } from '../requests.ts';
import { isOwn, type Service } from '../services.ts';
import { comparisonTables } from '../tables.ts';
import type { Workload } from '../workloads.ts';

const workloads: Workload[] = ['W2', 'W6', 'W3', 'W4', 'W7', 'W1'];
const quickWorkloads: Workload[] = ['W2', 'W6', 'W1'];
const tenantCounts = [1, 8];
const connections = 32;
const part = 'tenants';

const columnOf = ({ title }: Service, tenants: number) =>
  `${title}, ${tenants} tenant${tenants === 1 ? '' : 's'}`;

export const tenantsPart: Part = {
  name: part,
  title: '8 tenants at 32 connections',
  async run(bench) {
    const { services } = bench;
    const rows = await withServices(bench, await bench.small(), services, async (running) => {
      const all: Row[] = [];
      for (const workload of bench.isQuick ? quickWorkloads : workloads) {
        await checkResponses(running, workload);
        const entries = running.flatMap((service) => {
          const requests = requestsOf(service, workload);
          // The peers know one tenant.
          if (!isOwn(service)) return [{ column: service.title, service, requests }];
          return tenantCounts.map((tenants) => ({
            column: columnOf(service, tenants),
            service,
            requests,
            tenants,
          }));
        });
        all.push(...(await compare(bench, part, [{ name: workload, connections, entries }])));
      }
      return all;
    });
    const owns = services.filter(isOwn);
    const peers = services.filter((one) => !isOwn(one) && one.name !== 'limit').map(({ title }) => title);
    const ratios = owns.flatMap((own) => {
      const [one, eight] = [columnOf(own, 1), columnOf(own, 8)];
      const toOne = { title: `${own.title}, 8 to 1`, of: eight, to: [one] };
      return peers.length === 0 ? [toOne] : [toOne, { title: '8 to the best peer', of: eight, to: peers }];
    });
    return { rows, markdown: comparisonTables(rows, ratios) };
  },
};
