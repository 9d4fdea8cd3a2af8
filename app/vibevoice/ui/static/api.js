// The studio's API, asked by addresses relative to the page, which lies below a prefix.

export class Fault extends Error {
  /** `status` 0: nobody answered. `code`, `line` and `column` as the API has them. */
  constructor(status, told = {}) {
    super(told.message ?? "");
    Object.assign(this, { status, code: told.code ?? "", line: told.line ?? null, column: told.column ?? null });
    this.retryAfter = told.retryAfter ?? 0;
  }
}

const listeners = new Set();
let out = false;

/** Call a function when the visitor turns out to be logged out (true), or in again (false). */
export const onLogin = (call) => listeners.add(call);

function loggedOut(now) {
  if (now !== out) for (const call of listeners) call(now);
  out = now;
}

/** The response to a request. Raises Fault for whatever is no success. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { redirect: "manual", credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault(0, { code: "offline" });
  }
  // The door sends who is not logged in to its login page, or says 401.
  if (response.type === "opaqueredirect" || response.status === 401) {
    loggedOut(true);
    throw new Fault(401, { code: "logged_out" });
  }
  loggedOut(false);
  if (response.ok) return response;
  throw new Fault(response.status, await told(response));
}

async function told(response) {
  const retryAfter = Number(response.headers.get("retry-after")) || 0;
  const unknown = response.status >= 502 && response.status <= 504 ? "unavailable" : "broken";
  try {
    const { error } = await response.json();
    return { ...error, code: error.code || unknown, retryAfter };
  } catch {
    return { code: response.status === 413 ? "upload_too_large" : unknown, retryAfter };
  }
}

export const get = async (path, options) => (await ask(path, options)).json();

export const send = async (method, path, body, headers = {}) => {
  const response = await ask(path, {
    method,
    headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return response.status === 204 ? null : response.json().catch(() => null);
};

/** The API's path of a job. */
export const job = (id, rest = "") => `v1/jobs/${encodeURIComponent(id)}${rest}`;
