// How long requests took, in buckets by route, method and status: a histogram as Prometheus wants it. Counted in
// plain numbers, because it happens for every request; prom-client's own puts the labels together each time to
// find the series.

/** Upper ends in seconds: from an answer out of memory to the longest that a request may wait. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const NAME = "raft3d_http_request_duration_seconds";
const HELP = "From the request's headers to the end of the answer; live streams to its beginning.";

interface Series {
  /** As they stand in the text. None of them can hold what would have to be escaped. */
  readonly labels: string;
  /** Of each bucket alone; the last is what was longer than all of them. */
  readonly counts: number[];
  sum: number;
}

export class Durations {
  /** By route, method and status. */
  readonly #series = new Map<string, Map<string, Map<number, Series>>>();

  count(route: string, method: string, status: number, seconds: number): void {
    const series =
      this.#series.get(route)?.get(method)?.get(status) ?? this.#begin(route, method, status);
    let at = 0;
    while (at < BUCKETS.length && seconds > (BUCKETS[at] ?? 0)) at += 1;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += seconds;
  }

  #begin(route: string, method: string, status: number): Series {
    const byMethod = this.#series.get(route) ?? new Map<string, Map<number, Series>>();
    const byStatus = byMethod.get(method) ?? new Map<number, Series>();
    const counts = Array.from({ length: BUCKETS.length + 1 }, () => 0);
    const labels = `route="${route}",method="${method}",status="${status}"`;
    const series: Series = { labels, counts, sum: 0 };
    byStatus.set(status, series);
    byMethod.set(method, byStatus);
    this.#series.set(route, byMethod);
    return series;
  }

  /** Lines for a scrape, in the text format of Prometheus. */
  text(): string {
    const lines = [`# HELP ${NAME} ${HELP}`, `# TYPE ${NAME} histogram`];
    for (const { counts, labels, sum } of this.#all()) {
      let count = 0;
      counts.forEach((more, at) => {
        count += more;
        lines.push(`${NAME}_bucket{le="${BUCKETS[at] ?? "+Inf"}",${labels}} ${count}`);
      });
      lines.push(`${NAME}_sum{${labels}} ${sum}`, `${NAME}_count{${labels}} ${count}`);
    }
    return `${lines.join("\n")}\n`;
  }

  *#all(): Generator<Series, undefined> {
    for (const byMethod of this.#series.values()) {
      for (const byStatus of byMethod.values()) yield* byStatus.values();
    }
  }
}
