// The photo that is shown: finds its motion, makes its loop and plays it; does so again when settings change.

import { Brush } from './brush.js';
import { BrushTools } from './brush_tools.js';
import { Controls } from './controls.js';
import { at } from './elements.js';
import { Problem, complain, inWords, note, progress, say, sentence } from './messages.js';
import { readPhoto } from './photo.js';
import { Player } from './player.js';

/** Length of the loop in seconds, as in `ssagan_tf.animate`. */
export const SECONDS = 8;
/** Frames per second of a saved loop; the page shows as many as the display can. */
export const FPS = 25;

const MEASURED_EVERY = 1000; // milliseconds
const LONGEST_STILL = 2048; // pixels; the still photo is only seen until the loop is ready

/** As the engine's errors where nothing moves. */
class HeldStill extends Error {
  reason = 'everything is held still';
  maskHelps = true;
}

export class Studio {
  #renderer;
  #engine;
  #player;
  #brush = new Brush(at('paint'));
  #tools = new BrushTools(this.#brush);
  #controls = new Controls(() => this.#update('layers'));
  #calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  #opened = 0; // number of files
  #motion = null; // of the photo
  #outdated = null; // 'motion' or 'layers', if they must be made again
  #updating = false;
  #lent = false;

  photo = null;
  name = ''; // of its file
  cycles = 0; // number of phases in its loop; 0: there is no loop
  onphoto = () => {}; // called when another photo comes
  onchange = () => {}; // called when a loop is there, or no more

