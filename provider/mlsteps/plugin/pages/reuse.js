// The tab "Reuse" of a DAG run: asks Airflow's own API, in the name of whoever looks, what became of its tasks.

// A run id may hold a plus, which URLSearchParams would read as a space.
const asked = Object.fromEntries(
  location.search.slice(1).split("&").map((pair) => pair.split("=").map(decodeURIComponent)),
);
const run = `../api/v2/dags/${encodeURIComponent(asked.dag_id)}/dagRuns/${encodeURIComponent(asked.run_id)}`;
const OVER = ["success", "failed"];
const WAITING = [null, "scheduled", "queued", "upstream_failed", "removed"];
const ENDED = ["success", "skipped", "failed"];
const BETWEEN_LOOKS = 3000;
const PAGE = 100;

// Reasons by task, null where there is none: each is asked for once, until the task is tried again.
const reasons = new Map();

class Refused extends Error {}

async function get(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Refused(`Airflow does not tell: ${answer.status} ${answer.statusText}`);
  return answer.json();
}

async function taskInstances() {
  const found = [];
  for (;;) {
    const page = await get(`${run}/taskInstances?limit=${PAGE}&offset=${found.length}`);
    if (page === null) throw new Refused("There is no such run.");
    found.push(...page.task_instances);
    if (found.length >= page.total_entries || !page.task_instances.length) return found;
  }
}

async function reasonOf(task) {
  if (WAITING.includes(task.state)) return null;
  const key = `${task.task_id} ${task.map_index} ${task.try_number} ${task.state}`;
  if (!reasons.has(key)) {
    const xcom = `${run}/taskInstances/${encodeURIComponent(task.task_id)}/xcomEntries/reuse`;
    const entry = await get(`${xcom}?map_index=${task.map_index}`);
    if (entry === null && !ENDED.includes(task.state)) return null;
    reasons.set(key, entry && String(entry.value));
  }
  return reasons.get(key);
}

function outcomeOf(task, reason) {
  if (reason !== null && reason.startsWith("reused")) return ["reused", "reused"];
  if (task.state === "success") return ["ran", "ran"];
  const state = task.state ?? "not started";
  return [state.replaceAll("_", " "), state === "upstream_failed" ? "failed" : state];
}

function row(task, reason) {
  const [outcome, mark] = outcomeOf(task, reason);
  const name = task.task_display_name + (task.map_index >= 0 ? ` [${task.map_index}]` : "");
  const seconds = task.duration === null || outcome === "reused" ? "" : task.duration.toFixed(1);
  const line = document.createElement("tr");
  for (const [kind, text] of [["task", name], [`outcome ${mark}`, outcome], ["why", reason ?? ""], ["", seconds]]) {
    const cell = line.insertCell();
    cell.className = kind;
    cell.textContent = text; // never as HTML: names and reasons are anybody's
  }
  return line;
}

function begun(one, other) {
  const [first, second] = [one, other].map((task) => task.start_date ?? "9");
  return first < second ? -1 : first > second ? 1 : one.task_id < other.task_id ? -1 : 1;
}

async function look() {
  const state = (await get(run))?.state;
  const tasks = (await taskInstances()).sort(begun);
  const told = await Promise.all(tasks.map(reasonOf));
  document.querySelector("tbody").replaceChildren(...tasks.map((task, number) => row(task, told[number])));
  const steps = tasks.map((task, number) => [told[number], outcomeOf(task, told[number])[0]]);
  const count = (wanted) => steps.filter(([reason, outcome]) => reason !== null && outcome === wanted).length;
  document.querySelector("table").hidden = false;
  document.querySelector("#told").textContent = told.every((reason) => reason === null)
    ? "No task of this run has told why it ran or was reused. The log of the task reuse may say more."
    : `${count("reused")} reused, ${count("ran")} ran.`;
  return OVER.includes(state);
}

async function follow() {
  try {
    if (await look()) return;
  } catch (error) {
    document.querySelector("#told").textContent = String(error.message);
    if (error instanceof Refused) return;
  }
  setTimeout(follow, BETWEEN_LOOKS);
}

try {
  // Airflow tells a page within its own nothing of light and dark.
  const dark = parent.document.documentElement.classList.contains("dark");
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
} catch {
  // A page of another address: as the browser is set.
}
follow();
