// The server's address and key, and what all scripts do: calls one after the other, whose answers or errors are printed as one line of JSON.
export const [address, key] = process.argv.slice(2);

export async function print(calls) {
  const answers = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      answers[name] = { answer: await call() };
    } catch (e) {
      answers[name] = { error: { name: e.constructor.name, status: e.status ?? e.httpResponse?.status, message: e.message, param: e.param, code: e.code } };
    }
  }
  console.log(`\n${JSON.stringify(answers)}`);
}

export async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}
