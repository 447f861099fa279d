"use strict";

// A second click of a double click must not vote on the pair that has just appeared.
const SETTLE = 700; // ms
const PATIENCE = [500, 1000, 2000, 4000]; // ms between attempts to reach the server

const at = (id) => document.getElementById(id);
const sides = { left: at("left"), right: at("right") };
const videos = new Map(); // address -> promise of an object URL
let current = null; // key of the trial on show
let open = false; // whether a choice is taken now

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function say(text) {
  at("message").textContent = text;
  at("message").hidden = !text;
}

// Asks until the server answers. Votes may be sent twice: the server counts them once.
async function ask(path, options = {}) {
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(path, { credentials: "same-origin", ...options });
      if (response.ok) {
        say("");
        return response;
      }
      if (response.status < 500) {
        say("Something went wrong. Please reload the page.");
        throw new TypeError(`refused: ${response.status}`);
      }
    } catch (error) {
      if (String(error.message).startsWith("refused")) throw error;
    }
    say("No connection to the study. Trying again …");
    await wait(PATIENCE[Math.min(attempt, PATIENCE.length - 1)]);
  }
}

async function send(path, body) {
  const response = await ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body || {}),
  });
  return response.json();
}

function load(key) {
  if (!videos.has(key)) {
    const address = "/media/" + encodeURIComponent(key);
    videos.set(key, ask(address).then((r) => r.blob()).then((blob) => URL.createObjectURL(blob)));
  }
  return videos.get(key);
}

function forget(keep) {
  for (const [key, address] of videos) {
    if (keep.includes(key)) continue;
    videos.delete(key);
    address.then((url) => URL.revokeObjectURL(url));
  }
}

function allow(yes) {
  open = yes;
  sides.left.disabled = sides.right.disabled = !yes;
}

function show(section) {
  for (const name of ["welcome", "trial", "done"]) at(name).hidden = name !== section;
}

function ready(video) {
  return new Promise((resolve) => {
    if (video.readyState >= 3) resolve();
    else video.addEventListener("canplaythrough", resolve, { once: true });
  });
}

async function present(state) {
  at("count").textContent = at("answered").textContent = state.total;
  if (!state.started) return show("welcome");
  if (!state.trial) {
    current = null;
    forget([]);
    return show("done");
  }
  show("trial");
  at("bar").max = state.total;
  at("bar").value = state.done;
  at("progress").textContent = `Pair ${state.done + 1} of ${state.total}`;
  if (state.trial.key === current) return;

  const trial = state.trial;
  current = trial.key;
  allow(false);
  const elements = [];
  for (const side of ["left", "right"]) {
    const video = sides[side].querySelector("video");
    const url = await load(trial[side]);
    if (current !== trial.key) return; // meanwhile another one is on show
    video.src = url;
    elements.push(video);
  }
  await Promise.all(elements.map(ready));
  if (current !== trial.key) return;
  for (const side of ["left", "right"]) sides[side].classList.remove("chosen");
  for (const video of elements) {
    video.currentTime = 0;
    video.play().catch(() => {}); // a browser may want a click first
  }
  setTimeout(() => current === trial.key && allow(true), SETTLE);
  const ahead = state.next ? [state.next.left, state.next.right] : [];
  forget([trial.left, trial.right, ...ahead]);
  for (const key of ahead) load(key).catch(() => {});
}

async function choose(side) {
  if (!open || !current) return;
  allow(false);
  sides[side].classList.add("chosen");
  const state = await send("/api/vote", { trial: current, choice: side });
  await present(state);
}

async function refresh() {
  await present(await (await ask("/api/state")).json());
}

sides.left.addEventListener("click", () => choose("left"));
sides.right.addEventListener("click", () => choose("right"));
at("start").addEventListener("click", async (event) => {
  event.target.disabled = true;
  await present(await send("/api/start"));
});
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const side = { ArrowLeft: "left", ArrowRight: "right" }[event.key];
  if (!side || at("trial").hidden) return;
  event.preventDefault();
  choose(side);
});
// Another tab may have gone further.
document.addEventListener("visibilitychange", () => document.hidden || (current && refresh()));
window.addEventListener("focus", () => current && open && refresh());
refresh();
