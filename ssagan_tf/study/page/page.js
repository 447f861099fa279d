"use strict";

// The second click of a double click must not vote on the next pair.
const CLICK_DELAY = 700; // ms before a new pair can be voted on
const RETRY_DELAYS = [500, 1000, 2000, 4000]; // ms between attempts to reach the server

const element = (id) => document.getElementById(id);
const sides = { left: element("left"), right: element("right") };
const videos = new Map(); // address -> promise of an object URL
let current = null; // key of the trial that is shown
let canVote = false; // whether a click counts now

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function showMessage(text) {
  element("message").textContent = text;
  element("message").hidden = !text;
}

// Retries until the server answers. A vote may be sent twice: the server counts it once.
async function request(path, options = {}) {
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(path, { credentials: "same-origin", ...options });
      if (response.ok) {
        showMessage("");
        return response;
      }
      if (response.status < 500) {
        showMessage("Something went wrong. Please reload the page.");
        throw new TypeError(`refused: ${response.status}`);
      }
    } catch (error) {
      if (String(error.message).startsWith("refused")) throw error;
    }
    showMessage("No connection to the server. Trying again …");
    await wait(RETRY_DELAYS[Math.min(attempt, RETRY_DELAYS.length - 1)]);
  }
}

async function post(path, body) {
  const response = await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body || {}),
  });
  return response.json();
}

function load(key) {
  if (!videos.has(key)) {
    const address = "/media/" + encodeURIComponent(key);
    videos.set(key, request(address).then((r) => r.blob()).then((blob) => URL.createObjectURL(blob)));
  }
  return videos.get(key);
}

function releaseVideos(keep) {
  for (const [key, address] of videos) {
    if (keep.includes(key)) continue;
    videos.delete(key);
    address.then((url) => URL.revokeObjectURL(url));
  }
}

function allowVote(yes) {
  canVote = yes;
  sides.left.disabled = sides.right.disabled = !yes;
}

function showSection(section) {
  for (const name of ["welcome", "trial", "done"]) element(name).hidden = name !== section;
}

function canPlay(video) {
  return new Promise((resolve) => {
    if (video.readyState >= 3) resolve();
    else video.addEventListener("canplaythrough", resolve, { once: true });
  });
}

async function showState(state) {
  element("count").textContent = element("answered").textContent = state.total;
  if (!state.started) return showSection("welcome");
  if (!state.trial) {
    current = null;
    releaseVideos([]);
    return showSection("done");
  }
  showSection("trial");
  element("bar").max = state.total;
  element("bar").value = state.done;
  element("progress").textContent = `Pair ${state.done + 1} of ${state.total}`;
  if (state.trial.key === current) return;

  const trial = state.trial;
  current = trial.key;
  allowVote(false);
  const elements = [];
  for (const side of ["left", "right"]) {
    const video = sides[side].querySelector("video");
    const url = await load(trial[side]);
    if (current !== trial.key) return; // another trial is shown meanwhile
    video.src = url;
    elements.push(video);
  }
  await Promise.all(elements.map(canPlay));
  if (current !== trial.key) return;
  for (const side of ["left", "right"]) sides[side].classList.remove("chosen");
  for (const video of elements) {
    video.currentTime = 0;
    video.play().catch(() => {}); // the browser may require a click first
  }
  setTimeout(() => current === trial.key && allowVote(true), CLICK_DELAY);
  const ahead = state.next ? [state.next.left, state.next.right] : [];
  releaseVideos([trial.left, trial.right, ...ahead]);
  for (const key of ahead) load(key).catch(() => {});
}

async function choose(side) {
  if (!canVote || !current) return;
  allowVote(false);
  sides[side].classList.add("chosen");
  const state = await post("/api/vote", { trial: current, choice: side });
  await showState(state);
}

async function refresh() {
  await showState(await (await request("/api/state")).json());
}

sides.left.addEventListener("click", () => choose("left"));
sides.right.addEventListener("click", () => choose("right"));
element("start").addEventListener("click", async (event) => {
  event.target.disabled = true;
  await showState(await post("/api/start"));
});
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const side = { ArrowLeft: "left", ArrowRight: "right" }[event.key];
  if (!side || element("trial").hidden) return;
  event.preventDefault();
  choose(side);
});
// Another tab may be further ahead.
document.addEventListener("visibilitychange", () => document.hidden || (current && refresh()));
window.addEventListener("focus", () => current && canVote && refresh());
refresh();
