const PROGRESS_MS = 1000;

/** Says something once in a while, where somebody looks on. */
export function throttled(): (line: string) => void {
  let last = performance.now();
  return (line) => {
    const now = performance.now();
    if (now - last < PROGRESS_MS) return;
    last = now;
    process.stderr.write(`${line}\n`);
  };
}