  constructor(renderer, engine) {
    this.#renderer = renderer;
    this.#engine = engine;
    this.#player = new Player(renderer);
    this.#brush.onchange = () => {
      this.#tools.refresh();
      this.#update('motion');
    };
    at('play').addEventListener('click', () => {
      if (this.#player.playing) this.#pause();
      else this.#play();
    });
    setInterval(() => this.#figures(), MEASURED_EVERY);
    renderer.addEventListener('lost', () => {
      if (this.cycles) say('The graphics card is busy elsewhere; the motion goes on in a moment.');
    });
    renderer.addEventListener('restored', () => this.#report());
    at('fullscreen').hidden = !document.fullscreenEnabled;
    at('fullscreen').addEventListener('click', () => at('frame').requestFullscreen());
  }

  /** Whether a loop is there that fits the settings. */
  get ready() {
    return this.cycles > 0 && !this.#updating;
  }

  async open(file) {
    const turn = ++this.#opened;
    this.onphoto();
    complain('');
    note('');
    say('Opening the photo…');
    try {
      const read = await readPhoto(file, this.#renderer);
      if (turn === this.#opened) this.#show(read, file.name);
      read.still.close();
    } catch (error) {
      if (turn === this.#opened) this.#fail(error);
    }
  }

  /**
   * Holds motion and settings while something else draws frames of the loop.
   *
   * @param {(canvas: HTMLCanvasElement, draw: (share: number) => void) => Promise} work `draw` draws the frame after
   *   that share of the loop
   */
  async lend(work) {
    const { playing } = this.#player;
    const { cycles, photo } = this;
    this.#player.pause();
    this.#lent = true;
    const held = ['motion', 'masking', 'paint', 'play'].map(at);
    for (const each of held) each.inert = true;
    try {
      return await work(at('picture'), (share) => {
        if (this.#renderer.isLost) throw new Problem('The graphics card is busy elsewhere. Please try again in a moment.');
        this.#renderer.draw((share * cycles) % 1);
      });
    } finally {
      this.#lent = false;
      for (const each of held) each.inert = false;
      if (photo === this.photo && playing) this.#player.play();
      else if (photo === this.photo) this.#player.draw();
      if (this.#outdated) this.#update(this.#outdated);
    }
  }

  #show(read, name) {
    const { width, height } = read.photo;
    this.photo = read.photo;
    this.name = name;
    this.#motion = null;
    this.#stop();
    const focused = at('start').contains(document.activeElement);
    at('start').hidden = true;
    at('studio').hidden = false;
    if (focused) at('studio').focus(); // its place in the page has gone
    at('frame').style.setProperty('--aspect', width / height);
    scrollTo(0, 0);
    const scale = Math.min(1, LONGEST_STILL / Math.max(width, height));
    const still = at('still');
    [still.width, still.height] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
    still.getContext('2d', { alpha: false }).drawImage(read.still, 0, 0, still.width, still.height);
    this.#brush.reset(width, height);
    this.#tools.open(false);
    this.#tools.choose('hold');
    this.#tools.refresh();
    at('brush').disabled = true; // until it is known what strokes are painted on
    this.#figures();
    if (width < read.width) {
      note(`This photo is very large (${read.width} × ${read.height} pixels). It was reduced to ${width} × ${height}.`);
    }
    this.#update('motion');
  }

  /** Makes motion or layers again. While that goes on, and while they are held, only the last of further calls counts. */
  async #update(what) {
    if (!this.photo) return;
    if (this.#outdated !== 'motion') this.#outdated = what;
    if (this.#updating || this.#lent) return;
    this.#updating = true;
    this.onchange();
    progress(undefined);
    while (this.#outdated) {
      try {
        await this.#once();
      } catch (error) {
        if (!this.#outdated) this.#fail(error);
      }
    }
    this.#updating = false;
    at('brush').disabled = false;
    progress(null);
    this.onchange();
  }

  async #once() {
    const { photo } = this;
    const remake = this.#outdated === 'motion' || !this.#motion;
    this.#outdated = null;
    await this.#engine.ready;
    complain('');
    if (remake) {
      say(this.#brush.painted ? 'Moving what you painted…' : 'Finding out what moves…');
      this.#motion = null;
      const mask = this.#brush.mask();
      if (mask?.data.every((share) => share === 0)) throw new HeldStill();
      const motion = await this.#engine.estimate(photo, mask);
      if (photo !== this.photo) return;
      this.#motion = motion;
      if (!mask) this.#brush.found = motion.mask;
    }
    say('Making the loop…');
    const settings = { ...this.#controls.settings, seconds: SECONDS, fps: FPS };
    const layers = await this.#engine.layers(photo, this.#motion, settings);
    if (this.#outdated || photo !== this.photo) return;
    this.#renderer.setLayers(layers);
    const first = !this.cycles;
    this.cycles = layers.cycles;
    this.#player.show(layers.cycles, SECONDS);
    at('picture').hidden = false;
    at('play').disabled = false;
    if (first && !this.#calm) this.#play();
    else if (first) say('Ready. As your device asks for less motion, nothing moves until you press Play.');
    else this.#report();
  }

  #play() {
    this.#player.play();
    this.#report();
  }

  #pause() {
    this.#player.pause();
    this.#report();
  }

  /** There is no loop any more. */
  #stop() {
    this.cycles = 0;
    this.#player.pause();
    this.#report();
    at('picture').hidden = true;
    at('play').disabled = true;
    this.onchange();
  }

  #report() {
    const { playing } = this.#player;
    if (this.cycles) say(playing ? 'The sky moves.' : 'Paused.');
    at('play').textContent = playing ? 'Pause' : 'Play';
    at('picture').setAttribute('aria-label', playing ? 'Your photo; its sky moves' : 'Your photo, paused');
  }

  #figures() {
    if (!this.photo) return;
    const { width, height } = this.photo;
    const { milliseconds } = this.#renderer;
    const speed = this.cycles && milliseconds ? `, ${milliseconds.toFixed(1)} ms a frame` : '';
    at('figures').textContent = `${width} × ${height} pixels${speed}`;
  }

  #fail(error) {
    if (error.maskHelps === undefined) {
      complain(inWords(error));
    } else {
      this.#stop();
      const advice = error.maskHelps ? ' Paint what should move with the brush.' : '';
      complain(`Nothing moves in this photo. ${sentence(error.reason)}${advice}`);
      if (error.maskHelps) {
        this.#tools.open(true);
        this.#tools.choose('move');
      }
    }
    say('');
    this.#report();
    progress(null);
  }
}
