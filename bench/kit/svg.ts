type Attributes = Readonly<Record<string, string | number>>;

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => ESCAPES[sign] ?? sign);
}

/** An element of SVG. What is in it is elements already, or a text of `label`. */
function element(name: string, attributes: Attributes, inner = ''): string {
  const list = Object.entries(attributes).map(([key, value]) => {
    const text = typeof value === 'number' ? String(Number(value.toFixed(2))) : escaped(value);
    return ` ${key}="${text}"`;
  });
  return `<${name}${list.join('')}${inner === '' ? '/>' : `>${inner}</${name}>`}`;
}

export function rectangle(attributes: Attributes): string {
  return element('rect', attributes);
}

export function line([x1, y1, x2, y2]: readonly [number, number, number, number], attributes: Attributes): string {
  return element('line', { x1, y1, x2, y2, ...attributes });
}

export function polyline(points: readonly (readonly [number, number])[], attributes: Attributes): string {
  const list = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  return element('polyline', { points: list, fill: 'none', ...attributes });
}

export function dot([cx, cy]: readonly [number, number], attributes: Attributes): string {
  return element('circle', { cx, cy, r: 3, ...attributes });
}

export function label([x, y]: readonly [number, number], text: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escaped(text));
}

export function moved([x, y]: readonly [number, number], inner: string): string {
  return element('g', { transform: `translate(${x},${y})` }, inner);
}

export function picture(width: number, height: number, inner: string): string {
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    'font-family': 'system-ui, sans-serif',
    'font-size': 12,
    fill: '#222',
  };
  return `${element('svg', attributes, rectangle({ width, height, fill: '#fff' }) + inner)}\n`;
}

/** A logarithmic axis from one place on the picture to another, with steps of 1, 2 and 5 that lie in it. */
export function logarithmic(values: readonly number[], [from, to]: readonly [number, number]) {
  const padding = 1.3;
  const [low, high] = [Math.log(Math.min(...values) / padding), Math.log(Math.max(...values) * padding)];
  const steps: number[] = [];
  for (let power = -6; power <= 12; power += 1) for (const digit of [1, 2, 5]) steps.push(digit * 10 ** power);
  return {
    at: (value: number): number => from + ((Math.log(value) - low) / (high - low)) * (to - from),
    steps: steps.filter((step) => Math.log(step) >= low && Math.log(step) <= high),
  };
}
