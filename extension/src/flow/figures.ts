/** Figures as cards and lists show them: three significant digits, always with a unit. */

/** @returns as `$0.0012`, or a dash where the cost is not known. */
export function money(usd: number | null, digits = 3): string {
  if (usd === null) {
    return '—';
  }
  if (usd === 0) {
    return '$0';
  }
  return `$${plain(usd, digits)}`;
}

/** @returns as `840 ms`, `1.2 s` or `3 min 20 s`. */
export function duration(ms: number | null): string {
  if (ms === null) {
    return '—';
  }
  if (ms < 1000) {
    return `${ms < 10 ? plain(ms, 2) : Math.round(ms)} ms`;
  }
  if (ms < 60_000) {
    return `${plain(ms / 1000)} s`;
  }
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export function percent(share: number): string {
  return `${plain(share * 100, 2)} %`;
}

function plain(value: number, digits = 3): string {
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) < 1e-6
    ? rounded.toExponential()
    : rounded.toLocaleString('en', { maximumFractionDigits: 9, maximumSignificantDigits: digits });
}
