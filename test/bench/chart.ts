/** A group of bars, such as a workload with the figure of each service. */
export interface Group {
  label: string;
  bars: { name: string; value: number }[];
}

const colours = ['#0f766e', '#94a3b8', '#f59e0b', '#b45309', '#6366f1', '#db2777'];
const width = 760;
const left = 60;
const barHeight = 11;
const groupGap = 14;
const top = 34;

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function text(x: number, y: number, content: string, rest = ''): string {
  return `<text x="${x}" y="${y}" ${rest}>${escaped(content)}</text>`;
}

const wholeNumber = (value: number) => Math.round(value).toLocaleString('en-US');

/** Draws the bars of a group, each as long as its share of the group's fastest. */
function drawGroup({ label, bars }: Group, y: number, format: (value: number) => string): string {
  const most = Math.max(...bars.map(({ value }) => value));
  const drawn = bars.map(({ value }, index) => {
    const at = y + index * barHeight;
    const length = Math.max(1, Math.round((value / most) * (width - left - 80)));
    return `<rect x="${left}" y="${at}" width="${length}" height="${barHeight - 2}" fill="${colours[index % colours.length]}"/>
${text(left + length + 5, at + 8, format(value))}`;
  });
  return [text(10, y + (bars.length * barHeight) / 2 + 4, label, 'font-weight="bold"'), ...drawn].join('\n');
}

/** Draws a bar chart as SVG. */
export function chart(title: string, groups: Group[], format = wholeNumber): string {
  const names = groups[0]?.bars.map(({ name }) => name) ?? [];
  const groupHeight = names.length * barHeight + groupGap;
  const height = top + groups.length * groupHeight;
  const legend = names.map((name, index) => {
    const x = left + index * 115;
    return `<rect x="${x}" y="12" width="10" height="10" fill="${colours[index % colours.length]}"/>\n${text(x + 14, 21, name)}`;
  });
  const drawn = groups.map((group, index) => drawGroup(group, top + index * groupHeight, format));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="10" fill="#334155">
<title>${escaped(title)}</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${[...legend, ...drawn].join('\n')}
</svg>
`;
}
