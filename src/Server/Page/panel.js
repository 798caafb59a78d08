// What all panels have in common: one request at a time, its error, Ctrl+Enter, and a way to stop it.
export function panel(id, run) {
  const section = document.getElementById(id);
  const find = selector => section.querySelector(selector);
  const form = find("form"), submit = find("button.main"), stop = find("button.stop"), state = find(".state");
  let current = null;

  form.addEventListener("submit", async event => {
    event.preventDefault();
    if (current) return;
    current = new AbortController();
    setBusy(true);
    show(section);
    state.textContent = "Working…";
    const start = performance.now();
    try {
      const done = await run({ section, find, signal: current.signal, model: find("select.model").value, text: find("textarea").value });
      state.textContent = `${done ? `${done}, ` : ""}${duration(performance.now() - start)}`;
    } catch (error) {
      state.textContent = error.name === "AbortError" ? "Stopped" : "";
      if (error.name !== "AbortError") show(section, error);
    } finally {
      current = null;
      setBusy(false);
    }
  });
  section.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  stop?.addEventListener("click", () => current?.abort());

  function setBusy(isBusy) {
    section.setAttribute("aria-busy", isBusy);
    submit.setAttribute("aria-disabled", isBusy);
    if (!stop) return;
    if (!isBusy && document.activeElement === stop) submit.focus();
    stop.hidden = !isBusy;
  }
}

/** Shows what the server said, or that it said nothing. */
export function show(section, error) {
  const place = section.querySelector("p.error");
  place.hidden = !error;
  place.textContent = error ? explain(error) : "";
}

export function explain(error) {
  if (error.status) return `${error.status}: ${error.message}`;
  return error instanceof TypeError ? `The server cannot be reached (${error.message}).` : error.message;
}

/** The settings of a form, as the API names them; those that are empty are left out. */
export function settings(section) {
  const all = {};
  for (const input of section.querySelectorAll("input[type=number]"))
    if (input.value !== "") all[input.name] = input.valueAsNumber;
  return all;
}

const duration = time => time < 1000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(1)} s`;
