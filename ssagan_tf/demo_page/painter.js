// Paints a mask on a small copy of the photo; the server gets it as a PNG, white where it moves.
// `element` is that of painter.html; the page's events call `window.painter`.
const LONGEST = 1024; // pixels of a side
const at = (name) => element.querySelector(`[data-name="${name}"]`);
const [painter, photo, canvas] = ["painter", "photo", "canvas"].map(at);
const context = canvas.getContext("2d", { willReadFrequently: true });
let painted = false; // whether the visitor has; what was found is shown only
let asked = ""; // the photo that a video is being made of
let erasing = false;
let last = null; // where the stroke is

const say = (text) => { at("note").textContent = text; };
const pixels = () => context.getImageData(0, 0, canvas.width, canvas.height);

function clear() {
  context.clearRect(0, 0, canvas.width, canvas.height);
  painted = false;
  say("Bright parts will move. Nothing painted: they are found.");
}

function choose(erase) {
  erasing = erase;
  at("erase").setAttribute("aria-pressed", erase);
  at("paint").setAttribute("aria-pressed", !erase);
}

function stroke(event) {
  const box = canvas.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * canvas.width;
  const y = ((event.clientY - box.top) / box.height) * canvas.height;
  context.globalCompositeOperation = erasing ? "destination-out" : "source-over";
  context.strokeStyle = "white";
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = (at("size").value / 100) * Math.max(canvas.width, canvas.height);
  context.beginPath();
  context.moveTo(...(last || [x, y]));
  context.lineTo(x, y);
  context.stroke();
  last = [x, y];
  painted = true;
  say("Bright parts will move.");
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  stroke(event);
});
canvas.addEventListener("pointermove", (event) => { if (last) stroke(event); });
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
at("paint").addEventListener("click", () => choose(false));
at("erase").addEventListener("click", () => choose(true));
at("clear").addEventListener("click", clear);
photo.addEventListener("load", () => {
  const scale = Math.min(1, LONGEST / Math.max(photo.naturalWidth, photo.naturalHeight));
  canvas.width = Math.max(1, Math.round(photo.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(photo.naturalHeight * scale));
  clear();
  painter.hidden = false;
});

photo.addEventListener("error", () => say("Browsers don't show this kind of photo; give a JPEG to paint on it."));

window.painter = {
  show(address) {
    painter.hidden = true;
    painted = false;
    say("Drop a photo first.");
    if (address) photo.src = address;
    else photo.removeAttribute("src");
  },

  // What moved in the video, as a beginning.
  async found(address) {
    if (!address || painted || painter.hidden || photo.src !== asked) return;
    const mask = new Image();
    mask.src = address;
    await mask.decode();
    if (painted || photo.src !== asked) return;
    context.globalCompositeOperation = "copy";
    context.drawImage(mask, 0, 0, canvas.width, canvas.height);
    const shown = pixels();
    for (let i = 0; i < shown.data.length; i += 4) {
      shown.data[i + 3] = shown.data[i];
      shown.data.fill(255, i, i + 3);
    }
    context.putImageData(shown, 0, 0);
    say("Bright parts were found to move. Paint to change that.");
  },

  // A file at the server, or null: nothing is painted.
  async mask() {
    asked = photo.src;
    if (painter.hidden || !painted || !pixels().data.some((value, i) => i % 4 === 3 && value)) return null;
    const flat = new OffscreenCanvas(canvas.width, canvas.height);
    const over = flat.getContext("2d");
    over.fillRect(0, 0, flat.width, flat.height); // black
    over.drawImage(canvas, 0, 0);
    const form = new FormData();
    form.append("files", await flat.convertToBlob({ type: "image/png" }), "mask.png");
    const answer = await fetch("/gradio_api/upload", { method: "POST", body: form });
    if (!answer.ok) {
      say(`The mask was not taken: ${await answer.text()}`);
      throw new Error("mask");
    }
    const [path] = await answer.json();
    return { path, orig_name: "mask.png", meta: { _type: "gradio.FileData" } };
  },
};
