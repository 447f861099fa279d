// Paints a mask over a small copy of the photo. The server gets it as a PNG, white where it moves.
// `element` is the one of painter.html; events of the page call `window.painter`.
const MAX_SIDE = 1024; // pixels
const at = (name) => element.querySelector(`[data-name="${name}"]`);
const [painter, photo, canvas] = ["painter", "photo", "canvas"].map(at);
const context = canvas.getContext("2d", { willReadFrequently: true });
let painted = false; // by the visitor; a mask that the server found does not count
let submitted = ""; // address of the photo that a video is being made of
let erasing = false;
let last = null; // position of the current stroke

const say = (text) => { at("note").textContent = text; };
const pixels = () => context.getImageData(0, 0, canvas.width, canvas.height);

function clear() {
  context.clearRect(0, 0, canvas.width, canvas.height);
  painted = false;
  say("Paint the parts that should move. If you paint nothing, sky and water move.");
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
  context.strokeStyle = context.fillStyle = "white";
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = (at("size").value / 100) * Math.max(canvas.width, canvas.height);
  // A line of length 0 has no caps in some browsers, and a tap should paint, too.
  context.beginPath();
  context.arc(x, y, context.lineWidth / 2, 0, 2 * Math.PI);
  context.fill();
  context.beginPath();
  context.moveTo(...(last || [x, y]));
  context.lineTo(x, y);
  context.stroke();
  last = [x, y];
  painted = true;
  say("The bright parts will move.");
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
  const scale = Math.min(1, MAX_SIDE / Math.max(photo.naturalWidth, photo.naturalHeight));
  canvas.width = Math.max(1, Math.round(photo.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(photo.naturalHeight * scale));
  clear();
  painter.hidden = false;
});

photo.addEventListener("error", () => say("Your browser cannot display this photo. To paint on it, use a JPEG."));

window.painter = {
  show(address) {
    painter.hidden = true;
    painted = false;
    say("Add a photo first.");
    if (address) photo.src = address;
    else photo.removeAttribute("src");
  },

  // Shows what moved in the video, as a start.
  async found(address) {
    if (!address || painted || painter.hidden || photo.src !== submitted) return;
    const mask = new Image();
    mask.src = address;
    await mask.decode();
    if (painted || photo.src !== submitted) return;
    context.globalCompositeOperation = "copy";
    context.drawImage(mask, 0, 0, canvas.width, canvas.height);
    const shown = pixels();
    for (let i = 0; i < shown.data.length; i += 4) {
      shown.data[i + 3] = shown.data[i];
      shown.data.fill(255, i, i + 3);
    }
    context.putImageData(shown, 0, 0);
    say("The bright parts moved. Paint to change that.");
  },

  // Uploads the mask; null if nothing is painted.
  async mask() {
    submitted = photo.src;
    if (painter.hidden || !painted || !pixels().data.some((value, i) => i % 4 === 3 && value)) return null;
    const flat = new OffscreenCanvas(canvas.width, canvas.height);
    const over = flat.getContext("2d");
    over.fillRect(0, 0, flat.width, flat.height); // black
    over.drawImage(canvas, 0, 0);
    const form = new FormData();
    form.append("files", await flat.convertToBlob({ type: "image/png" }), "mask.png");
    const answer = await fetch("/gradio_api/upload", { method: "POST", body: form });
    if (!answer.ok) {
      say(`The mask could not be uploaded: ${await answer.text()}`);
      throw new Error("mask");
    }
    const [path] = await answer.json();
    return { path, orig_name: "mask.png", meta: { _type: "gradio.FileData" } };
  },
};
