// How the house itself fares: one quiet line, and the reasons for what was lost.
import { element, outside, setText } from "./dom";
import { duration, grouped, quantity } from "./format";
import type { BackendStatus, Status } from "./types";

/** One line: spool, backends, flush, memory, residual. What is wrong stands out. */
export class HealthLine {
  readonly element = element("p", { class: "health", "aria-label": "Health of the house" });

  show(status: Status): void {
    const { spool, flush, ledger } = status;
    const parts: [string, boolean][] = [
      [
        `spool ${grouped(spool.rows)} rows, ${quantity(spool.bytes, "By")}${spool.shedding ? ", shedding" : ""}`,
        spool.shedding,
      ],
      ...status.backends.map((backend): [string, boolean] => [backendText(backend), backend.state !== "ok"]),
      [`flush ${duration(flush.last_seconds)} every ${duration(flush.every_seconds)}`, false],
      [`memory ${quantity(status.memory_bytes, "By")}`, false],
      [`CPU ${quantity(status.cpu_percent, "%")}`, false],
      [`residual ${grouped(ledger.residual)}`, ledger.residual !== 0],
      [`up ${duration(status.uptime_seconds)}`, false],
      ...status.problems.map((problem): [string, boolean] => [problem, true]),
    ];
    this.element.replaceChildren(
      ...parts.map(([text, bad]) => element("span", { class: bad ? "bad" : null }, outside(text))),
    );
  }
}

function backendText(backend: BackendStatus): string {
  const name = backend.name || backend.url;
  const lag =
    backend.lag_rows > 0 ? `, ${grouped(backend.lag_rows)} rows behind (${duration(backend.lag_seconds)})` : "";
  const error = backend.last_error && backend.state !== "ok" ? `: ${backend.last_error}` : "";
  return `${name} ${backend.state}${lag}${error}`;
}

interface Reason {
  readonly what: string;
  readonly count: number;
  readonly meaning: string;
  readonly last: string;
}

/** Why something was lost, by reason. */
export class LostPanel {
  readonly element = element("section", {
    class: "card lost",
    id: "lost",
    hidden: true,
    "aria-label": "What was lost and why",
  });
  private readonly body = element("tbody");
  private readonly none = element("p", { class: "quiet" });

  constructor() {
    const head = ["Reason", "Count", "Meaning", "Last seen"].map((text) => element("th", { scope: "col" }, text));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), this.body);
    this.element.append(element("h2", {}, "What was lost, and why"), this.none, table);
  }

  show(status: Status): void {
    const reasons = reasonsOf(status);
    setText(
      this.none,
      reasons.length === 0 ? "Nothing was lost since the house started." : "Counted since the house started.",
    );
    this.body.parentElement?.toggleAttribute("hidden", reasons.length === 0);
    const rows = reasons.map((reason) =>
      element(
        "tr",
        {},
        element("td", {}, outside(reason.what)),
        element("td", {}, grouped(reason.count)),
        element("td", {}, reason.meaning),
        element("td", {}, reason.last ? element("code", {}, outside(reason.last)) : null),
      ),
    );
    this.body.replaceChildren(...rows);
  }
}

function reasonsOf(status: Status): Reason[] {
  const reasons: Reason[] = Object.entries(status.rejects).map(([what, { count, meaning, last }]) => {
    return { what, count, meaning, last: last ?? "" };
  });
  const kernel = "The kernel's receive buffer was full: the sender was quicker than the house.";
  reasons.push({ what: "kernel_drops", count: status.kernel_drops, meaning: kernel, last: "" });
  for (const [what, count] of Object.entries(status.ledger.dropped)) {
    reasons.push({ what, count, meaning: "Taken in, then dropped on the way to the store.", last: "" });
  }
  return reasons.filter((reason) => reason.count > 0).sort((a, b) => b.count - a.count);
}
