// Which charts are on the screen: only those are drawn.
import type { Chart } from "./chart";

export class Watcher {
  private readonly charts = new Map<Element, Chart>();
  private readonly observer: IntersectionObserver;

  /** `appeared` is called when a chart comes into view. */
  constructor(appeared: () => void) {
    this.observer = new IntersectionObserver(
      (entries) => {
        let any = false;
        for (const entry of entries) {
          const chart = this.charts.get(entry.target);
          if (chart) chart.visible = entry.isIntersecting;
          any ||= entry.isIntersecting;
        }
        if (any) appeared();
      },
      { rootMargin: "120px" },
    );
  }

  watch(chart: Chart): void {
    this.charts.set(chart.element, chart);
    this.observer.observe(chart.element);
  }

  forget(chart: Chart): void {
    this.observer.unobserve(chart.element);
    this.charts.delete(chart.element);
  }
}
