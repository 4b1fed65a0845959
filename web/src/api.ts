// Questions to the house: JSON over fetch, a few at a time, with plain errors.
import type { SeriesKey } from "./keys";
import { exactGlob } from "./keys";
import type { Processes, QueryAnswer, SeriesPage, Status, Top } from "./types";

/** What went wrong, in words for the page; `status` is 0 when there was no answer at all. */
export class HouseError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
    this.name = "HouseError";
  }
}

/** A question about points; `last` in seconds. */
export interface Question {
  series: string;
  tags?: readonly (readonly [string, string])[];
  last: number;
  step: number;
}

const TOKEN = "stathouse.token";
// Browsers open six connections to a host: the live stream keeps one, and one is left for what is quick.
const PARALLEL = 4;

export class Api {
  private running = 0;
  /** The house has refused the token: asking on with it would only count as guessing. */
  private locked = false;
  private readonly waiting: (() => void)[] = [];

  /** `denied` is called when the house wants a token that it has not got. */
  constructor(private readonly denied: () => void) {}

  status(): Promise<Status> {
    return this.get<Status>("status");
  }

  processes(): Promise<Processes> {
    return this.get<Processes>("processes");
  }

  top(limit: number): Promise<Top> {
    return this.get<Top>("top", [["limit", String(limit)]]);
  }

  series(search: string, limit: number, offset: number): Promise<SeriesPage> {
    return this.get<SeriesPage>("series", [
      ["search", search],
      ["limit", String(limit)],
      ["offset", String(offset)],
    ]);
  }

  async query(question: Question): Promise<QueryAnswer> {
    const parameters: [string, string][] = [["series", question.series]];
    for (const [key, value] of question.tags ?? []) parameters.push(["tag", `${key}:${value}`]);
    parameters.push(["last", `${question.last}s`]);
    if (question.step > 0) parameters.push(["step", `${question.step}s`]);
    await this.turn();
    try {
      return await this.get<QueryAnswer>("query", parameters);
    } finally {
      this.running -= 1;
      this.waiting.shift()?.();
    }
  }

  /** The question for one series and no other; an answer may hold series with more tags. */
  static exactly(key: SeriesKey): Pick<Question, "series" | "tags"> {
    return { series: exactGlob(key.name), tags: key.tags.map(([name, value]) => [name, exactGlob(value)] as const) };
  }

  /** Open a stream of server-sent events. */
  async stream(path: string, parameters: readonly [string, string][], signal: AbortSignal): Promise<Response> {
    return this.fetch(path, parameters, { signal, headers: { Accept: "text/event-stream" } });
  }

  setToken(token: string): void {
    sessionStorage.setItem(TOKEN, token);
    this.locked = false;
  }

  private async get<T>(path: string, parameters: readonly [string, string][] = []): Promise<T> {
    try {
      const answer = await this.fetch(path, parameters, { signal: AbortSignal.timeout(30_000) });
      return (await answer.json()) as T;
    } catch (error) {
      throw error instanceof HouseError ? error : new HouseError("The house does not answer.", 0);
    }
  }

  private async turn(): Promise<void> {
    while (this.running >= PARALLEL) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.running += 1;
  }

  private async fetch(path: string, parameters: readonly [string, string][], init: RequestInit): Promise<Response> {
    if (this.locked) throw new HouseError("The house wants a token.", 401);
    const query = new URLSearchParams(parameters.map(([key, value]) => [key, value])).toString();
    const token = sessionStorage.getItem(TOKEN);
    const headers = new Headers(init.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const answer = await fetch(`api/${path}${query ? `?${query}` : ""}`, { ...init, headers, cache: "no-store" });
    if (answer.ok) return answer;
    if (answer.status === 401 && token === sessionStorage.getItem(TOKEN)) {
      this.locked = true;
      this.denied();
    }
    throw new HouseError(await problemOf(answer), answer.status);
  }
}

/** The house's own words for an error, or the status. */
async function problemOf(answer: Response): Promise<string> {
  try {
    const body = (await answer.json()) as { error?: { problem?: string; advice?: string } };
    const words = [body.error?.problem, body.error?.advice].filter((text) => typeof text === "string" && text !== "");
    if (words.length > 0) return words.join(" ");
  } catch {
    // Not JSON, so not from the house itself: a proxy's page, say.
  }
  return `The house answered ${answer.status} ${answer.statusText}.`.replace(" .", ".");
}
