// Asks the server. What it answers with an error is thrown as it is said.
const KEY = "managedtransformers.key";

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Keeps the key until the tab is closed. */
export function setKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

export const get = async path => (await send(path)).json();

export const post = async (path, body, signal) => (await send(path, body, signal)).json();

/** Asks for a stream of events, and gives each to a function. */
export async function stream(path, body, signal, take) {
  const response = await send(path, { ...body, stream: true }, signal);
  let rest = "";
  for await (const part of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    const events = (rest + part).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      if (!event.startsWith("data: ")) continue;                // a comment, which keeps the connection open
      if (event === "data: [DONE]") return;
      const data = JSON.parse(event.slice(6));
      if (data.error) throw new ApiError(response.status, said(data));
      take(data);
    }
  }
  throw new ApiError(response.status, "The answer was cut off.");
}

/** The route of a model's task; an id may have a slash. */
export const taskOf = model => `models/${model.split("/").map(encodeURIComponent).join("/")}`;

// Not every browser iterates over a stream.
async function* chunks(readable) {
  const reader = readable.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}

async function send(path, body, signal) {
  const key = sessionStorage.getItem(KEY);
  const response = await fetch(path, {
    method: body ? "POST" : "GET", cache: "no-store", signal, body: body && JSON.stringify(body),
    headers: { ...(body && { "Content-Type": "application/json" }), ...(key && { Authorization: `Bearer ${key}` }) },
  });
  if (response.ok) return response;
  const text = await response.text();
  let message = text;
  try {
    message = said(JSON.parse(text)) ?? text;
  } catch { /* no JSON, such as a proxy's page: shown as it is */ }
  if (response.status === 401) document.dispatchEvent(new CustomEvent("key-needed", { detail: message }));
  throw new ApiError(response.status, message);
}

// {"error": {"message": …}} and {"error": …}.
const said = body => body?.error?.message ?? body?.error;
